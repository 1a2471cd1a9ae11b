"""What tests write beside photos, and text in it that must stay text."""

import dataclasses
from typing import Any

from emotag.flickr.card import FetchAccount
from emotag.flickr.manifest import Entry

__all__ = ["ACCOUNT", "FORMULAS", "FULL", "HOSTILE", "made"]

FULL = Entry(
    file="love/5123.jpg",
    label="love",
    id="5123",
    query="love",
    sha256="ab" * 32,
    width=500,
    height=333,
    title="At the sea",
    owner="12037949754@N01",
    owner_name="Bees",
    page="https://www.flickr.com/photos/12037949754@N01/5123",
    url="https://live.staticflickr.com/65535/5123_a1b2c3.jpg",
    licence=1,
    licence_name="CC BY-NC-SA 2.0",
    licence_version="2.0",
    licence_url="https://creativecommons.org/licenses/by-nc-sa/2.0/",
    non_commercial=True,
    no_derivatives=False,
    taken="2004-11-19 12:51:19",
    uploaded="2004-11-19T17:31:37Z",
    tags="sea love",
    views=17,
    rank=3,
    slice="2004-02-01 to 2026-01-01",
    fetched="2026-01-02T03:04:05Z",
    duplicate_group=0,
    group="12037949754@N01",
)

ACCOUNT = FetchAccount(
    command="emotag fetch love fear --per-label 2",
    version="0.1.0",
    began="2026-01-02T03:04:05Z",
    ended="2026-01-02T04:04:05Z",
    queries={"love": "love", "fear": "fear OR scary"},
    wanted=2,
    found={"love": 1_234, "fear": 1},
    passed={"a licence that was not asked for": 3, "found under another label, too": 12},
)

FORMULAS = [
    '=HYPERLINK("https://example.org","click")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "\uff1d1",
]

HOSTILE = [
    "[click](javascript:alert(1))",
    "![](https://example.org/pixel.png)",
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "&lt;b&gt; & &copy;",
    "*bold* _it_ ~~gone~~ `code` **",
    "](https://example.org) [x",
    "a\\",
    "# title",
    "- item",
    "1. item",
    "a | b",
    "<https://example.org>",
    "``` \n# code",
    "one\n\n# two\n***\n",
    "  \t padded \t ",
]


def made(number: int = 1, label: str = "love", **changes: Any) -> Entry:
    """Return a row of its own number, like the full one otherwise."""
    file = f"{label}/{number}.jpg" if label else f"{number}.jpg"
    return dataclasses.replace(
        FULL, **({"id": str(number), "label": label, "file": file} | changes)
    )
