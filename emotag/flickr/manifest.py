"""The manifest: a row for each photo of a set, as CSV."""

import csv
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, TextIO, get_type_hints

from emotag.errors import DataError
from emotag.flickr.text import clean_text, replace_text

__all__ = ["COLUMNS", "Entry", "read_manifest", "unmarked", "write_manifest"]


@dataclass(frozen=True)
class Entry:
    """A photo of the set: a row of the manifest, its fields in the order of the columns.

    Attributes
    ----------
    file : str
        Relative to the manifest, with ``/``.
    label, id, query : str
        The label, Flickr's number of the photo, and what it was searched by.
    sha256 : str
        Of the file.
    width, height : int or None
        Of the file, in pixels.
    title, owner, owner_name : str
        The owner is an id.
    page, url : str
        The photo's page, and where the file came from.
    licence : int or None
        Flickr's number of the licence.
    licence_name, licence_version, licence_url : str
        Of the licence, as it is cited.
    non_commercial, no_derivatives : bool
        What the licence asks.
    taken, uploaded, fetched : str
        Dates: by the camera's clock, and the others as ISO 8601 in UTC.
    tags : str
        With spaces between them.
    views : int or None
        How often the photo was looked at.
    rank : int or None
        Its place by interestingness within the slice of dates that it was found in.
    slice : str
        The first and the last upload date of that slice.
    duplicate_group : int or None
        The same for photos that look alike; None for one that is like no other.
    group : str
        Photos of one group never stand on both sides of a split.
    """

    file: str
    label: str
    id: str
    query: str = ""
    sha256: str = ""
    width: int | None = None
    height: int | None = None
    title: str = ""
    owner: str = ""
    owner_name: str = ""
    page: str = ""
    url: str = ""
    licence: int | None = None
    licence_name: str = ""
    licence_version: str = ""
    licence_url: str = ""
    non_commercial: bool = False
    no_derivatives: bool = False
    taken: str = ""
    uploaded: str = ""
    tags: str = ""
    views: int | None = None
    rank: int | None = None
    slice: str = ""
    fetched: str = ""
    duplicate_group: int | None = None
    group: str = ""


COLUMNS = tuple(column.name for column in fields(Entry))
_REQUIRED = [column.name for column in fields(Entry) if column.default is MISSING]
# Readers take these as they stand, so that nothing may be put before them.
_PLAIN = ("file", "label")

# What a spreadsheet takes for a formula, also in full width and behind spaces, with any
# apostrophes before it. (OWASP, "CSV Injection".)
_FORMULA = re.compile("'*\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]")


def write_manifest(path: str, entries: Iterable[Entry]) -> None:
    """Write the manifest, as `emotag.dataset` and any reader of CSV take it.

    Text is put on one line. Text that a spreadsheet would take for a formula
    gets an apostrophe before it, which `read_manifest` takes away.

    Parameters
    ----------
    path : str
        The file to be.
    entries : iterable of Entry
        Written as they come.

    Raises
    ------
    DataError
        A file or a label begins like a formula, or would not stay on its line.
    StorageError
        It cannot be written.
    """
    with replace_text(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_cells(entry) for entry in entries)


def _cells(entry: Entry) -> list[str]:
    for name in _PLAIN:
        value = getattr(entry, name)
        if _FORMULA.match(value) or clean_text(value) != value:
            raise DataError(f"The {name} {value!r} of photo {entry.id} cannot be written.")
    return [_cell(getattr(entry, name)) for name in COLUMNS]


def _cell(value: str | int | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    text = clean_text(value)
    return f"'{text}" if _FORMULA.match(text) else text


def read_manifest(path: str) -> list[Entry]:
    """Read a manifest, also one that lacks columns or has more.

    Parameters
    ----------
    path : str
        The file. It needs the columns ``file``, ``label`` and ``id``.

    Returns
    -------
    list of Entry
        In the order of the rows.

    Raises
    ------
    DataError
        It cannot be read, or is damaged; the message names the line. A file
        that would lie elsewhere than below the manifest is refused.
    """
    # a cell may hold more than the csv module's 128 KiB, such as a photo's tags
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            entries = list(_read_entries(path, file))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path} cannot be read: {reason}.") from error
    twice = [name for name, count in Counter(entry.file for entry in entries).items() if count > 1]
    if twice:
        raise DataError(f"{path} names {twice[0]} more than once.")
    return entries


def _read_entries(path: str, file: TextIO) -> Iterator[Entry]:
    reader = csv.DictReader(file, strict=True)
    try:
        _refuse_columns(path, reader.fieldnames or ())
        for row in reader:
            yield _entry(f"{path}, line {reader.line_num}", row)
    except csv.Error as error:
        # the line may be the last of several that one cell seems to span
        raise DataError(
            f"{path}, line {reader.reader.line_num} cannot be read: {error}."
        ) from error


def _refuse_columns(path: str, names: Sequence[str]) -> None:
    if missing := [name for name in _REQUIRED if name not in names]:
        raise DataError(
            f"{path} has no column {missing[0]!r}; it has {', '.join(names) or 'none'}."
        )
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{path} has the column {twice[0]!r} twice.")


def _entry(place: str, row: Mapping[str | None, Any]) -> Entry:
    if None in row or None in row.values():
        raise DataError(f"{place}: the row has more or fewer cells than the header.")
    values: dict[str, Any] = {
        name: _value(place, name, row[name]) for name in COLUMNS if name in row
    }
    entry = Entry(**values)
    if not re.fullmatch(r"[0-9]{1,20}", entry.id):
        raise DataError(f"{place}: {entry.id!r} is not the id of a photo.")
    parts = entry.file.split("/")
    outside = any(part.startswith(".") or not part for part in parts) or ":" in parts[0]
    if outside or "\\" in entry.file or not entry.file.isprintable():
        raise DataError(f"{place}: {entry.file!r} is not a path inside the folder of the manifest.")
    if not entry.label.isprintable() or _FORMULA.match(entry.label):
        raise DataError(f"{place}: {entry.label!r} can be no label.")
    return entry


def _value(place: str, name: str, cell: str) -> str | int | bool | None:
    try:
        return _PARSERS[_TYPES[name]](cell) if name not in _PLAIN else cell
    except (ValueError, KeyError):
        raise DataError(f"{place}: {cell!r} makes no sense as {name}.") from None


def unmarked(cell: str) -> str:
    """Return a cell without the apostrophe that keeps a spreadsheet from running it.

    Examples
    --------
    >>> unmarked("'=1+1"), unmarked("'Twas")
    ('=1+1', "'Twas")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _parse_text(cell: str) -> str:
    return clean_text(unmarked(cell))


def _parse_number(cell: str) -> int | None:
    if cell and not re.fullmatch(r"[0-9]{1,18}", cell):
        raise ValueError
    return int(cell) if cell else None


def _parse_truth(cell: str) -> bool:
    return {"": False, "0": False, "false": False, "1": True, "true": True}[cell.lower()]


_TYPES = get_type_hints(Entry)
_PARSERS: dict[object, Callable[[str], str | int | bool | None]] = {
    str: _parse_text,
    int | None: _parse_number,
    bool: _parse_truth,
}
