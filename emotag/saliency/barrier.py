"""Saliency by the minimum barrier distance from the border of a photo."""

import numpy as np
from numpy.typing import NDArray

from emotag.photos.colour import to_lab
from emotag.saliency.diagonals import skew, unskew
from emotag.saliency.shrinking import shrink_pixels
from emotag.saliency.smoothing import smooth_map

__all__ = ["JUST_NOTICEABLE", "LONGEST", "barrier_saliency", "minimum_barrier_distance"]

JUST_NOTICEABLE = 2.3
"""A distance in L*a*b* that is just seen (Mahy, Van Eycken & Oosterlinck 1994)."""

LONGEST = 300
"""The longer side of the photo that is scanned, in pixels (Zhang et al. 2015, section 4)."""

_SCANS = 3

# The steepness of the last contrast (Zhang et al. 2015, section 3.4).
_STEEPNESS = 10.0


def barrier_saliency(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how strong a barrier of colour stands between each pixel and the border.

    The distances of the three channels of L*a*b* are added, smoothed by
    `smooth_map`, weighted by the distance to the centre, and put through a
    sigmoid. Where no distance can be seen, nothing is salient.

    Parameters
    ----------
    pixels : ndarray of shape (rows, columns, 3), uint8
        In the order R, G, B.

    Returns
    -------
    ndarray of shape (rows, columns), float32
        From 0 to 1, of the photo shrunk to at most 300 pixels.

    Notes
    -----
    This is the paper's MB. Our choices, where it names no value that we know
    of: the weight falls linearly from 1 at the centre to 0 at the corners; the
    sigmoid is stretched so that 0 stays 0 and 1 stays 1; a sum of distances
    below the just noticeable difference of 2.3 counts as nothing.

    References
    ----------
    Zhang, Sclaroff, Lin, Shen, Price & Měch, "Minimum Barrier Salient Object
    Detection at 80 FPS", ICCV 2015.

    Examples
    --------
    >>> pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    >>> pixels[15:25, 25:35] = 255
    >>> saliency = barrier_saliency(pixels)
    >>> bool(saliency[20, 30] > 0.9), float(saliency[2, 2])
    (True, 0.0)
    """
    lab = to_lab(shrink_pixels(pixels, LONGEST)).astype(np.float32)
    distance = minimum_barrier_distance(lab).sum(axis=2)
    if distance.max() < JUST_NOTICEABLE:
        return np.zeros_like(distance)
    smooth = smooth_map(distance / distance.max())
    centred = smooth * _nearness_to_centre(*smooth.shape)
    return _contrast(centred / max(centred.max(), np.finfo(np.float32).tiny))


def minimum_barrier_distance(
    channels: NDArray[np.float32], scans: int = _SCANS
) -> NDArray[np.float32]:
    """Return the least range of values on a path to the border, nearly: FastMBD.

    A path goes from a pixel to the border by steps up, down, left or right; it
    costs the largest less the smallest value on it. Raster scans from the upper
    left and from the lower right take turns, and each pixel tries the paths of
    the two neighbours that were visited before it.

    Parameters
    ----------
    channels : ndarray of shape (rows, columns, n_channels), float32
        Each channel is taken by itself.
    scans : int, default=3
        As the paper does.

    Returns
    -------
    ndarray of shape (rows, columns, n_channels), float32
        0 on the border; never below the true minimum.

    References
    ----------
    Zhang et al., ICCV 2015, algorithm 1; Strand, Ciesielski, Malmberg & Saha,
    "The Minimum Barrier Distance", CVIU 117, 2013.

    Examples
    --------
    >>> ring = np.array([[0, 0, 0, 0], [0, 5, 5, 0], [0, 0, 0, 0]], dtype=np.float32)
    >>> minimum_barrier_distance(ring[:, :, np.newaxis])[:, :, 0].tolist()
    [[0.0, 0.0, 0.0, 0.0], [0.0, 5.0, 5.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    rows, columns, _ = channels.shape
    if min(rows, columns) < 3:
        # all of it is border
        return np.zeros_like(channels)
    start = np.zeros_like(channels)
    start[1:-1, 1:-1] = np.inf
    values, distance = skew(channels.transpose(2, 0, 1), 0), skew(start.transpose(2, 0, 1), 0)
    highest, lowest = values.copy(), values.copy()
    state = (values, distance, highest, lowest)
    for scan in range(scans):
        turned = state if scan % 2 == 0 else tuple(part[::-1, :, ::-1] for part in state)
        _scan(*turned, rows=rows, columns=columns)
    return unskew(distance, columns).transpose(1, 2, 0)


def _scan(
    values: NDArray[np.float32],
    distance: NDArray[np.float32],
    highest: NDArray[np.float32],
    lowest: NDArray[np.float32],
    *,
    rows: int,
    columns: int,
) -> None:
    """Scan once from the first pixel to the last, in place; the border stays as it is."""
    highest_pairs, lowest_pairs = _pairs(highest), _pairs(lowest)
    for diagonal in range(2, rows + columns - 3):
        first, last = max(1, diagonal - columns + 2), min(rows - 1, diagonal)
        here = np.s_[diagonal, :, first:last]
        before = np.s_[:, diagonal - 1, :, first - 1 : last - 1]
        value = values[here]
        high = np.maximum(highest_pairs[before], value)
        low = np.minimum(lowest_pairs[before], value)
        barrier = high - low
        by_left = barrier[1] < barrier[0]
        best = np.minimum(barrier[0], barrier[1])
        shorter = best < distance[here]
        np.copyto(distance[here], best, where=shorter)
        np.copyto(high[0], high[1], where=by_left)
        np.copyto(low[0], low[1], where=by_left)
        np.copyto(highest[here], high[0], where=shorter)
        np.copyto(lowest[here], low[0], where=shorter)


def _pairs(skewed: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a view of shape (2, ...) of the upper and the left neighbours' values."""
    windows = np.lib.stride_tricks.sliding_window_view(skewed, 2, axis=2)
    return windows.transpose(3, 0, 1, 2)


def _nearness_to_centre(rows: int, columns: int) -> NDArray[np.float32]:
    """Return 1 at the centre, falling to 0 at the corners."""
    down = np.linspace(-1, 1, rows, dtype=np.float32) * (rows - 1)
    across = np.linspace(-1, 1, columns, dtype=np.float32) * (columns - 1)
    farthest = np.float32(max(np.hypot(rows - 1, columns - 1), 1))
    distance: NDArray[np.float32] = np.hypot(down[:, np.newaxis], across)
    return 1 - distance / farthest


def _contrast(saliency: NDArray[np.float32]) -> NDArray[np.float32]:
    """Push values from the middle towards 0 and 1, which stay."""
    lowest, highest = _sigmoid(np.array([0, 1], dtype=np.float32))
    pushed: NDArray[np.float32] = (_sigmoid(saliency) - lowest) / (highest - lowest)
    return pushed.clip(0, 1)


def _sigmoid(saliency: NDArray[np.float32]) -> NDArray[np.float32]:
    risen: NDArray[np.float32] = 1 / (1 + np.exp(-_STEEPNESS * (saliency - np.float32(0.5))))
    return risen
