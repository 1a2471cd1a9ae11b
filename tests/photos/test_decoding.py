"""Photos of every format and in every state: decoded, turned upright, or refused with a reason."""

import hashlib
import io
import os
import re
import socket
import struct
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from emotag.errors import PhotoError, SkippedPhoto, UnreadablePhoto
from emotag.photos.decoding import (
    MAX_PIXELS,
    MIN_SIDE,
    DecodedPhoto,
    decode_photo,
    reduce_photo,
)
from emotag.photos.opening import hash_photo
from emotag.photos.preprocess import Preprocess
from tests.conftest import as_ordinary_user, draw_photo

PREPROCESS = Preprocess(48, 54, (0.0,) * 3, (1.0,) * 3)

ORIENTATION = 0x0112
WHITE = [255, 255, 255]

# How each format is written here, and how far its compression may take the pixels off.
FORMATS: dict[str, tuple[str, dict[str, Any], float]] = {
    "JPEG": (".jpg", {"quality": 95, "subsampling": 0}, 2.0),
    "PNG": (".png", {}, 0.0),
    "WEBP": (".webp", {"quality": 95}, 3.0),
    "GIF": (".gif", {}, 8.0),
    "BMP": (".bmp", {}, 0.0),
    "TIFF": (".tif", {}, 0.0),
    "AVIF": (".avif", {"quality": 95}, 3.0),
    "HEIF": (".heic", {"quality": 95}, 3.0),
}


def save(image: Image.Image, path: Path, format_name: str, **options: Any) -> str:
    if format_name == "HEIF":
        heif = pytest.importorskip("pillow_heif")
        exif = options.pop("exif", None)
        file = heif.from_pillow(image)
        if exif is not None:
            file.info["exif"] = exif.tobytes()
        file.save(path, **options)
    else:
        image.save(path, format_name, **options)
    return str(path)


def decode(path: str | os.PathLike[str], **options: Any) -> DecodedPhoto:
    return decode_photo(os.fspath(path), PREPROCESS, **options)


def expected(image: Image.Image, preprocess: Preprocess = PREPROCESS) -> NDArray[np.int_]:
    """Return the pixels that a photo should give, from all of its own."""
    return preprocess.crop(image.convert("RGB")).astype(int)


def difference(photo: DecodedPhoto, other: NDArray[Any]) -> float:
    return float(np.abs(photo.pixels.astype(int) - other.astype(int)).mean())


def colour_of(photo: DecodedPhoto) -> list[int]:
    """Return the colour of a photo that has only one."""
    assert np.ptp(photo.pixels.reshape(-1, 3), axis=0).max() <= 3
    return [round(value) for value in photo.pixels.mean((0, 1))]


def reason_for(path: str | os.PathLike[str], kind: type[PhotoError], **options: Any) -> str:
    """Return why a photo is refused."""
    with pytest.raises(kind) as caught:
        decode(path, **options)
    error = caught.value
    assert type(error) is kind
    assert error.path == os.fspath(path)
    assert error.reason
    assert "\n" not in error.reason
    assert str(error) == f"{os.fspath(path)}: {error.reason}"
    return error.reason


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """A photo's smooth thumbnail that no turn or reflection leaves as it is."""
    sklearn = pytest.importorskip("sklearn")
    path = Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg"
    with Image.open(path) as image:
        small = image.convert("RGB").resize((24, 16), Image.Resampling.LANCZOS)
    return small.resize((96, 64), Image.Resampling.BICUBIC)


class TestFormats:
    @pytest.mark.parametrize("format_name", FORMATS)
    def test_every_format_is_decoded(
        self, tmp_path: Path, picture: Image.Image, format_name: str
    ) -> None:
        ending, options, tolerance = FORMATS[format_name]
        photo = decode(save(picture, tmp_path / f"a{ending}", format_name, **options))
        assert photo.pixels.shape == (48, 48, 3)
        assert photo.pixels.dtype == np.uint8
        assert photo.pixels.flags["C_CONTIGUOUS"]
        assert (photo.width, photo.height, photo.note) == (96, 64, "")
        assert difference(photo, expected(picture)) <= tolerance

    @pytest.mark.parametrize(
        ("format_name", "options"),
        [
            ("JPEG", {"progressive": True, "quality": 95}),
            ("JPEG", {"subsampling": "4:2:0", "quality": 95}),
            ("PNG", {"compress_level": 0}),
            ("WEBP", {"lossless": True}),
            ("TIFF", {"compression": "tiff_lzw"}),
            ("TIFF", {"compression": "tiff_adobe_deflate"}),
            ("TIFF", {"compression": "packbits"}),
            ("TIFF", {"compression": "jpeg", "quality": 95}),
            ("TIFF", {"big_tiff": True}),
        ],
    )
    def test_so_are_their_variants(
        self, tmp_path: Path, picture: Image.Image, format_name: str, options: dict[str, Any]
    ) -> None:
        path = save(picture, tmp_path / f"a{FORMATS[format_name][0]}", format_name, **options)
        assert difference(decode(path), expected(picture)) <= 3

    def test_without_its_extra_heic_says_what_to_type(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "a.heic"
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40))
        monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
        assert reason_for(path, UnreadablePhoto) == (
            "HEIC needs an extra; type: pip install 'emotag[heic]'"
        )

    @pytest.mark.parametrize(
        ("name", "format_name", "note"),
        [
            ("a.jpg", "PNG", "PNG under the ending .jpg"),
            ("a.png", "JPEG", "JPEG under the ending .png"),
            ("a.txt", "WEBP", "WEBP under the ending .txt"),
            ("a.nef", "TIFF", "TIFF under the ending .nef"),
            ("a", "GIF", "GIF without an ending"),
            ("A.JPG", "JPEG", ""),
            ("a.jfif", "JPEG", ""),
            ("a.TIFF", "TIFF", ""),
        ],
    )
    def test_a_wrong_ending_is_noted_and_does_no_harm(
        self, tmp_path: Path, picture: Image.Image, name: str, format_name: str, note: str
    ) -> None:
        photo = decode(save(picture, tmp_path / name, format_name))
        assert photo.note == note
        assert difference(photo, expected(picture)) < 8


