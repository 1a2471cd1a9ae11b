"""How much of a photo has which colour, in L*a*b*."""

import numpy as np
from numpy.typing import NDArray

from emotag.errors import ModelError
from emotag.features.classic.base import PhotoFeatures, Pixels, require_whole
from emotag.photos.colour import to_lab

__all__ = ["LabHistogram"]

# Where the bins of L* and the inner bins of a* and b* end, in the code that Karayev et al.
# published with their paper (vislab, matlab/lab_histogram/lab_hist.m).
_LIGHTNESS_BORDERS = (55.0, 70.0, 90.0)
_CHROMA_REACH = 30.0
# Of each axis.
_MOST_BINS = 64
# Greys lie on a border of a* and b*: rounding errors must not decide on which side.
_DECIMALS = 6


class LabHistogram(PhotoFeatures):
    """Joint histogram of L*, a* and b*: 784 shares of the pixels, which sum to 1.

    The borders are those of the code that Karayev et al. published with their
    paper, which itself names only the numbers of bins: 55, 70 and 90 for the
    four bins of L*; -30 to 30 in equal steps for those of a* and b*, so that
    the first and the last of them are open. A value on a border belongs to
    the bin above it. With another number of bins, L* is cut into equal parts
    of 0 to 100, which is our choice. That code leaves out pixels that are
    nearly grey; here every pixel counts, also our choice.

    Parameters
    ----------
    bins : tuple of int, default=(4, 14, 14)
        Bins of L*, a* and b*.
    cache : bool, default=True
        Whether features are kept on disk, in the folder of ``emotag cache``.
    n_jobs : int, optional
        Threads; by default one a core.

    Attributes
    ----------
    n_features_out_ : int
        How many features a photo has: the product of `bins`.

    References
    ----------
    Karayev, Trentacoste, Han, Agarwala, Darrell, Hertzmann & Winnemoeller,
    "Recognizing Image Style", BMVC 2014 (arXiv 1311.3715), section 3, after
    Palermo, Hays & Efros, "Dating Historical Color Images", ECCV 2012.

    Examples
    --------
    >>> import numpy as np
    >>> white = np.full((40, 60, 3), 255, dtype=np.uint8)
    >>> shares = LabHistogram().measure(white)
    >>> shares.shape, shares.reshape(4, 14, 14)[3, 7, 7]
    ((784,), np.float32(1.0))
    """

    def __init__(
        self,
        bins: tuple[int, int, int] = (4, 14, 14),
        *,
        cache: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.bins = bins
        self.cache = cache
        self.n_jobs = n_jobs

    @property
    def n_features(self) -> int:
        """How many features a photo has."""
        return int(np.prod(self.bins))

    def _check(self) -> None:
        if not isinstance(self.bins, tuple | list) or len(self.bins) != 3:
            raise ModelError(f"bins={self.bins!r} must be three whole numbers: of L*, a* and b*.")
        for number in self.bins:
            require_whole("bins", number, 1, _MOST_BINS)

    def _measure(self, pixels: Pixels) -> NDArray[np.float64]:
        lab = to_lab(pixels).reshape(-1, 3).round(_DECIMALS)
        lightness, *chroma = self.bins
        borders = [_lightness_borders(lightness), *map(_chroma_borders, chroma)]
        codes = [
            np.searchsorted(some, lab[:, axis], side="right") for axis, some in enumerate(borders)
        ]
        joint = np.ravel_multi_index(codes, tuple(self.bins))
        return np.bincount(joint, minlength=self.n_features) / len(lab)


def _lightness_borders(bins: int) -> NDArray[np.float64]:
    if bins == len(_LIGHTNESS_BORDERS) + 1:
        return np.array(_LIGHTNESS_BORDERS)
    return np.linspace(0, 100, bins + 1)[1:-1]


def _chroma_borders(bins: int) -> NDArray[np.float64]:
    # one border alone, that of two bins, is 0
    reach = _CHROMA_REACH if bins > 2 else 0.0
    return np.linspace(-reach, reach, bins - 1)
