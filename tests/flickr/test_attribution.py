"""The attribution, as a reader of the rendered page sees it; hostile text in it."""

import html
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emotag.flickr.attribution import write_attribution
from emotag.flickr.manifest import Entry
from emotag.flickr.text import clean_text
from tests.flickr.entries import FORMULAS, FULL, HOSTILE, made
from tests.flickr.rendering import Page


def attribution(folder: Path, *entries: Entry) -> str:
    path = folder / "ATTRIBUTION.md"
    write_attribution(str(path), entries)
    return path.read_text("utf-8")


def test_title_author_source_and_licence_are_named(tmp_path: Path) -> None:
    text = attribution(tmp_path, FULL)
    assert (
        "\n## love\n\n- “[At the sea](https://www.flickr.com/photos/12037949754@N01/5123)” by "
        "[Bees](https://www.flickr.com/people/12037949754@N01/), "
        "[CC BY-NC-SA 2.0](https://creativecommons.org/licenses/by-nc-sa/2.0/) "
        "(no commercial use). File: love/5123.jpg\n"
    ) in text


def test_photos_stand_by_label(tmp_path: Path) -> None:
    entries = [made(1), made(2, "fear"), made(3), made(4, "")]
    lines = attribution(tmp_path, *entries).splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## love",
        "## fear",
        "## Without a label",
    ]
    files = [line.rpartition(" ")[2] for line in lines if line.startswith("- ")]
    assert files == ["love/1.jpg", "love/3.jpg", "fear/2.jpg", "4.jpg"]


def test_what_a_licence_asks_is_said(tmp_path: Path) -> None:
    both = attribution(tmp_path, made(no_derivatives=True))
    assert "(no commercial use; changed versions may not be shared)" in both
    assert "(" not in attribution(
        tmp_path, made(non_commercial=False, page="", owner="", licence_url="")
    )


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    page = Page(attribution(tmp_path, Entry("a.jpg", "love", "1")))
    assert "“Untitled” by unknown, no licence is known. File: a.jpg" in page.text
    assert page.links == []


@pytest.mark.parametrize("title", [*HOSTILE, *FORMULAS])
def test_hostile_text_is_shown_as_text(tmp_path: Path, title: str) -> None:
    for link in (FULL.page, ""):
        page = Page(attribution(tmp_path, made(title=title, owner_name=title, page=link)))
        shown = " ".join(clean_text(title).split())
        assert f"“{shown}” by {shown}, CC BY-NC-SA 2.0" in page.text
        assert page.tags <= {"h1", "h2", "p", "ul", "li", "a"}
        assert page.links == [
            *filter(None, [link]),
            "https://www.flickr.com/people/12037949754@N01/",
            FULL.licence_url,
        ]


@given(title=st.text(alphabet="[]()<>*_`\\!#&;:/~|$'\"= \nax1.-", max_size=20))
@settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_title_is_shown_as_text(tmp_path: Path, title: str) -> None:
    shown = " ".join(title.split()) or "Untitled"
    for link in (FULL.page, ""):
        page = Page(attribution(tmp_path, made(title=title, page=link)))
        assert f"“{shown}” by Bees" in page.text
        assert page.tags <= {"h1", "h2", "p", "ul", "li", "a"}


def test_addresses_begin_no_link_of_their_own(tmp_path: Path) -> None:
    text = attribution(tmp_path, made(title="https://example.org WWW.example.org", page=""))
    assert r"“https\://example.org WWW\.example.org”" in text


def test_direction_marks_are_shown(tmp_path: Path) -> None:
    text = attribution(tmp_path, made(title="abc\u202egpj.exe", owner_name="\u2066x\u200b"))
    assert not set(text) & set("\u202e\u2066\u200b")
    page = Page(text)
    assert r"“abc\u202egpj.exe” by \u2066x\u200b," in page.text


def test_other_scripts_and_emoji_stay(tmp_path: Path) -> None:
    title = "愛と恐れ — עצב, grâce 👩\u200d👧"
    assert f"“{title}”" in Page(attribution(tmp_path, made(title=title))).text


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "//example.org", "https://a b", "file:///x"],
)
def test_only_web_addresses_are_linked(tmp_path: Path, address: str) -> None:
    page = Page(attribution(tmp_path, made(page=address, licence_url=address, owner="")))
    assert page.links == []
    assert "“At the sea” by Bees, CC BY-NC-SA 2.0" in page.text


def test_an_address_cannot_end_its_link(tmp_path: Path) -> None:
    address = "https://example.org/a)_*b*_<script>[x](y)?a&copy;=\\1#\"c'"
    page = Page(attribution(tmp_path, made(page=address)))
    assert html.unescape(page.links[0]).startswith("https://example.org/a%29_")
    assert "script" not in page.tags
    assert "em" not in page.tags
    assert "&copy;=" in page.links[0]
