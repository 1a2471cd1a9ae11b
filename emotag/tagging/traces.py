"""What a photo's file shows of XMP without exiftool: enough to leave most photos alone."""

import mmap
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from emotag.photos.formats import HEADER_BYTES, sniff
from emotag.tagging.xmp import NAMESPACE

__all__ = [
    "has_extended",
    "hide_extended",
    "jpeg_packets",
    "kind_of",
    "may_hold_tags",
    "show_extended",
]

# Adobe's XMP specification, part 3, JPEG: what stands before a packet, and before
# the pieces of one that is too long for a segment.
_MAIN = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
_HIDDEN = b"HTTP" + _EXTENDED[4:]

# Without the sign at the end, of which XML may make something else.
_NAME = NAMESPACE.removesuffix("#")
# Without the last byte of what is big-endian, so that one stands for both orders.
_NEEDLES = tuple(
    _NAME.encode(encoding).rstrip(b"\0") for encoding in ("utf-8", "utf-16-le", "utf-32-le")
)
_LARGEST_TEXT = 64 * 2**20

_APP1 = 0xE1
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
# Markers that stand alone: TEM, RST0 to RST7 and SOI.
_ALONE = {0x01, *range(0xD0, 0xD9)}


@dataclass(frozen=True)
class _Segment:
    """A segment of a JPEG: its marker, what is in it, and where that begins in the file."""

    marker: int
    start: int
    content: bytes


def kind_of(path: str) -> str | None:
    """Return the format that a plain file's first bytes announce; None if it is no photo."""
    with open(path, "rb") as file:
        return sniff(file.read(HEADER_BYTES))


def may_hold_tags(path: str) -> bool:
    """Return whether there may be something of emotag's in a photo; if not, there is nothing.

    Of a JPEG only what comes before the picture is read, of a PNG only its
    texts, of other formats everything.

    Parameters
    ----------
    path : str
        What is no plain file holds nothing, and is not opened.

    Raises
    ------
    OSError
        It cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        return False
    with open(path, "rb") as file:
        kind = sniff(file.read(HEADER_BYTES))
        if kind == "JPEG":
            return any(_is_trace(segment.content) for segment in _segments(file))
        if kind == "PNG":
            return any(_has_name(text) for text in _texts(file))
        return kind is not None and _file_has_name(file)


def jpeg_packets(path: str) -> list[bytes] | None:
    """Return a JPEG's packets, of which there should be one at most; None if it is no JPEG.

    Of a packet too long for a segment, this is the first part, which is XML by itself.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with open(path, "rb") as file:
        if sniff(file.read(HEADER_BYTES)) != "JPEG":
            return None
        return [
            segment.content.removeprefix(_MAIN)
            for segment in _segments(file)
            if segment.marker == _APP1 and segment.content.startswith(_MAIN)
        ]


def hide_extended(path: str) -> bool:
    """Rename in a JPEG, in place, the pieces of a long packet; return whether there are any.

    exiftool drops them when it writes a packet as a whole. What has another
    name it leaves where it is.
    """
    return _rename(path, _EXTENDED, _HIDDEN)


def show_extended(path: str) -> None:
    """Undo `hide_extended`."""
    _rename(path, _HIDDEN, _EXTENDED)


def _rename(path: str, old: bytes, new: bytes) -> bool:
    with open(path, "r+b") as file:
        found = [
            segment.start
            for segment in _segments(file)
            if segment.marker == _APP1 and segment.content.startswith(old)
        ]
        for start in found:
            file.seek(start)
            file.write(new)
    return bool(found)


def has_extended(path: str) -> bool:
    """Return whether a JPEG holds pieces of a packet too long for a segment."""
    with open(path, "rb") as file:
        return any(segment.content.startswith(_EXTENDED) for segment in _segments(file))


def _segments(file: BinaryIO) -> Iterator[_Segment]:
    """Yield the segments of a JPEG up to its picture; nothing more where it is damaged."""
    file.seek(2)
    while True:
        if file.read(1) != b"\xff":
            return
        marker = file.read(1)
        while marker == b"\xff":
            marker = file.read(1)
        if not marker or marker[0] in (_START_OF_SCAN, _END_OF_IMAGE):
            return
        if marker[0] in _ALONE:
            continue
        size = int.from_bytes(file.read(2), "big") - 2
        start = file.tell()
        content = file.read(size) if size >= 0 else b""
        yield _Segment(marker[0], start, content)
        if len(content) != size:
            return


def _is_trace(content: bytes) -> bool:
    # a name may be cut in two where a long packet is
    return content.startswith(_EXTENDED) or _has_name(content)


def _texts(file: BinaryIO) -> Iterator[bytes]:
    """Yield what the text chunks of a PNG say; of a packed one also unpacked."""
    file.seek(8)
    while len(header := file.read(8)) == 8:
        size = int.from_bytes(header[:4], "big")
        end = file.tell() + size + 4
        if header[4:] in (b"iTXt", b"zTXt", b"tEXt", b"tXMP") and size <= _LARGEST_TEXT:
            yield from _unpacked(file.read(size))
        file.seek(end)


def _unpacked(text: bytes) -> Iterator[bytes]:
    yield text
    keyword = text[:79].lower()
    if keyword.startswith(b"raw profile type"):
        # packed or not, it is written in hexadecimal digits; exiftool shall look
        yield _NEEDLES[0] if b"xmp" in keyword or b"app1" in keyword else b""
    start = text.find(b"\x78")
    while 0 <= start < 200:
        # where a zlib stream begins: 0x78 and a check byte
        with suppress(zlib.error):
            yield zlib.decompressobj().decompress(text[start:], _LARGEST_TEXT)
        start = text.find(b"\x78", start + 1)


def _file_has_name(file: BinaryIO) -> bool:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return any(content.find(needle) >= 0 for needle in _NEEDLES)


def _has_name(content: bytes) -> bool:
    return any(needle in content for needle in _NEEDLES)
