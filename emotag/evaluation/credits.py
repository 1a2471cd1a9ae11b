"""Who made the photos that a report shows, and what their licences ask."""

import csv
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from emotag.dataset import MANIFEST
from emotag.errors import DataError
from emotag.flickr.manifest import unmarked

__all__ = ["Credit", "credits_of"]


@dataclass(frozen=True)
class Credit:
    """Who made a photo, and what may be done with it.

    Attributes
    ----------
    title, author : str
        Of the photo.
    licence, url : str
        The licence's name, and where it stands.
    page : str
        The photo's page.
    no_derivatives : bool
        Whether it may only be shown whole and unchanged.
    non_commercial : bool
        Whether commercial use is forbidden.
    """

    title: str = ""
    author: str = ""
    licence: str = ""
    url: str = ""
    page: str = ""
    no_derivatives: bool = False
    non_commercial: bool = False


def credits_of(paths: Iterable[str], folders: Sequence[str]) -> dict[str, Credit]:
    """Return the credits of photos, as the manifests beside them say.

    Parameters
    ----------
    paths : iterable of str
        Photos.
    folders : sequence of str
        The folders of data that they are from. One without a manifest credits nobody.

    Returns
    -------
    dict of Credit
        By path; a photo of which nothing is said has none.

    Raises
    ------
    DataError
        A manifest cannot be read.

    Examples
    --------
    >>> credits_of(["photos/a.jpg"], [])
    {}
    """
    known = {path: credit for folder in folders for path, credit in _read_credits(folder).items()}
    found = {path: known.get(os.path.normpath(path)) for path in map(str, paths)}
    return {path: credit for path, credit in found.items() if credit}


def _read_credits(folder: str) -> dict[str, Credit]:
    manifest = os.path.join(folder, MANIFEST)
    if not os.path.isfile(manifest):
        return {}
    # a cell may hold more than the csv module's 128 KiB, such as a photo's tags
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with open(manifest, newline="", encoding="utf-8-sig") as file:
            rows = [{key: row[key] or "" for key in row if key} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{manifest} cannot be read: {reason}.") from error
    credit_by_path = {
        os.path.normpath(os.path.join(folder, row.get("file", ""))): _credit(row) for row in rows
    }
    return {path: credit for path, credit in credit_by_path.items() if credit != Credit()}


def _credit(row: Mapping[str, str]) -> Credit:
    text = {name: unmarked(cell) for name, cell in row.items()}
    # a manifest of Flickr's photos has the licence's number in the column licence
    number_or_name = text.get("licence", "")
    licence = text.get("licence_name", "") or ("" if number_or_name.isdigit() else number_or_name)
    return Credit(
        title=text.get("title", ""),
        author=text.get("owner_name", "") or text.get("owner", ""),
        licence=licence,
        url=text.get("licence_url", ""),
        page=text.get("page", ""),
        no_derivatives=_asks(text.get("no_derivatives", ""), licence, _NO_DERIVATIVES),
        non_commercial=_asks(text.get("non_commercial", ""), licence, _NON_COMMERCIAL),
    )


# As Creative Commons writes it, short and long, for manifests that only name the licence.
_NO_DERIVATIVES = re.compile(r"\bND\b|No ?Deriv", re.IGNORECASE)
_NON_COMMERCIAL = re.compile(r"\bNC\b|Non-?Commercial", re.IGNORECASE)


def _asks(cell: str, licence: str, clause: re.Pattern[str]) -> bool:
    """Return whether a licence asks something; a cell that makes no sense says that it does."""
    return cell.strip().lower() not in ("", "0", "false") or bool(clause.search(licence))