class TestOrientation:
    @pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_all_eight_are_turned_upright(
        self, tmp_path: Path, picture: Image.Image, format_name: str, orientation: int
    ) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        ending, options, _ = FORMATS[format_name]
        path = save(picture, tmp_path / f"a{ending}", format_name, exif=exif, **options)
        photo = decode(path)
        for other in range(1, 9):
            far = difference(photo, expected(turned(picture, other)))
            assert far < 4 if other == orientation else far > 8

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_pillow_turns_a_real_photo_the_same_way(
        self, tmp_path: Path, sample_photos: list[str], orientation: int
    ) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        exif[0x010F] = "A maker of cameras"
        path = tmp_path / "a.jpg"
        with Image.open(sample_photos[1]) as image:
            image.save(path, quality=95, exif=exif)
        with Image.open(path) as image:
            assert difference(decode(path), expected(ImageOps.exif_transpose(image))) < 1.5

    @pytest.mark.parametrize("keep_aspect", [True, False])
    @pytest.mark.parametrize("orientation", [5, 6, 7, 8])
    def test_a_narrow_photo_on_its_side_is_cropped_in_its_middle(
        self, tmp_path: Path, keep_aspect: bool, orientation: int
    ) -> None:
        preprocess = Preprocess(48, 48, (0.0,) * 3, (1.0,) * 3, keep_aspect=keep_aspect)
        image = Image.radial_gradient("L").resize((400, 64)).convert("RGB")
        image.paste("red", (0, 0, 100, 20))
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        image.save(tmp_path / "a.png", exif=exif)
        pixels = decode_photo(str(tmp_path / "a.png"), preprocess).pixels
        upright = expected(turned(image, orientation), preprocess)
        assert np.abs(pixels.astype(int) - upright).max() <= 1

    @pytest.mark.parametrize(
        ("kind", "values", "turn"),
        [
            ("H", [0], 1),
            ("H", [9], 1),
            ("H", [65535], 1),
            ("I", [6], 6),
            ("I", [2**32 - 1], 1),
            ("H", [6, 6], 6),
        ],
    )
    def test_an_orientation_that_makes_no_sense_counts_as_none(
        self, tmp_path: Path, picture: Image.Image, kind: str, values: list[int], turn: int
    ) -> None:
        value = struct.pack(f"<{len(values)}{kind}", *values).ljust(4, b"\0")
        number = {"H": 3, "I": 4}[kind]
        entry = struct.pack("<HHI", ORIENTATION, number, len(values)) + value
        exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + bytes(4)
        path = save(picture, tmp_path / "a.png", "PNG", exif=exif)
        assert difference(decode(path), expected(turned(picture, turn))) < 0.1

    @pytest.mark.parametrize(
        "exif",
        [
            b"Exif\0\0",
            b"Exif\0\0garbage",
            b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
            b"Exif\0\0II*\0\xff\xff\xff\xff",
            b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\xff\xff\xff\xff\0\0\0\0",
            b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\x01\0\0\0\x1a\0\0\0\0\0\0\0" + bytes(8),
        ],
    )
    @pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
    def test_damaged_exif_costs_no_photo_and_warns_of_nothing(
        self, tmp_path: Path, picture: Image.Image, exif: bytes, format_name: str
    ) -> None:
        ending, options, tolerance = FORMATS[format_name]
        path = save(picture, tmp_path / f"a{ending}", format_name, exif=exif, **options)
        assert difference(decode(path), expected(picture)) <= tolerance


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """Turn an image upright that lies as this orientation says, as Pillow does."""
    copy = image.copy()
    copy.getexif()[ORIENTATION] = orientation
    return ImageOps.exif_transpose(copy)


