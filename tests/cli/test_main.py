import os
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

import emotag as package
from tests.cli.program import command, run, run_here
from tests.conftest import draw_photo

COMMANDS = [
    "tag",
    "untag",
    "merge",
    "demo",
    "fetch",
    "fit",
    "evaluate",
    "compare",
    "models",
    "cache",
    "cache clear",
]


class TestHelp:
    def test_no_arguments_show_the_commands(self, emotag):
        outcome = emotag()
        shown = outcome.out + outcome.err
        assert outcome.code == 2
        for name in ("tag", "demo", "fetch", "fit", "evaluate", "compare", "models", "cache"):
            assert f"\n  {name} " in shown

    @pytest.mark.parametrize("option", ["--help", "-h"])
    def test_help_names_every_command_with_a_whole_sentence(self, emotag, option):
        outcome = emotag(option)
        assert (outcome.code, outcome.err) == (0, "")
        assert "Example: emotag tag ./photos" in outcome.out
        commands = outcome.out.partition("Commands:\n")[2].splitlines()
        assert [line.split()[0] for line in commands] == [
            "tag",
            "untag",
            "merge",
            "demo",
            "fetch",
            "fit",
            "evaluate",
            "compare",
            "models",
            "cache",
        ]
        assert all(line.endswith(".") and not line.endswith("...") for line in commands)

    @pytest.mark.parametrize("name", COMMANDS)
    def test_every_command_has_an_example(self, emotag, name):
        outcome = emotag(*name.split(), "--help")
        assert (outcome.code, outcome.err) == (0, "")
        assert f"Usage: emotag {name}" in outcome.out
        assert f"Example: emotag {name}" in outcome.out
        assert "[bold]" not in outcome.out
        assert max(map(len, outcome.out.splitlines())) <= 80

    def test_every_option_says_what_it_is_for(self, emotag):
        for name in COMMANDS:
            for line in emotag(*name.split(), "--help").out.splitlines():
                if line.startswith(("  -", "  --")):
                    assert len(line.split("  ")) > 2 or len(line) > 24, line

    def test_the_examples_of_the_help_are_commands(self, emotag):
        """Each is parsed as far as to find that the photos, or the data, are not there."""
        outcome = emotag("tag", "./photos", "-o", "tags.csv")
        assert outcome.err == "emotag: ./photos does not exist.\n"
        outcome = emotag("fit", "./data", "--out", "./models/mine")
        assert outcome.err.startswith("emotag: ./data does not exist")
        outcome = emotag("evaluate", "models/mine", "./data")
        assert outcome.err.startswith("emotag: ")
        assert "models/mine" in outcome.err
        outcome = emotag("compare", "./data", "--models", "svm,lite0", "--folds", "5")
        assert outcome.err.startswith("emotag: ./data does not exist")

    @pytest.fixture(autouse=True)
    def _nothing_here(self, inside):
        pass


