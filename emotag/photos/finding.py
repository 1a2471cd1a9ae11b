"""Photos found under the paths that someone typed, in natural order."""

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from emotag.errors import PhotosNotFoundError, PlaceError
from emotag.photos.archives import is_archive, is_archive_name, split_archive
from emotag.photos.formats import BACKUP, ENDINGS, HEADER_BYTES, RAW_ENDINGS, ending_of, sniff
from emotag.photos.patterns import fits, is_named_by, may_lead, split_pattern
from emotag.photos.places import absolute_path
from emotag.photos.searching import Found, search_archive, search_remote
from emotag.remote.filesystems import is_remote, local_path

__all__ = ["Findings", "find_photos", "natural_key"]

_Entry = os.DirEntry[str]


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
    Hidden files and folders inside a folder are left out, and so are exiftool's
    backups (``photo.jpg_original``); links to folders are not followed. A path
    that does not exist is tried as a glob pattern, where ``**`` stands for any
    folders; what fits it is taken as if it had been found in a folder. An
    archive that is named itself, or fits a pattern that ends as archives do, is
    searched as a folder is, and so is a URL that fsspec reads.

    Parameters
    ----------
    paths : iterable of path-like
        Files, folders or patterns.
    exclude : sequence of str, default=()
        Patterns as of `fnmatch`; a file or folder whose name matches one is
        left out. One that holds a ``/`` is matched with the path's last names.

    Returns
    -------
    Findings
        The photos and what else was there.

    Raises
    ------
    PhotosNotFoundError
        A path does not exist and matches nothing.
    PlaceError
        An archive is damaged, or a server could not be asked.

    Examples
    --------
    >>> find_photos(["no/such/folder"])
    Traceback (most recent call last):
    ...
    emotag.errors.PhotosNotFoundError: no/such/folder does not exist.
    """
    exclude = [exclude] if isinstance(exclude, str) else exclude
    walk = _Walk(exclude)
    for path in paths:
        typed = local_path(os.fsdecode(path))
        if is_remote(typed):
            walk.visit_elsewhere(typed, search_remote(typed, exclude))
        elif is_archive(typed):
            walk.visit_elsewhere(typed, search_archive(typed, "", exclude))
        elif os.path.lexists(typed):
            walk.visit(typed)
        elif (split := split_archive(typed)) is not None:
            walk.visit_elsewhere(typed, search_archive(*split, exclude))
        elif not walk.visit_pattern(typed):
            raise PhotosNotFoundError(_missing(typed))
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
    """One search: what it has found, and which files and folders it has met already."""

    def __init__(self, exclude: Sequence[str]) -> None:
        self.findings = Findings()
        self._exclude = tuple(exclude)
        self._met: set[str] = set()

    def visit(self, path: str) -> None:
        """Search what was typed: a folder through, a file taken as it is."""
        if is_named_by(path, self._exclude):
            return
        if os.path.isdir(path):
            self._search(path)
        elif self._is_new(path):
            self.findings.photos.append(path)

    def visit_elsewhere(self, typed: str, found: Found) -> None:
        """Take what was found in an archive or at a URL that was typed."""
        if is_named_by(typed, self._exclude):
            return
        self.findings.photos += [
            path for path in found.photos if self._is_new_name(absolute_path(path))
        ]
        self.findings.others += found.others
        self.findings.hidden += found.hidden
        if found.damage:
            self.findings.unlisted.append((typed, found.damage))

    def visit_pattern(self, typed: str) -> bool:
        """Search what fits a pattern; return whether anything does."""
        base, patterns = split_pattern(typed)
        while patterns and os.path.isdir(os.path.join(base, patterns[0])):
            # a folder's own name may look like a pattern: "Rome [2024]"
            base = os.path.join(base, patterns.pop(0))
        if not patterns or not os.path.isdir(base or "."):
            return False
        unlisted = len(self.findings.unlisted)
        found = False
        for path, entry in self._fitting(base, patterns):
            found = True
            if is_named_by(path, self._exclude):
                continue
            if entry.is_dir(follow_symlinks=False):
                self._search(path)
            elif is_archive_name(typed) and is_archive(path):
                self._visit_archive(path)
            else:
                self._sort_out(path, entry)
        # what could not be looked at may well have fitted
        return found or len(self.findings.unlisted) > unlisted

    def _visit_archive(self, path: str) -> None:
        # one of several that fit: what is wrong with it is no reason to leave the others
        try:
            self.visit_elsewhere(path, search_archive(path, "", self._exclude))
        except PlaceError as error:
            self.findings.unlisted.append((path, error.reason))

    def _fitting(self, base: str, patterns: Sequence[str]) -> Iterator[tuple[str, _Entry]]:
        """Yield what fits a pattern below a folder, in natural order."""
        hidden_too = any(pattern.startswith(".") for pattern in patterns)
        names: list[str] = []
        stack = [iter(self._list(base))]
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
                del names[-1:]
                continue
            if entry.name.startswith(".") and not hidden_too:
                continue
            path = os.path.join(base, *names, entry.name)
            if fits([*names, entry.name], patterns):
                yield path, entry
            elif self._leads(path, entry) and may_lead([*names, entry.name], patterns):
                names.append(entry.name)
                stack.append(iter(self._list(path)))

    def _leads(self, path: str, entry: _Entry) -> bool:
        return entry.is_dir(follow_symlinks=False) and not is_named_by(path, self._exclude)

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
                self._sort_out(entry.path, entry)

    def _entries(self, folder: str) -> list[_Entry]:
        """Return what a folder shows that is not excluded; nothing if it was met before."""
        if not self._is_new(folder):
            return []
        entries = self._list(folder)
        shown = [entry for entry in entries if not entry.name.startswith(".")]
        self.findings.hidden += len(entries) - len(shown)
        return [entry for entry in shown if not is_named_by(entry.path, self._exclude)]

    def _list(self, folder: str) -> list[_Entry]:
        """Return a folder's entries in natural order, or note that it cannot be listed."""
        try:
            with os.scandir(folder or ".") as listing:
                return sorted(listing, key=lambda entry: natural_key(entry.name))
        except OSError as error:
            self.findings.unlisted.append((folder, error.strerror or str(error)))
            return []

    def _sort_out(self, path: str, entry: _Entry) -> None:
        if entry.is_symlink() and os.path.isdir(path):
            return
        if not self._is_new(path):
            return
        ending = ending_of(path)
        if _is_backup(path):
            self.findings.others[ending or BACKUP] += 1
        elif ending in ENDINGS or (ending not in RAW_ENDINGS and _looks_like_photo(path)):
            self.findings.photos.append(path)
        else:
            self.findings.others[ending] += 1

    def _is_new(self, path: str) -> bool:
        return self._is_new_name(os.path.abspath(path))

    def _is_new_name(self, absolute: str) -> bool:
        if absolute in self._met:
            return False
        self._met.add(absolute)
        return True


def _missing(typed: str) -> str:
    """Return why nothing is found at a path."""
    try:
        os.lstat(typed)
    except PermissionError:
        return f"{typed} cannot be looked at: no permission for a folder above it."
    except (OSError, ValueError):
        pass
    return f"{typed or repr(typed)} does not exist.{_hint(typed)}"


def _hint(typed: str) -> str:
    folder, name = os.path.split(typed.rstrip(os.sep))
    try:
        near = get_close_matches(name, os.listdir(folder or "."), n=1)
    except OSError:
        return ""
    return f" Did you mean {os.path.join(folder, near[0])}?" if near else ""


def _is_backup(path: str) -> bool:
    """Return whether exiftool calls a photo so as it was before."""
    name = path.removesuffix(BACKUP)
    return name != path and (ending_of(name) in ENDINGS or os.path.lexists(name))


def _looks_like_photo(path: str) -> bool:
    """Return whether a plain file begins as a photo does; nothing else is opened."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb", buffering=0) as file:
            return sniff(file.read(HEADER_BYTES)) is not None
    except OSError:
        return False
