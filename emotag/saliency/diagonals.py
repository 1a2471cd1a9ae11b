"""Raster scans without a loop over pixels: one anti-diagonal at a time.

A raster scan visits a pixel after its upper and its left neighbour. Pixels on
one anti-diagonal do not depend on each other, so they are computed at once.
`skew` lays each anti-diagonal into a row of memory.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["skew", "unskew"]

Number = TypeVar("Number", bound=np.generic)


def skew(planes: NDArray[Number], fill: float) -> NDArray[Number]:
    """Return planes whose row d holds the anti-diagonal d.

    Parameters
    ----------
    planes : ndarray of shape (channels, rows, columns)
        Any numbers.
    fill : float
        What stands where an anti-diagonal has no pixel.

    Returns
    -------
    ndarray of shape (rows + columns - 1, channels, rows)
        At ``[row + column, channel, row]`` stands the pixel.

    Examples
    --------
    >>> skew(np.arange(6).reshape(1, 2, 3), -1)[:, 0].tolist()
    [[0, -1], [1, 3], [2, 4], [-1, 5]]
    """
    channels, rows, columns = planes.shape
    skewed = np.full((rows + columns - 1, channels, rows), fill, dtype=planes.dtype)
    _aligned(skewed, rows, columns)[...] = planes
    return skewed


def unskew(skewed: NDArray[Number], columns: int) -> NDArray[Number]:
    """Return the planes that `skew` took.

    Parameters
    ----------
    skewed : ndarray of shape (rows + columns - 1, channels, rows)
        C-contiguous.
    columns : int
        Of the planes.

    Examples
    --------
    >>> planes = np.arange(6).reshape(1, 2, 3)
    >>> bool((unskew(skew(planes, 0), 3) == planes).all())
    True
    """
    return _aligned(skewed, skewed.shape[2], columns).copy()


def _aligned(skewed: NDArray[Number], rows: int, columns: int) -> NDArray[Number]:
    """Return a view of skewed planes as (channels, rows, columns)."""
    diagonal, channel, row = skewed.strides
    return np.lib.stride_tricks.as_strided(
        skewed,
        shape=(skewed.shape[1], rows, columns),
        strides=(channel, diagonal + row, diagonal),
    )
