"""Saliency by the spectral residual."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emotag.saliency.barrier import JUST_NOTICEABLE

__all__ = ["spectral_saliency"]

# Hou & Zhang 2007, section 3: the longer side of the photo, and the side of the mean filter.
_LONGEST = 64
_NEIGHBOURS = 3

_BLUR = 2.5

# Grey runs from 0 to 255, L* from 0 to 100.
_FLAT = JUST_NOTICEABLE * 2.55

# One step of grey at one pixel: what is less is rounding, and its logarithm would rule the mean.
_LEAST = 1.0


def spectral_saliency(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what is unusual in the spectrum of a photo, at its place.

    The logarithm of the amplitudes, less its mean over 3 x 3 frequencies, goes
    back with the phases as they were; its square is blurred.

    Parameters
    ----------
    pixels : ndarray of shape (rows, columns, 3), uint8
        In the order R, G, B.

    Returns
    -------
    ndarray of shape (rows, columns), float32
        From 0 to 1; the longer side has 64 pixels.

    Notes
    -----
    Our choices: the longer side is the one that has 64 pixels; the deviation of
    the Gaussian is 2.5 of those pixels; at the border the spectrum is repeated
    as the transform has it; amplitudes below one step of grey count as one; a
    photo whose grey hardly changes has no salient part; the least value becomes 0.

    References
    ----------
    Hou & Zhang, "Saliency Detection: A Spectral Residual Approach", CVPR 2007,
    equations 7 to 10.

    Examples
    --------
    >>> pixels = np.full((64, 64, 3), 200, dtype=np.uint8)
    >>> pixels[20:24, 40:44] = 0
    >>> row, column = np.unravel_index(spectral_saliency(pixels).argmax(), (64, 64))
    >>> bool(18 <= row <= 26 and 38 <= column <= 46)
    True
    """
    from scipy.ndimage import gaussian_filter, uniform_filter

    grey = _reduced_grey(pixels)
    if np.ptp(grey) < _FLAT:
        return np.zeros_like(grey)
    spectrum = np.fft.fft2(grey.astype(np.float64))
    logarithm = np.log(np.maximum(np.abs(spectrum), _LEAST))
    residual = logarithm - uniform_filter(logarithm, _NEIGHBOURS, mode="wrap")
    back = np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))
    blurred = gaussian_filter(np.abs(back) ** 2, _BLUR)
    span = np.ptp(blurred)
    if span <= 0:
        return np.zeros_like(grey)
    saliency: NDArray[np.float32] = ((blurred - blurred.min()) / span).astype(np.float32)
    return saliency


def _reduced_grey(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a photo's grey, its longer side 64 pixels, from 0 to 255."""
    rows, columns = pixels.shape[:2]
    scale = _LONGEST / max(rows, columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    grey = Image.fromarray(pixels).convert("L").convert("F")
    return np.asarray(grey.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)
