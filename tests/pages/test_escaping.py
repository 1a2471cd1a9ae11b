"""Text that is seen as it is, data that ends no script, links that lead to the file."""

import json
import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.pages.escaping import link_to, script_json, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 😀.jpg", "plain 😀.jpg"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("two\nlines\x1b", "two\\nlines\\x1b"),
        ("family 👨\u200d👩", "family 👨\u200d👩"),
    ],
)
def test_marks_that_cannot_be_seen_are_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_json_comes_back_and_holds_no_markup(text: str) -> None:
    said = script_json({"text": text})
    assert json.loads(said) == {"text": text}
    assert not set(said) & set("<>&\u2028\u2029")


# every name that a file system takes
NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: name not in (b".", b"..") and not set(name) & set(b"\0/")
)


@given(NAMES)
def test_a_link_leads_to_the_file(tmp_path_factory: pytest.TempPathFactory, name: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "links"
    (folder / "page").mkdir(parents=True, exist_ok=True)
    path = os.path.join(os.fsencode(folder), name)
    Path(os.fsdecode(path)).touch()
    link = link_to(os.fsdecode(path), str(folder / "page" / "page.html"))
    os.remove(path)
    address = urlsplit(urljoin(f"file://{folder}/page/page.html", link))
    assert (address.scheme, address.query, address.fragment) == ("file", "", "")
    assert unquote_to_bytes(address.path) == path


@pytest.mark.parametrize("path", ["s3://bucket/a.jpg", "gone.jpg", "photos.zip/a.jpg", "a\0.jpg"])
def test_what_is_no_file_on_this_disk_has_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos.zip").touch()
    assert link_to(path, "page.html") == ""
