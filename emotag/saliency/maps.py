"""How much each pixel of a photo draws the eye, by one of several methods."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emotag.errors import ModelError, unknown_name
from emotag.saliency.barrier import barrier_saliency
from emotag.saliency.spectral import spectral_saliency
from emotag.saliency.u2netp import require_u2netp, u2netp_saliency

__all__ = ["METHODS", "require_method", "saliency_map"]

METHODS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]] = {
    "barrier": barrier_saliency,
    "spectral": spectral_saliency,
    "u2netp": u2netp_saliency,
}
"""From pixels to a map of any size, by name."""


def saliency_map(pixels: NDArray[np.uint8], method: str = "barrier") -> NDArray[np.float32]:
    """Return how much each pixel of a photo draws the eye.

    Parameters
    ----------
    pixels : ndarray of shape (rows, columns, 3), uint8
        In the order R, G, B; of any size from 1 x 1.
    method : {'barrier', 'spectral', 'u2netp'}, default='barrier'
        ``'barrier'``: the minimum barrier distance from the border (Zhang et al.
        2015). ``'spectral'``: the spectral residual (Hou & Zhang 2007).
        ``'u2netp'``: the network U2-Net-p (Qin et al. 2020), whose file must be
        at hand.

    Returns
    -------
    ndarray of shape (rows, columns), float32
        From 0 to 1; 0 everywhere if nothing stands out.

    Raises
    ------
    ModelError
        There is no such method, or these are no pixels.
    WeightsError
        The method's network is not at hand.

    References
    ----------
    See `barrier_saliency`, `spectral_saliency` and `u2netp_saliency`, which name
    the papers and our choices.

    Examples
    --------
    >>> pixels = np.zeros((60, 90, 3), dtype=np.uint8)
    >>> pixels[20:40, 30:60] = (255, 200, 0)
    >>> saliency = saliency_map(pixels)
    >>> saliency.shape, saliency.dtype, bool(saliency[30, 45] > 0.9)
    ((60, 90), dtype('float32'), True)
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ModelError(
            f"pixels of shape {pixels.shape} and type {pixels.dtype}: "
            "they must be (rows, columns, 3), at least one, uint8."
        )
    require_method(method)
    found = METHODS[method](np.ascontiguousarray(pixels))
    rows, columns = pixels.shape[:2]
    if found.shape == (rows, columns):
        return found
    spread = Image.fromarray(found).resize((columns, rows), Image.Resampling.BILINEAR)
    return np.asarray(spread, dtype=np.float32).clip(0, 1)


def require_method(method: str) -> None:
    """Refuse a method that there is not, or whose network is not at hand.

    Parameters
    ----------
    method : str
        As `saliency_map` takes it.

    Raises
    ------
    ModelError
        There is no such method; the message names the choices.
    WeightsError
        The method's network is missing or another.

    Examples
    --------
    >>> require_method("barier")
    Traceback (most recent call last):
    ...
    emotag.errors.ModelError: Unknown saliency 'barier'; choose from barrier, spectral, u2netp. \
Did you mean 'barrier'?
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ModelError(unknown_name("saliency", method, METHODS))
    if method == "u2netp":
        require_u2netp()
