"""The spectral residual, beside a transform written out."""

import numpy as np
from scipy.ndimage import gaussian_filter

from emotag.saliency.spectral import spectral_saliency


def waves(n: int) -> np.ndarray:
    """Return the matrix of the discrete Fourier transform."""
    steps = np.arange(n)
    return np.exp(-2j * np.pi * np.outer(steps, steps) / n)


def test_it_is_what_a_transform_written_out_gives() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)
    rows, columns = grey.shape
    spectrum = waves(rows) @ grey.astype(np.float64) @ waves(columns)
    logarithm = np.log(np.abs(spectrum))
    shifted = [
        np.roll(logarithm, (down, across), axis=(0, 1))
        for down in (-1, 0, 1)
        for across in (-1, 0, 1)
    ]
    residual = logarithm - np.mean(shifted, axis=0)
    whole = np.exp(residual) * spectrum / np.abs(spectrum)
    back = waves(rows).conj() @ whole @ waves(columns).conj() / grey.size
    expected = gaussian_filter(np.abs(back) ** 2, 2.5)
    expected = (expected - expected.min()) / np.ptp(expected)
    found = spectral_saliency(np.repeat(grey[..., np.newaxis], 3, axis=2))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_colours_of_one_grey_are_nothing_to_it() -> None:
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[:] = (150, 76, 29)
    pixels[20:40, 20:40] = (0, 140, 75)
    assert abs(pixels[0, 0] @ (0.299, 0.587, 0.114) - pixels[30, 30] @ (0.299, 0.587, 0.114)) < 5
    assert not spectral_saliency(pixels).any()


def test_a_large_photo_is_looked_at_small() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (640, 320, 3), dtype=np.uint8)
    assert spectral_saliency(pixels).shape == (64, 32)
