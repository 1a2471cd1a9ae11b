"""MPEG-7's colour layout: where a photo has which colour, from afar."""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from emotag.features.classic.base import PhotoFeatures, Pixels, require_choice
from emotag.features.classic.cells import sum_cells
from emotag.photos.colour import to_ycbcr

__all__ = ["ColorLayout"]

Levels = NDArray[np.int64]

SIZES = (3, 6, 10, 15, 21, 28, 64)
"""How many coefficients of a channel the standard allows."""

_SIDE = 8

# The standard's quantisation: a level from `starts` on has the code of `codes`, and one more
# for each `steps` levels (ISO/IEC 15938-3, as its reference software has it). Codes of the DC
# of Y lose their last bit, those of an AC their last three.
_LUMA = ((0, 64, 96, 160, 192), (0, 16, 32, 96, 112), (4, 2, 1, 2, 4))
_CHROMA = ((0, 64, 96, 112, 144, 160, 192), (0, 0, 8, 16, 48, 56, 63), (64, 4, 2, 1, 2, 4, 64))
_MAGNITUDE = ((0, 64, 128), (0, 64, 96), (1, 2, 4))
_LOWEST, _HIGHEST, _MIDDLE = -256, 239, 132


class ColorLayout(PhotoFeatures):
    """MPEG-7's colour layout descriptor: 12 quantised cosine coefficients.

    The photo is cut into 8 x 8 cells. The cosine transform of their mean Y, Cb
    and Cr is read in zigzag, and quantised as the standard says: the mean (DC)
    to 6 bits, the others (AC) to 5 bits. The features are those codes: all of
    Y, then of Cb, then of Cr.

    Parameters
    ----------
    y_coefficients : int, default=6
        Coefficients of Y: 3, 6, 10, 15, 21, 28 or 64.
    c_coefficients : int, default=3
        Coefficients of each of Cb and Cr, out of the same.
    cache : bool, default=True
        Whether features are kept on disk, in the folder of ``emotag cache``.
    n_jobs : int, optional
        Threads; by default one a core.

    Attributes
    ----------
    n_features_out_ : int
        How many features a photo has.

    References
    ----------
    ISO/IEC 15938-3:2002, Multimedia content description interface, Part 3:
    Visual, ColorLayout; Kasutani & Yamada, "The MPEG-7 color layout
    descriptor: a compact image feature description for high-speed image/video
    segment retrieval", ICIP 2001.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((40, 60, 3), 128, dtype=np.uint8)
    >>> ColorLayout().measure(grey).astype(int).tolist()
    [30, 16, 16, 16, 16, 16, 32, 16, 16, 32, 16, 16]
    """

    def __init__(
        self,
        y_coefficients: int = 6,
        c_coefficients: int = 3,
        *,
        cache: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.y_coefficients = y_coefficients
        self.c_coefficients = c_coefficients
        self.cache = cache
        self.n_jobs = n_jobs

    @property
    def n_features(self) -> int:
        """How many features a photo has."""
        return int(self.y_coefficients + 2 * self.c_coefficients)

    def _check(self) -> None:
        require_choice("y_coefficients", self.y_coefficients, SIZES)
        require_choice("c_coefficients", self.c_coefficients, SIZES)

    def _measure(self, pixels: Pixels) -> Levels:
        sums, counts = sum_cells(to_ycbcr(pixels), _SIDE)
        layout = sums // counts[:, :, np.newaxis]
        spectra = dctn(layout.astype(np.float64), axes=(0, 1), norm="ortho")
        # rounded as in the reference software, where a half is rounded down
        ordered = np.floor(spectra + 0.499999).astype(np.int64).reshape(-1, 3)[_ZIGZAG]
        luma, blue, red = ordered.T
        chroma = [_quantise_chroma(levels[: self.c_coefficients]) for levels in (blue, red)]
        return np.concatenate([_quantise_luma(luma[: self.y_coefficients]), *chroma])


def _quantise_luma(levels: Levels) -> Levels:
    dc = _quantise(levels[:1] // _SIDE, _LUMA) >> 1
    return np.concatenate([dc, _quantise_ac(_halve(levels[1:]))])


def _quantise_chroma(levels: Levels) -> Levels:
    return np.concatenate([_quantise(levels[:1] // _SIDE, _CHROMA), _quantise_ac(levels[1:])])


def _quantise_ac(levels: Levels) -> Levels:
    clipped = np.clip(levels, _LOWEST, _HIGHEST)
    magnitude = _quantise(np.abs(clipped), _MAGNITUDE)
    return np.asarray((np.sign(clipped) * magnitude + _MIDDLE) >> 3)


def _quantise(levels: Levels, table: tuple[tuple[int, ...], ...]) -> Levels:
    starts, codes, steps = (np.array(column) for column in table)
    place = np.searchsorted(starts, levels, side="right") - 1
    return np.asarray(codes[place] + (levels - starts[place]) // steps[place], dtype=np.int64)


def _halve(levels: Levels) -> Levels:
    """Return half of each level, rounded towards 0."""
    return np.asarray(np.sign(levels) * (np.abs(levels) // 2))


def _zigzag(side: int) -> NDArray[np.intp]:
    """Return the flat places of a square in zigzag from its first corner, first to the right."""
    rows, columns = np.divmod(np.arange(side * side), side)
    diagonal = rows + columns
    along = np.where(diagonal % 2, rows, columns)
    return np.lexsort([along, diagonal])


_ZIGZAG = _zigzag(_SIDE)
