"""A folder and a request brought together: new, gone on with, or refused."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from emotag.errors import FetchError, StorageError
from emotag.flickr.finishing import MANIFEST
from emotag.flickr.ledger import LEDGER, FetchLedger, open_fetch_ledger
from emotag.flickr.request import FetchRequest

__all__ = ["data_folder", "filled_folder", "settle_request"]

# The fact that says that a folder is filled by a manifest, not by a request.
_LISTED = "listed"


@contextmanager
def data_folder(folder: str, *, filled_by_list: bool = False) -> Iterator[FetchLedger]:
    """Make a folder of data, or go on with one, with its ledger.

    Parameters
    ----------
    folder : str
        Missing parents are made.
    filled_by_list : bool, default=False
        Whether a manifest says what goes into it.

    Raises
    ------
    FetchError
        Someone else made what is in it, or it is filled in the other way.
    StorageError
        It cannot be made.
    """
    is_new = not os.path.exists(os.path.join(folder, LEDGER))
    if is_new and os.path.exists(os.path.join(folder, MANIFEST)) and not filled_by_list:
        raise FetchError(
            f"{folder} holds a {MANIFEST} that emotag fetch did not write, and that would be "
            "replaced; name another folder with --out."
        )
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror or error}.") from error
    with open_fetch_ledger(folder) as ledger:
        if is_new:
            ledger.keep_fact(_LISTED, filled_by_list)
        elif bool(ledger.fact(_LISTED)) != filled_by_list:
            how = "by a search" if filled_by_list else "by a list (--from)"
            raise FetchError(f"{folder} was filled {how}; name another folder with --out.")
        yield ledger


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
    ledger: FetchLedger, asked: FetchRequest, folder: str, *, update: bool = False
) -> FetchRequest:
    """Return the request by which a folder is filled from now on, and note it.

    What was asked for before stays: labels are added to it, and more photos of each.
    Photos count that were uploaded until the first run, or until the last update.

    Parameters
    ----------
    ledger : FetchLedger
        Of the folder.
    asked : FetchRequest
        What is asked for now; ``until`` may be 0 for now.
    folder : str
        For messages.
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
    settled = replace(before, queries=queries, per_label=max(before.per_label, asked.per_label))
    if update:
        ledger.look_until(before, asked.until)
        settled = replace(settled, until=asked.until)
    ledger.keep_request(settled)
    return settled
