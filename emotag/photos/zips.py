"""Zip archives, read member by member.

The standard library's `zipfile` keeps a kilobyte for each member, refuses a whole
archive for one name, and asks for the header and the content of a member one
after the other, which over a network is twice the time.

References
----------
APPNOTE.TXT, version 6.3.10, of PKWARE.
"""

import bz2
import lzma
import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple, Protocol

import numpy as np

from emotag.errors import PlaceError
from emotag.photos.members import LARGEST, Member, Members, kind_of, safe_name
from emotag.photos.sources import PIECE, DamagedError, Source, keep, pieces_of

__all__ = ["begin_zip_member", "open_zip_member", "read_zip"]

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_HEADER = struct.Struct("<4s5H3L2H")

_MOST_COMMENT = 2**16 - 1
_FULL_16, _FULL_32 = 2**16 - 1, 2**32 - 1
_ENCRYPTED, _UTF8 = 0x1, 0x800
_EXTRA_64, _EXTRA_NAME = 0x0001, 0x7075

_STORED, _DEFLATED, _BZIP2, _LZMA = 0, 8, 12, 14
_METHODS = {
    1: "shrunk",
    6: "imploded",
    9: "deflate64",
    93: "Zstandard",
    95: "XZ",
    97: "WavPack",
    98: "PPMd",
    99: "AES",
}

# Deflate reaches 1,032 to 1, and photos at most a few to 1; a blank scan may reach more.
_BOMB_RATIO, _BOMB_BYTES = 200, 100 * 2**20
# Names and extra fields before a content are rarely longer, so that one reading has both.
_SLACK = 512
_SNIFFED = 4096


class _Entry(NamedTuple):
    name: bytes
    flags: int
    mode: int
    extra: bytes
    member: Member


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def read_zip(source: Source) -> Members:
    """Return the members of a zip archive, by its central directory.

    Raises
    ------
    DamagedError
        It is no zip archive, or is damaged.
    """
    start, length, count, shift = _find_directory(source)
    directory = source.read_at(start, length)
    members = Members()
    names: list[str] = []
    starts, ends = array("Q"), array("Q")
    n_entries = 0
    for entry in _entries(directory):
        n_entries += 1
        member = entry.member._replace(
            # what claims to lie behind the end is found to be damaged when it is read
            offset=min(entry.member.offset + shift, source.size),
            packed=min(entry.member.packed, source.size),
        )
        starts.append(member.offset)
        ends.append(member.offset + _HEADER.size + len(entry.name) + member.packed)
        names.append(_add(members, entry, member))
    # of 65,536 files and more, some writers keep the lower 16 bits only
    if count not in (n_entries, n_entries & _FULL_16):
        raise DamagedError(f"it says that it holds {count} files, and lists {n_entries}")
    for index in _overlapping(starts, ends):
        if names[index]:
            members.refuse(names[index], "it shares its bytes with another file of the archive")
    return members


def open_zip_member(source: Source, member: Member) -> BinaryIO:
    """Return a member's content as a file.

    Raises
    ------
    DamagedError
        It is damaged.
    """
    return keep(_checked(_content(source, member, source.piece), member), member.size)


def begin_zip_member(source: Source, member: Member, length: int) -> bytes:
    """Return the first bytes of a member's content, or nothing if it is damaged."""
    try:
        for piece in _content(source, member, _SNIFFED):
            if piece:
                return piece[:length]
    except PlaceError:
        pass
    return b""


