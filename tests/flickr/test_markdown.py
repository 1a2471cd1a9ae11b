"""Markdown in which a stranger's words stay words, as its readers see it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.flickr.markdown import code_block, escape, link, make_table
from emotag.flickr.text import clean_text
from tests.flickr.entries import FORMULAS, HOSTILE
from tests.flickr.rendering import Page


@given(text=st.text(alphabet="[]()<>*_`\\!#&;:/~|$'\"= \nax1.-", max_size=20))
def test_any_text_in_a_line_is_shown_as_text(text: str) -> None:
    page = Page(f"It says “{escape(text)}”.")
    assert page.text.strip() == f"It says “{' '.join(text.split())}”."
    assert page.tags == {"p"}


@pytest.mark.parametrize("text", [*HOSTILE, *FORMULAS])
def test_cells_of_a_table_stay_in_their_places(text: str) -> None:
    page = Page(make_table(["one", "two"], [[escape(text), "2"], ["3", escape(text)]]))
    assert page.tags <= {"table", "thead", "tbody", "tr", "th", "td"}
    shown = " ".join(clean_text(text).split())
    assert page.text.count(shown) >= 2


def test_a_link_leads_where_it_says() -> None:
    page = Page(link("[a] *b*", "https://example.org/a)b"))
    assert (page.text.strip(), page.links) == ("[a] *b*", ["https://example.org/a%29b"])


@pytest.mark.parametrize("url", ["", "javascript:alert(1)", "file:///x", "https://a b"])
def test_what_is_no_web_address_is_not_linked(url: str) -> None:
    assert link("a*b", url) == r"a\*b"


def test_nothing_ends_a_block() -> None:
    page = Page(code_block("emotag fetch '```'\n```\n# x"))
    assert page.tags == {"pre", "code"}
    assert page.text.strip() == "$ emotag fetch '```' ``` # x"
