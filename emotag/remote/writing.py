"""Objects of a remote place that appear whole."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from emotag.errors import PlaceError, StorageError
from emotag.remote.filesystems import MISSING, attempt, is_s3, open_filesystem, protocol_of

__all__ = ["check_writable", "replace_object"]

# Where an object takes its name only once it is whole, and there are no folders.
_OBJECT_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss")
_READ_ONLY = ("http", "https", "github", "data", "zip", "tar", "libarchive")


def check_writable(url: str) -> None:
    """Refuse at once an object that could not be written in the end.

    A bucket of S3 is asked whether it would take an upload, which is taken
    back at once; other places are asked for the bucket or the folder only.

    Raises
    ------
    StorageError
        It could not; the message says why.
    """
    if protocol_of(url) in _READ_ONLY:
        raise _cannot_write(url, f"{protocol_of(url)}:// can only be read")
    try:
        filesystem, path = open_filesystem(url)
        if is_s3(url):
            _try_upload(url, filesystem, path)
            return
        folder = path.lstrip("/").partition("/")[0] if _is_store(url) else filesystem._parent(path)
        there = attempt(url, filesystem, lambda: not folder.strip("/") or filesystem.exists(folder))
    except PlaceError as error:
        raise _cannot_write(url, _without_end(error)) from error
    if not there:
        raise _cannot_write(url, f"there is no {folder.strip('/')}")


@contextmanager
def replace_object(url: str) -> Iterator[IO[bytes]]:
    """Open a file for writing that becomes an object only once it is whole.

    It is written to the folder of temporary files, and sent at the end. If
    the body raises, or the sending fails, what was there before stays.

    Parameters
    ----------
    url : str
        Of the object to be.

    Yields
    ------
    binary file
        Open for writing.

    Raises
    ------
    StorageError
        It cannot be sent.
    """
    with tempfile.TemporaryDirectory(prefix="emotag-") as folder:
        whole = os.path.join(folder, "whole")
        with open(whole, "wb") as file:
            yield file
        _send(whole, url)


def _send(whole: str, url: str) -> None:
    try:
        filesystem, path = open_filesystem(url)
        if _is_store(url):
            attempt(url, filesystem, lambda: filesystem.put_file(whole, path))
            return
        beside = f"{path}.{os.getpid()}.partial"
        try:
            attempt(url, filesystem, lambda: filesystem.put_file(whole, beside))
            attempt(url, filesystem, lambda: filesystem.mv(beside, path))
        except BaseException:
            with suppress(Exception):
                filesystem.rm_file(beside)
            raise
    except PlaceError as error:
        raise _cannot_write(url, _without_end(error)) from error


def _try_upload(url: str, filesystem: Any, path: str) -> None:
    bucket, key, _ = filesystem.split_path(path)
    if not bucket or not key:
        raise PlaceError(url, "it is a bucket, not an object in one")
    place = {"Bucket": bucket, "Key": key}
    begun = attempt(url, filesystem, lambda: filesystem.call_s3("create_multipart_upload", **place))
    # who may write may not always take back; what was begun holds nothing
    with suppress(PlaceError):
        attempt(
            url,
            filesystem,
            lambda: filesystem.call_s3(
                "abort_multipart_upload", **place, UploadId=begun["UploadId"]
            ),
        )


def _is_store(url: str) -> bool:
    return protocol_of(url) in _OBJECT_STORES


def _without_end(error: PlaceError) -> str:
    if error.reason == MISSING:
        return "there is no such bucket or folder"
    return error.reason


def _cannot_write(url: str, reason: str) -> StorageError:
    return StorageError(f"{url} cannot be written: {reason}.")
