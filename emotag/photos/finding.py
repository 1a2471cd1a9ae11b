"""Photos found under the paths that someone typed, in natural order."""

import glob
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase

from emotag.errors import PhotosNotFoundError
from emotag.photos.formats import ENDINGS, HEADER_BYTES, RAW_ENDINGS, ending_of, sniff

__all__ = ["Findings", "find_photos", "natural_key"]


@dataclass
class Findings:
    """What was found under some paths.

    Attributes
    ----------
    photos : list of str
        The photos, each once, as typed and joined, in natural order.
    others : Counter
        How many files are no photos, by ending.
    hidden : int
        How many hidden files and folders were left out.
    unlisted : list of tuple of str
        Folders that could not be listed, and why.
    """

    photos: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    unlisted: list[tuple[str, str]] = field(default_factory=list)


def find_photos(paths: Iterable[str | os.PathLike[str]], exclude: Sequence[str] = ()) -> Findings:
    """Find the photos under some paths.

    Folders are searched through. Files are taken by their ending or, failing
    that, by their first bytes; a file that is named itself is always taken.
    Hidden files and folders inside a folder are left out, and links to
    folders are not followed. A path that does not exist is tried as a glob
    pattern, where ``**`` stands for any folders.

    Parameters
    ----------
    paths : iterable of path-like
        Files, folders or patterns.
    exclude : sequence of str, default=()
        Patterns as of `fnmatch`; a file or folder whose name or path matches
        one is left out.

    Returns
    -------
    Findings
        The photos and what else was there.

    Raises
    ------
    PhotosNotFoundError
        A path does not exist and matches nothing.

    Examples
    --------
    >>> from sklearn.datasets import get_data_home
    >>> find_photos(["no/such/folder"])
    Traceback (most recent call last):
    ...
    emotag.errors.PhotosNotFoundError: no/such/folder does not exist.
    """
    walk = _Walk(exclude)
    for typed in paths:
        for path in _expand(os.fspath(typed)):
            walk.visit(path)
    return walk.findings


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Return a key that sorts ``img2`` before ``img10``.

    Examples
    --------
    >>> sorted(["img10.jpg", "img2.jpg", "Img1.jpg"], key=natural_key)
    ['Img1.jpg', 'img2.jpg', 'img10.jpg']
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


class _Walk:
    """One search: what it has found, and which files it has met already."""

    def __init__(self, exclude: Sequence[str]) -> None:
        self.findings = Findings()
        self._exclude = tuple(exclude)
        self._met: set[str] = set()

    def visit(self, path: str) -> None:
        """Search what was typed: a folder through, a file taken as it is."""
        if os.path.isdir(path):
            self._search(path)
        elif not self._excluded(path):
            self._take(path)

    def _search(self, folder: str) -> None:
        # A stack and not recursion: folders may be nested deeper than Python's limit.
        stack = [iter(self._entries(folder))]
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
            elif entry.is_dir(follow_symlinks=False):
                stack.append(iter(self._entries(entry.path)))
            else:
                self._sort_out(entry)

    def _entries(self, folder: str) -> Iterable["os.DirEntry[str]"]:
        """Return a folder's entries in natural order, without the hidden and excluded ones."""
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            self.findings.unlisted.append((folder, error.strerror or str(error)))
            return []
        shown = [entry for entry in entries if not entry.name.startswith(".")]
        self.findings.hidden += len(entries) - len(shown)
        kept = [entry for entry in shown if not self._excluded(entry.path)]
        return sorted(kept, key=lambda entry: natural_key(entry.name))

    def _sort_out(self, entry: "os.DirEntry[str]") -> None:
        ending = ending_of(entry.name)
        if entry.is_symlink() and os.path.isdir(entry.path):
            return
        if ending in ENDINGS or (ending not in RAW_ENDINGS and _looks_like_photo(entry.path)):
            self._take(entry.path)
        else:
            self.findings.others[ending] += 1

    def _take(self, path: str) -> None:
        absolute = os.path.abspath(path)
        if absolute not in self._met:
            self._met.add(absolute)
            self.findings.photos.append(path)

    def _excluded(self, path: str) -> bool:
        name = os.path.basename(path)
        return any(
            fnmatchcase(name, pattern) or fnmatchcase(path, pattern) for pattern in self._exclude
        )


def _expand(typed: str) -> Iterator[str]:
    """Yield what was typed if it exists, else what matches it as a pattern."""
    if os.path.lexists(typed):
        yield typed
        return
    matches = sorted(glob.glob(typed, recursive=True), key=natural_key)
    if not matches:
        raise PhotosNotFoundError(f"{typed} does not exist.{_hint(typed)}")
    yield from matches


def _hint(typed: str) -> str:
    folder, name = os.path.split(typed.rstrip(os.sep))
    try:
        near = get_close_matches(name, os.listdir(folder or "."), n=1)
    except OSError:
        return ""
    return f" Did you mean {os.path.join(folder, near[0])}?" if near else ""


def _looks_like_photo(path: str) -> bool:
    """Return whether a plain file begins as a photo does; nothing else is opened."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb", buffering=0) as file:
            return sniff(file.read(HEADER_BYTES)) is not None
    except OSError:
        return False
