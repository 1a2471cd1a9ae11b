"""Names below an archive or a bucket, sorted out as those of a folder are."""

import re
from collections.abc import Callable, Iterable, Sequence

from emotag.photos.patterns import is_named_by

__all__ = ["Listing", "path_key"]

_DIGITS = re.compile(r"([0-9]+)")
# macOS puts what it knows of a file beside it, under the file's own name
_HIDDEN = ("__MACOSX",)


class Listing:
    """What is left of the paths below a place once hidden and excluded ones are left out.

    Parameters
    ----------
    base : str
        The place, as typed, without a slash at its end.
    exclude : sequence of str
        Patterns, as `is_named_by` takes them.

    Attributes
    ----------
    paths : list of str
        What is left.
    hidden : set of str
        The hidden files and folders that were left out.

    Examples
    --------
    >>> listing = Listing("a.zip", ["raw"])
    >>> listing.add(f"a.zip/{name}" for name in ("img10.jpg", "img2.jpg", ".b/c.jpg", "raw/d.jpg"))
    >>> listing.in_order(lambda path: True), listing.hidden
    (['a.zip/img2.jpg', 'a.zip/img10.jpg'], {'.b'})
    """

    def __init__(self, base: str, exclude: Sequence[str]) -> None:
        self._base = base
        self._exclude = exclude
        self._folders: dict[str, bool] = {"": True}
        self.paths: list[str] = []
        self.hidden: set[str] = set()

    def add(self, paths: Iterable[str]) -> None:
        """Add those of some paths that are shown."""
        start = len(self._base) + 1
        for path in paths:
            below = path[start:]
            if self._shows(below.rpartition("/")[0]) and self._shows_last(below):
                self.paths.append(path)

    def in_order(self, chosen: Callable[[str], bool]) -> list[str]:
        """Return the paths that are chosen in natural order, as a walk through folders has it."""
        start = len(self._base) + 1
        return sorted(filter(chosen, self.paths), key=lambda path: path_key(path[start:]))

    def _shows(self, folder: str) -> bool:
        known = self._folders.get(folder)
        if known is None:
            known = self._shows(folder.rpartition("/")[0]) and self._shows_last(folder)
            self._folders[folder] = known
        return known

    def _shows_last(self, below: str) -> bool:
        name = below.rpartition("/")[2]
        if name in _HIDDEN or (name.startswith(".") and name.strip(".")):
            self.hidden.add(below)
            return False
        return not (self._exclude and is_named_by(f"{self._base}/{below}", self._exclude))


def path_key(path: str) -> str:
    r"""Return a key that sorts paths as `natural_key` sorts the names in each folder.

    It is one text, of about the size of the path: of millions, a key of tuples
    would take gigabytes.

    Examples
    --------
    >>> sorted(["a/img10.jpg", "a/img2.jpg", "A/img3.jpg"], key=path_key)
    ['A/img3.jpg', 'a/img2.jpg', 'a/img10.jpg']
    """
    return "".join(_name_key(name) for name in path.split("/"))


def _name_key(name: str) -> str:
    parts = _DIGITS.split(name.casefold())
    # a number counts by its length first; \1 before it and \0 after all sort before any text
    parts[1::2] = [
        f"\1{chr(min(len(digits), 0xD000))}{digits}"
        for digits in (part.lstrip("0") for part in parts[1::2])
    ]
    return f"{''.join(parts)}\0{name}\0"
