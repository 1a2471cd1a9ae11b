"""``emotag tag --xmp`` and ``emotag untag``, as a person types them."""

import os
from pathlib import Path

import pytest

from tests.conftest import draw_photo
from tests.tagging.test_xmp import PACKETS


@pytest.fixture(autouse=True)
def _photos(small_bundle, inside):
    os.makedirs("models")
    os.symlink(small_bundle, "models/small")
    os.makedirs("photos")
    for index in range(3):
        draw_photo(inside / f"photos/{index}.jpg", index)


def content() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path("photos").iterdir())}


def test_tagged_and_untagged(emotag):
    Path("photos/1.jpg.xmp").write_bytes(PACKETS["keywords"])
    before = content()
    outcome = emotag("tag", "photos", "-m", "small", "--xmp", "-o", "tags.csv")
    assert outcome.code == 0
    assert outcome.err.endswith("Sidecars: 3 written.\n")
    assert sorted(content()) == sorted([*before, "0.jpg.xmp", "2.jpg.xmp"])
    once = content()
    again = emotag("tag", "photos", "-m", "small", "--xmp", "-o", "tags.csv")
    assert again.err.endswith("Sidecars: 0 written, 3 unchanged.\n")
    assert content() == once
    unsure = emotag(
        "tag", "photos/0.jpg", "-m", "small", "--xmp", "--min-confidence", "1", "-o", "tags.csv"
    )
    assert unsure.err.endswith("Sidecars: 0 written, 1 cleared.\n")
    outcome = emotag("untag", "photos")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "Tags taken out of 2 sidecars.\n"
    assert content() == before


def test_what_is_left_alone_is_named(emotag):
    Path("photos/1.jpg.xmp").write_text("no XMP")
    before = content()
    outcome = emotag("tag", "photos", "-m", "small", "--xmp", "-q", "-o", "tags.csv")
    assert outcome.code == 3
    assert "1 left alone:\n  photos/1.jpg.xmp is no valid XML (" in outcome.err
    assert "Traceback" not in outcome.err
    outcome = emotag("untag", "photos", "-q")
    assert outcome.code == 3
    assert outcome.err.startswith("1 left alone:\n  photos/1.jpg.xmp is no valid XML (")
    assert content() == before


def test_for_adobe(emotag):
    assert emotag("tag", "photos", "-m", "small", "--xmp", "--sidecar", "photo.xmp").code == 0
    assert "0.xmp" in content()
    assert emotag("untag", "photos/0.jpg", "-q").code == 0
    assert sorted(content()) == ["0.jpg", "1.jpg", "1.xmp", "2.jpg", "2.xmp"]


def test_an_unknown_form(emotag):
    outcome = emotag("tag", "photos", "-m", "small", "--xmp", "--sidecar", "both")
    assert outcome.code == 1
    assert outcome.err.startswith("emotag: Unknown form of sidecars 'both'; choose from photo.jpg")


def test_a_path_that_is_not_there(emotag):
    outcome = emotag("untag", "nowhere")
    assert outcome.code == 1
    assert outcome.err == "emotag: nowhere does not exist.\n"
