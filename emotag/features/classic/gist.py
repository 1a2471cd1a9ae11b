"""The gist of a scene: how much of which frequency and direction is where."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft

from emotag.errors import ModelError
from emotag.features.classic.base import PhotoFeatures, Pixels, require_whole
from emotag.features.classic.cells import mean_cells

__all__ = ["GIST"]

Planes = NDArray[np.float32]

# Of the local contrast normalisation: the frequency, in cycles a photo, at which the low-pass
# filter has fallen to a half, the padding in pixels, and what keeps flat parts from noise.
_CUTOFF = 4
_PADDING = 5
_LEAST_CONTRAST = 0.2

# Of the transfer functions: the highest centre frequency in cycles a pixel, by how much each
# scale lies below the one before, and the widths across frequencies and directions.
_HIGHEST = 0.3
_SCALE_STEP = 1.85
_RADIAL = 10 * 0.35
_ANGULAR = 2 * np.pi * 16 / 32**2

_MOST_SCALES, _MOST_DIRECTIONS, _MOST_BLOCKS, _LARGEST = 8, 32, 32, 1024

# Of all filters together: 0.2 GB while they are run, six times what the paper's take.
_MOST_VALUES = 2**23


class GIST(PhotoFeatures):
    """Energies of oriented filters on a grid, for each colour channel: 960 numbers.

    The photo is squashed to a square. Each channel's logarithm is freed of its
    lowest frequencies and divided by the local contrast (common to the three
    channels); then a Gabor-like transfer function for each scale and direction
    is applied in the frequency domain, and the magnitude of what remains is
    averaged over each cell of a grid. The constants are those of the authors'
    program and its translation to colour by INRIA, which Karayev et al. used.

    The features are ordered by channel (R, G, B), scale from fine to coarse,
    direction, row and column of the grid.

    Parameters
    ----------
    orientations_per_scale : tuple of int, default=(8, 8, 4)
        Directions of each scale, from fine to coarse.
    blocks : int, default=4
        Cells of each side of the grid.
    size : int, default=256
        Pixels of each side of the square.
    cache : bool, default=True
        Whether features are kept on disk, in the folder of ``emotag cache``.
    n_jobs : int, optional
        Threads; by default one a core.

    Attributes
    ----------
    n_features_out_ : int
        How many features a photo has: 3 for each filter and cell.

    References
    ----------
    Oliva & Torralba, "Modeling the Shape of the Scene: A Holistic
    Representation of the Spatial Envelope", IJCV 42(3), 2001; Douze, Jégou,
    Sandhawalia, Amsaleg & Schmid, "Evaluation of GIST descriptors for
    web-scale image search", CIVR 2009, for colour; Karayev et al.,
    "Recognizing Image Style", BMVC 2014, section 3, for the size of 256.

    Examples
    --------
    >>> import numpy as np
    >>> stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    >>> stripes[:, ::4] = 255
    >>> energies = GIST(size=64).measure(stripes).reshape(3, 20, 16)
    >>> energies[0].mean(axis=1).argmax()  # the finest scale, upright stripes
    np.int64(0)
    """

    def __init__(
        self,
        orientations_per_scale: tuple[int, ...] = (8, 8, 4),
        blocks: int = 4,
        size: int = 256,
        *,
        cache: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.orientations_per_scale = orientations_per_scale
        self.blocks = blocks
        self.size = size
        self.cache = cache
        self.n_jobs = n_jobs

    @property
    def n_features(self) -> int:
        """How many features a photo has."""
        return int(3 * sum(self.orientations_per_scale) * self.blocks**2)

    def _check(self) -> None:
        scales = self.orientations_per_scale
        if not isinstance(scales, tuple | list) or not 1 <= len(scales) <= _MOST_SCALES:
            raise ModelError(
                f"orientations_per_scale={scales!r} must be a whole number for each scale, "
                f"of which there are 1 to {_MOST_SCALES}."
            )
        for number in scales:
            require_whole("orientations_per_scale", number, 1, _MOST_DIRECTIONS)
        require_whole("blocks", self.blocks, 1, _MOST_BLOCKS)
        require_whole("size", self.size, max(8, self.blocks), _LARGEST)
        if sum(scales) * self.size**2 > _MOST_VALUES:
            raise ModelError(
                f"{sum(scales)} filters of size={self.size} take too much memory; take fewer "
                "orientations_per_scale, or a smaller size."
            )

    def _measure(self, pixels: Pixels) -> Planes:
        square = Image.fromarray(pixels).resize((self.size, self.size), Image.Resampling.LANCZOS)
        planes = np.moveaxis(np.asarray(square, dtype=np.float32), -1, 0)
        transfer = _transfer_functions(tuple(map(int, self.orientations_per_scale)), self.size)
        spectra = fft.fft2(_normalise_contrast(np.log1p(planes)), workers=1)
        return np.stack(
            [_mean_energy(spectrum, one, self.blocks) for spectrum in spectra for one in transfer]
        )


def _mean_energy(spectrum: NDArray[np.complex64], transfer: Planes, blocks: int) -> Planes:
    response = fft.ifft2(spectrum * transfer, workers=1, overwrite_x=True)
    return np.asarray(mean_cells(np.abs(response), blocks), dtype=np.float32)


def _normalise_contrast(planes: Planes) -> Planes:
    """Take what is smooth from planes, and divide by the local deviation of their mean."""
    margins = ((0, 0), (_PADDING, _PADDING), (_PADDING, _PADDING))
    padded = np.pad(planes, margins, mode="symmetric")
    low_pass = _low_pass(padded.shape[1])
    sharp = padded - _filter(padded, low_pass)
    variance = _filter(sharp.mean(axis=0) ** 2, low_pass)
    normalised = sharp / (_LEAST_CONTRAST + np.sqrt(np.abs(variance)))
    inside = slice(_PADDING, -_PADDING)
    return np.asarray(normalised[:, inside, inside], dtype=np.float32)


def _filter(planes: Planes, transfer: Planes) -> Planes:
    spectrum = fft.rfft2(planes, workers=1) * transfer
    return np.asarray(fft.irfft2(spectrum, s=planes.shape[-2:], workers=1), dtype=np.float32)


@lru_cache(maxsize=8)
def _low_pass(side: int) -> Planes:
    """Return a Gaussian over the half of the frequencies that `rfft2` gives."""
    down, across = side * fft.fftfreq(side), side * fft.rfftfreq(side)
    squares = down[:, np.newaxis] ** 2 + across**2
    return np.asarray(np.exp(-squares * np.log(2) / _CUTOFF**2), dtype=np.float32)


@lru_cache(maxsize=2)
def _transfer_functions(orientations_per_scale: tuple[int, ...], side: int) -> Planes:
    """Return the transfer function of each scale and direction, in the order of `fft2`."""
    down, across = np.meshgrid(fft.fftfreq(side), fft.fftfreq(side), indexing="ij")
    radius, angle = np.hypot(down, across), np.arctan2(down, across)
    functions = []
    for scale, directions in enumerate(orientations_per_scale):
        centre = _HIGHEST / _SCALE_STEP**scale
        for direction in range(directions):
            turned = _wrap(angle + np.pi * direction / directions)
            radial = _RADIAL * (radius / centre - 1) ** 2
            functions.append(np.exp(-radial - _ANGULAR * directions**2 * turned**2))
    return np.stack(functions).astype(np.float32)


def _wrap(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angles of up to a turn and a half as those of -pi to pi."""
    return np.where(angle > np.pi, angle - 2 * np.pi, angle)
