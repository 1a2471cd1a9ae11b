"""Colours in other colour spaces."""

import colorsys
import itertools

import numpy as np
import pytest
from skimage import color

from emotag.photos.colour import from_luv, to_hsv, to_lab, to_luv, to_ycbcr

# corners, edges and the inside of the cube, and its darkest part, where sRGB is a line
LEVELS = (0, 1, 7, 11, 40, 128, 200, 254, 255)
COLOURS = np.array(list(itertools.product(LEVELS, repeat=3)), dtype=np.uint8)


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        # as Lindbloom's calculator gives them for sRGB under D65
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((128, 128, 128), (53.59, 0, 0)),
        ((1, 1, 1), (0.274, 0, 0)),
    ],
)
def test_lab_of_known_colours(colour, lab):
    found = to_lab(np.array(colour, dtype=np.uint8))
    np.testing.assert_allclose(found, lab, atol=0.05)


def test_greys_have_no_hue_and_lightness_ascends():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 3, axis=1)
    lab = to_lab(greys)
    np.testing.assert_allclose(lab[:, 1:], 0, atol=1e-9)
    assert (np.diff(lab[:, 0]) > 0).all()


def test_lab_is_that_of_scikit_image():
    np.testing.assert_allclose(to_lab(COLOURS), color.rgb2lab(COLOURS / 255), atol=0.05)


def test_luv_is_that_of_scikit_image():
    np.testing.assert_allclose(to_luv(COLOURS), color.rgb2luv(COLOURS / 255), atol=0.05)


def test_luv_of_greys_has_no_hue():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, np.newaxis], 3, axis=1)
    np.testing.assert_allclose(to_luv(greys)[:, 1:], 0, atol=1e-9)


def test_luv_and_back():
    np.testing.assert_allclose(from_luv(to_luv(COLOURS)), COLOURS, atol=0.02)


def test_luv_outside_of_srgb_is_clipped():
    found = from_luv(np.array([[60.0, 300.0, 150.0], [120.0, 0.0, 0.0], [0.0, 9.0, 9.0]]))
    assert np.isfinite(found).all()
    assert found.min() == 0
    assert found.max() == pytest.approx(255)


def test_hsv_is_that_of_the_standard_library():
    found = to_hsv(COLOURS)
    expected = [colorsys.rgb_to_hsv(*map(int, colour)) for colour in COLOURS]
    for levels, (hue, saturation, value) in zip(found.tolist(), expected, strict=True):
        # rounded down, where floats may lie just below a whole number
        assert levels[0] == pytest.approx(255 * hue, abs=1)
        assert levels[0] <= 255 * hue + 1e-9
        assert levels[1] == int(255 * saturation + 1e-9)
        assert levels[2] == value


def test_ycbcr_of_known_colours():
    colours = np.array([[0, 0, 0], [255, 255, 255], [128, 128, 128], [0, 0, 255]], dtype=np.uint8)
    expected = [[16, 128, 128], [234, 128, 128], [126, 128, 128], [41, 239, 110]]
    assert to_ycbcr(colours).tolist()[:2] == expected[:2]
    for colour, levels in zip(colours.tolist(), to_ycbcr(colours).tolist(), strict=True):
        red, green, blue = colour
        luma = (0.299 * red + 0.587 * green + 0.114 * blue) / 256
        assert levels[0] == int(219 * luma + 16.5)
        assert levels[1] == int(224 * 0.564 * (blue / 256 - luma) + 128.5)
        assert levels[2] == int(224 * 0.713 * (red / 256 - luma) + 128.5)


def test_images_keep_their_shape():
    pixels = np.zeros((3, 5, 3), dtype=np.uint8)
    for convert in (to_lab, to_luv, to_ycbcr, to_hsv):
        assert convert(pixels).shape == (3, 5, 3)
