"""The joint histogram of L*, a* and b*, beside one counted pixel by pixel."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from emotag.errors import ModelError
from emotag.features.classic.lab_histogram import LabHistogram
from tests.features.classic.pictures import Pixels, noise, plain, smooth


def count(pixels: Pixels) -> np.ndarray:
    """Count pixels by the borders that the authors of the paper chose."""
    shares = np.zeros((4, 14, 14))
    for lightness, green_red, blue_yellow in rgb2lab(pixels / 255).reshape(-1, 3):
        of_lightness = sum(lightness >= border for border in (55, 70, 90))
        of_chroma = [
            sum(value >= border for border in range(-30, 31, 5))
            for value in (green_red, blue_yellow)
        ]
        shares[of_lightness, of_chroma[0], of_chroma[1]] += 1
    return shares.reshape(-1) / shares.sum()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("draw", [smooth, noise])
def test_it_counts_what_a_loop_counts(draw, seed):
    pixels = draw(24, 31, seed)
    found = LabHistogram().measure(pixels)
    assert found.shape == (784,)
    assert found.sum() == pytest.approx(1)
    # scikit-image's matrix has two digits more, which moves a pixel over a border at times
    assert np.abs(found - count(pixels)).sum() <= 2 * 2 / (24 * 31) + 1e-6


def test_every_grey_is_in_the_same_bin_of_colour():
    for level in range(256):
        shares = LabHistogram().measure(plain(2, 2, (level,) * 3)).reshape(4, 14, 14)
        assert shares[:, 7, 7].sum() == 1, level


@pytest.mark.parametrize(
    ("colour", "place"),
    [
        ((255, 0, 0), (0, 13, 13)),
        ((0, 255, 0), (2, 0, 13)),
        ((0, 0, 255), (0, 13, 0)),
        ((255, 255, 255), (3, 7, 7)),
        ((255, 255, 0), (3, 2, 13)),
    ],
)
def test_known_colours(colour, place):
    shares = LabHistogram().measure(plain(1, 1, colour)).reshape(4, 14, 14)
    assert np.argwhere(shares).tolist() == [list(place)]


@pytest.mark.parametrize(
    "bins", [(1, 1, 1), (4, 14, 14), (8, 3, 2), [5, 1, 6], (np.int64(2), 2, 2)]
)
def test_other_bins(bins):
    features = LabHistogram(bins)
    found = features.measure(noise(20, 20))
    assert len(found) == features.n_features == np.prod(bins)
    assert found.sum() == pytest.approx(1)
    assert (found > 0).sum() > min(features.n_features, 3) - 1


@pytest.mark.parametrize(
    ("bins", "message"),
    [
        ((4, 14), r"bins=\(4, 14\) must be three whole numbers: of L\*, a\* and b\*\."),
        (784, r"bins=784 must be three whole numbers"),
        ((4, 14, 0), r"bins=0 must be a whole number of 1 to 64\."),
        ((4, 14.0, 14), r"bins=14\.0 must be a whole number of 1 to 64\."),
        ((True, 14, 14), r"bins=True must be a whole number"),
        ((4, 14, 1000), r"bins=1000 must be a whole number of 1 to 64\."),
    ],
)
def test_bins_that_make_no_sense(bins, message):
    with pytest.raises(ModelError, match=message):
        LabHistogram(bins).measure(plain(1, 1, (0, 0, 0)))
