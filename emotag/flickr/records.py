"""What the service says of a photo, once it has been looked at closely."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["EXTRAS", "SIZES", "Record", "parse_record"]

SIZES: dict[int, str] = {
    100: "_t",
    240: "_m",
    320: "_n",
    400: "_w",
    500: "",
    640: "_z",
    800: "_c",
    1024: "_b",
}
"""Longer side of a picture on the static server, in pixels, and what ends its name.

Larger ones have a secret of their own. (Flickr, "Photo image URLs".)
"""

_LETTERS = {100: "t", 240: "s", 320: "n", 400: "w", 500: "m", 640: "z", 800: "c", 1024: "l"}
"""By which letter `photos.search` names a size."""

EXTRAS = ",".join(
    [
        "license,owner_name,date_upload,date_taken,tags,views",
        *(f"url_{letter}" for letter in _LETTERS.values()),
    ]
)
"""What is to be said of each photo besides its title and its owner."""

# Beyond these a number is none.
_LATEST = 2**32
_MOST_VIEWS = 10**15

_NUMBER = re.compile(r"\d{1,20}", re.ASCII)
_SECRET = re.compile(r"[0-9A-Za-z]{4,40}", re.ASCII)
_OWNER = re.compile(r"[0-9A-Za-z@_-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Record:
    """A photo on Flickr.

    Attributes
    ----------
    id, server, secret : str
        Digits, digits, and letters or digits: they make its address.
    owner : str
        The id of its owner.
    licence : int
        As `photos.licenses.getInfo` numbers them.
    title, owner_name, tags : str
        As they are, tags with a space between them.
    taken : str
        ``YYYY-MM-DD HH:MM:SS`` by the camera's clock, or empty.
    uploaded : int
        Seconds since 1970; 0 where the service does not say.
    views : int or None
        How often it was looked at.
    sizes : tuple of (int, int)
        Of `SIZES`, those that there are, with the longer side that the picture is said to
        have, or 0; empty where the service does not say.
    """

    id: str
    server: str
    secret: str
    owner: str
    licence: int
    title: str = ""
    owner_name: str = ""
    tags: str = ""
    taken: str = ""
    uploaded: int = 0
    views: int | None = None
    sizes: tuple[tuple[int, int], ...] = field(default=())


def parse_record(raw: Mapping[str, Any]) -> Record | None:
    """Return what `photos.search` says of a photo, or None if it cannot be a photo's record.

    What becomes a part of a path or of an address is taken only in its known form.

    Examples
    --------
    >>> raw = {"id": "5", "server": "65535", "secret": "a1b2c3", "owner": "7@N00", "license": "4"}
    >>> parse_record(raw).licence
    4
    >>> parse_record(raw | {"id": "../5"}) is None
    True
    """
    photo, server, secret = (_text(raw, name) for name in ("id", "server", "secret"))
    owner, licence = _text(raw, "owner"), _whole(raw, "license")
    if not (_NUMBER.fullmatch(photo) and _NUMBER.fullmatch(server) and _SECRET.fullmatch(secret)):
        return None
    if not _OWNER.fullmatch(owner) or licence is None:
        return None
    return Record(
        id=photo,
        server=server,
        secret=secret,
        owner=owner,
        licence=licence,
        title=_text(raw, "title"),
        owner_name=_text(raw, "ownername"),
        tags=_text(raw, "tags"),
        taken=_text(raw, "datetaken"),
        uploaded=_below(_whole(raw, "dateupload"), _LATEST) or 0,
        views=_below(_whole(raw, "views"), _MOST_VIEWS),
        sizes=tuple(
            (size, _longer(raw, letter))
            for size, letter in _LETTERS.items()
            if raw.get(f"url_{letter}")
        ),
    )


def _below(value: int | None, limit: int) -> int | None:
    return None if value is None or value >= limit else value


def _longer(raw: Mapping[str, Any], letter: str) -> int:
    return max(_whole(raw, f"width_{letter}") or 0, _whole(raw, f"height_{letter}") or 0)


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if isinstance(value, dict):
        # as photos.getInfo writes titles
        value = value.get("_content")
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _whole(raw: Mapping[str, Any], name: str) -> int | None:
    text = _text(raw, name)
    return int(text) if _NUMBER.fullmatch(text) else None
