"""Searches as the service understands them, and the records that it answers with."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.flickr.faults import HOSTILE_RECORDS, Faults
from tests.flickr.pictures import LETTERS, SUFFIXES, PublicPhoto

__all__ = ["CAP", "Archive", "describe_photo", "describe_sizes", "locate", "search"]

CAP = 4000
"""More photos of one search the service does not give. (Flickr, `flickr.photos.search`.)"""

_LABELS = {
    "s": "Square",
    "q": "Large Square",
    "t": "Thumbnail",
    "m": "Small",
    "n": "Small 320",
    "w": "Small 400",
    "": "Medium",
    "z": "Medium 640",
    "c": "Medium 800",
    "b": "Large",
}
_OLD_CONTENT_TYPES = {
    "1": {0},
    "2": {1},
    "3": {2},
    "4": {0, 1},
    "5": {1, 2},
    "6": {0, 2},
}
_LIMITING = {
    "text",
    "tags",
    "user_id",
    "license",
    "bbox",
    "min_upload_date",
    "max_upload_date",
    "min_taken_date",
    "max_taken_date",
}
_SORTS = {
    "date-posted": lambda photo: photo.uploaded,
    "date-taken": lambda photo: photo.taken,
    "interestingness": lambda photo: photo.interest,
}


class Archive:
    """The service's photos, and what was found among them before.

    Parameters
    ----------
    photos : iterable of PublicPhoto
        In any order.
    """

    def __init__(self, photos: Iterable[PublicPhoto]) -> None:
        self.photos: dict[str, PublicPhoto] = {}
        self._words: dict[str, list[str]] = {}
        self._found: dict[tuple[tuple[str, str], ...], list[PublicPhoto]] = {}
        self.add(photos)

    def add(self, photos: Iterable[PublicPhoto]) -> None:
        """Take in photos, in the place of those with the same id."""
        for photo in photos:
            self.photos[photo.id] = photo
            self._words[photo.id] = _split(f"{photo.title} {photo.tags} {photo.text}")
        self._found.clear()

    def remove(self, ids: Iterable[str]) -> None:
        """Forget photos altogether."""
        for photo in ids:
            del self.photos[photo], self._words[photo]
        self._found.clear()

    def find(self, parameters: Mapping[str, str]) -> list[PublicPhoto]:
        """Return all photos that a search finds, in its order."""
        asked = tuple(sorted((name, parameters[name]) for name in _LISTENED & set(parameters)))
        if asked not in self._found:
            found = [photo for photo in self.photos.values() if self._suits(photo, parameters)]
            self._found[asked] = self._sort(found, parameters)
        return self._found[asked]

    def _suits(self, photo: PublicPhoto, parameters: Mapping[str, str]) -> bool:
        if "text" in parameters and not self._count(photo, parameters["text"]):
            return False
        if "tags" in parameters and not _has_tags(photo, parameters):
            return False
        return _is_open(photo, parameters) and _is_within(photo, parameters)

    def _count(self, photo: PublicPhoto, text: str) -> int:
        """Return how often the words of a text are in a photo's, if all of one side of OR are."""
        words = self._words[photo.id]
        times = [
            [words.count(word) for word in _split(alternative)]
            for alternative in re.split(r"\sOR\s", text)
        ]
        return max(sum(counts) if all(counts) else 0 for counts in times)

    def _sort(self, found: list[PublicPhoto], parameters: Mapping[str, str]) -> list[PublicPhoto]:
        # without a doubt about equal ones, so that pages fit together
        found = sorted(found, key=lambda photo: photo.id)
        order = parameters.get("sort", "date-posted-desc")
        if order == "relevance":
            text = parameters.get("text", "")
            return sorted(found, key=lambda photo: -self._count(photo, text))
        name, _, direction = order.rpartition("-")
        if name not in _SORTS:
            name, direction = "date-posted", "desc"
        return sorted(found, key=_SORTS[name], reverse=direction == "desc")


_LISTENED = _LIMITING | {"tag_mode", "sort", "media", "content_types", "content_type"}


