"""One picture from the static server: asked for, looked at, and put in its place whole."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from emotag.errors import FetchError, PhotoError, StorageError
from emotag.flickr.ledger import Fetched
from emotag.flickr.records import SIZES, Record
from emotag.flickr.session import PatientSession
from emotag.likeness import perceptual_hash
from emotag.photos.decoding import DecodedPhoto, reduce_photo
from emotag.storage import replace_file

__all__ = [
    "STATIC_URL",
    "Address",
    "Downloader",
    "Unavailable",
    "addresses",
    "parse_address",
    "photo_file",
]

STATIC_URL = "https://live.staticflickr.com"
"""Where the service keeps pictures. (Flickr, "Photo image URLs".)"""

_TRIES = 3
_REDIRECTS = 3

# The picture is looked at through a copy of so many pixels.
_GLANCE = 128 * 128

# A picture whose longer side is off by more is another one than was meant.
_LEEWAY = 0.1

_JPEG = b"\xff\xd8\xff"
_UNAVAILABLE = re.compile(r"photo_unavailable|unavailable\.(png|gif|jpg)", re.IGNORECASE)
_ADDRESS = re.compile(r"/(\d{1,20})/(\d{1,20})_([0-9A-Za-z]{4,40})(_[a-z])?\.jpg", re.ASCII)


class Unavailable(Exception):
    """The picture is gone: deleted, or made private."""


class Address(NamedTuple):
    """Where a picture is, without the server, and its longer side if that is known, or 0."""

    path: str
    longer: int = 0


def addresses(record: Record, size: int) -> list[Address]:
    """Return the addresses of a photo, the best first.

    The smallest size that covers `size`, then the next smaller ones.

    Examples
    --------
    >>> photo = Record("5", "65535", "a1b2c3", "7@N00", 4, sizes=((320, 320), (500, 500)))
    >>> [path for path, _ in addresses(photo, 400)]
    ['/65535/5_a1b2c3.jpg', '/65535/5_a1b2c3_n.jpg']
    """
    there = dict(record.sizes) or dict.fromkeys(SIZES, 0)
    covering = sorted(side for side in there if side >= size)[:1]
    smaller = sorted((side for side in there if side < size), reverse=True)
    return [
        Address(f"/{record.server}/{record.id}_{record.secret}{SIZES[side]}.jpg", there[side])
        for side in [*covering, *smaller]
    ]


def parse_address(url: str) -> str | None:
    """Return the address of a picture without the server; None if it can be none.

    Examples
    --------
    >>> parse_address("https://live.staticflickr.com/65535/5_a1b2c3_z.jpg")
    '/65535/5_a1b2c3_z.jpg'
    >>> parse_address("file:///etc/passwd") is None
    True
    """
    try:
        path = urlsplit(url).path
    except ValueError:
        return None
    return path if _ADDRESS.fullmatch(path) else None


def photo_file(label: str, photo: str) -> str:
    """Return where a photo stands within the folder of the data."""
    return f"{label}/{photo}.jpg"


@dataclass(frozen=True)
class Downloader:
    """Fetches pictures; may be called from several threads.

    Attributes
    ----------
    session : PatientSession
        Patient: it tries again what may go better.
    base : str
        The static server, up to ``/{server}/…``.
    folder : str
        Of the data.
    """

    session: PatientSession
    base: str
    folder: str

    def __call__(self, places: Sequence[Address], file: str) -> Fetched:
        """Fetch the first of several addresses that there is.

        Parameters
        ----------
        places : sequence of Address
            The best first.
        file : str
            Where it goes, within the folder.

        Raises
        ------
        Unavailable
            It is gone.
        FetchError
            It could not be fetched this time.
        StorageError
            It cannot be written.
        """
        for place in places:
            try:
                return self._fetch(place, file)
            except Unavailable:
                continue
        raise Unavailable("deleted, or not public any more")

    def _fetch(self, place: Address, file: str) -> Fetched:
        for tried in range(1, _TRIES + 1):
            content = self._ask(place.path)
            try:
                return self._keep(content, place, file)
            except PhotoError as error:
                if tried == _TRIES:
                    raise FetchError(f"what came is no sound picture: {error.reason}") from error
        raise AssertionError

    def _ask(self, path: str) -> bytes:
        url = self.base + path
        for _ in range(_REDIRECTS):
            answer = self.session.get(url, allow_redirects=False)
            if answer.status_code == 200:
                return answer.content
            if answer.status_code in (404, 410):
                raise Unavailable("deleted, or not public any more")
            if not 300 <= answer.status_code < 400:
                raise FetchError(f"the server answers {answer.status_code}")
            url = _follow(url, answer.headers.get("Location", ""))
        raise FetchError("the server sends from one address to the next")

    def _keep(self, content: bytes, place: Address, file: str) -> Fetched:
        if not content.startswith(_JPEG):
            raise PhotoError(file, "it is no JPEG" if content else "it is empty")
        target = os.path.join(self.folder, *file.split("/"))
        _make_folder(os.path.dirname(target))
        with replace_file(target) as written:
            written.write(content)
            written.flush()
            photo = reduce_photo(written.name, _GLANCE)
            _refuse_other_size(photo, place.longer, file)
        return Fetched(
            url=place.path,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            width=photo.width,
            height=photo.height,
            likeness=perceptual_hash(photo.pixels),
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror or error}.") from error


def _refuse_other_size(photo: DecodedPhoto, said: int, file: str) -> None:
    longer = max(photo.width, photo.height)
    if said and abs(longer - said) > _LEEWAY * said:
        raise PhotoError(file, f"it is {longer} pixels long and not {said}")


def _follow(url: str, location: str) -> str:
    """Return where a redirect leads, if that is another address of the same server."""
    if _UNAVAILABLE.search(location):
        raise Unavailable("deleted, or not public any more")
    try:
        target = urljoin(url, location)
        here, there = urlsplit(url), urlsplit(target)
    except ValueError:
        raise FetchError(f"the server sends on to {location!r}, which is no address") from None
    if (here.scheme, here.netloc) != (there.scheme, there.netloc) or not location:
        raise FetchError(f"the server sends on to {location!r}, where it is not followed")
    return target
