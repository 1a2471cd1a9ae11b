"""MPEG-7's dominant colours: the few colours that a photo is made of."""

import numpy as np
from numpy.typing import NDArray

from emotag.features.classic.base import PhotoFeatures, Pixels, require_choice
from emotag.photos.colour import from_luv, to_luv

__all__ = ["DominantColor"]

Points = NDArray[np.float64]

# The standard describes at most eight colours; shares and colours have 5 bits each.
_MOST_COLORS = 8
_LEVELS = 32

# As in the standard's reference software: what change of the distortion ends the search, or
# lets the worst cluster be split; the way to its halves, in standard deviations; and the
# squared distance in L*u*v* up to which two colours are one.
_LEAST_CHANGE = 0.01
_SPLIT_CHANGE = 0.02
_SPLIT_REACH = 0.1
_SAME_COLOUR = 255.0
# What of a mean squared distance is but rounding.
_NO_DISTORTION = 1e-9
# Our bound, which photos do not come near: the search ends whatever the numbers are.
_MOST_ROUNDS = 200


class DominantColor(PhotoFeatures):
    """MPEG-7's dominant colour descriptor: up to eight colours, 32 numbers.

    The colours are found by the generalised Lloyd algorithm in CIE L*u*v*: it
    starts from the mean, and splits the cluster of the greatest distortion
    until there are `colors`; then clusters that are closer than 16 are joined.
    For each colour, the greatest share first, there are four features: its
    share and its R, G and B, each quantised to 5 bits (0 to 31). Where there
    are fewer colours, zeros follow.

    Pixels that agree in the highest 5 bits of R, G and B are taken together,
    with their mean, which makes the search fast; that is our choice.
    The standard's optional variances and spatial coherency are left out.

    Parameters
    ----------
    colors : int, default=8
        The most colours that there may be, up to 8.
    cache : bool, default=True
        Whether features are kept on disk, in the folder of ``emotag cache``.
    n_jobs : int, optional
        Threads; by default one a core.

    Attributes
    ----------
    n_features_out_ : int
        How many features a photo has: four for each colour.

    References
    ----------
    ISO/IEC 15938-3:2002, Multimedia content description interface, Part 3:
    Visual, DominantColor; Deng, Manjunath, Kenney, Moore & Shin, "An Efficient
    Color Representation for Image Retrieval", IEEE Transactions on Image
    Processing 10(1), 2001.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    >>> pixels[:10] = (255, 0, 0)
    >>> DominantColor(3).measure(pixels).astype(int).tolist()
    [23, 0, 0, 0, 7, 31, 0, 0, 0, 0, 0, 0]
    """

    def __init__(self, colors: int = 8, *, cache: bool = True, n_jobs: int | None = None) -> None:
        self.colors = colors
        self.cache = cache
        self.n_jobs = n_jobs

    @property
    def n_features(self) -> int:
        """How many features a photo has."""
        return int(4 * self.colors)

    def _check(self) -> None:
        require_choice("colors", self.colors, range(1, _MOST_COLORS + 1))

    def _measure(self, pixels: Pixels) -> NDArray[np.float64]:
        points, masses = _gather(pixels)
        centroids = _join(*_find_clusters(points, masses, self.colors))
        for _ in range(2):
            centroids, shares = _move(points, masses, _assign(points, centroids))
        order = np.argsort(-shares, kind="stable")
        described = np.zeros((self.colors, 4))
        # so that a share of 1 has the highest code, and not one more
        described[: len(order), 0] = np.floor((_LEVELS - 1e-4) * shares[order] / masses.sum())
        colours = np.floor(from_luv(centroids[order]) + 0.5)
        described[: len(order), 1:] = np.floor(colours * _LEVELS / 256)
        return described


def _gather(pixels: Pixels) -> tuple[Points, Points]:
    """Return the colours of a photo in L*u*v*, those that are alike as one, and their counts."""
    flat = pixels.reshape(-1, 3)
    high = flat >> 3
    cells = np.ravel_multi_index((high[:, 0], high[:, 1], high[:, 2]), (_LEVELS,) * 3)
    counts = np.bincount(cells)
    sums = np.stack([np.bincount(cells, weights=flat[:, channel]) for channel in range(3)], axis=1)
    used = counts > 0
    means = np.floor(sums[used] / counts[used, np.newaxis] + 0.5).astype(np.uint8)
    return to_luv(means), counts[used].astype(np.float64)


def _find_clusters(points: Points, masses: Points, most: int) -> tuple[Points, Points]:
    """Return the centroids and masses that the generalised Lloyd algorithm finds."""
    starts = np.average(points, axis=0, weights=masses)[np.newaxis]
    before = np.inf
    for round_ in range(_MOST_ROUNDS):
        centroids, sizes = _move(points, masses, _assign(points, starts))
        nearest = _assign(points, centroids)
        distortions = _distortions(points, masses, centroids, nearest)
        total = float(distortions.sum())
        # a cluster that lost all its points cannot be split again
        if total <= _NO_DISTORTION * masses.sum() or len(centroids) < len(starts):
            break
        change = 1.0 if np.isinf(before) else (before - total) / before
        before, starts = total, centroids
        if len(centroids) < most and (round_ == 0 or change < _SPLIT_CHANGE):
            starts = _split(points, masses, centroids, nearest, int(distortions.argmax()))
        elif change <= _LEAST_CHANGE:
            break
    return centroids, sizes


def _assign(points: Points, centroids: Points) -> NDArray[np.intp]:
    """Return the nearest centroid of each point."""
    distances = ((points[:, np.newaxis] - centroids) ** 2).sum(axis=2)
    return np.asarray(distances.argmin(axis=1))


def _move(points: Points, masses: Points, nearest: NDArray[np.intp]) -> tuple[Points, Points]:
    """Return the mean and the mass of each cluster that has any point."""
    sizes = np.bincount(nearest, weights=masses).astype(np.float64)
    sums = [np.bincount(nearest, weights=masses * axis) for axis in points.T]
    used = sizes > 0
    return np.stack(sums, axis=1)[used] / sizes[used, np.newaxis], sizes[used]


def _distortions(
    points: Points, masses: Points, centroids: Points, nearest: NDArray[np.intp]
) -> Points:
    """Return the sum of squared distances in each cluster."""
    squares = ((points - centroids[nearest]) ** 2).sum(axis=1)
    return np.bincount(nearest, masses * squares, len(centroids)).astype(np.float64)


def _split(
    points: Points, masses: Points, centroids: Points, nearest: NDArray[np.intp], worst: int
) -> Points:
    """Return the centroids with one replaced by two beside it."""
    inside = nearest == worst
    squares = (points[inside] - centroids[worst]) ** 2
    reach = _SPLIT_REACH * np.sqrt(np.average(squares, axis=0, weights=masses[inside]))
    moved = centroids.copy()
    moved[worst] -= reach
    return np.concatenate([moved, (centroids[worst] + reach)[np.newaxis]])


def _join(centroids: Points, sizes: Points) -> Points:
    """Return the centroids with those joined, the closest first, that are the same to the eye."""
    while len(centroids) > 1:
        squares = ((centroids[:, np.newaxis] - centroids) ** 2).sum(axis=2)
        np.fill_diagonal(squares, np.inf)
        one, other = sorted(np.unravel_index(squares.argmin(), squares.shape))
        if squares[one, other] > _SAME_COLOUR:
            break
        centroids[one] = np.average(centroids[[one, other]], axis=0, weights=sizes[[one, other]])
        sizes[one] += sizes[other]
        centroids, sizes = np.delete(centroids, other, axis=0), np.delete(sizes, other)
    return centroids
