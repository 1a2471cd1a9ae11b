"""Archives as folders: which paths lie in one, and what their members hold."""

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from emotag.errors import PhotoError, PlaceError, SkippedPhoto, UnreadablePhoto
from emotag.photos.members import Member, Members
from emotag.photos.sources import DamagedError, LocalSource, RemoteSource, Source, file_state
from emotag.photos.tars import begin_tar_member, open_tar_member, read_tar
from emotag.photos.zips import begin_zip_member, open_zip_member, read_zip
from emotag.remote.filesystems import MISSING, is_remote
from emotag.remote.reading import describe, recall

__all__ = [
    "Archive",
    "is_archive",
    "is_archive_name",
    "open_archive",
    "open_member",
    "split_archive",
]

_ENDINGS = r"\.(?:zip|tar|t[bgx]z|tbz2|tzst|tar\.(?:gz|bz2|xz|zst))"
_IS_ARCHIVE = re.compile(rf"[^/]{_ENDINGS}/*\Z", re.IGNORECASE)
_IN_ARCHIVE = re.compile(rf"[^/]{_ENDINGS}(?=/)", re.IGNORECASE)

_MOST_OPEN = 32


@dataclass(frozen=True)
class Archive:
    """An archive whose members are known.

    Attributes
    ----------
    path : str
        As it was typed.
    state : str
        What tells it from every later one; empty where nothing does.
    source : Source
        What members are read from.
    members : Members
        By name.
    damage : str
        Empty, or why not all of them are known.
    is_copy : bool
        Whether the source is a copy of the archive, and not itself.
    """

    path: str
    state: str
    source: Source
    members: Members
    damage: str
    is_copy: bool
    _open: Callable[[Source, Member], BinaryIO]
    _begin: Callable[[Source, Member, int], bytes]

    def open(self, name: str) -> BinaryIO:
        """Return the content of a member as a file.

        Raises
        ------
        PlaceError
            It is damaged.
        """
        return self._open(self.source, self.members[name])

    def begin(self, name: str, length: int) -> bytes:
        """Return the first bytes of a member's content."""
        return self._begin(self.source, self.members[name], length)

    def state_of(self, name: str) -> str | None:
        """Return what tells a member's state from every later one; None where nothing does."""
        if not self.state or name not in self.members:
            return None
        member = self.members[name]
        return f"{self.state}/{member.offset}:{member.size}:{member.crc}"


def is_archive_name(path: str) -> bool:
    """Return whether a path ends as archives do.

    Examples
    --------
    >>> [is_archive_name(path) for path in ("a.zip", "a.TAR.GZ/", "a.zip/b.jpg", "a.gz", ".zip")]
    [True, True, False, False, False]
    """
    return _IS_ARCHIVE.search(_slashes(path)) is not None


def is_archive(path: str) -> bool:
    """Return whether an archive of this disk, or a link to one, stands at a path."""
    return is_archive_name(path) and os.path.isfile(path.rstrip("/"))


def split_archive(path: str) -> tuple[str, str] | None:
    """Return the archive that a path leads into, and the name in it; None if it leads into none.

    Of names that end as archives do, the first that is a file is the archive.

    Raises
    ------
    PlaceError
        A remote place could not be asked.
    """
    slashed = _slashes(path)
    for ending in _IN_ARCHIVE.finditer(slashed):
        archive, name = slashed[: ending.end()], slashed[ending.end() + 1 :]
        if _is_remote_file(archive) if is_remote(path) else os.path.isfile(archive):
            return archive, name
    return None


_archives: OrderedDict[str, Archive] = OrderedDict()
_opening = threading.RLock()


def open_archive(path: str, *, anew: bool = False) -> Archive:
    """Return an archive, open; a process keeps the last few, until they change.

    Parameters
    ----------
    path : str
        A file of this disk, or a URL.
    anew : bool, default=False
        Whether a remote one is asked whether it has changed. One of this disk always is.

    Raises
    ------
    PlaceError
        It is damaged, or cannot be read.
    """
    key = path if is_remote(path) else os.path.abspath(path)
    with _opening:
        kept = _archives.get(key)
        if kept is not None and not _has_changed(kept, key, anew=anew):
            _archives.move_to_end(key)
            return kept
        _archives.pop(key, None)
        archive = _read(path)
        _archives[key] = archive
        while len(_archives) > _MOST_OPEN:
            # closed once the last thread that reads from it is done
            _archives.popitem(last=False)
        return archive


def open_member(path: str, archive_path: str, name: str) -> BinaryIO:
    """Return the content of a member as a file.

    Raises
    ------
    SkippedPhoto
        It is refused.
    UnreadablePhoto
        It is not there, or is damaged.
    """
    try:
        archive = open_archive(archive_path)
        if name not in archive.members:
            raise UnreadablePhoto(path, "does not exist (any more)")
        if reason := archive.members.refusal(name):
            raise SkippedPhoto(path, reason)
        content = archive.open(name)
    except PhotoError:
        raise
    except DamagedError as error:
        raise UnreadablePhoto(path, f"damaged: {error.reason}") from error
    except PlaceError as error:
        raise UnreadablePhoto(path, error.reason) from error
    except OSError as error:
        raise UnreadablePhoto(path, error.strerror or str(error)) from error
    if _has_changed_meanwhile(archive):
        content.close()
        raise UnreadablePhoto(path, "changed while it was read")
    return content


def _read(path: str) -> Archive:
    try:
        source, state = _open_remote(path) if is_remote(path) else _open_local(path)
        if path.lower().rstrip("/").endswith(".zip"):
            members = read_zip(source)
            return Archive(
                path, state, source, members, "", False, open_zip_member, begin_zip_member
            )
        index = read_tar(source, is_remote=is_remote(path))
    except DamagedError as error:
        raise PlaceError(path, error.reason) from error
    except PlaceError:
        raise
    except OSError as error:
        raise PlaceError(path, (error.strerror or str(error)).lower()) from error
    return Archive(
        path,
        state,
        index.source,
        index.members,
        index.damage,
        index.source is not source,
        open_tar_member,
        begin_tar_member,
    )


def _open_local(path: str) -> tuple[Source, str]:
    source = LocalSource(open(path, "rb"))  # noqa: SIM115 - the source closes it
    return source, source.state()


def _open_remote(url: str) -> tuple[Source, str]:
    found = describe(url)
    if found.size is None:
        raise PlaceError(url, "the server does not say how large it is")
    state = "" if found.state is None else f"{found.size}:{found.state:x}"
    return RemoteSource(url, found.size), state


def _has_changed(archive: Archive, path: str, *, anew: bool) -> bool:
    """Return whether an archive is another one than when it was opened."""
    if not is_remote(path):
        try:
            return file_state(os.stat(path)) != archive.state
        except OSError:
            return True
    if not anew:
        return False
    found = describe(path)
    return found.state is None or f"{found.size}:{found.state:x}" != archive.state


def _has_changed_meanwhile(archive: Archive) -> bool:
    """Return whether the bytes that were just read may be others than those that were listed."""
    source = archive.source
    return (
        isinstance(source, LocalSource) and not archive.is_copy and source.state() != archive.state
    )


@lru_cache(maxsize=1024)
def _is_remote_file(url: str) -> bool:
    try:
        return not recall(url).is_folder
    except PlaceError as error:
        if error.reason == MISSING:
            return False
        raise


def _slashes(path: str) -> str:
    return path if os.sep == "/" or is_remote(path) else path.replace(os.sep, "/")
