"""MPEG-7's edge histogram: which kinds of edges a photo has where."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotag.errors import ModelError
from emotag.features.classic.base import PhotoFeatures, Pixels, require_whole
from emotag.features.classic.edges import EDGE_KINDS, find_edges

__all__ = ["EdgeHistogram"]

Shares = NDArray[np.float64]

_CELLS = 4
_MOST_BLOCKS = 100_000
_KINDS = len(EDGE_KINDS)

# What each code of 3 bits stands for, a row a kind of edge (ISO/IEC 15938-3, EdgeHistogram).
_TABLE = np.array(
    [
        [0.010867, 0.057915, 0.099526, 0.144849, 0.195573, 0.260504, 0.358031, 0.530128],
        [0.012266, 0.069934, 0.125879, 0.182307, 0.243396, 0.314563, 0.411728, 0.564319],
        [0.004193, 0.025852, 0.046860, 0.068519, 0.093286, 0.123490, 0.161505, 0.228960],
        [0.004174, 0.025924, 0.046232, 0.067163, 0.089655, 0.115391, 0.151904, 0.217745],
        [0.006778, 0.051667, 0.108650, 0.166257, 0.224226, 0.285691, 0.356375, 0.450972],
    ]
)
_BORDERS = (_TABLE[:, :-1] + _TABLE[:, 1:]) / 2


class EdgeHistogram(PhotoFeatures):
    """MPEG-7's edge histogram descriptor: 80 quantised shares of blocks.

    The photo is cut into 4 x 4 sub-images and into about 1,100 square blocks.
    For each sub-image, the shares of the blocks with a vertical, horizontal,
    45-degree, 135-degree and non-directional edge are quantised to 3 bits; the
    features are the shares that the codes stand for in the standard's table.

    With `extended`, 70 more follow, as Won, Park & Park propose for comparing
    photos: the means over the whole photo (5), and over 13 groups of four
    sub-images (65): the 4 columns, the 4 rows, the 4 quarters and the centre.
    Their weight of 5 for the global ones is left to the classifier.

    Parameters
    ----------
    blocks : int, default=1100
        About how many blocks a photo is cut into.
    threshold : float, default=11
        The least strength of an edge, in grey values.
    extended : bool, default=False
        Whether there are 150 features instead of 80.
    cache : bool, default=True
        Whether features are kept on disk, in the folder of ``emotag cache``.
    n_jobs : int, optional
        Threads; by default one a core.

    Attributes
    ----------
    n_features_out_ : int
        How many features a photo has: 80 or 150.

    References
    ----------
    ISO/IEC 15938-3:2002, Multimedia content description interface, Part 3:
    Visual, EdgeHistogram, whose reference software has the two defaults; Won,
    Park & Park, "Efficient Use of MPEG-7 Edge Histogram Descriptor", ETRI
    Journal 24(1), 2002, sections II and III.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = np.zeros((80, 80, 3), dtype=np.uint8)
    >>> pixels[41:] = 255
    >>> shares = EdgeHistogram().measure(pixels).reshape(4, 4, 5)
    >>> print(shares[2, 0].round(3))  # every tenth block is on a horizontal edge
    [0.011 0.126 0.004 0.004 0.007]
    """

    def __init__(
        self,
        blocks: int = 1100,
        threshold: float = 11,
        *,
        extended: bool = False,
        cache: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.blocks = blocks
        self.threshold = threshold
        self.extended = extended
        self.cache = cache
        self.n_jobs = n_jobs

    @property
    def n_features(self) -> int:
        """How many features a photo has."""
        groups = len(_GROUPS) if self.extended else 0
        return _KINDS * (_CELLS**2 + groups)

    def _check(self) -> None:
        require_whole("blocks", self.blocks, _CELLS**2, _MOST_BLOCKS)
        threshold: Any = self.threshold
        number = isinstance(threshold, Real) and not isinstance(threshold, bool)
        if not number or not 0 < threshold < float("inf"):
            raise ModelError(f"threshold={threshold!r} must be a number above 0.")
        if not isinstance(self.extended, bool | np.bool_):
            raise ModelError(f"extended={self.extended!r} must be True or False.")

    def _measure(self, pixels: Pixels) -> Shares:
        found = find_edges(pixels, self.blocks, self.threshold).shares(_CELLS)
        local = _quantise(found.reshape(_CELLS**2, _KINDS))
        if not self.extended:
            return local
        groups = [local[group].mean(axis=0, keepdims=True) for group in _GROUPS]
        return np.concatenate([local, *groups])


def _quantise(shares: Shares) -> Shares:
    """Return the shares that the table has for those of any sub-images, shape (n, 5)."""
    columns = [
        _TABLE[kind, np.searchsorted(_BORDERS[kind], shares[:, kind], side="left")]
        for kind in range(_KINDS)
    ]
    return np.stack(columns, axis=1)


def _list_groups() -> list[NDArray[np.intp]]:
    """Return the sub-images of the whole photo and of each group of four."""
    places = np.arange(_CELLS**2).reshape(_CELLS, _CELLS)
    corners = [(row, column) for row in (0, 2) for column in (0, 2)]
    squares = [places[row : row + 2, column : column + 2] for row, column in [*corners, (1, 1)]]
    return [group.reshape(-1) for group in [places, *places.T, *places, *squares]]


_GROUPS = _list_groups()
