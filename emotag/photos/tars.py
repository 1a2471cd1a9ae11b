"""Tar archives: their headers read once, their members then from where they stand."""

import bz2
import gzip
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO

from emotag.errors import PlaceError
from emotag.photos.members import LARGEST, Member, Members, safe_name
from emotag.photos.sources import (
    PIECE,
    DamagedError,
    LocalSource,
    Source,
    SourceFile,
    keep,
    pieces_of,
)

__all__ = ["TarIndex", "begin_tar_member", "open_tar_member", "read_tar"]

_BLOCK = 512
# Names and attributes need less.
_MOST_HEADER = 2**20
# Photos are hardly made smaller by packing, so what unpacks to this much holds none.
_BOMB_RATIO, _BOMB_BYTES = 50, 2**30
_XZ_MEMORY = 256 * 2**20

_KINDS = {
    tarfile.SYMTYPE: "a link",
    tarfile.LNKTYPE: "a link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a FIFO",
}


@dataclass(frozen=True)
class TarIndex:
    """What is known of a tar archive once its headers are read.

    Attributes
    ----------
    source : Source
        From which members are read: the archive, or what it was unpacked to.
    members : Members
        By name.
    damage : str
        Empty, or why not all of them are known.
    """

    source: Source
    members: Members
    damage: str


def read_tar(source: Source, *, is_remote: bool = False) -> TarIndex:
    """Return the members of a tar archive, packed or not.

    One that is packed is unpacked, and one that is remote is copied, to a
    file without a name in the folder of temporary files, since its headers
    stand all over it.

    Raises
    ------
    DamagedError
        It is no tar archive, or there is no room to unpack it.
    """
    damage = ""
    unpack = _unpacker(source.read_at(0, 6))
    if unpack is not None or is_remote:
        source, damage = _copy(source, unpack)
    members, more = _read_headers(source)
    return TarIndex(source, members, damage or more)


def open_tar_member(source: Source, member: Member) -> BinaryIO:
    """Return a member's content as a file.

    Raises
    ------
    DamagedError
        It is cut off.
    """
    return keep(pieces_of(source, member.offset, member.size), member.size)


def begin_tar_member(source: Source, member: Member, length: int) -> bytes:
    """Return the first bytes of a member's content."""
    return source.read_at(member.offset, min(length, member.size))


_Unpack = Callable[[IO[bytes]], Iterator[bytes]]


def _unpacker(begin: bytes) -> _Unpack | None:
    """Return what unpacks a file that begins so; None if it is not packed."""
    for magic, unpack in (
        (b"\x1f\x8b", _from_gzip),
        (b"BZh", _from_bzip2),
        (b"\xfd7zXZ\0", _from_xz),
        (b"\x28\xb5\x2f\xfd", _from_zstd),
    ):
        if begin.startswith(magic):
            return unpack
    return None


def _copy(source: Source, unpack: _Unpack | None) -> tuple[Source, str]:
    """Return a copy on this disk, unpacked, and why it is not whole, if it is not."""
    pieces = pieces_of(source, 0, source.size)
    if unpack is not None:
        # not closed: closing would not be told from reading by those that unpack
        pieces = unpack(SourceFile(source))  # type: ignore[arg-type]
    most = max(_BOMB_BYTES, _BOMB_RATIO * source.size) if unpack else source.size
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it stays open
    damage, size = "", 0
    try:
        for piece in _until_damage(pieces):
            if isinstance(piece, str):
                damage = piece
                break
            size += len(piece)
            _refuse_bomb(size, most)
            _write(file, piece)
        file.flush()
    except BaseException:
        file.close()
        raise
    if damage and not size:
        file.close()
        raise DamagedError(damage)
    return LocalSource(file), damage


def _refuse_bomb(size: int, most: int) -> None:
    if size > most:
        raise DamagedError(f"it unpacks to more than {_BOMB_RATIO} times its bytes, as a bomb does")


def _until_damage(pieces: Iterator[bytes]) -> Iterator[bytes | str]:
    """Yield pieces and then, if they are damaged, what is wrong."""
    try:
        yield from pieces
    except PlaceError:
        raise
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        yield f"it is damaged: {str(error).strip() or 'cut off'}".rstrip(".")


def _write(file: IO[bytes], piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise DamagedError(
            f"it cannot be unpacked into {tempfile.gettempdir()} ({error.strerror}); "
            "TMPDIR names another folder",
        ) from error


def _read_headers(source: Source) -> tuple[Members, str]:
    """Return the members, and why not all of them are known, if they are not."""
    members = Members()
    try:
        tar = tarfile.TarFile(
            fileobj=SourceFile(source, _MOST_HEADER), encoding="utf-8", errors="surrogateescape"
        )
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise DamagedError("it is no tar archive, or is damaged") from error
    with tar:
        try:
            while (info := tar.next()) is not None:
                # it would keep all of them
                tar.members.clear()  # type: ignore[attr-defined]
                _add(members, info)
        except (tarfile.TarError, EOFError, ValueError, OSError) as error:
            return members, f"it is damaged or cut off: {error}"
        rest = source.read_at(tar.offset, _BLOCK)
    if rest.strip(b"\0"):
        return members, f"it is damaged at byte {tar.offset}, so what comes after is not known"
    return members, ""


def _add(members: Members, info: tarfile.TarInfo) -> None:
    if info.isdir():
        return
    safe = safe_name(info.name)
    if not safe.name:
        return
    # a later file replaces an earlier one of its name, as it does for tar itself
    members.add(safe.name, Member(info.offset_data, info.size, info.size))
    if reason := safe.refusal or _refusal(info):
        members.refuse(safe.name, reason)


def _refusal(info: tarfile.TarInfo) -> str:
    """Return why a member is not read, or nothing."""
    if info.type in _KINDS:
        return f"{_KINDS[info.type]}, not a file"
    if info.issparse():
        return "it is a sparse file"
    if info.size > LARGEST:
        return f"it has more than {LARGEST // 2**20} MiB"
    return ""


def _from_gzip(file: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as unpacked:
        while piece := unpacked.read1(PIECE):
            yield piece


def _from_bzip2(file: IO[bytes]) -> Iterator[bytes]:
    with bz2.BZ2File(file) as unpacked:
        while piece := unpacked.read1(PIECE):
            yield piece


def _from_xz(file: IO[bytes]) -> Iterator[bytes]:
    """Unpack xz within a bound of memory, which the standard library's file has none of."""
    engine, piece = None, b""
    while True:
        if engine is None or engine.eof:
            rest = b"" if engine is None else engine.unused_data.lstrip(b"\0")
            piece = rest or file.read(PIECE)
            if not piece.strip(b"\0"):
                return
            engine = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        elif engine.needs_input:
            piece = file.read(PIECE)
            if not piece:
                raise EOFError
        yield engine.decompress(piece, PIECE)
        piece = b""


def _from_zstd(file: IO[bytes]) -> Iterator[bytes]:
    # imported here: it takes a tenth of a second; the standard library has it from 3.14 on
    import pyarrow

    with pyarrow.CompressedInputStream(pyarrow.PythonFile(file, "r"), "zstd") as unpacked:
        while piece := unpacked.read(PIECE):
            yield piece