class TestVersion:
    def test_is_printed(self, emotag):
        outcome = emotag("--version")
        assert (outcome.code, outcome.out) == (0, f"emotag {package.__version__}\n")

    def test_of_the_installed_program(self):
        program = Path(sysconfig.get_path("scripts")) / "emotag"
        if not program.exists():
            pytest.skip("emotag is not installed as a program")
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout == f"emotag {version('emotag')}\n"


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["tga"], "No such command 'tga'"),
            (["tag"], "Missing argument 'PATH'"),
            (["tag", "x.jpg", "--outptu", "x.csv"], "No such option: --outptu"),
            (["tag", "x.jpg", "-o"], "Option '-o' requires an argument"),
            (["tag", "x.jpg", "--jobs", "0"], "Invalid value for"),
            (["tag", "x.jpg", "--jobs", "many"], "Invalid value for"),
            (["tag", "x.jpg", "--max-pixels", "-1"], "Invalid value for"),
            (["fit", "--seed", "x"], "Invalid value for '--seed'"),
            (["evaluate"], "Missing argument 'MODEL'"),
            (["compare", "--folds", "1"], "Invalid value for '--folds'"),
            (["demo", "extra"], "Got unexpected extra argument"),
            (["cache", "empty"], "No such command 'empty'"),
        ],
    )
    def test_mistakes_end_with_two_and_one_line(self, emotag, arguments, said):
        outcome = emotag(*arguments)
        assert (outcome.code, outcome.out) == (2, "")
        errors = [line for line in outcome.err.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1
        assert said in errors[0]


class TestErrors:
    def test_are_one_line_on_stderr(self, emotag, inside):
        outcome = emotag("tag", "nothing-here")
        assert outcome.code == 1
        assert (outcome.out, outcome.err) == ("", "emotag: nothing-here does not exist.\n")

    def test_a_name_in_a_message_cannot_turn_the_line_or_colour_it(self, emotag, inside):
        outcome = emotag("tag", "two\nlines\x1b[31m[bold]:smile:")
        assert outcome.err == "emotag: two\\nlines\\x1b[31m[bold]:smile: does not exist.\n"

    def test_a_long_message_stays_one_line_in_a_log(self, emotag, inside):
        outcome = emotag("tag", "long " * 40)
        assert len(outcome.err.splitlines()) == 1

    def test_debug_shows_the_traceback(self, inside):
        outcome = run("--debug", "tag", "nothing-here")
        assert outcome.code == 1
        assert outcome.err.startswith("Traceback (most recent call last):\n")
        assert outcome.err.endswith(
            "emotag.errors.PhotosNotFoundError: nothing-here does not exist.\n"
        )

    def test_debug_raises_what_went_wrong(self, emotag, inside, monkeypatch):
        with pytest.raises(package.PhotosNotFoundError):
            emotag("--debug", "tag", "nothing-here")
        monkeypatch.setitem(sys.modules, "emotag.cli.tag_output", None)
        with pytest.raises(ModuleNotFoundError):
            emotag("--debug", "tag", "nothing-here")

    def test_an_error_of_our_own_asks_for_a_report(self, emotag, inside, monkeypatch):
        # a broken installation: a module of ours is missing
        monkeypatch.setitem(sys.modules, "emotag.cli.tag_output", None)
        outcome = emotag("tag", "nothing-here")
        assert outcome.code == 1
        assert outcome.err == (
            "emotag: An error of emotag's own: ModuleNotFoundError: import of "
            "emotag.cli.tag_output halted; None in sys.modules. "
            "Please report it with what 'emotag --debug …' prints.\n"
        )

    def test_an_error_of_the_system_names_the_file(self, emotag, monkeypatch, tmp_path):
        monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path))
        (tmp_path / "networks").mkdir()
        (tmp_path / "networks" / "loop.onnx").symlink_to("loop.onnx")
        outcome = emotag("cache")
        assert outcome.code == 1
        assert outcome.err == (
            f"emotag: {tmp_path}/networks/loop.onnx: Too many levels of symbolic links.\n"
        )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
class TestNowhereToPrint:
    @pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["models"], ["cache"]])
    def test_a_full_disk_is_one_line(self, arguments):
        with open("/dev/full", "wb") as full:
            outcome = run(*arguments, stdout=full)
        assert outcome.code == 1
        assert outcome.err == "emotag: No space left on device.\n"

    def test_a_full_disk_here(self, monkeypatch, capsys):
        with open("/dev/full", "w") as full, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", full)
            assert run_here("--version") == 1
        assert capsys.readouterr().err == "emotag: No space left on device.\n"

    @pytest.mark.parametrize("arguments", [["--help"], ["models"]])
    def test_a_reader_who_leaves_is_no_error(self, arguments):
        process = subprocess.Popen(
            command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait() in (0, 1)

    def test_closed_streams_are_no_error(self):
        outcome = run("cache", preexec_fn=lambda: (os.close(1), os.close(2)))
        assert outcome.code == 0


def test_signs_that_the_encoding_lacks_are_escaped(tmp_path):
    draw_photo(tmp_path / "a.jpg", 1)
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}
    outcome = run("tag", "photo-ü", cwd=tmp_path, env=ascii_only)
    assert (outcome.code, outcome.err) == (1, "emotag: photo-\\xfc does not exist.\n")
    outcome = run("tag", "a.jpg", cwd=tmp_path, env=ascii_only)
    assert outcome.code == 0
    assert "100%  ####" in outcome.err
