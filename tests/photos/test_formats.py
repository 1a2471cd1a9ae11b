"""Which files are photos, by their endings and by their first bytes."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from emotag.photos.formats import ENDINGS, HEADER_BYTES, RAW_ENDINGS, ending_of, sniff

WRITTEN = sorted(set(ENDINGS.values()) - {"HEIF"})


def header_of(format_name: str, **options: object) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (40, 30)).save(content, format_name, **options)
    return content.getvalue()[:HEADER_BYTES]


@pytest.mark.parametrize("format_name", WRITTEN)
def test_what_pillow_writes_is_told_by_its_first_bytes(format_name: str) -> None:
    assert sniff(header_of(format_name)) == format_name


def test_so_is_heic() -> None:
    heif = pytest.importorskip("pillow_heif")
    content = io.BytesIO()
    heif.from_pillow(Image.new("RGB", (40, 30))).save(content)
    assert sniff(content.getvalue()[:HEADER_BYTES]) == "HEIF"


def test_so_are_the_kinds_of_tiff_and_bmp() -> None:
    assert sniff(header_of("TIFF", big_tiff=True)) == "TIFF"
    assert sniff(b"MM\0*" + bytes(60)) == "TIFF"
    for size in (12, 40, 52, 56, 64, 108, 124):
        assert sniff(b"BM" + bytes(12) + size.to_bytes(4, "little") + bytes(40)) == "BMP"


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        (b"avif\0\0\0\0mif1", "AVIF"),
        (b"mif1\0\0\0\0avif", "AVIF"),
        (b"avis\0\0\0\0", "AVIF"),
        (b"heic\0\0\0\0mif1", "HEIF"),
        (b"mif1\0\0\0\0heic", "HEIF"),
        (b"isom\0\0\0\0mp42", None),
        (b"qt  \0\0\0\0", None),
    ],
)
def test_the_brands_of_a_media_file_tell_avif_heif_and_films_apart(
    brands: bytes, expected: str | None
) -> None:
    box = (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands
    assert sniff(box) == expected
    # brands that stand behind the box do not count
    assert sniff(box + b"avif") == expected


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff\xd8",
        b"BM is a band from Bremen, and this is a text",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"%PDF-1.7",
        b"GIF88a",
        b"IIxx",
        b"\0" * HEADER_BYTES,
    ],
)
def test_what_is_no_photo_is_none(header: bytes) -> None:
    assert sniff(header) is None


@given(st.binary(max_size=HEADER_BYTES))
def test_any_bytes_have_an_answer(header: bytes) -> None:
    assert sniff(header) in {None, *ENDINGS.values()}


@given(st.sampled_from(WRITTEN), st.binary(max_size=20))
def test_only_the_beginning_counts(format_name: str, rest: bytes) -> None:
    header = header_of(format_name)
    assert sniff(header[: HEADER_BYTES - len(rest)] + rest) == format_name


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ("a.jpg", ".jpg"),
        ("A.JPG", ".jpg"),
        ("trip.2024/a", ""),
        ("a.tar.png", ".png"),
        (".jpg", ""),
        ("dir/.hidden.Png", ".png"),
        ("a.", "."),
        ("caf\udce9.gif", ".gif"),
    ],
)
def test_endings(path: str, ending: str) -> None:
    assert ending_of(path) == ending


def test_cameras_raw_files_are_not_among_the_photos() -> None:
    assert RAW_ENDINGS.isdisjoint(ENDINGS)
    assert {".dng", ".nef", ".cr2", ".arw"} <= RAW_ENDINGS


def test_the_endings_are_those_that_pillow_knows_for_the_formats() -> None:
    Image.init()
    known = Image.registered_extensions()
    for ending, format_name in ENDINGS.items():
        if format_name != "HEIF":
            # .dib is BMP's other ending, and its name for the same without the first header
            assert known[ending].replace("DIB", "BMP") == format_name, ending
