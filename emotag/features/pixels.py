"""Photos decoded once for training: their pixels, resized, on disk by the photo's content."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emotag.features.store import BlobStore, store_limit
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess
from emotag.saliency.preprocess import SalientPreprocess

__all__ = ["DEFAULT_LIMIT", "PixelCache", "ResizedPhoto", "decode_pixels", "describe_pixels"]

DEFAULT_LIMIT = 8 * 2**30
"""Bytes that the cache may take: about 30,000 photos of 256 x 342 pixels."""

Pixels = NDArray[np.uint8]

# Height and width before the pixels.
_HEADER = struct.Struct("<HH")

# Raised when the way from a photo to its pixels changes, so that old entries are not found.
_COMPUTATION_VERSION = 1

# What is further from the centre than this, in sides of the square, is hardly ever cropped.
_LONGEST = 2


class PixelCache(BlobStore):
    """Pixels by key, on disk, for several processes at once.

    Parameters
    ----------
    path : str, optional
        The file; by default that of this user.
    limit : int, optional
        Bytes it may take, by default EMOTAG_PIXEL_LIMIT in MiB, or 8 GiB;
        what was not used for longest goes first.

    Raises
    ------
    StorageError
        It cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with PixelCache(f"{folder}/pixels.sqlite") as cache:
    ...         cache.put({b"key": np.zeros((2, 3, 3), dtype=np.uint8)})
    ...         cache.get([b"key", b"other"])[b"key"].shape
    (2, 3, 3)
    """

    name = "pixel cache"
    table = "pixels"
    column = "pixels"
    version = 1

    @classmethod
    def default_limit(cls) -> int:
        """Return how many bytes it may take: EMOTAG_PIXEL_LIMIT in MiB, or 8 GiB."""
        return store_limit("EMOTAG_PIXEL_LIMIT", DEFAULT_LIMIT)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Pixels]:
        """Return the pixels that are known, by key; they must not be written to.

        Raises
        ------
        StorageError
            The file cannot be read.
        """
        return {key: _from_blob(blob) for key, blob in self.read_blobs(keys)}

    def put(self, photos: Mapping[bytes, Pixels]) -> None:
        """Keep pixels, and drop the oldest if they have become too many.

        Parameters
        ----------
        photos : mapping of bytes to ndarray of shape (height, width, 3), uint8
            By key.

        Raises
        ------
        StorageError
            They cannot be written, for example since the disk is full.
        """
        self.keep_blobs([(key, _to_blob(pixels)) for key, pixels in photos.items()])


@dataclass(frozen=True)
class ResizedPhoto(Preprocess):
    """A preprocessing that resizes and leaves the cropping to others.

    Of a preprocessing that looks at a part of the photo only, that part is resized.

    The shorter side becomes `resize`; the longer one is cut to at most twice
    that, around the centre. Where the aspect is not kept, the photo is
    squashed to a square of `resize`.

    Examples
    --------
    >>> preprocess = Preprocess(224, 256, mean=(127.5,) * 3, std=(127.5,) * 3)
    >>> resized = ResizedPhoto.of(preprocess)
    >>> resized.crop(Image.new("RGB", (640, 480))).shape
    (256, 341, 3)
    """

    source: Preprocess | None = None

    @classmethod
    def of(cls, preprocess: Preprocess) -> "ResizedPhoto":
        """Return the same preprocessing without the crop."""
        usual = {entry.name: getattr(preprocess, entry.name) for entry in fields(Preprocess)}
        return cls(**usual, source=preprocess)

    def needed(self, width: int, height: int) -> tuple[int, int]:
        """Return the smallest size to which a decoder may reduce a photo.

        Parameters
        ----------
        width, height : int
            The photo's full size in pixels.
        """
        needed = super().needed if self.source is None else self.source.needed
        return needed(width, height)

    def focus(self, image: Image.Image) -> Image.Image:
        """Return what is looked at of a photo before it is resized.

        Parameters
        ----------
        image : PIL.Image.Image
            In mode RGB.
        """
        return image if self.source is None else self.source.focus(image)

    def crop(self, image: Image.Image) -> Pixels:
        """Resize a photo.

        Parameters
        ----------
        image : PIL.Image.Image
            In mode RGB.

        Returns
        -------
        ndarray of shape (height, width, 3), uint8
            In the order R, G, B.
        """
        image = self.focus(image)
        width, height = image.size
        shorter = min(width, height)
        if not self.keep_aspect:
            across, down, size = width, height, (self.resize, self.resize)
        else:
            across, down = min(width, _LONGEST * shorter), min(height, _LONGEST * shorter)
            scale = self.resize / shorter
            size = (round(across * scale), round(down * scale))
        left, top = (width - across) / 2, (height - down) / 2
        box = (left, top, left + across, top + down)
        resampling = Image.Resampling[self.interpolation.upper()]
        resized = image.resize(size, resampling, box=box)
        return np.asarray(resized, dtype=np.uint8)


def decode_pixels(path: str, preprocess: Preprocess) -> Pixels:
    """Decode a photo as a preprocessing says.

    Raises
    ------
    PhotoError
        It cannot be decoded, or is not for tagging.
    """
    return decode_photo(path, preprocess).pixels


def describe_pixels(preprocess: Preprocess) -> str:
    """Return what pixels depend on beside the photo: part of their key.

    Examples
    --------
    >>> preprocess = Preprocess(224, 256, mean=(0,) * 3, std=(1,) * 3)
    >>> describe_pixels(preprocess)
    '["Preprocess", 1, 224, 256, "bicubic", true]'
    >>> describe_pixels(ResizedPhoto.of(preprocess))
    '["ResizedPhoto", 1, null, 256, "bicubic", true]'
    """
    cropped = not isinstance(preprocess, ResizedPhoto)
    source = preprocess.source if isinstance(preprocess, ResizedPhoto) else preprocess
    parts: list[object] = [
        type(preprocess).__name__,
        _COMPUTATION_VERSION,
        preprocess.size if cropped else None,
        preprocess.resize,
        preprocess.interpolation,
        preprocess.keep_aspect,
    ]
    if isinstance(source, SalientPreprocess):
        # of a colour to fade to, and of the network that finds what is salient, too
        parts.append(source.to_dict())
    return json.dumps(parts)


def _to_blob(pixels: Pixels) -> bytes:
    height, width, _ = pixels.shape
    return _HEADER.pack(height, width) + pixels.tobytes()


def _from_blob(blob: bytes) -> Pixels:
    height, width = _HEADER.unpack_from(blob)
    return np.frombuffer(blob, np.uint8, offset=_HEADER.size).reshape(height, width, 3)
