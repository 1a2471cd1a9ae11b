"""The scalable colour, beside the definition written out."""

import colorsys
from fractions import Fraction

import numpy as np
import pytest

from emotag.errors import ModelError
from emotag.features.classic import scalable_color
from emotag.features.classic.scalable_color import ScalableColor
from tests.features.classic.pictures import Pixels, noise, plain, smooth

# Bins that each coefficient spans along hue, saturation and value after each step of the
# transform, and the axis that the step goes along.
STEPS = "hsvhsvhh"

# The first coefficients as the standard orders them: 64 x value + 16 x saturation + hue.
FIRST = [
    *(0, 4, 8, 12, 32, 36, 40, 44, 128, 132, 136, 140, 160, 164, 168, 172),
    *(2, 6, 10, 14, 34, 38, 42, 46, 130, 134, 138, 142, 162, 166, 170, 174),
    *(64, 66, 68, 70, 72, 74, 76, 78, 96, 98, 100, 102, 104, 106, 108, 110),
    *(192, 194, 196, 198, 200, 202, 204, 206, 224, 226, 228, 230, 232, 234, 236, 238),
]


def histogram(pixels: Pixels) -> np.ndarray:
    """Count pixels by value, saturation and hue, and quantise the shares to 4 bits."""
    counts = np.zeros((4, 4, 16), int)
    for colour in pixels.reshape(-1, 3).tolist():
        hue, saturation, value = colorsys.rgb_to_hsv(*(Fraction(level) for level in colour))
        bins = int(value) // 64, int(255 * saturation) // 64, int(255 * hue) // 16
        counts[bins] += 1
    codes = np.zeros_like(counts)
    for place, count in np.ndenumerate(counts):
        share = int(2047 * count / counts.sum() + 0.49999)
        codes[place] = 15 if share > 818.8 else int(15 * (share / 818.8) ** 0.4 + 0.5)
    return codes


def coefficient(codes: np.ndarray, place: int) -> int:
    """Return the coefficient that stands at the place of a bin, as a difference of two blocks."""
    value, rest = divmod(place, 64)
    saturation, hue = divmod(rest, 16)
    at = {"v": value, "s": saturation, "h": hue}
    width = {"v": 1, "s": 1, "h": 1}
    for axis in STEPS:
        if at[axis] // width[axis] % 2:
            before = at | {axis: at[axis] - width[axis]}
            return block(codes, at, width) - block(codes, before, width)
        width[axis] *= 2
    return int(codes.sum())


def block(codes: np.ndarray, at: dict[str, int], width: dict[str, int]) -> int:
    chosen = tuple(slice(at[axis], at[axis] + width[axis]) for axis in "vsh")
    return int(codes[chosen].sum())


def order() -> list[int]:
    """Return the places of all coefficients: after the first 64, those of odd saturations."""
    even = [place for place in range(0, 256, 2) if place not in FIRST]
    return [*FIRST, *even, *range(1, 256, 2)]


@pytest.mark.parametrize(
    "pixels",
    [smooth(24, 31), smooth(30, 30, seed=5), noise(20, 23), plain(4, 4, (250, 128, 3))],
)
def test_it_is_what_the_definition_says(pixels):
    codes = histogram(pixels)
    found = ScalableColor().measure(pixels)
    assert found.shape == (256,)
    # the table of the standard, of which ends and sums are looked at below
    for place, one, taken, limit in zip(
        order(), found, scalable_color._TAKEN, scalable_color._LIMITS, strict=True
    ):
        assert one == max(-limit, min(limit, coefficient(codes, place) - taken))


def test_the_table_of_the_standard():
    taken, limits = scalable_color._TAKEN, scalable_color._LIMITS
    assert taken[:16].tolist() == [
        *(217, -71, -27, -54, -8, -14, -22, -29),
        *(-6, -13, -11, -22, -9, -14, -19, -22),
    ]
    assert limits[:8].tolist() == [255, 255, 127, 255, 63, 63, 63, 127]
    assert taken[-8:].tolist() == [0, 0, 0, 0, 0, -1, 0, -1]
    assert limits[-8:].tolist() == [3, 3, 3, 3, 3, 3, 3, 7]
    assert len(taken) == len(limits) == 256
    # bits of all coefficients that the standard names: sign and magnitude
    assert set(limits.tolist()) == {1, 3, 7, 15, 31, 63, 127, 255}


@pytest.mark.parametrize("coefficients", [16, 32, 64, 128, 256])
def test_the_fewer_coefficients_are_the_first_of_the_more(coefficients):
    pixels = smooth(40, 50)
    features = ScalableColor(coefficients)
    found = features.measure(pixels)
    assert len(found) == features.n_features == coefficients
    np.testing.assert_array_equal(found, ScalableColor().measure(pixels)[:coefficients])


@pytest.mark.parametrize("count", [0, 1, 2, 39, 40, 41, 60, 99])
def test_shares_at_the_borders_of_the_codes(count):
    pixels = plain(10, 10, (0, 0, 0))
    pixels.reshape(-1, 3)[:count] = (255, 255, 255)
    codes = []
    for share in (count, 100 - count):
        bits = int(20.47 * share + 0.49999)
        # from 40 % of the photo on, the highest code
        codes.append(15 if share >= 40 else int(15 * (bits / 818.8) ** 0.4 + 0.5))
    # the first coefficient is the sum of the bins, those of black and white
    assert ScalableColor(16).measure(pixels)[0] == sum(codes) - 217


@pytest.mark.parametrize("value", [0, 15, 48, 512, 64.0, "64", None, True])
def test_sizes_that_the_standard_does_not_know(value):
    with pytest.raises(ModelError, match=f"^coefficients={value!r}; choose from 16, 32, 64, 128"):
        ScalableColor(value).measure(plain(1, 1, (0, 0, 0)))
