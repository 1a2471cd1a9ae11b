"""Thumbnails: small, upright, whole, and none of what cannot be read."""

import io
from pathlib import Path

import pytest
from PIL import Image

from emotag.pages.thumbnails import MEDIA_TYPE, make_thumbnail
from tests.conftest import draw_photo

ORIENTATION = 0x0112


def test_small_whole_and_without_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    Image.new("RGB", (1500, 500), (200, 100, 50)).save(tmp_path / "wide.jpg", exif=exif)
    thumbnail = make_thumbnail(str(tmp_path / "wide.jpg"))
    assert thumbnail is not None
    assert (thumbnail.width, thumbnail.height) == (1500, 500)
    with Image.open(io.BytesIO(thumbnail.content)) as picture:
        assert Image.MIME[str(picture.format)] == MEDIA_TYPE
        assert picture.size == (547, 182)
        assert not picture.getexif()
    red, green, blue = bytes.fromhex(thumbnail.colour.removeprefix("#"))
    assert (red, green, blue) == pytest.approx((200, 100, 50), abs=3)


def test_a_small_photo_stays_as_large_as_it_is(tmp_path: Path) -> None:
    thumbnail = make_thumbnail(draw_photo(tmp_path / "small.jpg", 1, size=(96, 64)))
    assert thumbnail is not None
    with Image.open(io.BytesIO(thumbnail.content)) as picture:
        assert picture.size == (96, 64)


def test_upright_as_the_camera_noted(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", (90, 60)).save(tmp_path / "turned.jpg", exif=exif)
    thumbnail = make_thumbnail(str(tmp_path / "turned.jpg"))
    assert thumbnail is not None
    assert (thumbnail.width, thumbnail.height) == (60, 90)
    with Image.open(io.BytesIO(thumbnail.content)) as picture:
        assert picture.size == (60, 90)


def test_none_of_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("text")
    assert make_thumbnail(str(tmp_path / "text.jpg")) is None
    assert make_thumbnail(str(tmp_path / "gone.jpg")) is None
    photo = draw_photo(tmp_path / "photo.jpg", 1)
    assert make_thumbnail(photo, max_pixels=1000) is None
