"""Text and paths made safe to show: as text on a page or terminal, as data, as a link."""

import json
import os
import re
import unicodedata
from pathlib import PurePath
from typing import Any
from urllib.parse import quote_from_bytes

__all__ = ["link_to", "script_json", "visible"]

# Control and direction marks, line separators, private and unassigned characters.
_UNSAFE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
# They join emoji and the letters of some scripts.
_JOINERS = "\u200c\u200d"

# As JSON may write them: no tag, comment or entity can begin inside of a script then.
_MARKUP = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}

_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]+://")


def visible(text: str) -> str:
    r"""Return text in which control and direction marks are escaped, so that they are seen.

    Parameters
    ----------
    text : str
        Any text.

    Examples
    --------
    >>> visible("a\x1b[31m.jpg")
    'a\\x1b[31m.jpg'
    """
    if text.isprintable():
        return text
    return "".join(
        mark.encode("unicode_escape").decode()
        if unicodedata.category(mark) in _UNSAFE and mark not in _JOINERS
        else mark
        for mark in text
    )


def script_json(value: Any) -> str:
    r"""Return a value as JSON that may stand in a ``<script>`` whatever it holds.

    Parameters
    ----------
    value : object
        What `json` can write.

    Examples
    --------
    >>> script_json("</script>")
    '"\\u003c/script\\u003e"'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_MARKUP)


def link_to(path: str, page: str) -> str:
    """Return the URL that leads from a page to a file on this disk; empty if it is not there.

    It is relative, so that folder and page may be moved together. A photo in
    a bucket or in an archive is no file of its own, and has none.

    Parameters
    ----------
    path : str
        The file.
    page : str
        The page, also a file.

    Examples
    --------
    >>> import emotag
    >>> link_to(emotag.__file__, emotag.__file__.replace("__init__", "a page"))
    '__init__.py'
    """
    if _SCHEME.match(path) or not os.path.lexists(path):
        return ""
    photo, folder = os.path.abspath(path), os.path.dirname(os.path.abspath(page))
    if os.path.splitdrive(photo)[0] != os.path.splitdrive(folder)[0]:  # pragma: no cover
        return PurePath(photo).as_uri()
    # a colon is quoted too, so that no name is taken for a scheme
    return quote_from_bytes(os.fsencode(os.path.relpath(photo, folder).replace(os.sep, "/")))
