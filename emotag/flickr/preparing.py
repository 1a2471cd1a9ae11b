"""A folder and a request brought together: new, gone on with, or refused."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from emotag.errors import FetchError, StorageError
from emotag.flickr.attribution import ATTRIBUTION
from emotag.flickr.card import CARD
from emotag.flickr.finishing import MANIFEST
from emotag.flickr.ledger import LEDGER, FetchLedger, open_fetch_ledger
from emotag.flickr.request import FetchRequest

__all__ = ["data_folder", "filled_folder", "settle_request"]

# The fact that says that a folder is filled by a manifest, not by a request.
_LISTED = "listed"


@contextmanager
def data_folder(folder: str, listed_in: str | None = None) -> Iterator[FetchLedger]:
    """Make a folder of data, or go on with one, with its ledger.

    Parameters
    ----------
    folder : str
        Missing parents are made.
    listed_in : str, optional
        The manifest that says what goes into it; it may stand in the folder.
        By default a search does.

    Raises
    ------
    FetchError
        Someone else made what is in it, or it is filled in the other way.
    StorageError
        It cannot be made.
    """
    if not folder:
        raise FetchError("No folder is named; --out takes one, such as DATA.")
    if not os.path.exists(os.path.join(folder, LEDGER)):
        _refuse_files_of_others(folder, listed_in)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror or error}.") from error
    with open_fetch_ledger(folder) as ledger:
        is_listed = ledger.fact(_LISTED)
        if is_listed is None:
            ledger.keep_fact(_LISTED, listed_in is not None)
        elif is_listed != (listed_in is not None):
            how = "by a list (--from)" if is_listed else "by a search"
            raise FetchError(f"{folder} was filled {how}; name another folder with --out.")
        yield ledger


def _refuse_files_of_others(folder: str, listed_in: str | None) -> None:
    manifest = os.path.join(folder, MANIFEST)
    if listed_in and os.path.exists(manifest) and os.path.samefile(manifest, listed_in):
        return
    for name in (MANIFEST, ATTRIBUTION, CARD):
        if os.path.lexists(os.path.join(folder, name)):
            raise FetchError(
                f"{folder} holds a {name} that emotag fetch did not write, and that would be "
                "replaced; name another folder with --out."
            )


@contextmanager
def filled_folder(folder: str) -> Iterator[FetchLedger]:
    """Open the ledger of a folder that emotag has filled, in whatever way.

    Raises
    ------
    FetchError
        It has not.
    """
    if not os.path.isdir(folder):
        raise FetchError(f"There is no folder {folder}; name it with --out.")
    if not os.path.exists(os.path.join(folder, LEDGER)):
        raise FetchError(f"{folder} was not filled by emotag fetch; name the folder with --out.")
    with open_fetch_ledger(folder) as ledger:
        yield ledger


def settle_request(
    ledger: FetchLedger,
    asked: FetchRequest,
    folder: str,
    *,
    until_now: bool = True,
    update: bool = False,
) -> FetchRequest:
    """Return the request by which a folder is filled from now on, and note it.

    What was asked for before stays: labels are added to it, and more photos of each.
    Photos count that were uploaded until the first run, or until the last update.

    Parameters
    ----------
    ledger : FetchLedger
        Of the folder.
    asked : FetchRequest
        What is asked for now.
    folder : str
        For messages.
    until_now : bool, default=True
        Whether its last day is this one because nobody said another.
    update : bool, default=False
        Whether photos count that were uploaded since.

    Raises
    ------
    FetchError
        The folder is filled by another request.
    """
    before = ledger.request()
    if before is None:
        ledger.keep_request(asked)
        return asked
    queries = dict(before.queries)
    for label, query in asked.queries.items():
        if queries.setdefault(label, query) != query:
            raise FetchError(
                f"{folder} was filled with {label!r} searched by {before.queries[label]!r}, not "
                f"{query!r}; name another folder with --out."
            )
    if differing := before.differences(replace(asked, queries=before.queries)):
        raise FetchError(
            f"{folder} was filled by a request of another {', another '.join(differing)}; give "
            "the same options, or name another folder with --out."
        )
    if (
        asked.until != before.until
        and not until_now
        and not (update and asked.until > before.until)
    ):
        raise FetchError(
            f"{folder} was filled by photos that were uploaded until {_day(before.until)}. For "
            "later ones add --update; for earlier ones name another folder with --out."
        )
    counts = dict(before.counts)
    for label, count in asked.counts.items():
        counts[label] = max(count, counts.get(label, 0))
    settled = replace(before, queries=queries, counts=counts)
    if update:
        ledger.look_until(before, asked.until)
        settled = replace(settled, until=asked.until)
    ledger.keep_request(settled)
    return settled


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
