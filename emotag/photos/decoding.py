"""One photo opened, decoded no larger than needed, turned upright, or refused."""

import importlib
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emotag.errors import PhotoError, SkippedPhoto, UnreadablePhoto
from emotag.photos.modes import to_rgb, to_srgb
from emotag.photos.opening import DECODER_ERRORS, explained, note_of, open_photo
from emotag.photos.preprocess import Preprocess

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE",
    "DecodedPhoto",
    "check_photo",
    "decode_photo",
    "reduce_photo",
    "reduce_to_side",
    "try_decoding",
]

MAX_PIXELS = 200_000_000
"""Photos of more pixels are skipped by default: such a file may be a bomb."""

MIN_SIDE = 32
"""Photos whose shorter side is below this, in pixels, are skipped: icons, spacers."""

# Pillow's plugins, opened by name: Image.open would load all of them to try each,
# and its limit on pixels is one for the whole process.
_PLUGINS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pillow_heif.as_plugin", "HeifImageFile"),
}

# As the warnings module keeps its filters.
_PILLOW_WARNINGS = ("ignore", None, Warning, re.compile(r"PIL\.|pillow_heif"), 0)

_ORIENTATION_TAG = 0x0112

# How to turn rows and columns upright (EXIF 2.32, tag Orientation).
_TURNS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: np.rot90(pixels, 1),
}

# The orientations whose rows are columns of the upright photo.
_ON_THEIR_SIDE = (5, 6, 7, 8)


