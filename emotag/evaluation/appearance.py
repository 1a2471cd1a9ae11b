"""What can be told of photos without any network: colour, size, likeness."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotag.errors import PhotoError
from emotag.likeness import FEATURELESS, perceptual_hash
from emotag.parallel.threads import map_chunks
from emotag.photos.colour import to_lab
from emotag.photos.decoding import DecodedPhoto, reduce_photo

__all__ = ["COLOURS", "SIZES", "Appearance", "measure_photos"]

COLOURS = ("lightness", "green_red", "blue_yellow", "brightness", "saturation")
"""Columns of `Appearance.colours`: means of L*, a*, b*, and of HSV's value and saturation."""

SIZES = ("width", "height", "aspect", "bytes_per_pixel")
"""Columns of `Appearance.sizes`."""

# About 390 x 260: on the labelled photos at hand, hashes of smaller pictures differed by
# some bits from those of the whole photos; these did not.
_AREA = 100_000
# Every third pixel of every third row is enough for the means.
_STEP = 3
_CHUNK = 16


@dataclass(frozen=True, eq=False)
class Appearance:
    """What photos look like from afar, a row a photo.

    Attributes
    ----------
    hashes : ndarray of uint64, shape (n_photos,)
        As `emotag.likeness.perceptual_hash`; `FEATURELESS` for a photo that
        cannot be read, which is so alike to none.
    colours : ndarray of shape (n_photos, 5), float64
        In the order of `COLOURS`: L* of 0 to 100, a* and b* of about -100 to
        100, brightness and saturation of 0 to 1. nan where it cannot be read.
    sizes : ndarray of shape (n_photos, 4), float64
        In the order of `SIZES`: pixels, pixels, width over height, bytes; of
        the photo as it stands upright. nan where it cannot be read.
    """

    hashes: NDArray[np.uint64]
    colours: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Whether each photo could be read, shape (n_photos,)."""
        return np.asarray(np.isfinite(self.colours).all(axis=1), dtype=np.bool_)


def measure_photos(
    paths: Sequence[str],
    *,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Appearance:
    """Open every photo once, small, on several threads, and measure it.

    Parameters
    ----------
    paths : sequence of str
        The photos; those that cannot be read are marked so.
    jobs : int, optional
        Threads at a time, by default one a core.
    progress : callable, optional
        Called with the number of photos done since the last call.

    Returns
    -------
    Appearance
        In the order of `paths`.

    Examples
    --------
    >>> import os, sklearn
    >>> folder = os.path.join(os.path.dirname(sklearn.__file__), "datasets", "images")
    >>> photos = [os.path.join(folder, name) for name in ("china.jpg", "no such photo")]
    >>> measured = measure_photos(photos)
    >>> measured.readable.tolist()
    [True, False]
    >>> measured.sizes[0].round(2).tolist()
    [640.0, 427.0, 1.5, 0.72]
    """
    names = [str(path) for path in paths]
    rows: list[_Row] = []
    for chunk in map_chunks(_measure_chunk, names, size=_CHUNK, jobs=jobs):
        rows.extend(chunk)
        if progress:
            progress(len(chunk))
    return Appearance(
        hashes=np.array([row.hash for row in rows], dtype=np.uint64),
        colours=np.array([row.colours for row in rows], np.float64).reshape(-1, len(COLOURS)),
        sizes=np.array([row.sizes for row in rows], np.float64).reshape(-1, len(SIZES)),
    )


@dataclass(frozen=True)
class _Row:
    hash: int
    colours: tuple[float, ...]
    sizes: tuple[float, ...]


_UNREADABLE = _Row(FEATURELESS, (np.nan,) * len(COLOURS), (np.nan,) * len(SIZES))


def _measure_chunk(paths: Sequence[str]) -> list[_Row]:
    return [_measure(path) for path in paths]


def _measure(path: str) -> _Row:
    try:
        photo = reduce_photo(path, _AREA)
        n_bytes = os.path.getsize(path)
    except (PhotoError, OSError):
        # it counts as unreadable, and whoever decodes it to judge it says why
        return _UNREADABLE
    colours = _mean_colours(photo.pixels[::_STEP, ::_STEP])
    return _Row(perceptual_hash(photo.pixels), colours, _sizes(photo, n_bytes))


def _mean_colours(pixels: NDArray[np.uint8]) -> tuple[float, ...]:
    highest = pixels.max(axis=2).astype(np.float64)
    range_ = highest - pixels.min(axis=2)
    saturation = np.divide(range_, highest, out=np.zeros_like(highest), where=highest > 0)
    lab = to_lab(pixels).mean(axis=(0, 1))
    return (*lab.tolist(), float(highest.mean()) / 255, float(saturation.mean()))


def _sizes(photo: DecodedPhoto, n_bytes: int) -> tuple[float, ...]:
    rows, columns, _ = photo.pixels.shape
    short, long = sorted((photo.width, photo.height))
    width, height = (long, short) if columns > rows else (short, long)
    return (width, height, width / height, n_bytes / (width * height))
