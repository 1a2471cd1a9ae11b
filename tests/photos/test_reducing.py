"""Photos reduced to a longest side, down to those of one pixel."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotag.errors import SkippedPhoto
from emotag.photos.decoding import MIN_SIDE, reduce_to_side


def draw(path: Path, width: int, height: int) -> str:
    row = np.linspace(0, 255, width).astype(np.uint8)
    Image.fromarray(np.tile(row, (height, 1))).convert("RGB").save(path)
    return str(path)


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [
        (640, 480, (240, 320)),
        (480, 640, (320, 240)),
        (320, 100, (100, 320)),
        (1000, 999, (320, 320)),
        (200, 150, (150, 200)),
        (1, 1, (1, 1)),
        (1, 2000, (320, 1)),
        (2000, 3, (1, 320)),
    ],
)
def test_the_longer_side_fits_and_nothing_is_enlarged(
    tmp_path: Path, width: int, height: int, shape: tuple[int, int]
) -> None:
    photo = reduce_to_side(draw(tmp_path / "a.png", width, height), 320, min_side=1)
    assert photo.pixels.shape == (*shape, 3)
    assert photo.pixels.dtype == np.uint8
    assert (photo.width, photo.height) == (width, height)


def test_it_stands_upright_and_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(draw(tmp_path / "a.png", 640, 320)).save(path, exif=exif)
    pixels = reduce_to_side(str(path), 64).pixels
    assert pixels.shape == (64, 32, 3)
    # what went from left to right goes from top to bottom
    assert pixels[0].max() < 8
    assert pixels[-1].min() > 247


def test_by_default_tiny_photos_are_skipped(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", MIN_SIDE - 1, 100)
    with pytest.raises(SkippedPhoto, match="too small: 31 x 100 pixels, at least 32"):
        reduce_to_side(path, 320)
    with pytest.raises(SkippedPhoto, match="too small: 31 x 100 pixels, at least 40"):
        reduce_to_side(path, 320, min_side=40)
    assert reduce_to_side(path, 320, min_side=31).pixels.shape == (100, 31, 3)
