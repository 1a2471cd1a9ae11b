"""Photos that are no files of this disk: members of archives, and objects of buckets."""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from itertools import accumulate
from typing import BinaryIO

from emotag.errors import PhotoError, PlaceError, SkippedPhoto, UnreadablePhoto
from emotag.photos.archives import open_archive, open_member, split_archive
from emotag.photos.members import LARGEST
from emotag.photos.sources import RemoteSource, file_state, keep, pieces_of
from emotag.remote.filesystems import is_remote
from emotag.remote.reading import RemoteObject, read_range, read_unsized, recall

__all__ = [
    "absolute_path",
    "is_elsewhere",
    "open_elsewhere",
    "read_ahead",
    "state_of",
    "suitable_jobs",
]

# What one thread may keep of photos that it will decode next.
_MOST_AHEAD = 32 * 2**20
# Threads a core, where most of them wait for a server.
_WAITING = 4

_ahead = threading.local()


def is_elsewhere(path: str) -> bool:
    """Return whether a photo is no file of this disk, but in an archive or at a URL.

    Examples
    --------
    >>> is_elsewhere("s3://bucket/a.jpg"), is_elsewhere("photos/a.jpg")
    (True, False)
    """
    return is_remote(path) or split_archive(path) is not None


def absolute_path(path: str) -> str:
    """Return a name of a photo that does not depend on the current folder.

    What is said in an archive is not joined: a member may be called ``../a.jpg``.
    """
    if is_remote(path):
        return path
    split = split_archive(path)
    return os.path.abspath(path) if split is None else f"{os.path.abspath(split[0])}/{split[1]}"


def state_of(path: str) -> str | None:
    """Return what tells a photo's state from every later one; None where nothing does.

    Of a file, its size and times. Of a member, those of the archive, and
    where it stands. Of a remote object, its size and what the listing says
    beside: no object is asked for on its own where a listing was made.
    """
    try:
        split = split_archive(path)
        if split is not None:
            return open_archive(split[0]).state_of(split[1])
        if not is_remote(path):
            return file_state(os.stat(path))
        found = recall(path)
    except (OSError, ValueError):
        return None
    return None if found.state is None else f"{found.size}:{found.state:x}"


def open_elsewhere(path: str) -> BinaryIO:
    """Return the content of a photo that is in an archive or at a URL, as a file.

    Raises
    ------
    SkippedPhoto
        It is refused, such as for its size.
    UnreadablePhoto
        It cannot be read.
    """
    taken = getattr(_ahead, "photos", {}).pop(path, None)
    if isinstance(taken, PhotoError):
        raise taken
    return _open(path) if taken is None else taken


@contextmanager
def read_ahead(paths: Sequence[str]) -> Iterator[None]:
    """Read photos at the same time that are to be opened in this block, by this thread.

    Those of this disk are left alone, and so is what would be more than 32 MiB.

    Parameters
    ----------
    paths : sequence of str
        A few photos.
    """
    far = [path for path in paths if is_remote(path)]
    if not far:
        yield
        return
    with ThreadPoolExecutor(len(far), thread_name_prefix="emotag-read") as pool:
        # where no listing was made in this process, each asks for its size
        sizes = accumulate(pool.map(_size_of, far))
        near = [path for path, size in zip(far, sizes, strict=True) if size <= _MOST_AHEAD]
        _ahead.photos = dict(zip(near, pool.map(_try_open, near), strict=True))
    try:
        yield
    finally:
        for photo in _ahead.photos.values():
            if not isinstance(photo, PhotoError):
                photo.close()
        del _ahead.photos


def suitable_jobs(photos: Sequence[str], jobs: int | None, cores: int) -> int | None:
    """Return how many threads suit photos, if no one has said: more, where they wait for a server.

    Examples
    --------
    >>> suitable_jobs(["s3://bucket/a.jpg"], None, 2), suitable_jobs(["a.jpg"], None, 2)
    (8, None)
    """
    if jobs is None and any(map(is_remote, photos)):
        return _WAITING * cores
    return jobs


def _size_of(path: str) -> int:
    """Return about how much memory a photo takes; nothing for one that cannot be opened."""
    try:
        split = split_archive(path)
        if split is None:
            return recall(path).size or 0
        members = open_archive(split[0]).members
    except PlaceError:
        return 0
    return members[split[1]].size if split[1] in members else 0


def _try_open(path: str) -> BinaryIO | PhotoError:
    try:
        return _open(path)
    except PhotoError as error:
        return error


def _open(path: str) -> BinaryIO:
    split = split_archive(path)
    if split is not None:
        return open_member(path, *split)
    try:
        return _open_object(path, recall(path))
    except PlaceError as error:
        raise UnreadablePhoto(path, error.reason) from error


def _open_object(path: str, found: RemoteObject) -> BinaryIO:
    if found.is_folder:
        raise SkippedPhoto(path, "a folder, not a file")
    if found.size is None:
        return BytesIO(read_unsized(path, LARGEST))
    if found.size > LARGEST:
        raise SkippedPhoto(path, f"it has more than {LARGEST // 2**20} MiB")
    if found.size <= RemoteSource.piece:
        return BytesIO(read_range(path, 0, found.size, is_rest=True))
    return keep(pieces_of(RemoteSource(path, found.size), 0, found.size), found.size)
