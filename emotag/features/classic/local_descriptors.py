"""Edges and colour of each cell of a photo: what a bag of visual words is made of."""

import numpy as np
from numpy.typing import NDArray

from emotag.features.classic.base import PhotoFeatures, Pixels, require_whole
from emotag.features.classic.cells import mean_cells
from emotag.features.classic.edges import EDGE_KINDS, find_edges
from emotag.photos.colour import to_ycbcr

__all__ = ["CELL_FEATURES", "LocalDescriptors"]

CELL_FEATURES = (*EDGE_KINDS, "y", "cb", "cr")
"""What is measured of each cell, in this order."""

# As in MPEG-7's edge histogram.
_BLOCKS = 1100
_THRESHOLD = 11
_FINEST = 64


class LocalDescriptors(PhotoFeatures):
    """Eight numbers for each cell of a grid: shares of edges, and mean colour.

    They are the local edge and colour of MPEG-7's edge histogram and colour
    layout, not quantised: the shares of the blocks with a vertical,
    horizontal, 45-degree, 135-degree and non-directional edge, and the mean Y,
    Cb and Cr divided by 255. With the default grid that makes 512 features,
    row by row; ``reshape(-1, grid * grid, 8)`` gives the words of each photo.
    The choice of what is measured and the grid are ours.

    Parameters
    ----------
    grid : int, default=8
        Cells of each side of the grid.
    cache : bool, default=True
        Whether features are kept on disk, in the folder of ``emotag cache``.
    n_jobs : int, optional
        Threads; by default one a core.

    Attributes
    ----------
    n_features_out_ : int
        How many features a photo has: eight for each cell.

    See Also
    --------
    EdgeHistogram, ColorLayout : The descriptors that these are the parts of.

    Examples
    --------
    >>> import numpy as np
    >>> white = np.full((90, 120, 3), 255, dtype=np.uint8)
    >>> words = LocalDescriptors(grid=2).measure(white).reshape(4, 8)
    >>> print(words[0].round(2))
    [0.   0.   0.   0.   0.   0.92 0.5  0.5 ]
    """

    def __init__(self, grid: int = 8, *, cache: bool = True, n_jobs: int | None = None) -> None:
        self.grid = grid
        self.cache = cache
        self.n_jobs = n_jobs

    @property
    def n_features(self) -> int:
        """How many features a photo has."""
        return int(self.grid**2 * len(CELL_FEATURES))

    def _check(self) -> None:
        require_whole("grid", self.grid, 1, _FINEST)

    def _measure(self, pixels: Pixels) -> NDArray[np.float64]:
        edges = find_edges(pixels, _BLOCKS, _THRESHOLD).shares(self.grid)
        colours = mean_cells(to_ycbcr(pixels), self.grid) / 255
        return np.concatenate([edges, colours], axis=2)