def _split(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _has_tags(photo: PublicPhoto, parameters: Mapping[str, str]) -> bool:
    wanted = [re.sub(r"\W", "", tag.lower()) for tag in parameters["tags"].split(",")]
    tags = photo.tags.lower().split()
    choose = all if parameters.get("tag_mode") == "all" else any
    return choose(tag in tags for tag in wanted)


def _is_open(photo: PublicPhoto, parameters: Mapping[str, str]) -> bool:
    """Return whether it is of the kind that is wanted, and for everyone.

    Calls in nobody's name see what is safe, whatever `safe_search` says.
    """
    if "license" in parameters and str(photo.licence) not in parameters["license"].split(","):
        return False
    if parameters.get("user_id", photo.owner) != photo.owner or photo.safety > 1:
        return False
    media = parameters.get("media", "all")
    if media not in ("all", f"{photo.media}s"):
        return False
    if "content_types" in parameters:
        return str(photo.content_type) in parameters["content_types"].split(",")
    old = _OLD_CONTENT_TYPES.get(parameters.get("content_type", ""))
    return old is None or photo.content_type in old


def _is_within(photo: PublicPhoto, parameters: Mapping[str, str]) -> bool:
    for end, sign in (("min", 1), ("max", -1)):
        limit = _moment(parameters.get(f"{end}_upload_date", ""))
        if limit is not None and (photo.uploaded - limit) * sign < 0:
            return False
        limit = _moment(parameters.get(f"{end}_taken_date", ""))
        if limit is not None and ((_moment(photo.taken) or 0) - limit) * sign < 0:
            return False
    return "bbox" not in parameters or _is_inside(photo, parameters["bbox"])


def _is_inside(photo: PublicPhoto, box: str) -> bool:
    if photo.longitude is None or photo.latitude is None:
        return False
    west, south, east, north = (float(side) for side in box.split(","))
    return west <= photo.longitude <= east and south <= photo.latitude <= north


def _moment(text: str) -> int | None:
    """Return seconds since 1970 for such a number or a MySQL datetime, or None for anything else.

    A number of four digits is a year, as in MySQL.
    """
    if not text:
        return None
    if re.fullmatch(r"\d{5,}|0", text):
        return int(text)
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y"):
        try:
            return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    return None


def search(
    archive: Archive, parameters: Mapping[str, str], faults: Faults, static_url: str, cap: int
) -> dict[str, Any] | int:
    """Return what `flickr.photos.search` answers, or the code of what is wrong."""
    if not any(parameters.get(name) for name in _LIMITING):
        return 3
    if parameters.get("tag_mode") == "all" and parameters.get("tags", "").count(",") >= 20:
        return 1
    heard = {
        name: value for name, value in parameters.items() if value and name not in faults.ignored
    }
    found = archive.find(heard)
    most = 250 if "bbox" in heard else 500
    size = min(max(_number(heard.get("per_page"), 100), 1), most)
    page = max(_number(heard.get("page"), 1), 1)
    step = max(1, size - faults.overlap)
    pages = math.ceil(max(len(found) - faults.overlap, 1) / step) if found else 0
    records = _page(found, page, size, step, cap, faults)
    extras = set(heard.get("extras", "").split(","))
    described = _add_faults(
        [_describe(photo, extras, faults, static_url) for photo in records], faults
    )
    total = len(found)
    if faults.total_factors:
        total = int(total * faults.total_factors[page % len(faults.total_factors)])
        pages = math.ceil(total / step)
        faults.injected["total"] += 1
    answer = {"page": page, "pages": pages, "perpage": size, "total": total, "photo": described}
    if faults.numbers_as_strings:
        answer |= {name: str(value) for name, value in answer.items() if isinstance(value, int)}
    return {"photos": answer}


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else otherwise


def _page(
    found: list[PublicPhoto], page: int, size: int, step: int, cap: int, faults: Faults
) -> list[PublicPhoto]:
    """Return the photos of a page; past the end or the cap, those of the last one before it."""
    within = found[:cap]
    last = max(0, math.ceil((len(within) - faults.overlap) / step) - 1)
    start = min(page - 1, last) * step
    if faults.overlap and page > 1:
        faults.injected["overlap"] += 1
    if page - 1 > last:
        faults.injected["repeated page"] += 1
    return within[start : start + size]


def _add_faults(records: list[dict[str, Any]], faults: Faults) -> list[dict[str, Any]]:
    described: list[dict[str, Any]] = []
    for number, record in enumerate(records, start=1):
        described.append(record)
        if faults.duplicates and number % faults.duplicates == 0:
            described.append(dict(record))
            faults.injected["duplicate"] += 1
        if faults.hostile and number % faults.hostile == 0:
            described.append(_make_hostile(record, faults))
    return described


def _make_hostile(record: dict[str, Any], faults: Faults) -> dict[str, Any]:
    override = HOSTILE_RECORDS[faults.injected["hostile"] % len(HOSTILE_RECORDS)]
    faults.injected["hostile"] += 1
    # an id of its own, so that the photo beside it is not mistaken for it
    hostile = record | {"id": f"99{record['id']}"} | override
    return {name: value for name, value in hostile.items() if value is not None}


def locate(photo: PublicPhoto, suffix: str, static_url: str) -> str:
    """Return the address of a picture."""
    ending = f"_{suffix}" if suffix else ""
    return f"{static_url}/{photo.server}/{photo.id}_{photo.secret}{ending}.jpg"


def _describe(
    photo: PublicPhoto, extras: set[str], faults: Faults, static_url: str
) -> dict[str, Any]:
    licence = faults.licences.get(photo.id, photo.licence)
    if photo.id in faults.licences:
        faults.injected["licence"] += 1
    record: dict[str, Any] = {
        "id": photo.id,
        "owner": photo.owner,
        "secret": photo.secret,
        "server": photo.server,
        "farm": 66,
        "title": photo.title,
        "ispublic": 1,
        "isfriend": 0,
        "isfamily": 0,
    }
    more = {
        "license": {"license": str(licence)},
        "owner_name": {"ownername": photo.owner_name},
        "date_upload": {"dateupload": str(photo.uploaded)},
        "date_taken": {
            "datetaken": photo.taken,
            "datetakengranularity": 0,
            "datetakenunknown": "0",
        },
        "tags": {"tags": photo.tags},
        "views": {"views": str(photo.views)},
        "media": {"media": photo.media, "media_status": "ready"},
        "description": {"description": {"_content": photo.text}},
        "o_dims": {"o_width": str(photo.width), "o_height": str(photo.height)},
        "geo": {"latitude": photo.latitude or 0, "longitude": photo.longitude or 0},
    }
    for name in more.keys() & extras:
        record |= more[name]
    for letter in LETTERS.keys() & {name.removeprefix("url_") for name in extras}:
        record |= _describe_size(photo, letter, static_url)
    return record


def _describe_size(photo: PublicPhoto, letter: str, static_url: str) -> dict[str, Any]:
    suffix = LETTERS[letter]
    size = photo.size(suffix)
    if size is None:
        return {}
    return {
        f"url_{letter}": locate(photo, suffix, static_url),
        f"width_{letter}": size[0],
        f"height_{letter}": size[1],
    }


def describe_photo(photo: PublicPhoto, licence: int) -> dict[str, Any]:
    """Return what `flickr.photos.getInfo` answers."""
    page = f"https://www.flickr.com/photos/{photo.owner}/{photo.id}/"
    tags = [
        {"id": f"{photo.id}-{at}", "author": photo.owner, "raw": tag, "_content": tag}
        for at, tag in enumerate(photo.tags.split())
    ]
    return {
        "photo": {
            "id": photo.id,
            "secret": photo.secret,
            "server": photo.server,
            "farm": 66,
            "dateuploaded": str(photo.uploaded),
            "isfavorite": 0,
            "license": str(licence),
            "safety_level": str(photo.safety - 1),
            "rotation": 0,
            "owner": {"nsid": photo.owner, "username": photo.owner_name, "realname": ""},
            "title": {"_content": photo.title},
            "description": {"_content": photo.text},
            "visibility": {"ispublic": 1, "isfriend": 0, "isfamily": 0},
            "dates": {
                "posted": str(photo.uploaded),
                "taken": photo.taken,
                "takengranularity": 0,
                "takenunknown": "0",
                "lastupdate": str(photo.uploaded),
            },
            "views": str(photo.views),
            "tags": {"tag": tags},
            "urls": {"url": [{"type": "photopage", "_content": page}]},
            "media": photo.media,
        }
    }


def describe_sizes(photo: PublicPhoto, static_url: str) -> dict[str, Any]:
    """Return what `flickr.photos.getSizes` answers."""
    sizes = []
    for suffix in SUFFIXES:
        size = photo.size(suffix)
        if size is not None:
            sizes.append(
                {
                    "label": _LABELS[suffix],
                    "width": size[0],
                    "height": size[1],
                    "source": locate(photo, suffix, static_url),
                    "media": photo.media,
                }
            )
    return {"sizes": {"canblog": 0, "canprint": 0, "candownload": 1, "size": sizes}}
