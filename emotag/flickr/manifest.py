"""What is written beside the photos: the manifest, the attribution, the data card."""

import csv
import io
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TextIO, get_type_hints
from urllib.parse import quote

from emotag.errors import DataError
from emotag.pages.escaping import visible
from emotag.storage import replace_file

__all__ = [
    "ATTRIBUTION",
    "CARD",
    "COLUMNS",
    "Entry",
    "FetchAccount",
    "clean_text",
    "read_manifest",
    "write_attribution",
    "write_card",
    "write_manifest",
]

ATTRIBUTION = "ATTRIBUTION.md"
CARD = "README.md"


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

# Control characters, halves of characters, separators of lines and paragraphs.
_BREAKING = {"Cc", "Cs", "Zl", "Zp"}


def clean_text(text: str) -> str:
    r"""Return text on one line: a space stands for whatever would break it.

    Examples
    --------
    >>> clean_text("two\r\nlines")
    'two  lines'
    """
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(mark) in _BREAKING else mark for mark in text)


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
    with _replace_text(path) as file:
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


def _parse_text(cell: str) -> str:
    marked = cell.startswith("'") and _FORMULA.match(cell)
    return clean_text(cell[1:] if marked else cell)


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


def write_attribution(path: str, entries: Iterable[Entry]) -> None:
    """Write who made each photo and under which licence, as Creative Commons asks.

    Title, author, source and licence of each, by label. Nothing in a title or
    in a name is taken for Markdown or HTML, and what would change the
    direction of writing is shown, not done.

    Parameters
    ----------
    path : str
        The file to be.
    entries : iterable of Entry
        The photos.

    Raises
    ------
    StorageError
        It cannot be written.

    References
    ----------
    Creative Commons, "Recommended practices for attribution".
    """
    by_label: dict[str, list[Entry]] = {}
    for entry in entries:
        by_label.setdefault(entry.label, []).append(entry)
    with _replace_text(path) as file:
        file.write(_ATTRIBUTION_HEAD)
        for label, photos in by_label.items():
            file.write(f"\n## {_escape(label) or 'Without a label'}\n\n")
            file.writelines(f"- {_attribute(photo)}\n" for photo in photos)


_ATTRIBUTION_HEAD = """# Attribution

Every photo here was made by someone who allows its use under a licence. Whoever
shows or passes on a photo names its title, its author, its source and its
licence, as they stand here, and says if it was changed. The files are as Flickr
scaled them, and otherwise unchanged. What a licence asks beyond that is said
behind it.
"""


def _attribute(photo: Entry) -> str:
    title = _link(photo.title.strip() or "Untitled", photo.page)
    people = f"https://www.flickr.com/people/{quote(photo.owner, safe='@')}/"
    author = _link(
        photo.owner_name.strip() or photo.owner or "unknown", people if photo.owner else ""
    )
    licence = _link(photo.licence_name or "no licence is known", photo.licence_url)
    asked = [
        text
        for text, applies in (
            ("no commercial use", photo.non_commercial),
            ("changed versions may not be shared", photo.no_derivatives),
        )
        if applies
    ]
    limits = f" ({'; '.join(asked)})" if asked else ""
    return f"“{title}” by {author}, {licence}{limits}. File: {_escape(photo.file)}"


@dataclass(frozen=True)
class FetchAccount:
    """How a set of photos was collected.

    Attributes
    ----------
    command : str
        What was typed, without anything that is secret.
    version : str
        Of emotag.
    began, ended : str
        When, as ISO 8601 in UTC.
    queries : mapping of str to str
        What each label was searched by, in the order of the labels.
    wanted : int
        How many photos of each label were asked for.
    found : mapping of str to int
        How many photos the service gave for each label.
    passed : mapping of str to int
        How many photos were found and left out, by reason.
    """

    command: str
    version: str
    began: str
    ended: str
    queries: Mapping[str, str]
    wanted: int
    found: Mapping[str, int] = field(default_factory=dict)
    passed: Mapping[str, int] = field(default_factory=dict)


def write_card(path: str, entries: Sequence[Entry], account: FetchAccount) -> None:
    """Write what a stranger must know of the set before using it.

    Parameters
    ----------
    path : str
        The file to be.
    entries : sequence of Entry
        The photos.
    account : FetchAccount
        How they were collected.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    parts = [
        f"# {len(entries):,} photos from Flickr, by emotion",
        f"Collected by emotag {_escape(account.version)} from {_escape(account.began)} to "
        f"{_escape(account.ended)}. `photos.csv` says of each photo what is known of it, "
        f"`{ATTRIBUTION}` who made it.",
        _code(account.command),
        _labels_section(entries, account),
        _licences_section(entries),
        _likeness_section(entries),
        _passed_section(account),
        _CAVEATS,
        _USE,
    ]
    with _replace_text(path) as file:
        file.write("\n\n".join(parts) + "\n")


_CAVEATS = """## What to know before using it

