import os
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.cli import console
from emotag.cli.console import notes, person_reads_notes, progress_bar, rate, results, safe, stage
from tests.cli.program import terminal

names = st.binary(min_size=1, max_size=30).map(os.fsdecode)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.jpg", "plain name.jpg"),
        ("новая 😀 写真.jpg", "новая 😀 写真.jpg"),
        # as macOS names a screenshot taken at 3.14 PM
        ("Screenshot 3.14\u202fPM.jpg", "Screenshot 3.14\u202fPM.jpg"),
        ("👨\u200d👩\u200d👧.jpg", "👨\u200d👩\u200d👧.jpg"),
        ("two\nlines\r\t.jpg", r"two\nlines\r\t.jpg"),
        ("\x1b[31mred\x9b0m", r"\x1b[31mred\x9b0m"),
        ("photo\u202egpj.exe", r"photo\u202egpj.exe"),
        ("\u2066a\u2069\u200f", r"\u2066a\u2069\u200f"),
        ("a\u2028b", r"a\u2028b"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf%E9.jpg"),
    ],
)
def test_names_are_shown_as_text(name, shown):
    assert safe(name) == shown


@given(st.one_of(st.text(), names))
def test_no_name_moves_the_cursor_or_turns_the_line(name):
    shown = safe(name)
    shown.encode("utf-8")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]", shown)


def test_text_is_printed_as_it_is(capsys):
    text = "[red]x[/red] :smile: 'quoted' 12 " + "long " * 60
    results.print(text)
    notes.print(text)
    captured = capsys.readouterr()
    assert captured.out == captured.err == f"{text}\n"


@pytest.mark.parametrize(
    ("speed", "shown"), [(0.123, "0.1/s"), (9.96, "10.0/s"), (10, "10/s"), (1234.5, "1234/s")]
)
def test_rates(speed, shown):
    assert rate(speed) == shown


class Clock:
    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


def count(total, seconds_each, monkeypatch, **options):
    clock = Clock()
    monkeypatch.setattr(console, "time", clock)
    with progress_bar("Tagging", total, **options) as advance:
        for _ in range(total):
            clock.now += seconds_each
            advance()


def test_a_long_job_tells_a_log_every_tenth(monkeypatch, capsys):
    count(200, 1, monkeypatch)
    assert capsys.readouterr().err.splitlines() == [
        f"Tagging: {done} of 200" for done in range(20, 201, 20)
    ]


def test_a_short_job_tells_a_log_nothing(monkeypatch, capsys):
    count(200, 0.005, monkeypatch)
    assert capsys.readouterr() == ("", "")


def test_a_job_of_few_steps_tells_each(monkeypatch, capsys):
    count(3, 60, monkeypatch)
    assert capsys.readouterr().err.splitlines() == [f"Tagging: {done} of 3" for done in (1, 2, 3)]


def test_a_quiet_job_tells_nothing(monkeypatch, capsys):
    count(200, 1, monkeypatch, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_nothing_to_do_is_no_error(monkeypatch, capsys):
    count(0, 1, monkeypatch)
    with progress_bar("Features", 0) as advance:
        advance(0)
    assert capsys.readouterr() == ("", "")


def test_a_stage_is_a_line_in_a_log(capsys):
    with stage("Fitting"):
        pass
    with stage("Saving", quiet=True):
        pass
    assert capsys.readouterr().err == "Fitting …\n"


def test_a_closed_stream_has_no_reader(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert not person_reads_notes()
    assert not console.person_reads_results()
    results.print("nobody hears this")
    notes.print("nor this")


def test_a_terminal_shows_a_bar_and_stages():
    with terminal() as screen:
        with progress_bar("Tagging", 20) as advance:
            for _ in range(20):
                advance()
        with stage("Fitting"):
            pass
        with progress_bar("Hidden", 20, quiet=True) as advance:
            advance(20)
    assert "20/20" in screen.text
    assert "Fitting …" in screen.text
    assert "Hidden" not in screen.text


def test_a_terminal_that_moves_no_cursor_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with terminal() as screen, stage("Fitting"):
        assert not person_reads_notes()
    assert screen.text == "Fitting …\n"
