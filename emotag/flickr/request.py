"""What is to be collected: labels and their queries, licences, dates, size."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Self

from emotag.emotions import FIVE
from emotag.errors import DataError, unknown_name
from emotag.flickr.records import EXTRAS, SIZES

__all__ = [
    "FIRST_UPLOAD",
    "OVERLAPS",
    "SAFE_SEARCHES",
    "FetchRequest",
    "check_label",
    "choose_queries",
    "parse_day",
    "read_queries",
]

FIRST_UPLOAD = int(datetime(2004, 2, 1, tzinfo=UTC).timestamp())
"""Flickr opened in February 2004."""

OVERLAPS = ("drop", "first", "keep")
SAFE_SEARCHES = {"safe": 1, "moderate": 2, "restricted": 3}

PER_PAGE = 500
_PER_PAGE_BY_PLACE = 250
"""As many `photos.search` gives at most, the second where a place is asked for."""

# The paper's queries are the emotions' names, but for one.
_QUERIES = {"sadness": "sad"}

_LONGEST = 64
# What else stands beside the folders of the labels.
_RESERVED = {"photos.csv", "attribution.md", "readme.md", "fetch.sqlite", "forgotten.txt"}
# What Windows takes for devices.
_DEVICES = {"con", "prn", "aux", "nul"}

# What may be another the next time without making the data another set.
_FREE = ("until", "counts")


@dataclass(frozen=True)
class FetchRequest:
    """What to collect; the same request finds the same photos.

    Attributes
    ----------
    queries : dict of str to str
        What each label is searched by, in the order of the labels.
    licences : tuple of int
        By the numbers of the service.
    counts : dict of str to int
        How many photos of each label there shall be.
    size : int
        The longer side that a picture shall cover, in pixels; one of `SIZES`.
    since, until : int
        Uploaded between these, in seconds since 1970, both included.
    by_tags : bool
        Whether queries are tags, with commas between them, of which one must be there.
    bbox : str
        Where photos were taken: ``west,south,east,north`` in degrees; empty for anywhere.
    safe_search : str
        One of `SAFE_SEARCHES`.
    taken_since, taken_until : str
        Taken between these days, ``YYYY-MM-DD``; empty for ever.
    per_owner : int
        At most so many photos of one owner.
    overlap : {'drop', 'first', 'keep'}
        What becomes of a photo that is found under two labels.
    """

    queries: Mapping[str, str]
    licences: tuple[int, ...]
    counts: Mapping[str, int]
    size: int = 500
    since: int = FIRST_UPLOAD
    until: int = 0
    by_tags: bool = False
    bbox: str = ""
    safe_search: str = "safe"
    taken_since: str = ""
    taken_until: str = ""
    per_owner: int = 20
    overlap: str = "drop"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("overlap", self.overlap, OVERLAPS),
            ("safe search", self.safe_search, SAFE_SEARCHES),
        ):
            if value not in choices:
                raise DataError(unknown_name(name, value, choices))
        if self.size not in SIZES:
            raise DataError(f"There is no size {self.size}; choose from {_listed(SIZES)}.")
        if self.until < self.since:
            raise DataError("The first day of upload is after the last one.")
        taken = [parse_day(day) for day in (self.taken_since, self.taken_until) if day]
        if taken != sorted(taken):
            raise DataError("The first day of taking is after the last one.")
        if self.bbox:
            _check_bbox(self.bbox)

    @property
    def per_page(self) -> int:
        """How many photos a page of results has."""
        return _PER_PAGE_BY_PLACE if self.bbox else PER_PAGE

    def parameters(self, label: str, begins: int, ends: int) -> dict[str, str | int]:
        """Return what to ask `photos.search` for, of the photos uploaded in some time."""
        said: dict[str, str | int] = {
            "license": ",".join(map(str, self.licences)),
            "sort": "interestingness-desc",
            "media": "photos",
            "content_types": "0",
            "safe_search": SAFE_SEARCHES[self.safe_search],
            "min_upload_date": begins,
            "max_upload_date": ends,
            "extras": EXTRAS,
            "per_page": self.per_page,
        }
        if self.by_tags:
            said |= {"tags": self.queries[label], "tag_mode": "any"}
        else:
            said["text"] = self.queries[label]
        if self.bbox:
            said["bbox"] = self.bbox
        if self.taken_since:
            said["min_taken_date"] = self.taken_since
        if self.taken_until:
            said["max_taken_date"] = f"{self.taken_until} 23:59:59"
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self) | {"licences": list(self.licences)}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Self:
        """Return what `to_dict` gave."""
        return cls(**{**said, "licences": tuple(said["licences"])})

    def differences(self, other: "FetchRequest") -> list[str]:
        """Return in what two requests differ so that they cannot fill one folder."""
        return [
            field.name.replace("_", " ")
            for field in fields(self)
            if field.name not in _FREE and getattr(self, field.name) != getattr(other, field.name)
        ]


def choose_queries(
    labels: Sequence[str], mapped: Iterable[str] = (), read: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return what each label is searched by.

    Parameters
    ----------
    labels : sequence of str
        Empty for those of `read` and `mapped`, or else for the five of the paper.
    mapped : iterable of str
        ``LABEL=QUERY`` each; they come before what was read.
    read : mapping, optional
        Queries by label, from a file.

    Raises
    ------
    DataError
        A label is doubled or can be no folder, or a query belongs to no label.

    Examples
    --------
    >>> choose_queries(["fear", "sadness"], ["fear=fear OR scary"])
    {'fear': 'fear OR scary', 'sadness': 'sad'}
    """
    own = dict(read or {})
    for text in mapped:
        label, equals, query = text.partition("=")
        if not (equals and label.strip() and query.strip()):
            raise DataError(
                f"--query takes LABEL=QUERY, such as fear='fear OR scary', not {text!r}."
            )
        own[label.strip()] = query.strip()
    names = list(labels) or list(own) or list(FIVE.names)
    if strays := [label for label in own if label not in names]:
        raise DataError(unknown_name("label of a query", strays[0], names))
    for name in names:
        check_label(name)
    if doubled := [name for name in names if names.count(name) > 1]:
        raise DataError(f"The label {doubled[0]!r} was given twice.")
    folded = {name.casefold() for name in names}
    if len(folded) < len(names):
        raise DataError("Two labels differ in capitals only; on many disks they are one folder.")
    return {name: own.get(name) or _QUERIES.get(name, name) for name in names}


