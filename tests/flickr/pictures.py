"""Photos that the tests draw: what is known of each, and its JPEG in every size."""

import io
import random
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

__all__ = ["LETTERS", "SUFFIXES", "PublicPhoto", "draw_jpeg", "draw_unavailable", "make_photos"]

SUFFIXES: dict[str, tuple[int, bool]] = {
    "s": (75, True),
    "q": (150, True),
    "t": (100, False),
    "m": (240, False),
    "n": (320, False),
    "w": (400, False),
    "": (500, False),
    "z": (640, False),
    "c": (800, False),
    "b": (1024, False),
}
"""What ends a picture's name: its longer side in pixels, and whether it is cut square.

(Flickr, "Photo image URLs".)
"""

LETTERS = {
    "sq": "s",
    "q": "q",
    "t": "t",
    "s": "m",
    "n": "n",
    "w": "w",
    "m": "",
    "z": "z",
    "c": "c",
    "l": "b",
}
"""By which letters the extras of a search (``url_m``) name what ends a picture's name."""

_CREATIVE_COMMONS = (1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16)
_2010, _2024 = 1_262_304_000, 1_704_067_200
_SHAPES = ((1024, 683), (683, 1024), (1600, 1200), (640, 640))


@dataclass(frozen=True)
class PublicPhoto:
    """A photo that the service knows.

    Attributes
    ----------
    id, secret, server, owner, owner_name, title, tags : str
        As the service gives them; tags have a space between them.
    licence : int
        As `flickr.photos.licenses.getInfo` numbers them.
    uploaded : int
        Seconds since 1970.
    taken : str
        ``YYYY-MM-DD HH:MM:SS``.
    interest : float
        The order of ``interestingness-desc``.
    width, height : int
        Of the original.
    text : str
        Other words by which it is found: its description.
    safety : int
        1 safe, 2 moderate, 3 restricted.
    content_type : int
        0 photo, 1 screenshot, 2 other, 3 virtual.
    media : str
        ``photo`` or ``video``.
    latitude, longitude : float, optional
        Where it was taken.
    picture : int, optional
        What is drawn: photos of one number look the same. By default, each its own.
    tint : tuple of int, optional
        A colour that it leans to, by which labels can be told apart.
    """

    id: str
    secret: str = "0a1b2c3d4e"
    server: str = "65535"
    owner: str = "12345678@N00"
    owner_name: str = "Someone"
    title: str = ""
    licence: int = 4
    uploaded: int = _2010
    taken: str = "2010-01-01 00:00:00"
    tags: str = ""
    interest: float = 0.0
    width: int = 1024
    height: int = 683
    text: str = ""
    safety: int = 1
    content_type: int = 0
    media: str = "photo"
    views: int = 0
    latitude: float | None = None
    longitude: float | None = None
    picture: int | None = None
    tint: tuple[int, int, int] | None = None

    def size(self, suffix: str) -> tuple[int, int] | None:
        """Return the width and height of a size, or None where the original is smaller."""
        side, is_square = SUFFIXES[suffix]
        longer = max(self.width, self.height)
        if is_square:
            return side, side
        if longer < side:
            return None
        return max(1, round(self.width * side / longer)), max(1, round(self.height * side / longer))

    def jpeg(self, suffix: str) -> bytes | None:
        """Return the JPEG of a size, or None where there is none."""
        size = self.size(suffix)
        if size is None:
            return None
        seed = zlib.crc32(self.id.encode()) if self.picture is None else self.picture
        return draw_jpeg(seed, *size, tint=self.tint)


@lru_cache(maxsize=1024)
def draw_jpeg(
    seed: int, width: int, height: int, tint: tuple[int, int, int] | None = None
) -> bytes:
    """Draw a JPEG of smooth colours: the same for each seed, and another for each.

    A grid of 8 x 8 colours makes all of the frequencies that a perceptual hash looks at.
    """
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    if tint is not None:
        pixels = (pixels // 2 + np.array(tint, dtype=np.uint8) // 2).astype(np.uint8)
    file = io.BytesIO()
    image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
    image.save(file, "JPEG", quality=80)
    return file.getvalue()


@lru_cache(maxsize=1)
def draw_unavailable() -> bytes:
    """Draw the picture that stands where a photo is gone."""
    file = io.BytesIO()
    Image.new("RGB", (500, 374), (238, 238, 238)).save(file, "PNG")
    return file.getvalue()


def make_photos(
    label: str,
    n: int,
    *,
    seed: int = 0,
    licences: tuple[int, ...] = _CREATIVE_COMMONS,
    owners: int | None = None,
    uploaded: tuple[int, int] = (_2010, _2024),
    shapes: tuple[tuple[int, int], ...] = _SHAPES,
) -> list[PublicPhoto]:
    """Make photos that a search for a label finds.

    Parameters
    ----------
    label : str
        It stands in their titles and tags, and they lean to its colour.
    n : int
        How many.
    seed : int
        Another seed makes others, with other ids.
    licences : tuple of int
        That they have in turn.
    owners : int, optional
        How many people they belong to; by default one for each three photos.
    uploaded : tuple of int
        From when to when, in seconds since 1970, both included.
    shapes : tuple of tuple of int
        Widths and heights of the originals, in turn.
    """
    number = zlib.crc32(f"{label}/{seed}".encode())
    rng = random.Random(number)
    tint = (number & 255, number >> 8 & 255, number >> 16 & 255)
    people = [
        f"{number % 10**8 + index}@N{index % 90 + 10:02d}" for index in range(owners or n // 3 + 1)
    ]
    photos = []
    for index in range(n):
        moment = rng.randint(*uploaded)
        width, height = shapes[index % len(shapes)]
        owner = rng.randrange(len(people))
        photos.append(
            PublicPhoto(
                id=str(10**10 + number * 10**6 + index),
                secret=f"{rng.getrandbits(40):010x}",
                server=str(rng.choice((65535, 7372, 4063))),
                owner=people[owner],
                owner_name=f"Person {owner} of {label}",
                title=f"{label} number {index}",
                licence=licences[index % len(licences)],
                uploaded=moment,
                taken=f"20{rng.randint(10, 23)}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)} 12:00:00",
                tags=f"{label} outdoor tag{index % 7}",
                interest=rng.random(),
                width=width,
                height=height,
                views=rng.randint(0, 10**6),
                tint=tint,
            )
        )
    return photos
