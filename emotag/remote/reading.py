"""Objects of a remote place: listed, told apart, and read by one request each."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from emotag.errors import PlaceError
from emotag.remote.filesystems import attempt, is_s3, open_filesystem, url_above

__all__ = [
    "RemoteObject",
    "describe",
    "fitting",
    "list_objects",
    "read_range",
    "read_unsized",
    "recall",
]

# What tells one state of an object from another, as the backends call it. The first that is
# there counts alone: of some servers, a listing says times more exactly than a single answer.
_MARKS = (
    "ETag",
    "etag",
    "md5Hash",
    "content_md5",
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
    "modified",
)


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """What a listing says of an object.

    Attributes
    ----------
    url : str
        Where it is.
    size : int or None
        In bytes; None where the server does not say.
    state : int or None
        Another number for another content; None where the server says nothing that tells.
    is_folder : bool
        Whether it holds others.
    """

    url: str
    size: int | None
    state: int | None
    is_folder: bool = False


# By URL: the state, shifted, with the size below it. One number takes a third of what a
# tuple of two takes, and a bucket may hold millions.
_known: dict[str, int] = {}
_SIZE_BITS = 64
_NO_STATE = 0
_remembering = threading.Lock()


def describe(url: str) -> RemoteObject:
    """Ask a server for an object, and remember what it says.

    Raises
    ------
    PlaceError
        There is none, or the server could not be asked.
    """
    filesystem, path = open_filesystem(url)
    found = _to_object(url, attempt(url, filesystem, lambda: filesystem.info(path)))
    _remember(found)
    return found


def recall(url: str) -> RemoteObject:
    """Return what a listing of this process said of an object; the server is asked if none did."""
    known = _known.get(url)
    if known is None:
        return describe(url)
    state, size = known >> _SIZE_BITS, known & (2**_SIZE_BITS - 1)
    return RemoteObject(url, size, None if state == _NO_STATE else state)


def list_objects(url: str) -> Iterator[RemoteObject]:
    """Yield all objects below a URL, in no order, and remember them.

    Raises
    ------
    PlaceError
        A part of it could not be listed.
    """
    filesystem, path = open_filesystem(url)
    base = url_above(url)
    listing = _list_s3(url, filesystem, path) if is_s3(url) else _walk(url, filesystem, path)
    for name, info in listing:
        found = _to_object(f"{base}/{name}", info)
        _remember(found)
        yield found


def fitting(pattern: str) -> list[RemoteObject]:
    """Return what fits a pattern, as fsspec reads patterns.

    Raises
    ------
    PlaceError
        The place could not be listed.
    """
    filesystem, path = open_filesystem(pattern)
    filesystem.invalidate_cache()
    hits = attempt(pattern, filesystem, lambda: filesystem.glob(path, detail=True))
    objects = [_to_object(filesystem.unstrip_protocol(name), info) for name, info in hits.items()]
    for found in objects:
        _remember(found)
    return objects


def read_range(url: str, start: int, length: int, *, is_rest: bool = False) -> bytes:
    """Return a part of an object, by one request.

    Parameters
    ----------
    url : str
        The object.
    start, length : int
        Which bytes.
    is_rest : bool, default=False
        Whether there should be no more after them: an object that has grown
        since it was listed is then noticed.

    Raises
    ------
    PlaceError
        It could not be read, or the server gave another number of bytes.
    """
    if not length:
        return b""
    filesystem, path = open_filesystem(url)

    def read() -> bytes:
        content: bytes = filesystem.cat_file(path, start=start, end=start + length + is_rest)
        if len(content) < length:
            size = filesystem.info(path)["size"]
            if size is not None and size < start + length:
                raise _changed(url)
            # a connection that was closed early looks like this from some servers
            raise ConnectionError(f"{len(content)} of {length} bytes")
        return content

    content = attempt(url, filesystem, read)
    if len(content) > length:
        if is_rest:
            raise _changed(url)
        raise PlaceError(url, "the server does not give parts of files")
    return content


def _changed(url: str) -> PlaceError:
    """Forget what was listed of an object, and return the error that says so."""
    _known.pop(url, None)
    return PlaceError(url, "changed since it was listed")


def read_unsized(url: str, most: int) -> bytes:
    """Return an object whose server does not say how large it is.

    Raises
    ------
    PlaceError
        It could not be read, or is larger than `most`.
    """
    filesystem, path = open_filesystem(url)
    content: bytes = attempt(
        url, filesystem, lambda: filesystem.cat_file(path, start=0, end=most + 1)
    )
    if len(content) > most:
        raise PlaceError(url, f"is larger than {most // 2**20} MiB")
    return content


def _list_s3(url: str, filesystem: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield names and details page by page: s3fs itself would keep all of them."""
    bucket, key, _ = filesystem.split_path(path)
    if not bucket:
        raise PlaceError(url, "name a bucket in it, as s3://bucket")
    prefix = f"{key.rstrip('/')}/" if key else ""
    asked = {"Bucket": bucket, "Prefix": prefix}
    while True:
        list_page = partial(filesystem.call_s3, "list_objects_v2", **asked)
        page = attempt(url, filesystem, list_page)
        for info in page.get("Contents", ()):
            # a key that ends so stands for a folder in the console
            if not info["Key"].endswith("/"):
                yield info["Key"][len(prefix) :], info
        if not page.get("IsTruncated"):
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def _walk(url: str, filesystem: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    filesystem.invalidate_cache()
    top = f"{path.rstrip('/')}/"
    folders, met = [path], {top}
    while folders:
        for info in attempt(url, filesystem, partial(filesystem.ls, folders.pop(), detail=True)):
            name = info["name"].rstrip("/")
            # a page of HTML may link to its own folder, or above
            if not name.startswith(top) or name in met:
                continue
            met.add(name)
            if info["type"] == "directory":
                folders.append(info["name"])
            elif info["type"] == "file":
                yield name[len(top) :], info


def _to_object(url: str, info: dict[str, Any]) -> RemoteObject:
    if info.get("type") == "directory":
        return RemoteObject(url, None, None, is_folder=True)
    size = info.get("size", info.get("Size"))
    mark = next((str(info[mark]) for mark in _MARKS if info.get(mark)), None)
    return RemoteObject(url, size, None if mark is None else _digest(f"{size} {mark}"))


def _digest(mark: str) -> int:
    digest = hashlib.blake2b(mark.encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest()) or 1


def _remember(found: RemoteObject) -> None:
    if found.is_folder or found.size is None:
        return
    with _remembering:
        _known[found.url] = (found.state or _NO_STATE) << _SIZE_BITS | found.size
