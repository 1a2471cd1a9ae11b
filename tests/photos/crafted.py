"""Zip archives written by hand, which may say what no honest writer says."""

import struct
import zlib
from dataclasses import dataclass


@dataclass
class Entry:
    """A file of an archive; what is None is as it should be."""

    name: bytes
    content: bytes = b""
    method: int = 0
    flags: int = 0
    crc: int | None = None
    size: int | None = None
    packed: int | None = None
    mode: int = 0
    extra: bytes = b""
    local_extra: bytes = b""
    offset: int | None = None
    comment: bytes = b""

    def stored(self) -> bytes:
        """Return the content as it stands in the archive."""
        if self.method != 8:
            return self.content
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(self.content) + packer.flush()


def build_zip(
    *entries: Entry, before: bytes = b"", count: int | None = None, comment: bytes = b""
) -> bytes:
    """Return an archive of these files; what stands before it shifts all that it says."""
    body, directory = bytearray(), bytearray()
    for entry in entries:
        stored = entry.stored()
        crc = zlib.crc32(entry.content) if entry.crc is None else entry.crc
        size = len(entry.content) if entry.size is None else entry.size
        packed = len(stored) if entry.packed is None else entry.packed
        offset = len(body) if entry.offset is None else entry.offset
        marks = (entry.flags, entry.method, 0, 0, crc, packed, size, len(entry.name))
        body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, *marks, len(entry.local_extra))
        body += entry.name + entry.local_extra + stored
        directory += struct.pack(
            "<4s6H3L3H", b"PK\1\2", 3 << 8 | 20, 20, *marks, len(entry.extra), len(entry.comment)
        )
        directory += struct.pack("<2H2L", 0, 0, entry.mode << 16, offset)
        directory += entry.name + entry.extra + entry.comment
    n_entries = len(entries) if count is None else count
    end = struct.pack(
        "<4s4H2LH",
        b"PK\5\6",
        0,
        0,
        n_entries & 0xFFFF,
        n_entries & 0xFFFF,
        len(directory),
        len(body),
        len(comment),
    )
    return bytes(before + body + directory + end + comment)
