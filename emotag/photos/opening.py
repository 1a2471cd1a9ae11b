"""A photo's file opened wherever it is, told from what is none, and what goes wrong explained."""

import hashlib
import os
import stat
import struct
import zlib
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image

from emotag.errors import EmotagError, PhotoError, SkippedPhoto, UnreadablePhoto
from emotag.photos.formats import ENDINGS, HEADER_BYTES, ending_of, sniff
from emotag.photos.places import is_elsewhere, open_elsewhere

__all__ = ["DECODER_ERRORS", "explained", "hash_photo", "note_of", "open_photo"]

DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What decoders raise on damaged files, beside OSError."""

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn what decoders raise into errors that name the photo and the reason."""
    try:
        yield
    except EmotagError:
        # of this photo, or of something that every photo needs
        raise
    except Image.DecompressionBombError as error:
        # some plugins check themselves, and no option of ours reaches their limit
        raise SkippedPhoto(path, f"too many pixels: {_first_line(error)}") from error
    except SyntaxError as error:
        # what Pillow's plugins raise on a header that they do not understand
        raise UnreadablePhoto(path, f"damaged or unsupported: {_first_line(error)}") from error
    except MemoryError as error:
        raise UnreadablePhoto(path, "there is not enough memory to read it") from error
    except DECODER_ERRORS as error:
        raise UnreadablePhoto(path, f"damaged: {_first_line(error)}") from error
    except OSError as error:
        raise UnreadablePhoto(path, _os_reason(path, error)) from error


def hash_photo(path: str) -> bytes:
    """Return the SHA-256 of a photo's content.

    Parameters
    ----------
    path : str
        The file.

    Raises
    ------
    SkippedPhoto
        No plain file.
    UnreadablePhoto
        It cannot be read, or is no photo.
    """
    try:
        with open_photo(path) as (file, _):
            return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
    except PhotoError:
        raise
    except OSError as error:
        raise UnreadablePhoto(path, _os_reason(path, error)) from error
    except ValueError as error:
        # a path that no file system can have
        raise UnreadablePhoto(path, _first_line(error)) from error


@contextmanager
def open_photo(path: str) -> Iterator[tuple[BinaryIO, str]]:
    """Open what begins as a photo does, wherever it is."""
    with _open_elsewhere(path) if is_elsewhere(path) else _open_file(path) as file:
        header = file.read(HEADER_BYTES)
        file.seek(0)
        kind = sniff(header)
        if kind is None:
            raise UnreadablePhoto(path, _no_photo(header))
        yield file, kind


@contextmanager
def _open_elsewhere(path: str) -> Iterator[BinaryIO]:
    with open_elsewhere(path) as file:
        yield file


@contextmanager
def _open_file(path: str) -> Iterator[BinaryIO]:
    """Open a plain file; notice if it changes meanwhile."""
    _refuse_special(path, os.stat(path))
    # O_NONBLOCK: should a FIFO have taken its place since, opening must not wait
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        before = os.fstat(file.fileno())
        _refuse_special(path, before)
        try:
            yield file
        except PhotoError:
            raise
        except (OSError, Image.DecompressionBombError, *DECODER_ERRORS):
            _refuse_changed(path, before, os.fstat(file.fileno()))
            raise
        _refuse_changed(path, before, os.fstat(file.fileno()))


def _refuse_special(path: str, status: os.stat_result) -> None:
    for is_kind, name in _KINDS:
        if is_kind(status.st_mode):
            raise SkippedPhoto(path, f"{name}, not a file")


def _refuse_changed(path: str, before: os.stat_result, after: os.stat_result) -> None:
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise UnreadablePhoto(path, "changed while it was read")


def note_of(path: str, kind: str) -> str:
    """Return what is odd about the name of a file of this kind; empty if nothing is."""
    ending = ending_of(path)
    if ENDINGS.get(ending) == kind:
        return ""
    return f"{kind} under the ending {ending}" if ending else f"{kind} without an ending"


def _no_photo(header: bytes) -> str:
    if not header:
        return "empty file"
    try:
        # not the end of the file, so the last character may be cut
        text = getincrementaldecoder("utf-8")().decode(header)
    except UnicodeDecodeError:
        return "not a photo"
    is_text = all(letter.isprintable() or letter.isspace() for letter in text)
    return "not a photo but text" if is_text else "not a photo"


def _os_reason(path: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, FileNotFoundError):
        return "broken link" if os.path.islink(path) else "does not exist (any more)"
    if error.errno is None:
        return f"damaged: {_first_line(error)}"
    return error.strerror or _first_line(error)


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
