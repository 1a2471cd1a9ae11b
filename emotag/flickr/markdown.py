"""Markdown in which strangers' words stay words."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from emotag.flickr.text import clean_text
from emotag.pages.escaping import visible

__all__ = ["code_block", "escape", "link", "make_table"]

# What begins something else than text in CommonMark, or on the sites that show it, in the middle
# of a line: among them formulas ($), pictures (:smile:) and addresses.
_MARKUP = re.compile(r"[\\`*_{}\[\]~|$]|:(?=//|[a-z+][\w+-]*:)|(?<=www)\.", re.IGNORECASE)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escape(text: str) -> str:
    r"""Return text that Markdown shows as it is, on one line.

    Examples
    --------
    >>> escape("*a* <b>")
    '\\*a\\* &lt;b&gt;'
    """
    shown = visible(" ".join(clean_text(text).split()))
    return _MARKUP.sub(r"\\\g<0>", shown).translate(_ENTITIES)


def link(text: str, url: str) -> str:
    """Return a link to a web address; the text alone if it is none."""
    if not re.fullmatch(r"https?://[!-~]+", url):
        return escape(text)
    address = quote(url, safe=":/?#@!$&'+,;=%").replace("&", "&amp;")
    return f"[{escape(text)}]({address})"


def code_block(text: str) -> str:
    """Return a command as a block that nothing in it ends."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}console\n$ {visible(clean_text(text))}\n{fence}"


def make_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
