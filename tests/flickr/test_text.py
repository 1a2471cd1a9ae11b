"""Text on one line, and files that appear whole."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.flickr.text import clean_text, replace_text


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_text_without_control_characters_is_clean(text: str) -> None:
    assert clean_text(text) == text


@given(text=st.text())
def test_clean_text_stays_on_its_line(text: str) -> None:
    assert len(clean_text(text)) == len(text)
    assert len(clean_text(text).splitlines()) <= 1


def test_a_file_that_is_not_finished_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), replace_text(str(path)) as file:
        file.writelines(f"{1 // number}" for number in (1, 0))
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    with replace_text(str(tmp_path / "a.txt")) as file:
        file.write("é\r\n\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\r\n\n"
