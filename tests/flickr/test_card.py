"""The data card: what it counts, and hostile text in it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from emotag.flickr.card import FetchAccount, write_card
from emotag.flickr.manifest import Entry
from emotag.flickr.text import clean_text
from tests.flickr.entries import ACCOUNT, FULL, HOSTILE, made
from tests.flickr.rendering import Page


def card(folder: Path, entries: Sequence[Entry], account: FetchAccount = ACCOUNT) -> str:
    path = folder / "README.md"
    write_card(str(path), entries, account)
    return path.read_text("utf-8")


def test_the_command_and_the_dates_are_named(tmp_path: Path) -> None:
    text = card(tmp_path, [FULL])
    assert text.startswith("# 1 photos from Flickr, by emotion\n\nCollected by emotag 0.1.0 ")
    assert "```console\n$ emotag fetch love fear --per-label 2\n```" in text
    page = Page(text)
    assert "from 2026-01-02T03:04:05Z to 2026-01-02T04:04:05Z." in page.text


def test_labels_are_counted(tmp_path: Path) -> None:
    text = card(tmp_path, [made(1), made(2, owner="b"), made(3, "fear")])
    assert "| love | love | 1,234 | 2 | 2 |\n" in text
    assert "| fear | fear OR scary | 1 | 1 | 1 |\n" in text
    assert "2 photos of each label were asked for; fewer were to be had of fear." in text


def test_a_label_with_no_photo_is_named(tmp_path: Path) -> None:
    text = card(tmp_path, [])
    assert "| fear | fear OR scary | 1 | 0 | 0 |\n" in text
    assert "fewer were to be had of love, fear." in text


def test_licences_are_counted_with_what_they_ask(tmp_path: Path) -> None:
    free: dict[str, Any] = {"licence_name": "CC0 1.0", "non_commercial": False}
    text = card(tmp_path, [made(1), made(2), made(3, **free), made(4, no_derivatives=True)])
    assert "3 photos may not be used commercially, and of 1 no changed version" in text
    assert "| CC BY-NC-SA 2.0 | 2 | no | yes |\n" in text
    assert "| CC BY-NC-SA 2.0 | 1 | no | no |\n" in text
    assert "| CC0 1.0 | 1 | yes | yes |\n" in text


def test_near_duplicates_are_counted(tmp_path: Path) -> None:
    groups = [("love", 0), ("fear", 0), ("love", 1), ("love", 1), ("love", None)]
    entries = [
        made(number, label, duplicate_group=group) for number, (label, group) in enumerate(groups)
    ]
    assert (
        "4 photos look like another one, in 2 groups by perceptual hash, 1 of them with "
        "more than one label."
    ) in card(tmp_path, entries)


def test_what_was_left_out_is_said_most_first(tmp_path: Path) -> None:
    text = card(tmp_path, [FULL])
    assert (
        "| found under another label, too | 12 |\n| a licence that was not asked for | 3 |"
    ) in text
    nothing = dataclasses.replace(ACCOUNT, passed={})
    assert "No photo that was found was left out." in card(tmp_path, [FULL], nothing)


def test_the_caveats_stand_there(tmp_path: Path) -> None:
    text = card(tmp_path, [FULL])
    for words in (
        "Labels are queries",
        "Licences change",
        "people on the photos",
        "emotag fetch --forget ID",
        "emotag fetch --from photos.csv",
    ):
        assert words in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_queries_are_shown_as_text(tmp_path: Path, text: str) -> None:
    account = dataclasses.replace(
        ACCOUNT, queries={"love": text}, passed={text: 1}, command=f"emotag fetch {text}"
    )
    page = Page(card(tmp_path, [made(licence_name=text)], account))
    assert page.text.count(" ".join(clean_text(text).split())) >= 3
    assert page.links == []
    shown = {"h1", "h2", "p", "ul", "li", "strong", "code", "pre"}
    assert page.tags <= shown | {"table", "thead", "tbody", "tr", "th", "td"}


def test_a_fence_in_the_command_does_not_end_the_block(tmp_path: Path) -> None:
    account = dataclasses.replace(ACCOUNT, command="emotag fetch '````'\n# x")
    text = card(tmp_path, [], account)
    assert "`````console\n$ emotag fetch '````' # x\n`````" in text
