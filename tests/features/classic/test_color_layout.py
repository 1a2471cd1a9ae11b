"""The colour layout, beside the definition written out."""

import itertools
import math

import numpy as np
import pytest

from emotag.errors import ModelError
from emotag.features.classic.color_layout import ColorLayout
from tests.features.classic.pictures import Pixels, noise, plain, smooth

# The order in which the coefficients of 8 x 8 are read, as the standard prints it.
ZIGZAG = [
    *(0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5),
    *(12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28),
    *(35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51),
    *(58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63),
]


def luma_dc(level: int) -> int:
    for start, code, step in ((192, 112, 4), (160, 96, 2), (96, 32, 1), (64, 16, 2), (0, 0, 4)):
        if level >= start:
            return (code + (level - start) // step) // 2
    raise AssertionError


def chroma_dc(level: int) -> int:
    ranges = ((160, 56, 4), (144, 48, 2), (112, 16, 1), (96, 8, 2), (64, 0, 4))
    if level >= 192:
        return 63
    for start, code, step in ranges:
        if level >= start:
            return code + (level - start) // step
    return 0


def ac(level: int) -> int:
    level = max(-256, min(239, level))
    magnitude = abs(level)
    if magnitude > 127:
        magnitude = 64 + magnitude // 4
    elif magnitude > 63:
        magnitude = 32 + magnitude // 2
    return (132 + (magnitude if level >= 0 else -magnitude)) // 8


def cosine_transform(block: list[list[int]]) -> list[int]:
    found = []
    for down in range(8):
        for across in range(8):
            total = 0.0
            for row in range(8):
                for column in range(8):
                    wave = math.cos(math.pi * down * (row + 0.5) / 8)
                    wave *= math.cos(math.pi * across * (column + 0.5) / 8)
                    total += block[row][column] * wave
            for frequency in (down, across):
                total *= math.sqrt(0.125) if frequency == 0 else 0.5
            found.append(math.floor(total + 0.499999))
    return found


def levels(colour: list[int]) -> tuple[int, int, int]:
    red, green, blue = colour
    luma = (0.299 * red + 0.587 * green + 0.114 * blue) / 256
    return (
        int(219 * luma + 16.5),
        int(224 * 0.564 * (blue / 256 - luma) + 128.5),
        int(224 * 0.713 * (red / 256 - luma) + 128.5),
    )


def describe(pixels: Pixels, y_coefficients: int, c_coefficients: int) -> list[int]:
    """Describe a picture of at least 8 x 8 pixels."""
    rows, columns, _ = pixels.shape
    sums = np.zeros((3, 8, 8), int)
    counts = np.zeros((8, 8), int)
    for row in range(rows):
        for column in range(columns):
            place = row * 8 // rows, column * 8 // columns
            counts[place] += 1
            for channel, level in enumerate(levels(pixels[row, column].tolist())):
                sums[channel][place] += level
    spectra = [cosine_transform((one // counts).tolist()) for one in sums]
    luma, blue, red = ([spectrum[place] for place in ZIGZAG] for spectrum in spectra)
    codes = [luma_dc(luma[0] // 8), *(ac(int(value / 2)) for value in luma[1:y_coefficients])]
    for chroma in (blue, red):
        codes += [chroma_dc(chroma[0] // 8), *(ac(value) for value in chroma[1:c_coefficients])]
    return codes


@pytest.mark.parametrize(("y", "c"), [(6, 3), (64, 64), (3, 28), (21, 10)])
@pytest.mark.parametrize(
    "pixels", [smooth(24, 31), smooth(9, 60, seed=2), noise(16, 17), noise(8, 8, seed=3)]
)
def test_it_is_what_the_definition_says(pixels, y, c):
    features = ColorLayout(y, c)
    found = features.measure(pixels)
    assert found.tolist() == describe(pixels, y, c)
    assert len(found) == features.n_features == y + 2 * c


def test_strong_contrasts_reach_the_ends_of_the_codes():
    pixels = plain(64, 64, (255, 255, 255))
    pixels[:, 32:] = 0
    flipped = pixels[:, ::-1]
    codes = [ColorLayout().measure(one) for one in (pixels, np.ascontiguousarray(flipped))]
    assert codes[0][1] == 31
    assert codes[1][1] < 3
    assert describe(pixels, 6, 3) == codes[0].tolist()
    assert describe(flipped, 6, 3) == codes[1].tolist()


def test_the_quantisation_of_every_grey():
    for level in range(256):
        luma = levels([level] * 3)[0]
        codes = ColorLayout().measure(plain(8, 8, (level,) * 3))
        assert codes.tolist() == [luma_dc(luma), 16, 16, 16, 16, 16, 32, 16, 16, 32, 16, 16]


def test_the_quantisation_of_colours():
    for red, blue in itertools.product((0, 100, 255), range(0, 256, 5)):
        luma, of_blue, of_red = levels([red, 60, blue])
        codes = ColorLayout().measure(plain(8, 8, (red, 60, blue)))
        assert codes[[0, 6, 9]].tolist() == [luma_dc(luma), chroma_dc(of_blue), chroma_dc(of_red)]


def test_the_fewer_coefficients_are_the_first_of_the_more():
    pixels = smooth(40, 50)
    few, many = ColorLayout(3, 3).measure(pixels), ColorLayout(64, 64).measure(pixels)
    np.testing.assert_array_equal(few, many[[0, 1, 2, 64, 65, 66, 128, 129, 130]])


def test_tiny_pictures_are_repeated():
    pixels = noise(3, 5)
    large = np.repeat(np.repeat(pixels, 8, axis=0), 8, axis=1)
    assert ColorLayout().measure(pixels).tolist() == describe(large, 6, 3)


@pytest.mark.parametrize("name", ["y_coefficients", "c_coefficients"])
@pytest.mark.parametrize("value", [0, 4, 65, 6.0, "6", None, True])
def test_sizes_that_the_standard_does_not_know(name, value):
    with pytest.raises(ModelError, match=f"^{name}={value!r}; choose from 3, 6, 10, 15, 21, 28"):
        ColorLayout(**{name: value}).measure(plain(1, 1, (0, 0, 0)))