class TestColours:
    @pytest.mark.parametrize("format_name", ["PNG", "WEBP", "TIFF", "AVIF"])
    @pytest.mark.parametrize(
        ("alpha", "colour"), [(0, WHITE), (255, [200, 0, 100]), (51, [244, 204, 224])]
    )
    def test_transparency_lies_on_white(
        self, tmp_path: Path, format_name: str, alpha: int, colour: list[int]
    ) -> None:
        ending, options, _ = FORMATS[format_name]
        image = Image.new("RGBA", (64, 64), (200, 0, 100, alpha))
        photo = decode(save(image, tmp_path / f"a{ending}", format_name, **options))
        assert np.abs(np.subtract(colour_of(photo), colour)).max() <= 4

    @pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
    def test_so_does_transparent_grey(self, tmp_path: Path, format_name: str) -> None:
        image = Image.new("LA", (64, 64), (100, 128))
        path = save(image, tmp_path / f"a{FORMATS[format_name][0]}", format_name)
        assert colour_of(decode(path)) == [177] * 3

    @pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
    def test_so_does_a_colour_that_is_named_transparent(self, tmp_path: Path, mode: str) -> None:
        black = (0, 0, 0) if mode == "RGB" else 0
        Image.new(mode, (64, 64), 0).save(tmp_path / "a.png", transparency=black)
        assert colour_of(decode(tmp_path / "a.png")) == WHITE

    def test_so_does_a_palette_with_a_transparency_for_each_colour(self, tmp_path: Path) -> None:
        image = Image.new("P", (64, 64), 1)
        image.putpalette([0, 0, 0, 200, 0, 100])
        image.save(tmp_path / "a.png", transparency=bytes([255, 51]))
        assert colour_of(decode(tmp_path / "a.png")) == [244, 204, 224]

    def test_so_does_what_an_animation_leaves_out(self, tmp_path: Path) -> None:
        image = Image.new("P", (64, 64), 3)
        image.save(tmp_path / "a.gif", transparency=3)
        assert colour_of(decode(tmp_path / "a.gif")) == WHITE

    @pytest.mark.parametrize("format_name", ["PNG", "GIF", "BMP", "TIFF"])
    def test_a_palette_is_looked_up(
        self, tmp_path: Path, picture: Image.Image, format_name: str
    ) -> None:
        image = picture.quantize(64)
        path = save(image, tmp_path / f"a{FORMATS[format_name][0]}", format_name)
        assert difference(decode(path), expected(image)) == 0

    @pytest.mark.parametrize("format_name", ["PNG", "GIF", "BMP", "TIFF"])
    def test_black_and_white(self, tmp_path: Path, picture: Image.Image, format_name: str) -> None:
        image = picture.convert("1")
        path = save(image, tmp_path / f"a{FORMATS[format_name][0]}", format_name)
        assert difference(decode(path), expected(image)) == 0

    @pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
    def test_grey(self, tmp_path: Path, picture: Image.Image, format_name: str) -> None:
        image = picture.convert("L")
        ending, options, tolerance = FORMATS[format_name]
        path = save(image, tmp_path / f"a{ending}", format_name, **options)
        assert difference(decode(path), expected(image)) <= max(tolerance, 0.5)

    @pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB"])
    def test_other_spaces_of_colour_in_a_tiff(
        self, tmp_path: Path, picture: Image.Image, mode: str
    ) -> None:
        from PIL import ImageCms

        if mode == "LAB":
            profiles = [ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")]
            image = ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
        else:
            image = picture.convert(mode)
        path = save(image, tmp_path / "a.tif", "TIFF")
        assert difference(decode(path), expected(picture)) < 3

    @pytest.mark.parametrize("transform", ["CMYK", "YCCK"])
    def test_the_colours_of_print_in_a_jpeg(
        self, tmp_path: Path, picture: Image.Image, transform: str
    ) -> None:
        path = tmp_path / "a.jpg"
        picture.convert("CMYK").save(path, quality=95)
        if transform == "YCCK":
            # how the four planes are meant is the last byte of Adobe's marker
            content = bytearray(path.read_bytes())
            content[content.index(b"Adobe") + 11] = 2
            path.write_bytes(content)
        with Image.open(path) as image:
            assert image.mode == "CMYK"
            full = expected(image)
        assert difference(decode(path), full) < 1
        assert (difference(decode(path), expected(picture)) < 5) == (transform == "CMYK")


def grey_ramp(depth: int) -> NDArray[np.int_]:
    """Return grey values from black to white, across, of so many bits."""
    return np.tile(np.linspace(0, 2**depth - 1, 96).round().astype(int), (64, 1))


def rgb_ramp() -> NDArray[np.int_]:
    ramp = grey_ramp(16)
    return np.stack([ramp, ramp[:, ::-1], np.full_like(ramp, 40000)], axis=2)


def png_of_16_bits(pixels: NDArray[np.int_]) -> bytes:
    """Return a PNG of 16 bits a channel: grey, grey and alpha, RGB or RGBA."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + checksum

    height, width, channels = pixels.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def plain_tiff(pixels: NDArray[Any], order: str, sample_format: int = 1) -> bytes:
    """Return an uncompressed TIFF, in the byte order ``<`` or ``>``."""
    height, width, channels = pixels.shape
    bits = pixels.dtype.itemsize * 8
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    entries = [
        (256, 3, [width]),
        (257, 3, [height]),
        (258, 3, [bits] * channels),
        (259, 3, [1]),
        (262, 3, [2 if channels > 2 else 1]),
        (273, 4, [8]),
        (277, 3, [channels]),
        (278, 3, [height]),
        (279, 4, [len(data)]),
        (339, 3, [sample_format] * channels),
    ]
    directory = 8 + len(data)
    behind = directory + 2 + 12 * len(entries) + 4
    table, extra = struct.pack(f"{order}H", len(entries)), b""
    for tag, kind, values in entries:
        packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            packed, extra = struct.pack(f"{order}I", behind + len(extra)), extra + packed
        table += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    start = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, directory)
    return start + data + table + bytes(4) + extra


class TestDepth:
    @pytest.fixture
    def in_8_bits(self) -> NDArray[np.int_]:
        return expected(Image.fromarray(grey_ramp(8).astype(np.uint8)))

    def test_a_grey_png_of_16_bits(self, tmp_path: Path, in_8_bits: NDArray[np.int_]) -> None:
        Image.fromarray(grey_ramp(16).astype(np.uint16)).save(tmp_path / "a.png")
        assert difference(decode(tmp_path / "a.png"), in_8_bits) < 1

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("compression", [None, "tiff_lzw"])
    def test_a_grey_tiff_of_16_bits(
        self, tmp_path: Path, in_8_bits: NDArray[np.int_], order: str, compression: str | None
    ) -> None:
        mode = "I;16" if order == "<" else "I;16B"
        data = grey_ramp(16).astype(f"{order}u2").tobytes()
        image = Image.frombytes(mode, (96, 64), data)
        image.save(tmp_path / "a.tif", compression=compression)
        assert difference(decode(tmp_path / "a.tif"), in_8_bits) < 1

    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    def test_a_png_of_16_bits_a_channel(self, tmp_path: Path, channels: int) -> None:
        opaque = np.full((64, 96, 1), 65535)
        grey = grey_ramp(16)[..., np.newaxis]
        pixels = [grey, np.dstack([grey, opaque]), rgb_ramp(), np.dstack([rgb_ramp(), opaque])]
        (tmp_path / "a.png").write_bytes(png_of_16_bits(pixels[channels - 1]))
        colours = rgb_ramp() if channels > 2 else np.repeat(grey, 3, axis=2)
        as_bytes = Image.fromarray((colours / 257).round().astype(np.uint8))
        assert difference(decode(tmp_path / "a.png"), expected(as_bytes)) < 1

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_a_tiff_of_16_bits_a_channel(self, tmp_path: Path, order: str) -> None:
        (tmp_path / "a.tif").write_bytes(plain_tiff(rgb_ramp().astype(np.uint16), order))
        as_bytes = Image.fromarray((rgb_ramp() / 257).round().astype(np.uint8))
        assert difference(decode(tmp_path / "a.tif"), expected(as_bytes)) < 1

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
    def test_a_tiff_of_floats_whatever_its_white_is(
        self, tmp_path: Path, in_8_bits: NDArray[np.int_], order: str, white: float
    ) -> None:
        pixels = (grey_ramp(16) / 65535 * white).astype(np.float32)[..., np.newaxis]
        (tmp_path / "a.tif").write_bytes(plain_tiff(pixels, order, sample_format=3))
        assert difference(decode(tmp_path / "a.tif"), in_8_bits) < 1

    def test_floats_that_are_no_numbers_are_black(self, tmp_path: Path) -> None:
        pixels = np.full((64, 64, 1), 0.5, dtype=np.float32)
        pixels[:, :16], pixels[:, 16:32], pixels[:, 32:48] = np.nan, np.inf, -3.0
        (tmp_path / "a.tif").write_bytes(plain_tiff(pixels, "<", sample_format=3))
        row = decode(tmp_path / "a.tif").pixels[24, :, 0]
        assert row[:30].max() == 0
        assert abs(int(row[45]) - 127) <= 1

    def test_a_black_photo_of_floats_stays_black(self, tmp_path: Path) -> None:
        Image.new("F", (64, 64), 0.0).save(tmp_path / "a.tif")
        assert colour_of(decode(tmp_path / "a.tif")) == [0, 0, 0]

    @pytest.mark.parametrize("white", [65535, 2**31 - 1])
    def test_a_tiff_of_32_bits(
        self, tmp_path: Path, in_8_bits: NDArray[np.int_], white: int
    ) -> None:
        pixels = (grey_ramp(16) / 65535 * white).astype(np.int32)
        Image.fromarray(pixels).save(tmp_path / "a.tif")
        assert difference(decode(tmp_path / "a.tif"), in_8_bits) < 1

    def test_a_kind_of_tiff_that_pillow_does_not_know_is_not_called_damaged(
        self, tmp_path: Path
    ) -> None:
        pixels = rgb_ramp().astype(np.float64)
        (tmp_path / "a.tif").write_bytes(plain_tiff(pixels, "<", sample_format=3))
        reason = reason_for(tmp_path / "a.tif", UnreadablePhoto)
        assert reason == "damaged or unsupported: unknown pixel mode"


class TestAnimations:
    @pytest.mark.parametrize(
        ("format_name", "options"),
        [
            ("GIF", {}),
            ("WEBP", {"lossless": True}),
            ("PNG", {}),
            ("PNG", {"default_image": True}),
            ("TIFF", {}),
            ("AVIF", {"quality": 95}),
            ("MPO", {"quality": 95}),
        ],
    )
    def test_the_first_frame_is_taken(
        self, tmp_path: Path, format_name: str, options: dict[str, Any]
    ) -> None:
        first, second = (Image.new("RGB", (64, 64), colour) for colour in ("#c81e32", "blue"))
        path = tmp_path / f"a{FORMATS.get(format_name, ['.jpg'])[0]}"
        first.save(path, format_name, save_all=True, append_images=[second], **options)
        with Image.open(path) as image:
            assert getattr(image, "n_frames", 1) == 2
        photo = decode(path)
        assert np.abs(np.subtract(colour_of(photo), [200, 30, 50])).max() <= 4
        assert photo.note == ""

    def test_several_pictures_in_one_heic_give_the_first(self, tmp_path: Path) -> None:
        heif = pytest.importorskip("pillow_heif")
        file = heif.from_pillow(Image.new("RGB", (64, 64), "#c81e32"))
        file.add_from_pillow(Image.new("RGB", (64, 64), "blue"))
        file.save(tmp_path / "a.heic", quality=95)
        photo = decode(tmp_path / "a.heic")
        assert np.abs(np.subtract(colour_of(photo), [200, 30, 50])).max() <= 4


class Watching(Preprocess):
    """A preprocessing that tells at which size a photo reaches it."""

    sizes: list[tuple[int, int]] = []  # noqa: RUF012 - emptied by each test

    def crop(self, image: Image.Image) -> NDArray[np.uint8]:
        self.sizes.append(image.size)
        return super().crop(image)


class TestReducedDecoding:
    @pytest.fixture(autouse=True)
    def _forget(self) -> None:
        Watching.sizes.clear()

    @staticmethod
    def decoded_size(
        path: Path, width: int, height: int, preprocess: Preprocess
    ) -> tuple[int, int]:
        Image.new("RGB", (width, height), "teal").save(path)
        photo = decode_photo(str(path), preprocess)
        assert (photo.width, photo.height) == (width, height)
        return Watching.sizes[-1]

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        st.integers(MIN_SIDE, 1500),
        st.integers(MIN_SIDE, 1500),
        st.integers(1, 300),
        st.booleans(),
    )
    def test_a_jpeg_is_never_decoded_below_what_the_network_needs(
        self, tmp_path: Path, width: int, height: int, resize: int, keep_aspect: bool
    ) -> None:
        preprocess = Watching(1, resize, (0.0,) * 3, (1.0,) * 3, keep_aspect=keep_aspect)
        decoded = self.decoded_size(tmp_path / "a.jpg", width, height, preprocess)
        for side, full, needed in zip(
            decoded, (width, height), preprocess.needed(width, height), strict=True
        ):
            assert side >= min(full, needed)

    @pytest.mark.parametrize(
        ("width", "height", "decoded"),
        [
            (4000, 3000, (500, 375)),
            (3000, 4000, (375, 500)),
            (2048, 2048, (256, 256)),
            (2047, 2047, (512, 512)),
            (1024, 768, (512, 384)),
            (300, 300, (300, 300)),
            (100, 100, (100, 100)),
            (9000, 40, (9000, 40)),
            (40, 9000, (40, 9000)),
            (9000, 600, (4500, 300)),
            (2056, 65000, (257, 8125)),
        ],
    )
    def test_a_jpeg_is_decoded_as_small_as_it_may_be(
        self, tmp_path: Path, width: int, height: int, decoded: tuple[int, int]
    ) -> None:
        preprocess = Watching(224, 256, (0.0,) * 3, (1.0,) * 3)
        assert self.decoded_size(tmp_path / "a.jpg", width, height, preprocess) == decoded

    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
    @pytest.mark.parametrize("size", [(2400, 1600), (1100, 1900), (1153, 769), (300, 400)])
    def test_the_pixels_are_close_to_those_of_full_decoding(
        self, tmp_path: Path, sample_photos: list[str], mode: str, size: tuple[int, int]
    ) -> None:
        preprocess = Preprocess(224, 256, (0.0,) * 3, (1.0,) * 3)
        for photo in sample_photos:
            with Image.open(photo) as image:
                large = image.resize(size, Image.Resampling.BICUBIC).convert(mode)
            large.save(tmp_path / "a.jpg", quality=92)
            with Image.open(tmp_path / "a.jpg") as image:
                full = expected(image, preprocess)
            assert difference(decode_photo(str(tmp_path / "a.jpg"), preprocess), full) < 4

    def test_real_photos_are_close_to_full_decoding(self, shared_data: Path) -> None:
        preprocess = Preprocess(64, 72, (0.0,) * 3, (1.0,) * 3)
        photos = sorted((shared_data / "har" / "laughing").glob("*.jpg"))[:40]
        differences = []
        for path in photos:
            with Image.open(path) as image:
                upright = ImageOps.exif_transpose(image)
                full = expected(upright, preprocess)
            differences.append(difference(decode_photo(str(path), preprocess), full))
        assert len(differences) == 40
        assert max(differences) < 8
        assert float(np.mean(differences)) < 3.5


class TestRefusals:
    def test_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").touch()
        assert reason_for(tmp_path / "a.jpg", UnreadablePhoto) == "empty file"

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"Dear diary,\n", "not a photo but text"),
            ("Größe: 3\n".encode() * 20, "not a photo but text"),
            # a character of two bytes lies across the end of what is looked at
            (b"x" * 63 + "ä".encode() + b"y" * 20, "not a photo but text"),
            (b"<!DOCTYPE html>", "not a photo but text"),
            (bytes(1000), "not a photo"),
            (b"PK\x03\x04\x14\x00\x06\x00", "not a photo"),
            (b"caf\xe9 au lait", "not a photo"),
            (b"\xff\xd8", "not a photo"),
        ],
    )
    def test_what_is_no_photo(self, tmp_path: Path, content: bytes, reason: str) -> None:
        (tmp_path / "a.jpg").write_bytes(content)
        assert reason_for(tmp_path / "a.jpg", UnreadablePhoto) == reason

    @pytest.mark.parametrize("size", [(1, 1), (31, 31), (31, 500), (500, 31), (1, 9000)])
    def test_what_is_too_small_to_mean_anything(
        self, tmp_path: Path, size: tuple[int, int]
    ) -> None:
        Image.new("RGB", size).save(tmp_path / "a.png")
        assert reason_for(tmp_path / "a.png", SkippedPhoto) == (
            f"too small: {size[0]} x {size[1]} pixels, at least 32"
        )

    def test_just_large_enough(self, tmp_path: Path) -> None:
        Image.new("RGB", (32, 33), "teal").save(tmp_path / "a.png")
        assert colour_of(decode(tmp_path / "a.png")) == [0, 128, 128]

    def test_more_pixels_than_one_wants_to_decode(self, tmp_path: Path) -> None:
        Image.new("RGB", (100, 50)).save(tmp_path / "a.jpg")
        assert decode(tmp_path / "a.jpg", max_pixels=5000).width == 100
        assert reason_for(tmp_path / "a.jpg", SkippedPhoto, max_pixels=4999) == (
            "100 x 50 pixels are more than the limit of 4999 (--max-pixels)"
        )

    @pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
    def test_a_bomb_is_skipped_before_it_is_decoded(self, tmp_path: Path, format_name: str) -> None:
        (tmp_path / "bomb").write_bytes(bomb(format_name))
        reason = reason_for(tmp_path / "bomb", SkippedPhoto)
        assert "--max-pixels" in reason or "decompression bomb" in reason

    def test_nothing_is_said_where_pillow_would_only_warn_of_a_bomb(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Image.new("RGB", (64, 64), "teal").save(tmp_path / "a.tif")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 - 1)
        assert colour_of(decode(tmp_path / "a.tif")) == [0, 128, 128]
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 // 2 - 1)
        assert reason_for(tmp_path / "a.tif", SkippedPhoto).startswith("too many pixels: ")

    def test_what_may_not_be_read(self, open_folder: Path) -> None:
        path = draw_photo(open_folder / "a.jpg", 1)
        # so that nothing is left to be imported
        decode(path)
        os.chmod(path, 0)
        with as_ordinary_user():
            assert reason_for(path, UnreadablePhoto) == "no permission to read it"
            with pytest.raises(UnreadablePhoto, match="no permission to read it"):
                hash_photo(path)

    def test_what_lies_in_a_folder_that_may_not_be_entered(self, open_folder: Path) -> None:
        (open_folder / "closed").mkdir()
        path = draw_photo(open_folder / "closed" / "a.jpg", 1)
        (open_folder / "closed").chmod(0)
        with as_ordinary_user():
            assert reason_for(path, UnreadablePhoto) == "no permission to read it"

    def test_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "x.jpg").mkdir()
        assert reason_for(tmp_path / "x.jpg", SkippedPhoto) == "a folder, not a file"

    def test_a_pipe_is_never_opened(self, tmp_path: Path) -> None:
        # were it opened, this test would wait for ever: no one writes to it
        os.mkfifo(tmp_path / "x.jpg")
        assert reason_for(tmp_path / "x.jpg", SkippedPhoto) == "a FIFO, not a file"

    def test_nor_is_a_link_to_one(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "x.jpg").symlink_to("pipe")
        assert reason_for(tmp_path / "x.jpg", SkippedPhoto) == "a FIFO, not a file"

    def test_a_socket(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # a socket's path may not be as long as that of a temporary folder
        monkeypatch.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("x.jpg")
            assert reason_for("x.jpg", SkippedPhoto) == "a socket, not a file"

    def test_a_device(self) -> None:
        assert reason_for("/dev/zero", SkippedPhoto) == "a device, not a file"

    def test_links(self, tmp_path: Path) -> None:
        draw_photo(tmp_path / "real.jpg", 1)
        (tmp_path / "good.jpg").symlink_to("real.jpg")
        (tmp_path / "broken.jpg").symlink_to("nowhere.jpg")
        (tmp_path / "loop.jpg").symlink_to("loop.jpg")
        assert decode(tmp_path / "good.jpg").note == ""
        assert reason_for(tmp_path / "broken.jpg", UnreadablePhoto) == "broken link"
        reason = reason_for(tmp_path / "loop.jpg", UnreadablePhoto)
        assert reason == "Too many levels of symbolic links"

    def test_what_has_vanished(self, tmp_path: Path) -> None:
        path = draw_photo(tmp_path / "a.jpg", 1)
        os.remove(path)
        assert reason_for(path, UnreadablePhoto) == "does not exist (any more)"

    @pytest.mark.parametrize("path", ["a\0b.jpg", "\ud800.jpg"])
    def test_a_path_that_no_file_can_have(self, path: str) -> None:
        reason_for(path, UnreadablePhoto)
        with pytest.raises(UnreadablePhoto):
            hash_photo(path)

    @pytest.mark.parametrize(
        "name",
        [b"caf\xe9.jpg", b"a, b.jpg", b'"a".jpg', b"it's.jpg", b"a\nb.jpg", "🎉.jpg".encode()],
    )
    def test_every_name_is_a_name(self, tmp_path: Path, picture: Image.Image, name: bytes) -> None:
        path = os.fsdecode(os.path.join(os.fsencode(tmp_path), name))
        with open(path, "wb") as file:
            picture.save(file, "JPEG", quality=95)
        assert difference(decode(path), expected(picture)) < 3
        os.truncate(path, 400)
        with pytest.raises(UnreadablePhoto) as caught:
            decode(path)
        assert str(caught.value).startswith(path)


def bomb(format_name: str) -> bytes:
    """Return a small file that claims to hold some hundred million pixels."""
    content = io.BytesIO()
    options = {"lossless": True} if format_name == "WEBP" else {}
    Image.new("RGB", (64, 48)).save(content, format_name, **options)
    small = bytearray(content.getvalue())
    side = 16_000
    if format_name == "JPEG":
        start = small.index(b"\xff\xc0")
        small[start + 5 : start + 9] = struct.pack(">HH", side, side)
    elif format_name == "PNG":
        small[16:24] = struct.pack(">II", side, side)
        small[29:33] = struct.pack(">I", zlib.crc32(small[12:29]))
    elif format_name == "WEBP":
        (bits,) = struct.unpack("<I", small[21:25])
        small[21:25] = struct.pack("<I", bits & ~0xFFFFFFF | side - 1 | side - 1 << 14)
    elif format_name == "GIF":
        small[6:10] = struct.pack("<HH", side, side)
    elif format_name == "BMP":
        small[18:26] = struct.pack("<ii", side, side)
    else:
        return plain_tiff(np.zeros((2, 2, 3), np.uint8), "<").replace(
            struct.pack("<HHIHH", 256, 3, 1, 2, 0) + struct.pack("<HHIHH", 257, 3, 1, 2, 0),
            struct.pack("<HHIHH", 256, 3, 1, side, 0) + struct.pack("<HHIHH", 257, 3, 1, side, 0),
        )
    return bytes(small)


class Meddling(Preprocess):
    """A preprocessing that lets something happen to the file while it is read."""

    happening: Callable[[], object]

    def crop(self, image: Image.Image) -> NDArray[np.uint8]:
        type(self).happening()
        return super().crop(image)


class TestMeanwhile:
    @pytest.fixture
    def decode_while(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[Callable[[str], object]], DecodedPhoto]:
        path = draw_photo(tmp_path / "a.jpg", 1)

        def run(happening: Callable[[str], object]) -> DecodedPhoto:
            monkeypatch.setattr(
                Meddling, "happening", staticmethod(lambda: happening(path)), raising=False
            )
            return decode_photo(path, Meddling(48, 54, (0.0,) * 3, (1.0,) * 3))

        return run

    @staticmethod
    def append(path: str) -> None:
        with open(path, "ab") as file:
            file.write(b"more")

    @staticmethod
    def touch_later(path: str) -> None:
        status = os.stat(path)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))

    @staticmethod
    def cut_and_fail(path: str) -> None:
        os.truncate(path, 10)
        raise OSError("image file is truncated")

    @pytest.mark.parametrize("change", ["append", "touch_later", "cut_and_fail"])
    def test_a_file_that_changes_is_refused(self, decode_while: Any, change: str) -> None:
        with pytest.raises(UnreadablePhoto) as caught:
            decode_while(getattr(self, change))
        assert caught.value.reason == "changed while it was read"

    def test_a_file_that_is_removed_or_replaced_has_been_read_whole(
        self, decode_while: Any
    ) -> None:
        assert decode_while(lambda path: None).width == 96
        assert decode_while(draw_other).width == 96
        assert decode_while(os.remove).width == 96

    def test_a_file_that_grows_all_the_time_gives_a_photo_or_a_reason(self, tmp_path: Path) -> None:
        path = draw_photo(tmp_path / "a.jpg", 1, (1500, 1000))
        with open(path, "rb") as file:
            content = file.read()
        stop = threading.Event()

        def rewrite() -> None:
            while not stop.is_set():
                with open(path, "wb", buffering=0) as file:
                    for start in range(0, len(content), 4096):
                        file.write(content[start : start + 4096])

        writer = threading.Thread(target=rewrite)
        writer.start()
        try:
            for _ in range(20):
                with suppress(PhotoError):
                    assert decode(path).width == 1500
        finally:
            stop.set()
            writer.join()
        assert decode(path).width == 1500


def draw_other(path: str) -> None:
    """Let another photo take a photo's place."""
    os.replace(draw_photo(path + ".new.jpg", 2, (200, 200)), path)
    draw_photo(path + ".old.jpg", 1)
    os.replace(path + ".old.jpg", path)


def contents() -> Iterator[tuple[str, bytes]]:
    """Yield a small file of each format and of the variants that have decoders of their own."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    image = coarse.resize((64, 48), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010F] = "A maker of cameras"
    frames = {"save_all": True, "append_images": [image.rotate(90)]}
    for name, format_name, options in [
        ("jpeg", "JPEG", {"exif": exif}),
        ("progressive", "JPEG", {"progressive": True}),
        ("mpo", "MPO", frames),
        ("png", "PNG", {"exif": exif}),
        ("apng", "PNG", frames),
        ("webp", "WEBP", {"exif": exif}),
        ("lossless", "WEBP", {"lossless": True}),
        ("animated webp", "WEBP", frames),
        ("gif", "GIF", frames),
        ("bmp", "BMP", {}),
        ("tiff", "TIFF", {"exif": exif}),
        ("lzw", "TIFF", {"compression": "tiff_lzw"}),
        ("jpeg in tiff", "TIFF", {"compression": "jpeg"}),
        ("avif", "AVIF", {"exif": exif}),
    ]:
        content = io.BytesIO()
        image.save(content, format_name, **options)
        yield name, content.getvalue()
    for name, mode in [("cmyk", "CMYK"), ("palette", "P"), ("floats", "F"), ("deep", "I;16")]:
        content = io.BytesIO()
        changed = image.convert("L").convert("I") if mode == "I;16" else image
        changed.convert(mode).save(content, {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG"))
        yield name, content.getvalue()
    with suppress(ImportError):
        import pillow_heif

        content = io.BytesIO()
        pillow_heif.from_pillow(image).save(content)
        yield "heic", content.getvalue()


CONTENTS = dict(contents())


class TestDamage:
    """Whatever happens to a file, it ends as a photo or as a reason.

    The suite turns warnings into errors, so a warning of a decoder would end
    these tests too.
    """

    @staticmethod
    def decode_or_refuse(path: Path, content: bytes) -> PhotoError | None:
        path.write_bytes(content)
        try:
            photo = decode(path)
        except PhotoError as error:
            refused = error
        else:
            assert photo.pixels.shape == (48, 48, 3)
            assert photo.pixels.dtype == np.uint8
            return None
        assert refused.path == str(path)
        assert re.fullmatch(r"[^\n]{3,}", refused.reason)
        return refused

    @pytest.mark.parametrize("name", CONTENTS)
    def test_whole_it_is_decoded(self, tmp_path: Path, name: str) -> None:
        assert self.decode_or_refuse(tmp_path / "a", CONTENTS[name]) is None

    @pytest.mark.parametrize("name", CONTENTS)
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_cut_off_anywhere(self, tmp_path: Path, name: str, data: st.DataObject) -> None:
        content = CONTENTS[name]
        cut = data.draw(st.integers(0, len(content) - 1))
        error = self.decode_or_refuse(tmp_path / "a", content[:cut])
        if cut < len(content) // 4:
            assert isinstance(error, UnreadablePhoto)

    @pytest.mark.parametrize("name", CONTENTS)
    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(data=st.data())
    def test_with_bytes_changed(self, tmp_path: Path, name: str, data: st.DataObject) -> None:
        content = bytearray(CONTENTS[name])
        # what stands near the beginning decides most
        places = st.one_of(
            st.integers(0, min(400, len(content)) - 1), st.integers(0, len(content) - 1)
        )
        for place in data.draw(st.lists(places, min_size=1, max_size=12)):
            content[place] = data.draw(st.integers(0, 255))
        self.decode_or_refuse(tmp_path / "a", bytes(content))

    @pytest.mark.parametrize("name", ["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif"])
    @settings(
        max_examples=20,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(rest=st.binary(max_size=300))
    def test_with_anything_after_a_photos_first_bytes(
        self, tmp_path: Path, name: str, rest: bytes
    ) -> None:
        error = self.decode_or_refuse(tmp_path / "a", CONTENTS[name][:20] + rest)
        assert error is not None

    def test_a_jpeg_that_is_cut_off_says_so(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        path.write_bytes(CONTENTS["jpeg"][:-200])
        reason = reason_for(path, UnreadablePhoto)
        assert reason.startswith("damaged: image file is truncated")


class TestWarnings:
    @staticmethod
    def photo_with_odd_exif(folder: Path) -> str:
        path = folder / "a.jpg"
        # the text of the camera's maker lies behind the end
        exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x40\0\0\0\x40\0\0\0\0\0\0\0"
        Image.new("RGB", (64, 64), "teal").save(path, exif=exif)
        return str(path)

    def test_pillow_would_warn_of_the_photo_used_here(self, tmp_path: Path) -> None:
        path = self.photo_with_odd_exif(tmp_path)
        with pytest.warns(UserWarning, match=r"EXIF|Skipping tag"), Image.open(path) as image:
            image.getexif()

    def test_decoding_it_warns_of_nothing_and_leaves_the_filters_as_they_were(
        self, tmp_path: Path
    ) -> None:
        path = self.photo_with_odd_exif(tmp_path)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            before = list(warnings.filters)
            decode(path)
            with suppress(PhotoError):
                decode(tmp_path / "missing.jpg")
            assert list(warnings.filters) == before
            assert caught == []
            with Image.open(path) as image:
                image.getexif()
            assert caught != []

    def test_so_it_is_with_several_threads_at_once(self, tmp_path: Path) -> None:
        path = self.photo_with_odd_exif(tmp_path)
        failures = []

        def decode_often() -> None:
            try:
                for _ in range(30):
                    decode(path)
            except BaseException as error:  # noqa: BLE001 - told below
                failures.append(error)

        before = list(warnings.filters)
        threads = [threading.Thread(target=decode_often) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert list(warnings.filters) == before

    def test_filters_that_are_reset_meanwhile_do_no_harm(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = draw_photo(tmp_path / "a.jpg", 1)
        monkeypatch.setattr(
            Meddling, "happening", staticmethod(warnings.resetwarnings), raising=False
        )
        with warnings.catch_warnings():
            assert decode_photo(path, Meddling(48, 54, (0.0,) * 3, (1.0,) * 3)).width == 96


class TestHash:
    def test_it_is_that_of_the_content(self, tmp_path: Path) -> None:
        path = draw_photo(tmp_path / "a.jpg", 1)
        with open(path, "rb") as file:
            assert hash_photo(path) == hashlib.sha256(file.read()).digest()

    def test_what_cannot_be_a_photo_has_none(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.jpg")
        (tmp_path / "text.jpg").write_text("text")
        for path, kind in [
            (tmp_path, SkippedPhoto),
            (tmp_path / "pipe.jpg", SkippedPhoto),
            (tmp_path / "text.jpg", UnreadablePhoto),
            (tmp_path / "missing.jpg", UnreadablePhoto),
        ]:
            with pytest.raises(kind):
                hash_photo(str(path))


def test_the_limits_are_those_of_the_documentation() -> None:
    assert MAX_PIXELS == 200_000_000
    assert MIN_SIDE == 32


def swapped_profile() -> bytes:
    """Return the profile of a colour space whose red is the green of sRGB, and the reverse."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # the table of tags: a count, then name, offset and size of each (ICC.1:2022, 7.3)
    entries = {bytes(profile[at : at + 4]): at for at in range(132, 132 + 12 * profile[131], 12)}
    red, green = entries[b"rXYZ"] + 4, entries[b"gXYZ"] + 4
    profile[red : red + 8], profile[green : green + 8] = (
        profile[green : green + 8],
        profile[red : red + 8],
    )
    return bytes(profile)


class TestReducedPhotos:
    @pytest.mark.parametrize(
        ("size", "area", "small"),
        [
            ((900, 600), 54_000, (284, 189)),
            ((600, 900), 54_000, (189, 284)),
            ((3000, 100), 30_000, (948, 31)),
            ((90, 60), 54_000, (90, 60)),
            ((20_000, 40), 1000, (707, 1)),
        ],
    )
    @pytest.mark.parametrize("ending", [".jpg", ".png"])
    def test_the_whole_photo_within_the_area(
        self,
        tmp_path: Path,
        size: tuple[int, int],
        area: int,
        small: tuple[int, int],
        ending: str,
    ) -> None:
        # the left half is red, and the right one blue
        image = Image.new("RGB", size, (200, 0, 0))
        image.paste((0, 0, 200), (size[0] // 2, 0, *size))
        image.save(tmp_path / f"a{ending}", quality=95)
        photo = reduce_photo(str(tmp_path / f"a{ending}"), area)
        assert (photo.width, photo.height) == size
        assert photo.pixels.shape == (*small[::-1], 3)
        assert photo.pixels[:, : small[0] // 3].mean((0, 1)) == pytest.approx([200, 0, 0], abs=4)
        assert photo.pixels[:, -(small[0] // 3) :].mean((0, 1)) == pytest.approx([0, 0, 200], abs=4)

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_upright(self, tmp_path: Path, picture: Image.Image, orientation: int) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        picture.save(tmp_path / "a.png", exif=exif)
        photo = reduce_photo(str(tmp_path / "a.png"), 10**6)
        with Image.open(tmp_path / "a.png") as image:
            upright = ImageOps.exif_transpose(image)
        assert np.array_equal(photo.pixels, np.asarray(upright))

    @pytest.mark.parametrize("ending", [".jpg", ".png"])
    def test_another_colour_space_is_turned_into_srgb(self, tmp_path: Path, ending: str) -> None:
        path = str(tmp_path / f"a{ending}")
        Image.new("RGB", (60, 40), (200, 30, 60)).save(
            path, quality=95, icc_profile=swapped_profile()
        )
        assert colour_of(reduce_photo(path, 1000)) == pytest.approx([30, 200, 60], abs=4)

    @pytest.mark.parametrize(
        "profile", [b"no profile", b"\0" * 16 + b"CMYK" + b"\0" * 200, b"\0" * 16 + b"RGB " * 40]
    )
    def test_a_profile_that_makes_no_sense_is_passed_over(
        self, tmp_path: Path, profile: bytes
    ) -> None:
        path = str(tmp_path / "a.png")
        Image.new("RGB", (60, 40), (200, 30, 60)).save(path, icc_profile=profile)
        assert colour_of(reduce_photo(path, 1000)) == [200, 30, 60]

    def test_refused_for_the_same_reasons(self, tmp_path: Path) -> None:
        for name, content in (("empty.jpg", b""), ("text.jpg", b"Dear diary,")):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(UnreadablePhoto) as refusal:
                reduce_photo(str(tmp_path / name), 1000)
            assert refusal.value.reason == reason_for(tmp_path / name, UnreadablePhoto)
        path = draw_photo(tmp_path / "small.jpg", 1, size=(8, 8))
        with pytest.raises(SkippedPhoto, match="too small: 8 x 8 pixels, at least 32"):
            reduce_photo(path, 1000)
        path = draw_photo(tmp_path / "large.jpg", 1, size=(64, 64))
        with pytest.raises(SkippedPhoto, match="more than the limit of 4000"):
            reduce_photo(path, 1000, max_pixels=4000)
