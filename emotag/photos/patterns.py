"""Patterns of paths: those that someone typed, and those to be left out."""

import glob
import os
import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

__all__ = ["expand", "fits", "is_named_by", "may_lead", "split_pattern"]

_ANY_FOLDERS = "**"


def split_pattern(typed: str) -> tuple[str, list[str]]:
    """Return the folder below which a pattern searches, and a pattern for each name below it.

    Examples
    --------
    >>> split_pattern("trips/2024*/**/*.jpg")
    ('trips/', ['2024*', '**', '*.jpg'])
    >>> split_pattern("trips/rome.jpg")
    ('trips/rome.jpg', [])
    """
    typed = typed.replace(os.sep, "/")
    first = re.search(r"[^/]*[*?[]", typed)
    if first is None:
        return typed, []
    below = typed[first.start() :]
    return typed[: first.start()], [name for name in below.split("/") if name]


def expand(typed: str) -> list[str]:
    """Return the files and folders that fit a pattern.

    What exists under the very name stays as it is, and so does a pattern that nothing fits.

    Examples
    --------
    >>> expand("no/such/*.jpg")
    ['no/such/*.jpg']
    """
    if os.path.lexists(typed):
        return [typed]
    return sorted(glob.glob(typed, recursive=True)) or [typed]


def fits(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Return whether each name fits its pattern, where ``**`` stands for any number of names.

    Examples
    --------
    >>> fits(["2024", "may", "rome.jpg"], ["2024*", "**", "*.jpg"])
    True
    """
    if not patterns:
        return not names
    if patterns[0] == _ANY_FOLDERS:
        return any(fits(names[start:], patterns[1:]) for start in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], patterns[0]) and fits(names[1:], patterns[1:])


def may_lead(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Return whether something below a folder of these names could fit.

    Examples
    --------
    >>> may_lead(["2024"], ["2024*", "*.jpg"]), may_lead(["2023"], ["2024*", "*.jpg"])
    (True, False)
    """
    if not names or not patterns or patterns[0] == _ANY_FOLDERS:
        return bool(patterns)
    return fnmatchcase(names[0], patterns[0]) and may_lead(names[1:], patterns[1:])


def is_named_by(path: str, patterns: Iterable[str]) -> bool:
    """Return whether the name at the end of a path fits a pattern, as of `fnmatch`.

    A pattern that holds a ``/`` is matched with as many names from the end
    as it can be.

    Examples
    --------
    >>> is_named_by("trips/raw/rome.jpg", ["r*.jpg"]), is_named_by("trips/raw", ["t*"])
    (True, False)
    >>> is_named_by("trips/raw/rome.jpg", ["raw/*"])
    True
    """
    path = path.replace(os.sep, "/").rstrip("/")
    name = path.rpartition("/")[2]
    if name in ("", ".", ".."):
        return False
    return any(
        fnmatchcase(f"/{path}", f"*/{pattern}") if "/" in pattern else fnmatchcase(name, pattern)
        for pattern in (pattern.removeprefix("./").rstrip("/") for pattern in patterns)
    )
