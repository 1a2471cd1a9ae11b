"""The part of a photo that draws the eye, as a box."""

import os
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emotag.errors import DataError, ModelError
from emotag.photos.decoding import reduce_to_side
from emotag.saliency.maps import require_method, saliency_map

__all__ = ["LEAST_SIDE", "SHARE", "Region", "salient_region", "smallest_region"]

SHARE = 0.95
"""The share of the saliency that the box holds: our choice, see `smallest_region`."""

LEAST_SIDE = 3
"""The box has at least one part in so many of each side: our choice."""

# Cells of the longer side, between which the edges of the box are searched: our choice.
_CELLS = 32

# A photo with a shorter side has no part worth looking at alone: our choice.
_TINY = 8

# The longer side of the picture in which the region of a file is sought.
_LONGEST = 300


@dataclass(frozen=True)
class Region:
    """A box in a photo, as Pillow crops: the right and the lower edge lie outside.

    Parameters
    ----------
    left, top, right, bottom : int
        In pixels of the upright photo, from its upper left corner.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The four edges, as ``PIL.Image.crop`` takes them."""
        return self.left, self.top, self.right, self.bottom

    def widened(self, share: float, width: int, height: int) -> "Region":
        """Return the box with a margin of a share of its own sides, cut at the photo's edges.

        Parameters
        ----------
        share : float
            Of the width on the left and the right, of the height above and below.
        width, height : int
            Of the photo, in pixels.

        Examples
        --------
        >>> Region(10, 0, 30, 40).widened(0.1, 60, 60).box
        (8, 0, 32, 44)
        """
        across = round((self.right - self.left) * share)
        down = round((self.bottom - self.top) * share)
        return Region(
            max(0, self.left - across),
            max(0, self.top - down),
            min(width, self.right + across),
            min(height, self.bottom + down),
        )


def salient_region(
    photo: str | os.PathLike[str] | NDArray[np.uint8],
    method: str = "barrier",
    *,
    share: float = SHARE,
) -> Region:
    """Return the part of a photo that draws the eye.

    Parameters
    ----------
    photo : path-like, or ndarray of shape (rows, columns, 3), uint8
        A file, or the pixels of an upright photo in the order R, G, B.
    method : {'barrier', 'spectral', 'u2netp'}, default='barrier'
        As `saliency_map` takes it.
    share : float, default=SHARE
        The share of the saliency that the box holds, above 0 and up to 1.

    Returns
    -------
    Region
        As `smallest_region` says, in pixels of the upright photo: the whole of
        it if nothing stands out or if a side is shorter than 8 pixels.

    Raises
    ------
    ModelError
        There is no such method, or the share makes no sense.
    WeightsError
        The method's network is not at hand.
    DataError
        `photo` is neither.
    PhotoError
        The file cannot be read or decoded.

    Examples
    --------
    >>> pixels = np.zeros((90, 120, 3), dtype=np.uint8)
    >>> pixels[30:60, 40:80] = (255, 200, 0)
    >>> salient_region(pixels).box
    (37, 30, 79, 60)
    """
    require_method(method)
    if isinstance(photo, np.ndarray):
        found = saliency_map(photo, method)
        return smallest_region(found, photo.shape[1], photo.shape[0], share=share)
    given: object = photo
    if not isinstance(given, str | bytes | os.PathLike):
        raise DataError(f"{photo!r} is neither the path of a photo nor pixels.")
    seen = reduce_to_side(os.fsdecode(photo), _LONGEST, min_side=1)
    width, height = (seen.height, seen.width) if seen.is_turned else (seen.width, seen.height)
    return smallest_region(saliency_map(seen.pixels, method), width, height, share=share)


def smallest_region(
    saliency: NDArray[np.float32], width: int, height: int, *, share: float = SHARE
) -> Region:
    """Return the smallest box that holds a share of the saliency.

    Of the saliency, only what is above its mean counts, so that a haze over the
    whole photo does not widen the box. The edges lie on a grid of at most 32
    cells along the longer side; each side of the box is at least a third of the
    photo's. Of boxes of the same area, the one with most saliency is taken.

    Parameters
    ----------
    saliency : ndarray of shape (rows, columns), float32
        From 0 to 1.
    width, height : int
        Of the photo, in pixels; its aspect is that of the map.
    share : float, default=SHARE
        Above 0 and up to 1.

    Returns
    -------
    Region
        In pixels of the photo.

    Raises
    ------
    ModelError
        The share makes no sense.

    Notes
    -----
    The box of a fixed share of the saliency is Suh et al.'s. That 0.95 of it
    suffices, what counts, the grid and the least side are our choices.

    References
    ----------
    Suh, Ling, Bederson & Jacobs, "Automatic Thumbnail Cropping and its
    Effectiveness", UIST 2003.

    Examples
    --------
    >>> saliency = np.zeros((32, 32), dtype=np.float32)
    >>> saliency[8:24, 10:30] = 1
    >>> smallest_region(saliency, 320, 320, share=1).box
    (100, 80, 300, 240)
    """
    given: Any = share
    if isinstance(given, bool) or not isinstance(given, Real) or not 0 < share <= 1:
        raise ModelError(f"share={share!r} must be above 0 and at most 1.")
    weight = np.maximum(saliency - saliency.mean(), 0)
    # the mean of equal numbers may be off by a rounding
    if min(width, height) < _TINY or np.ptp(saliency) < 1e-6 or not weight.any():
        return Region(0, 0, width, height)
    cells = _into_cells(weight)
    rows, columns = cells.shape
    top, bottom, left, right = _smallest_box(cells, share)
    return Region(
        left * width // columns,
        top * height // rows,
        -(-right * width // columns),
        -(-bottom * height // rows),
    )


def _into_cells(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    rows, columns = weight.shape
    scale = min(1.0, _CELLS / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    cells = Image.fromarray(weight).resize(size, Image.Resampling.BOX)
    return np.asarray(cells, dtype=np.float64)


def _smallest_box(cells: NDArray[np.float64], share: float) -> tuple[int, int, int, int]:
    """Return the top, bottom, left and right edge, tried in all ways from a summed-area table."""
    rows, columns = cells.shape
    table = np.pad(cells, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    tops, bottoms = _edges(rows)
    lefts, rights = _edges(columns)
    strips = table[bottoms] - table[tops]
    held = (strips[:, rights] - strips[:, lefts]) / table[-1, -1]
    areas = np.multiply.outer(bottoms - tops, rights - lefts)
    # areas are whole numbers, so that what is held only decides between equal ones
    scores = np.where(held >= share - 1e-9, areas - held / 2, np.inf)
    box = np.unravel_index(scores.argmin(), scores.shape)
    return tuple(  # type: ignore[return-value]
        int(edge) for edge in (tops[box[0]], bottoms[box[0]], lefts[box[1]], rights[box[1]])
    )


def _edges(cells: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return all pairs of edges that are at least a third of the cells apart."""
    first, last = np.triu_indices(cells + 1, k=-(-cells // LEAST_SIDE))
    return first, last
