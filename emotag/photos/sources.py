"""Bytes that are read from anywhere in a file, whether it is on this disk or not."""

import io
import os
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import IO, BinaryIO, Protocol

from emotag.errors import PlaceError
from emotag.remote.reading import read_range

__all__ = [
    "PIECE",
    "DamagedError",
    "LocalSource",
    "RemoteSource",
    "Source",
    "SourceFile",
    "file_state",
    "keep",
    "pieces_of",
]

PIECE = 2**20
"""Bytes that are unpacked at a time."""

# Larger than all but a few photos, which take one request each and stay in memory. What is
# larger waits on the disk, in a file without a name.
_IN_MEMORY = 32 * 2**20
_REMOTE_PIECE = _IN_MEMORY


class DamagedError(PlaceError):
    """An archive or a file in it is damaged; who knows its path says so.

    Parameters
    ----------
    reason : str
        What is wrong with it, without its path.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("an archive", reason)


class Source(Protocol):
    """Bytes that several threads may read at once.

    Attributes
    ----------
    size : int
        How many there are.
    piece : int
        How many are well read at a time.
    """

    size: int
    piece: int

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from an offset on; fewer at the end."""
        ...


class LocalSource:
    """An open file of this disk; closed once nothing holds the source any more.

    Parameters
    ----------
    file : binary file
        Not to be used by anyone else from now on.
    """

    piece = PIECE

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._handle = file.fileno()
        self._lock = threading.Lock()
        weakref.finalize(self, file.close)
        self.size = os.fstat(self._handle).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from an offset on; fewer at the end."""
        if hasattr(os, "pread"):
            return os.pread(self._handle, length, offset)
        # Windows has one position for all threads
        with self._lock:  # type: ignore[unreachable,unused-ignore]
            self._file.seek(offset)
            return self._file.read(length)

    def state(self) -> str:
        """Return what tells the file's state from every later one."""
        return file_state(os.fstat(self._handle))


class RemoteSource:
    """An object of a remote place, of which each reading is one request.

    Parameters
    ----------
    url : str
        Where it is.
    size : int
        In bytes.
    """

    piece = _REMOTE_PIECE

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self.size = size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from an offset on; fewer at the end."""
        return read_range(self._url, offset, max(0, min(length, self.size - offset)))


class SourceFile(io.RawIOBase):
    """A source as a file, for those that read headers one after the other.

    Parameters
    ----------
    source : Source
        What is read.
    most : int, optional
        A single reading of more is refused: a header that claims it is a lie.
    """

    def __init__(self, source: Source, most: int | None = None) -> None:
        self._source = source
        self._most = most
        self._offset = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return where the next reading begins."""
        return self._offset

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set where the next reading begins, from the beginning of the file."""
        assert whence == os.SEEK_SET
        self._offset = offset
        return offset

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes; all that are left if no size is given."""
        wanted = self._source.size if size is None or size < 0 else size
        if self._most is not None and wanted > self._most:
            raise EOFError(f"a header of {wanted} bytes")
        content = self._source.read_at(self._offset, wanted)
        self._offset += len(content)
        return content


def file_state(status: os.stat_result) -> str:
    """Return what tells a file's state from every later one.

    Of size, time of change and time of the change of its entry: the last
    notices also a content that was replaced with its times set back.
    """
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def pieces_of(source: Source, offset: int, length: int) -> Iterator[bytes]:
    """Yield a part of a source piece by piece.

    Raises
    ------
    DamagedError
        It ends earlier.
    """
    end = offset + length
    while offset < end:
        piece = source.read_at(offset, min(source.piece, end - offset))
        if not piece:
            raise DamagedError("cut off")
        offset += len(piece)
        yield piece


def keep(pieces: Iterable[bytes], size: int) -> BinaryIO:
    """Return pieces as a file that is at its beginning: in memory, or on the disk if it is large.

    Parameters
    ----------
    pieces : iterable of bytes
        What is kept; an error of theirs leaves nothing behind.
    size : int
        Their bytes, as far as it is known beforehand.
    """
    file: BinaryIO = io.BytesIO() if size <= _IN_MEMORY else tempfile.TemporaryFile()  # noqa: SIM115
    try:
        for piece in pieces:
            file.write(piece)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file
