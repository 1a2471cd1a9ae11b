"""MPEG-7's scalable colour: a colour histogram as coefficients of a Haar transform."""

import numpy as np
from numpy.typing import NDArray

from emotag.features.classic.base import PhotoFeatures, Pixels, require_choice
from emotag.photos.colour import to_hsv

__all__ = ["ScalableColor"]

Levels = NDArray[np.int64]

SIZES = (16, 32, 64, 128, 256)
"""How many coefficients the standard allows."""

# Bins of value, saturation and hue.
_BINS = (4, 4, 16)
# The axes along which neighbours are added and subtracted, one step after the other.
_STEPS = (2, 1, 0, 2, 1, 0, 2, 2)

# Bins are shares of 11 bits; from 40 % of a photo on a bin has the highest code of 4 bits, and
# below it goes by the power of 0.4 (ISO/IEC 15938-3, as its reference software has it).
_WHOLE = 2047
_FULL = 0.4 * _WHOLE
_POWER = 0.4
_HIGHEST = 15

# The standard's quantisation of the 256 coefficients, from coarse to fine: what is taken from
# each, and the bits that it then has, with its sign.
_OFFSETS = """
217 -71 -27 -54 -8 -14 -22 -29 -6 -13 -11 -22 -9 -14 -19 -22 0 -1 0 -2 1 -5 0 0 2 -2 -2 0 3 -5 -1 4
0 0 0 -1 0 0 -1 -2 -1 -1 -1 -3 -1 -2 -4 -5 -1 0 -2 -2 -2 -3 -3 0 0 0 0 2 -1 0 3 3
0 0 0 0 0 0 0 -1 -1 -1 -2 -1 -2 -2 -2 -1 0 0 0 -1 0 0 -1 -1 -2 -1 -2 -1 -3 -3 -2 0
0 0 0 -1 0 0 -2 -2 -2 -2 -2 -1 -3 -3 -1 0 1 0 0 -1 0 0 -1 0 -1 -1 -1 0 -1 0 1 -1
0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 0 -1 1 0 0 0 0 0 0 -1 0
0 0 0 0 0 0 0 0 0 0 0 1 0 0 0 1 0 0 0 1 0 0 -1 2 0 0 0 0 0 0 -1 1
0 0 0 0 0 0 0 0 0 0 0 1 0 0 -1 1 0 0 -1 1 0 -1 -1 2 0 0 0 0 0 -1 0 1
1 0 -1 0 0 0 0 1 0 0 -1 0 0 0 0 1 0 0 0 0 0 -1 0 1 0 0 0 0 0 -1 0 -1
"""
_BITS = (
    "9989777867677777453656575657566733353355545555555355555555555565"
    "2234223444555555323423455455555533343355545555554344344443445555"
    "2233223322342233323423443334334432332233323423443235335533343345"
    "3233234432343355323534553334334432333334323433443234334433333334"
)


class ScalableColor(PhotoFeatures):
    """MPEG-7's scalable colour descriptor: 256 quantised Haar coefficients.

    A histogram of 16 hues, 4 saturations and 4 values; its bins, as shares of
    11 bits, are quantised to 4 bits, the small ones more finely; sums and
    differences of neighbouring bins (second less first) along hue, saturation
    and value make the coefficients, which are quantised linearly. The first
    ones stand for the coarsest division of the colours.

    Pure red has the hue 0, as usual; the standard's reference software puts it
    at the other end of the circle. No bit planes are dropped.

    Parameters
    ----------
    coefficients : int, default=256
        How many: 16, 32, 64, 128 or 256.
    cache : bool, default=True
        Whether features are kept on disk, in the folder of ``emotag cache``.
    n_jobs : int, optional
        Threads; by default one a core.

    Attributes
    ----------
    n_features_out_ : int
        How many features a photo has: `coefficients`.

    References
    ----------
    ISO/IEC 15938-3:2002, Multimedia content description interface, Part 3:
    Visual, ScalableColor; Manjunath, Ohm, Vasudevan & Yamada, "Color and
    Texture Descriptors", IEEE Transactions on Circuits and Systems for Video
    Technology 11(6), 2001, section II.

    Examples
    --------
    >>> import numpy as np
    >>> white = np.full((40, 60, 3), 255, dtype=np.uint8)
    >>> ScalableColor(16).measure(white).astype(int).tolist()
    [-202, 56, 12, 54, 8, 14, 22, 29, 21, 13, 11, 22, -6, 14, 19, 22]
    """

    def __init__(
        self, coefficients: int = 256, *, cache: bool = True, n_jobs: int | None = None
    ) -> None:
        self.coefficients = coefficients
        self.cache = cache
        self.n_jobs = n_jobs

    @property
    def n_features(self) -> int:
        """How many features a photo has."""
        return int(self.coefficients)

    def _check(self) -> None:
        require_choice("coefficients", self.coefficients, SIZES)

    def _measure(self, pixels: Pixels) -> Levels:
        hue, saturation, value = np.moveaxis(to_hsv(pixels).reshape(-1, 3), -1, 0)
        bins = np.ravel_multi_index((value // 64, saturation // 64, hue // 16), _BINS)
        counts = np.bincount(bins, minlength=int(np.prod(_BINS)))
        transformed = _haar(_quantise_shares(counts).reshape(_BINS)).reshape(-1)[_ORDER]
        clipped: Levels = np.clip(transformed - _TAKEN, -_LIMITS, _LIMITS)
        return clipped[: self.coefficients]


def _quantise_shares(counts: Levels) -> Levels:
    shares = np.floor(_WHOLE * counts / counts.sum() + 0.49999)
    codes = np.floor(_HIGHEST * (shares / _FULL) ** _POWER + 0.5)
    return np.asarray(np.minimum(codes, _HIGHEST), dtype=np.int64)


def _haar(histogram: Levels) -> Levels:
    """Return sums and differences, each in the place of the bins that they are made of."""
    transformed = histogram.copy()
    left = transformed
    for axis in _STEPS:
        # views: what is written is written into `transformed`
        first, second = (_every_second(left, axis, start) for start in (0, 1))
        added, subtracted = first + second, second - first
        first[...], second[...] = added, subtracted
        left = first
    return transformed


def _every_second(array: Levels, axis: int, start: int) -> Levels:
    chosen: list[slice] = [slice(None)] * array.ndim
    chosen[axis] = slice(start, None, 2)
    return array[tuple(chosen)]


def _coarse_first() -> Levels:
    """Return the flat places of the coefficients, those of the coarse divisions first."""
    left = np.arange(np.prod(_BINS)).reshape(_BINS)
    groups: list[Levels] = []
    # up to the coarsest division that may be asked for, whose places go as they are
    for axis in _STEPS[:4]:
        groups.append(np.sort(_every_second(left, axis, 1), axis=None))
        left = _every_second(left, axis, 0)
    return np.concatenate([left.reshape(-1), *reversed(groups)])


_ORDER = _coarse_first()
_TAKEN = np.array([int(number) for number in _OFFSETS.split()])
_LIMITS = 2 ** (np.array([int(digit) for digit in _BITS]) - 1) - 1
