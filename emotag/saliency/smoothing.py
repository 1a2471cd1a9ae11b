"""A map of saliency made even inside its regions, with their edges kept."""

import numpy as np
from numpy.typing import NDArray

from emotag.saliency.diagonals import skew, unskew

__all__ = ["reconstruct_by_dilation", "smooth_map"]

Plane = NDArray[np.float32]

# Zhang et al. 2015, section 3.4: the width of the kernel is ALPHA * sqrt(mean saliency).
_ALPHA = 50.0


def smooth_map(saliency: Plane) -> Plane:
    """Smooth a map by reconstruction from its erosion, and then from its dilation.

    Peaks and pits smaller than a square kernel vanish; larger regions keep
    their edges. The kernel grows with the root of the mean saliency.

    Parameters
    ----------
    saliency : ndarray of shape (rows, columns), float32
        From 0 to 1.

    Returns
    -------
    ndarray of shape (rows, columns), float32
        From 0 to 1.

    References
    ----------
    Zhang et al., ICCV 2015, section 3.4; Vincent, "Morphological Grayscale
    Reconstruction in Image Analysis", IEEE TIP 2(2), 1993.

    Examples
    --------
    >>> peak = np.zeros((9, 9), dtype=np.float32)
    >>> peak[4, 4] = 1
    >>> float(smooth_map(peak).max())
    0.0
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    width = max(1, round(_ALPHA * float(np.sqrt(saliency.mean()))))
    opened = reconstruct_by_dilation(minimum_filter(saliency, width), saliency)
    # reconstruction by erosion is that by dilation, upside down
    return -reconstruct_by_dilation(-maximum_filter(opened, width), -opened)


def reconstruct_by_dilation(marker: Plane, mask: NDArray[np.float32]) -> Plane:
    """Let a marker grow to its neighbours until nothing changes, never above a mask.

    Parameters
    ----------
    marker, mask : ndarray of shape (rows, columns), float32
        The marker nowhere above the mask.

    Returns
    -------
    ndarray of shape (rows, columns), float32
        Steps go up, down, left and right.

    Examples
    --------
    >>> mask = np.array([[0, 3, 2, 0, 4]], dtype=np.float32)
    >>> marker = np.array([[0, 2, 0, 0, 0]], dtype=np.float32)
    >>> reconstruct_by_dilation(marker, mask).tolist()
    [[0.0, 2.0, 2.0, 0.0, 0.0]]
    """
    lowest = float(marker.min())
    # an edge of one pixel all around, from which nothing grows
    grown, limit = (np.pad(plane, 1, constant_values=lowest) for plane in (marker, mask))
    return _grow_fronts(_scan_twice(grown, limit), limit)[1:-1, 1:-1]


def _scan_twice(grown: Plane, limit: Plane) -> Plane:
    """Grow by one raster scan from each end, which does most of it."""
    columns = grown.shape[1]
    here, bound = (skew(plane[np.newaxis], 0)[:, 0] for plane in (grown, limit))
    _scan(here, bound, *grown.shape)
    _scan(here[::-1, ::-1], bound[::-1, ::-1], *grown.shape)
    scanned: Plane = unskew(here[:, np.newaxis], columns)[0]
    return scanned


def _scan(grown: Plane, limit: Plane, rows: int, columns: int) -> None:
    for diagonal in range(2, rows + columns - 3):
        first, last = max(1, diagonal - columns + 2), min(rows - 1, diagonal)
        here, before = grown[diagonal, first:last], grown[diagonal - 1]
        np.maximum(here, before[first - 1 : last - 1], out=here)
        np.maximum(here, before[first:last], out=here)
        np.minimum(here, limit[diagonal, first:last], out=here)


def _grow_fronts(grown: Plane, limit: Plane) -> Plane:
    """Grow on from the pixels that can still raise a neighbour, until there are none.

    Vincent's hybrid algorithm, with a whole front of pixels in the place of one
    pixel of his queue.
    """
    columns = grown.shape[1]
    steps = np.array([[-columns], [-1], [1], [columns]])
    values, limits = grown.ravel(), limit.ravel()
    inside = np.zeros(grown.shape, dtype=bool)
    inside[1:-1, 1:-1] = True
    front = np.flatnonzero(inside)
    order = np.empty(values.size, dtype=np.intp)
    while front.size:
        neighbours = front + steps
        offered = np.minimum(values[front], limits[neighbours])
        raised = offered > values[neighbours]
        front = neighbours[raised]
        np.maximum.at(values, front, offered[raised])
        # each pixel once: the last to write its number keeps it
        numbers = np.arange(front.size)
        order[front] = numbers
        front = front[order[front] == numbers]
    return values.reshape(grown.shape)