@dataclass(frozen=True)
class DecodedPhoto:
    """A photo's pixels, and what is to be said about its file.

    Attributes
    ----------
    pixels : ndarray of shape (rows, columns, 3), uint8
        In the order R, G, B, upright.
    width, height : int
        Of the file, in pixels, before it was turned upright.
    note : str
        Empty, or what is odd about the file.
    is_turned : bool
        Whether the upright photo is `height` wide and `width` high.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    note: str = ""
    is_turned: bool = False


def decode_photo(
    path: str, preprocess: Preprocess, *, max_pixels: int = MAX_PIXELS
) -> DecodedPhoto:
    """Decode one photo into the pixels that a network takes.

    The orientation of EXIF is applied, transparency is laid on white, the
    first frame of an animation is taken, and a JPEG is decoded at the
    smallest scale that still has every pixel the network needs.

    Parameters
    ----------
    path : str
        The file.
    preprocess : Preprocess
        Resizes and crops.
    max_pixels : int, default=MAX_PIXELS
        A photo of more pixels is skipped before any is decoded.

    Returns
    -------
    DecodedPhoto
        Pixels of shape (preprocess.size, preprocess.size, 3), uint8.

    Raises
    ------
    SkippedPhoto
        No plain file, too small, or too large.
    UnreadablePhoto
        It cannot be read, is no photo, or is damaged.
    """
    return _decode(path, preprocess.needed, preprocess.crop, max_pixels)


def try_decoding(
    path: str, preprocess: Preprocess, *, max_pixels: int = MAX_PIXELS
) -> DecodedPhoto | PhotoError:
    """Return what `decode_photo` does, or the error that it raises: of many, one may fail."""
    try:
        return decode_photo(path, preprocess, max_pixels=max_pixels)
    except PhotoError as error:
        return error


def reduce_photo(path: str, area: int, *, max_pixels: int = MAX_PIXELS) -> DecodedPhoto:
    """Decode one photo into a small picture of the whole of it, as for a thumbnail.

    It is decoded and refused as by `decode_photo`, but nothing is cut off, the
    aspect stays, and colours of another RGB space are turned into sRGB.

    Parameters
    ----------
    path : str
        The file.
    area : int
        How many pixels the picture may have; a smaller photo stays as it is.
    max_pixels : int, default=MAX_PIXELS
        A photo of more pixels is skipped before any is decoded.

    Returns
    -------
    DecodedPhoto
        Pixels of shape (rows, columns, 3), uint8, of the aspect of the photo.

    Raises
    ------
    SkippedPhoto
        No plain file, too small, or too large.
    UnreadablePhoto
        It cannot be read, is no photo, or is damaged.
    """
    return _decode_whole(path, partial(_fitting_area, area), max_pixels, MIN_SIDE)


def reduce_to_side(
    path: str, side: int, *, min_side: int = MIN_SIDE, max_pixels: int = MAX_PIXELS
) -> DecodedPhoto:
    """Decode one photo into a picture of the whole of it whose longer side is limited.

    As `reduce_photo`, but it is the side that counts, and smaller photos may be taken.

    Parameters
    ----------
    path : str
        The file.
    side : int
        Pixels that the longer side may have; a smaller photo stays as it is.
    min_side : int, default=MIN_SIDE
        A photo whose shorter side has fewer pixels is skipped; 1 takes all.
    max_pixels : int, default=MAX_PIXELS
        A photo of more pixels is skipped before any is decoded.

    Returns
    -------
    DecodedPhoto
        Pixels of shape (rows, columns, 3), uint8, of the aspect of the photo.

    Raises
    ------
    SkippedPhoto
        No plain file, too small, or too large.
    UnreadablePhoto
        It cannot be read, is no photo, or is damaged.
    """
    return _decode_whole(path, partial(_fitting_side, side), max_pixels, min_side)


def _decode_whole(
    path: str, fitting: Callable[[int, int], tuple[int, int]], max_pixels: int, min_side: int
) -> DecodedPhoto:
    return _decode(path, fitting, partial(_shrink, fitting), max_pixels, min_side)


def _decode(
    path: str,
    needed: Callable[[int, int], tuple[int, int]],
    shrink: Callable[[Image.Image], NDArray[np.uint8]],
    max_pixels: int,
    min_side: int = MIN_SIDE,
) -> DecodedPhoto:
    """Decode a photo no larger than needed, shrink it, and turn it upright."""
    with explained(path), _silent_pillow(), open_photo(path) as (file, kind):
        image = _open_image(path, file, kind)
        width, height = image.size
        _refuse_size(path, width, height, max_pixels, min_side)
        image.draft("RGB", needed(width, height))
        image.load()
        orientation = _orientation(image)
        turn = _TURNS.get(orientation, _TURNS[1])
        # What is small, or a centre crop, may be turned last as well, which is cheaper.
        pixels = np.ascontiguousarray(turn(shrink(to_rgb(image))))
    return DecodedPhoto(pixels, width, height, note_of(path, kind), orientation in _ON_THEIR_SIDE)


def check_photo(path: str, *, max_pixels: int = MAX_PIXELS) -> str:
    """Look at the beginning of a photo, and refuse it for what `decode_photo` finds there.

    Parameters
    ----------
    path : str
        The file.
    max_pixels : int, default=MAX_PIXELS
        A photo of more pixels is skipped.

    Returns
    -------
    str
        Empty, or what is odd about the file.

    Raises
    ------
    SkippedPhoto
        No plain file, too small, or too large.
    UnreadablePhoto
        It cannot be read, is no photo, or its beginning is damaged.
    """
    with explained(path), _silent_pillow(), open_photo(path) as (file, kind):
        width, height = _open_image(path, file, kind).size
        _refuse_size(path, width, height, max_pixels, MIN_SIDE)
    return note_of(path, kind)


@contextmanager
def _silent_pillow() -> Iterator[None]:
    """Keep Pillow's warnings in: they name no photo, and a filter may make them errors.

    `warnings.catch_warnings` would do, but not in several threads at once.
    """
    filters = warnings.filters
    filters.insert(0, _PILLOW_WARNINGS)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        with suppress(ValueError):
            filters.remove(_PILLOW_WARNINGS)  # type: ignore[attr-defined]


def _refuse_size(path: str, width: int, height: int, max_pixels: int, min_side: int) -> None:
    if width * height > max_pixels:
        raise SkippedPhoto(
            path,
            f"{width} x {height} pixels are more than the limit of {max_pixels} (--max-pixels)",
        )
    if min(width, height) < min_side:
        raise SkippedPhoto(path, f"too small: {width} x {height} pixels, at least {min_side}")


def _open_image(path: str, file: BinaryIO, kind: str) -> Image.Image:
    module, name = _PLUGINS[kind]
    try:
        plugin = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise UnreadablePhoto(
            path, "HEIC needs an extra; type: pip install 'emotag[heic]'"
        ) from error
    image = plugin(file)
    assert isinstance(image, Image.Image)
    return image


def _orientation(image: Image.Image) -> int:
    """Return EXIF's orientation, 1 to 8; damaged EXIF counts as upright."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except (OSError, *DECODER_ERRORS):
        return 1


def _fitting_area(area: int, width: int, height: int) -> tuple[int, int]:
    """Return the size of no more than so many pixels to which a photo is reduced."""
    scale = min(1.0, (area / (width * height)) ** 0.5)
    return max(1, int(width * scale)), max(1, int(height * scale))


def _fitting_side(side: int, width: int, height: int) -> tuple[int, int]:
    """Return the size to which a photo is reduced so that its longer side fits."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _shrink(
    fitting: Callable[[int, int], tuple[int, int]], image: Image.Image
) -> NDArray[np.uint8]:
    small = image.resize(fitting(*image.size), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(to_srgb(small, image.info.get("icc_profile")))