def _find_directory(source: Source) -> tuple[int, int, int, int]:
    """Return where the central directory begins, its bytes and entries, and what precedes all."""
    length = min(source.size, _MOST_COMMENT + _END.size + _LOCATOR_64.size + _END_64.size)
    base = source.size - length
    tail = source.read_at(base, length)
    place = len(tail)
    while (place := tail.rfind(b"PK\5\6", 0, place)) >= 0:
        if place + _END.size <= len(tail):
            end = _END.unpack_from(tail, place)
            if place + _END.size + end[7] <= len(tail):
                break
    else:
        raise DamagedError("it is no zip archive, or its end is missing")
    _, disk, _, here, count, size, offset, _ = end
    end_of_directory = base + place
    if tail[max(0, place - _LOCATOR_64.size) : place].startswith(b"PK\6\7"):
        end_of_directory -= _LOCATOR_64.size + _END_64.size
        whole = source.read_at(max(0, end_of_directory), _END_64.size)
        if len(whole) < _END_64.size or not whole.startswith(b"PK\6\6"):
            raise DamagedError("its end is damaged")
        _, _, _, _, disk, _, here, count, size, offset = _END_64.unpack(whole)
    if disk not in (0, _FULL_16) or here != count:
        raise DamagedError("it is a part of an archive that is split over several files")
    start = end_of_directory - size
    if start < 0 or start < offset:
        raise DamagedError("its list of files is cut off")
    return start, size, count, start - offset


def _entries(directory: bytes) -> Iterator[_Entry]:
    place = 0
    while place < len(directory):
        if len(directory) - place < _ENTRY.size:
            raise DamagedError("its list of files is cut off")
        fields = _ENTRY.unpack_from(directory, place)
        if fields[0] != b"PK\1\2":
            raise DamagedError("its list of files is damaged")
        n_name, n_extra, n_comment = fields[10:13]
        place += _ENTRY.size
        name = directory[place : place + n_name]
        extra = directory[place + n_name : place + n_name + n_extra]
        place += n_name + n_extra + n_comment
        if place > len(directory):
            raise DamagedError("its list of files is cut off")
        crc, packed, size, offset = *fields[7:10], fields[16]
        if _FULL_32 in (packed, size, offset):
            size, packed, offset = _large(extra, size, packed, offset)
        member = Member(offset, packed, size, crc, fields[4])
        yield _Entry(name, fields[3], fields[15] >> 16, extra, member)


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        yield kind, extra[place + 4 : place + 4 + length]
        place += 4 + length


def _large(extra: bytes, *small: int) -> Iterator[int]:
    """Yield the numbers that did not fit into 32 bits from where they stand instead."""
    content = next((content for kind, content in _extras(extra) if kind == _EXTRA_64), b"")
    place = 0
    for number in small:
        if number != _FULL_32:
            yield number
            continue
        if len(content) < place + 8:
            raise DamagedError("its list of files is damaged")
        yield struct.unpack_from("<Q", content, place)[0]
        place += 8


def _add(members: Members, entry: _Entry, member: Member) -> str:
    """Add an entry and return its name; nothing for a folder."""
    text = _decode(entry)
    if text.endswith("/"):
        return ""
    safe = safe_name(text)
    if not safe.name:
        return ""
    again = safe.name in members
    if not again:
        members.add(safe.name, member)
    reason = safe.refusal or _refusal(entry, member)
    if again:
        reason = "several files of the archive have this name"
    if reason:
        members.refuse(safe.name, reason)
    return safe.name


def _decode(entry: _Entry) -> str:
    """Return a name as text: macOS and others write UTF-8 without saying so."""
    for kind, content in _extras(entry.extra):
        if kind == _EXTRA_NAME and content[1:5] == struct.pack("<L", zlib.crc32(entry.name)):
            return content[5:].decode("utf-8", "surrogateescape")
    if entry.flags & _UTF8:
        return entry.name.decode("utf-8", "surrogateescape")
    try:
        return entry.name.decode("utf-8")
    except UnicodeDecodeError:
        return entry.name.decode("cp437")


def _refusal(entry: _Entry, member: Member) -> str:
    """Return why a member is not read, or nothing."""
    if kind := kind_of(entry.mode):
        return f"{kind}, not a file"
    if entry.flags & _ENCRYPTED:
        return "it is encrypted"
    if member.method not in (_STORED, _DEFLATED, _BZIP2, _LZMA):
        method = _METHODS.get(member.method, f"method {member.method}")
        return f"it is packed in a way that emotag does not read: {method}"
    if member.size > LARGEST:
        return f"it unpacks to more than {LARGEST // 2**20} MiB"
    if member.size > max(_BOMB_BYTES, _BOMB_RATIO * member.packed):
        return f"it unpacks to more than {_BOMB_RATIO} times its bytes, as a bomb does"
    return ""