def read_queries(path: str) -> dict[str, str]:
    """Read a TOML file of queries by label.

    Raises
    ------
    DataError
        It cannot be read, or holds something else; the message shows how it should look.
    """
    try:
        with open(path, "rb") as file:
            said = tomllib.load(file)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no TOML: {error}.") from error
    table = said.get("queries", said)
    if not isinstance(table, dict) or not table:
        raise DataError(f'{path} holds no queries; a line is: fear = "fear OR scary"')
    for label, query in table.items():
        if not isinstance(query, str) or not query.strip():
            raise DataError(f'{path}: the query of {label!r} is no text; write {label} = "…"')
    return {label: query.strip() for label, query in table.items()}


def parse_day(text: str, *, end: bool = False) -> int:
    """Return the first second of a day in UTC, or its last one, since 1970.

    Examples
    --------
    >>> parse_day("1970-01-02"), parse_day("1970-01-02", end=True)
    (86400, 172799)
    """
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError  # noqa: TRY301
        day = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise DataError(f"{text!r} is no day; write it as 2024-12-31.") from None
    return int(day.timestamp()) + (86_399 if end else 0)


def check_label(name: str) -> None:
    """Refuse a label that can be no folder.

    Raises
    ------
    DataError
        The message says what a label may be.
    """
    if name.casefold() in _RESERVED:
        raise DataError(f"{name!r} can be no label: a file of that name stands beside the folders.")
    if not _can_be_folder(name):
        raise DataError(
            f"{name!r} can be no label: it becomes a folder, so it takes letters, digits, spaces, "
            "dots, - and _, begins with a letter or a digit, and ends with none of space and dot."
        )


def _can_be_folder(name: str) -> bool:
    """Return whether every system takes a name for a folder, and no spreadsheet for a formula."""
    # letters, marks and digits of any script
    kinds = [unicodedata.category(letter)[0] for letter in name]
    is_plain = all(
        kind in "LMN" or letter in " .-_" for kind, letter in zip(kinds, name, strict=True)
    )
    begins_and_ends = bool(kinds) and kinds[0] in "LN" and name[-1] not in " ."
    is_device = name.casefold().partition(".")[0] in _DEVICES
    return is_plain and begins_and_ends and not is_device and len(name) <= _LONGEST


def _check_bbox(text: str) -> None:
    try:
        west, south, east, north = map(float, text.split(","))
    except ValueError:
        west, south, east, north = 1.0, 0.0, 0.0, 0.0
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise DataError(f"--bbox takes WEST,SOUTH,EAST,NORTH in degrees, not {text!r}.")


def _listed(sizes: Iterable[int]) -> str:
    return ", ".join(map(str, sizes))