- **Labels are queries.** A photo is here because its title, tags or description
  matched. No person looked whether it shows the emotion, and many will not.
- **It is a sample of Flickr,** most interesting first by Flickr's own measure, and
  no sample of photos or of people. Ranks hold within a slice of upload dates only.
- **Licences change.** Each was as `photos.csv` says when the photo was fetched. An
  author may have changed it since, which does not take back what was allowed
  before, or may never have had the right to give it: a licence is the word of
  whoever uploaded the photo.
- **There are people on the photos.** A licence settles the author's rights and
  not theirs. Do not identify them, and do not judge them by a label.
- **An author may ask for a photo to go:** `emotag fetch --forget ID` removes it
  everywhere and keeps it out.
- **Cells that begin like a formula** have an apostrophe before them in `photos.csv`,
  so that no spreadsheet runs them."""

_USE = """## How to use it

```console
$ emotag fit .                       # learn from it; the split goes by the column group
$ emotag fetch --from photos.csv     # fetch the same photos elsewhere
```

Publish the list rather than the photos: whoever fetches them anew gets only
what is still offered."""


def _labels_section(entries: Sequence[Entry], account: FetchAccount) -> str:
    photos = Counter(entry.label for entry in entries)
    owners = Counter(label for label, _ in {(entry.label, entry.owner) for entry in entries})
    rows = [
        [
            _escape(label),
            _escape(account.queries.get(label, "")),
            f"{account.found.get(label, 0):,}",
            f"{photos[label]:,}",
            f"{owners[label]:,}",
        ]
        for label in dict.fromkeys([*account.queries, *photos])
    ]
    lacking = [label for label in account.queries if photos[label] < account.wanted]
    note = f"{account.wanted:,} photos of each label were asked for"
    note += f"; fewer were to be had of {_escape(', '.join(lacking))}." if lacking else "."
    table = _table(["label", "query", "found", "photos", "owners"], rows)
    return f"## Labels\n\n{note}\n\n{table}"


def _licences_section(entries: Sequence[Entry]) -> str:
    counts = Counter(
        (entry.licence_name, entry.non_commercial, entry.no_derivatives) for entry in entries
    )
    rows = [
        [
            _escape(name) or "not known",
            f"{count:,}",
            "no" if non_commercial else "yes",
            "no" if no_derivatives else "yes",
        ]
        for (name, non_commercial, no_derivatives), count in sorted(counts.items())
    ]
    no_commerce = sum(entry.non_commercial for entry in entries)
    no_changes = sum(entry.no_derivatives for entry in entries)
    table = _table(["licence", "photos", "commercial use", "changed versions"], rows)
    return (
        f"## Licences\n\n{no_commerce:,} photos may not be used commercially, and of "
        f"{no_changes:,} no changed version may be shared, which a crop may be. The columns "
        f"`non_commercial` and `no_derivatives` tell them apart.\n\n{table}"
    )


def _likeness_section(entries: Sequence[Entry]) -> str:
    alike = [entry for entry in entries if entry.duplicate_group is not None]
    groups: dict[int | None, set[str]] = {}
    for entry in alike:
        groups.setdefault(entry.duplicate_group, set()).add(entry.label)
    across = sum(len(labels) > 1 for labels in groups.values())
    return (
        f"## Near-duplicates\n\n{len(alike):,} photos look like another one, in {len(groups):,} "
        f"groups by perceptual hash, {across:,} of them with more than one label. They are "
        "kept, and the column `duplicate_group` tells which belong together."
    )


def _passed_section(account: FetchAccount) -> str:
    if not account.passed:
        return "## Left out\n\nNo photo that was found was left out."
    ordered = sorted(account.passed.items(), key=lambda item: (-item[1], item[0]))
    rows = [[_escape(reason), f"{count:,}"] for reason, count in ordered]
    return f"## Left out\n\n{_table(['reason', 'photos'], rows)}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# What begins something else than text in CommonMark, or on the sites that show it, in the middle
# of a line: among them formulas ($), pictures (:smile:) and addresses.
_MARKUP = re.compile(r"[\\`*_{}\[\]~|$]|:(?=//|[a-z+][\w+-]*:)|(?<=www)\.", re.IGNORECASE)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    shown = visible(" ".join(clean_text(text).split()))
    return _MARKUP.sub(r"\\\g<0>", shown).translate(_ENTITIES)


def _link(text: str, url: str) -> str:
    if not re.fullmatch(r"https?://[!-~]+", url):
        return _escape(text)
    address = quote(url, safe=":/?#@!$&'+,;=%").replace("&", "&amp;")
    return f"[{_escape(text)}]({address})"


def _code(text: str) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}console\n$ {visible(clean_text(text))}\n{fence}"


@contextmanager
def _replace_text(path: str) -> Iterator[TextIO]:
    with replace_file(path) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            # closing it would close the other before that is safe on the disk
            text.detach()
