"""Text that stays on its line, and files of text that appear whole."""

import io
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from emotag.storage import replace_file

__all__ = ["clean_text", "replace_text"]

# Control characters, halves of characters, separators of lines and paragraphs.
_BREAKING = {"Cc", "Cs", "Zl", "Zp"}


def clean_text(text: str) -> str:
    r"""Return text on one line: a space stands for whatever would break it.

    Examples
    --------
    >>> clean_text("two\r\nlines")
    'two  lines'
    """
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(mark) in _BREAKING else mark for mark in text)


@contextmanager
def replace_text(path: str) -> Iterator[TextIO]:
    """Write a file of UTF-8 that appears whole or not at all.

    Parameters
    ----------
    path : str
        The file to be.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    with replace_file(path) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            # closing it would close the other before that is safe on the disk
            text.detach()
