"""The small map of what draws the eye."""

import numpy as np
import pytest

from emotag.errors import ModelError
from emotag.features.classic.saliency_map import SaliencyMap
from emotag.saliency.maps import saliency_map
from tests.features.classic.pictures import plain, smooth


@pytest.mark.parametrize("method", ["spectral", "barrier"])
def test_it_is_the_mean_over_each_part_of_the_map(method):
    pixels = smooth(90, 120)
    features = SaliencyMap(method, size=30)
    found = features.measure(pixels)
    assert len(found) == features.n_features == 900
    whole = saliency_map(pixels, method)
    expected = [
        whole[row : row + 3, column : column + 4].mean()
        for row in range(0, 90, 3)
        for column in range(0, 120, 4)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(found) > 0.2


def test_methods_differ():
    pixels = smooth(90, 120)
    assert not np.allclose(SaliencyMap().measure(pixels), SaliencyMap("barrier").measure(pixels))


def test_a_method_that_is_none():
    with pytest.raises(ModelError, match=r"Unknown saliency 'spectrum'; choose from .*spectral"):
        SaliencyMap("spectrum").measure(plain(1, 1, (0, 0, 0)))


@pytest.mark.parametrize("size", [0, 321, 30.0, None])
def test_sizes_that_make_no_sense(size):
    with pytest.raises(ModelError, match=f"^size={size} must be a whole number of 1 to 320."):
        SaliencyMap(size=size).measure(plain(1, 1, (0, 0, 0)))