def _overlapping(starts: "array[int]", ends: "array[int]") -> list[int]:
    """Return which of the entries reach into the next."""
    begin, end = np.frombuffer(starts, np.uint64), np.frombuffer(ends, np.uint64)
    order = np.argsort(begin, kind="stable")
    reaching = end[order][:-1] > begin[order][1:]
    found: list[int] = order[:-1][reaching].tolist()
    return found


def _content(source: Source, member: Member, piece: int) -> Iterator[bytes]:
    """Yield a member's content, unpacked."""
    first = source.read_at(member.offset, _HEADER.size + _SLACK + min(member.packed, piece))
    if len(first) < _HEADER.size or not first.startswith(b"PK\3\4"):
        raise DamagedError("its header is missing")
    n_name, n_extra = _HEADER.unpack_from(first)[9:11]
    start = _HEADER.size + n_name + n_extra
    packed = _packed(source, member, first[start:], member.offset + start)
    try:
        yield from _unpacked(packed, member)
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        if isinstance(error, PlaceError):
            raise
        raise DamagedError(str(error)) from error


def _packed(source: Source, member: Member, first: bytes, offset: int) -> Iterator[bytes]:
    """Yield a member's bytes as they stand in the archive, of which the first were read already."""
    first = first[: member.packed]
    if first:
        yield first
    yield from pieces_of(source, offset + len(first), member.packed - len(first))


def _unpacked(packed: Iterator[bytes], member: Member) -> Iterator[bytes]:
    if member.method == _STORED:
        yield from packed
    elif member.method == _DEFLATED:
        yield from _inflated(packed)
    elif member.method == _BZIP2:
        yield from _drained(bz2.BZ2Decompressor(), packed)
    else:
        yield from _from_lzma(packed, member)


def _inflated(packed: Iterable[bytes]) -> Iterator[bytes]:
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    for piece in packed:
        while piece and not engine.eof:
            yield engine.decompress(piece, PIECE)
            piece = engine.unconsumed_tail  # noqa: PLW2901
    yield engine.flush()


def _drained(engine: _Unpacker, packed: Iterable[bytes]) -> Iterator[bytes]:
    for piece in packed:
        while not engine.eof:
            yield engine.decompress(piece, PIECE)
            piece = b""  # noqa: PLW2901
            if engine.needs_input:
                break


def _from_lzma(packed: Iterator[bytes], member: Member) -> Iterator[bytes]:
    """Yield what LZMA packed; two versions and five properties stand before it (APPNOTE 5.8.8)."""
    head = b""
    while len(head) < 9:
        piece = next(packed, b"")
        if not piece:
            raise DamagedError("cut off")
        head += piece
    marks, dictionary = head[4], int.from_bytes(head[5:9], "little")
    engine = lzma.LZMADecompressor(
        lzma.FORMAT_RAW,
        filters=[
            {
                "id": lzma.FILTER_LZMA1,
                # never more than there is to remember
                "dict_size": max(4096, min(dictionary, member.size)),
                "lc": marks % 9,
                "lp": marks // 9 % 5,
                "pb": marks // 45,
            }
        ],
    )

    def rest() -> Iterator[bytes]:
        yield head[9:]
        yield from packed

    yield from _drained(engine, rest())


def _checked(pieces: Iterable[bytes], member: Member) -> Iterator[bytes]:
    """Yield pieces up to a member's size, and refuse more, less or others."""
    size = crc = 0
    for piece in pieces:
        size += len(piece)
        if size > member.size:
            raise DamagedError("it unpacks to more than it says")
        crc = zlib.crc32(piece, crc)
        yield piece
    if size < member.size:
        raise DamagedError("it unpacks to less than it says")
    if crc != member.crc:
        raise DamagedError("its checksum is wrong")
