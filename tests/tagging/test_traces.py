"""What a photo's file shows without exiftool: nothing is overlooked, and little is read."""

import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from emotag.tagging.traces import (
    has_extended,
    hide_extended,
    jpeg_packets,
    kind_of,
    may_hold_tags,
    show_extended,
)
from emotag.tagging.xmp import add_tags
from tests.conftest import draw_photo
from tests.tagging.test_xmp import FEAR, PACKETS

PACKET = add_tags(None, FEAR)
MAIN = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"


def app1(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def jpeg(path: Path, *segments: bytes) -> Path:
    """Write a photo with segments before all others."""
    content = Path(draw_photo(path, 1)).read_bytes()
    path.write_bytes(content[:2] + b"".join(segments) + content[2:])
    return path


def png(path: Path, *chunks: tuple[bytes, bytes]) -> Path:
    """Write a photo with chunks before its picture."""
    Image.new("RGB", (40, 40)).save(path)
    content = path.read_bytes()
    made = b"".join(
        struct.pack(">I", len(text)) + kind + text + struct.pack(">I", zlib.crc32(kind + text))
        for kind, text in chunks
    )
    start = content.index(b"IDAT") - 4
    path.write_bytes(content[:start] + made + content[start:])
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_in_a_jpeg(tmp_path: Path, encoding: str) -> None:
    packet = PACKET.decode().encode(encoding)
    path = jpeg(tmp_path / "photo.jpg", app1(MAIN + packet))
    assert may_hold_tags(str(path))
    assert jpeg_packets(str(path)) == [packet]


def test_a_jpeg_without(tmp_path: Path) -> None:
    path = jpeg(tmp_path / "photo.jpg", app1(MAIN + PACKETS["keywords"]))
    assert not may_hold_tags(str(path))
    assert jpeg_packets(str(path)) == [PACKETS["keywords"]]
    assert not may_hold_tags(draw_photo(tmp_path / "plain.jpg", 1))
    assert jpeg_packets(str(tmp_path / "plain.jpg")) == []


def test_of_a_jpeg_the_picture_is_not_read(tmp_path: Path) -> None:
    path = jpeg(tmp_path / "photo.jpg")
    with open(path, "ab") as file:
        file.write(PACKET)
    assert not may_hold_tags(str(path))


def test_several_packets(tmp_path: Path) -> None:
    path = jpeg(tmp_path / "photo.jpg", app1(MAIN + PACKET), app1(MAIN + PACKET))
    assert jpeg_packets(str(path)) == [PACKET, PACKET]
    assert may_hold_tags(str(path))


def test_a_long_packet_may_hold_a_name_cut_in_two(tmp_path: Path) -> None:
    path = jpeg(tmp_path / "photo.jpg", app1(EXTENDED + b"any"))
    assert may_hold_tags(str(path))


def test_hidden_and_shown(tmp_path: Path) -> None:
    pieces = [app1(EXTENDED + b"1"), app1(MAIN + PACKET), app1(EXTENDED + b"2")]
    path = jpeg(tmp_path / "photo.jpg", *pieces)
    before = path.read_bytes()
    assert has_extended(str(path))
    assert hide_extended(str(path))
    assert not has_extended(str(path))
    assert path.read_bytes() == before.replace(EXTENDED, b"HTTP" + EXTENDED[4:])
    assert not hide_extended(str(path))
    show_extended(str(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "start",
    [
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xff\xff",
        b"\xff\xd8\xff\xe1",
        b"\xff\xd8\xff\xe1\x00\x00",
        b"\xff\xd8\xff\xe1\xff\xff" + MAIN,
        b"\xff\xd8\xff\xff\x01\x00",
        b"\xff\xd8\xff\xd9" + PACKET,
    ],
)
def test_a_damaged_jpeg(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(start)
    assert not may_hold_tags(str(path))
    # a segment that is cut off is read as far as it goes
    assert jpeg_packets(str(path)) in ([], [b""])


def test_markers_that_stand_alone_and_bytes_that_fill(tmp_path: Path) -> None:
    path = jpeg(tmp_path / "photo.jpg", b"\xff\x01", b"\xff\xff", app1(MAIN + PACKET))
    assert jpeg_packets(str(path)) == [PACKET]


ITXT = b"XML:com.adobe.xmp\0"


@pytest.mark.parametrize(
    ("chunk", "holds"),
    [
        ((b"iTXt", ITXT + b"\0\0\0\0" + PACKET), True),
        ((b"iTXt", ITXT + b"\1\0\0\0" + zlib.compress(PACKET)), True),
        ((b"zTXt", b"xmp\0\0" + zlib.compress(PACKET, 1)), True),
        ((b"tEXt", b"Raw profile type xmp\0" + PACKET.hex().encode()), True),
        ((b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(PACKET.hex().encode())), True),
        ((b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"abc")), False),
        ((b"iTXt", ITXT + b"\0\0\0\0" + PACKETS["keywords"]), False),
        ((b"iTXt", ITXT + b"\1\0\0\0" + b"\x78\x9cnot packed"), False),
        ((b"tEXt", b"Comment\0xxx"), False),
        ((b"juNk", PACKET), False),
    ],
)
def test_in_a_png(tmp_path: Path, chunk: tuple[bytes, bytes], holds: bool) -> None:
    assert may_hold_tags(str(png(tmp_path / "photo.png", chunk))) is holds


def test_in_a_png_as_pillow_writes_it(tmp_path: Path) -> None:
    for packed in (False, True):
        said = PngInfo()
        said.add_itxt("XML:com.adobe.xmp", PACKET.decode(), zip=packed)
        Image.new("RGB", (40, 40)).save(tmp_path / "photo.png", pnginfo=said)
        assert may_hold_tags(str(tmp_path / "photo.png"))
        assert jpeg_packets(str(tmp_path / "photo.png")) is None


@pytest.mark.parametrize("ending", ["webp", "tif", "gif", "avif", "bmp"])
def test_in_other_formats(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"photo.{ending}"
    Image.new("RGB", (40, 40)).save(path)
    assert not may_hold_tags(str(path))
    with open(path, "ab") as file:
        file.write(PACKET)
    assert may_hold_tags(str(path))


def test_what_is_no_photo_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_bytes(PACKET)
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "fifo.jpg")
    for name in ("text.jpg", "empty.jpg", "fifo.jpg"):
        assert not may_hold_tags(str(tmp_path / name))
    assert not may_hold_tags(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        may_hold_tags(str(tmp_path / "gone.jpg"))
    assert kind_of(str(tmp_path / "text.jpg")) is None


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]), st.binary(max_size=300))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(start + rest)
    assert not may_hold_tags(str(path)) or b"adobe" in rest or b"urn:emotag" in rest
    jpeg_packets(str(path))
