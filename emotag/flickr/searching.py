"""Photos found by query, page by page, where the service gives 4,000 of a query at most.

`photos.search` repeats itself after about 4,000 photos, and its totals are estimates. So the
stretch of upload dates is halved where more is wanted than came, again and again, each time
so that half of what came is in each half. Within a slice photos come by their interestingness,
the highest first; across slices that order is lost, so a level is one page of each slice that
is open, and slices are drawn from evenly.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, Protocol

from emotag.flickr.ledger import MARK, FetchLedger, Slice
from emotag.flickr.records import Record, parse_record
from emotag.flickr.request import FetchRequest

__all__ = ["DUPLICATE", "MALFORMED", "OTHER_LICENCE", "Page", "Searcher", "search_label"]

MALFORMED = "the service's record makes no sense"
OTHER_LICENCE = "a licence that was not asked for"
DUPLICATE = "came more than once"
FORGOTTEN = "forgotten"

# Where so many came of one slice, there may be more: the service gives about 4,000.
_NEARLY_ALL = 3600


class Page(Protocol):
    """A page of `photos.search`."""

    @property
    def total(self) -> int:
        """How many photos the service claims there are."""
        ...

    @property
    def pages(self) -> int:
        """How many pages the service claims there are."""
        ...

    @property
    def photos(self) -> list[dict[str, Any]]:
        """The records, as they came."""
        ...


class Searcher(Protocol):
    """Whoever asks `photos.search`."""

    def search(self, parameters: Mapping[str, str | int], page: int) -> Page:
        """Return a page of results; the first is 1."""
        ...


class _Sorted(NamedTuple):
    """What was on a page: all upload dates, the good records with ranks, the others' reasons."""

    dates: dict[str, int]
    records: list[tuple[int, Record]]
    passed: dict[str, str]
    n_doubled: int


def search_label(
    searcher: Searcher,
    ledger: FetchLedger,
    request: FetchRequest,
    label: str,
    *,
    forgotten: Collection[str] = (),
    tell: Callable[[], object] = lambda: None,
) -> None:
    """Search until as many photos of a label are found as the ledger wants, or no more are there.

    What is to be asked next follows from the ledger alone, so a search that
    was killed goes on, and ends, as one that was not.

    Parameters
    ----------
    searcher : Searcher
        Asks the service.
    ledger : FetchLedger
        Says what was asked already.
    request : FetchRequest
        What to look for.
    label : str
        One of its labels.
    forgotten : collection of str
        Ids that are never taken.
    tell : callable
        Called after each page.
    """
    while not ledger.is_exhausted(label):
        while due := ledger.due(label):
            _read_page(searcher, ledger, request, due, forgotten)
            tell()
        if ledger.found(label) >= ledger.wanted(label):
            return
        if not ledger.begin_level(label):
            _halve_full_ones(ledger, label)
            if not ledger.begin_level(label):
                ledger.exhaust(label)


def _read_page(
    searcher: Searcher,
    ledger: FetchLedger,
    request: FetchRequest,
    due: Slice,
    forgotten: Collection[str],
) -> None:
    number = due.pages + 1
    page = searcher.search(request.parameters(due.label, due.begins, due.ends), number)
    sorted_ = _sort(page.photos, due.pages * request.per_page, request.licences, forgotten)
    now, new = ledger.add_page(due, sorted_.dates, sorted_.records, sorted_.passed, page.total)
    if sorted_.n_doubled:
        ledger.pass_over(due.label, DUPLICATE, sorted_.n_doubled)
    is_last = number >= page.pages and len(page.photos) < request.per_page
    if not new or is_last:
        has_more = now.claimed > now.came or now.came >= _NEARLY_ALL
        ledger.close(now, "full" if has_more else "done")


def _halve_full_ones(ledger: FetchLedger, label: str) -> None:
    for full in ledger.full(label):
        # Totals are unreliable. But half of what came is known of a half, which is less than
        # the service gives, so a half that brings nothing new is known as a whole.
        if full.begins < full.ends and (full.parent is None or full.fresh):
            ledger.halve(full)
        else:
            ledger.close(full, "done")


def _sort(
    photos: list[dict[str, Any]], rank: int, licences: Collection[int], forgotten: Collection[str]
) -> _Sorted:
    dates: dict[str, int] = {}
    records: list[tuple[int, Record]] = []
    passed: dict[str, str] = {}
    for raw in photos:
        rank += 1
        record = parse_record(raw) if isinstance(raw, dict) else None
        reason = _objection(record, licences, forgotten)
        if record is None or record.id in forgotten:
            # of what makes no sense, and of what is forgotten, nothing is kept but a mark
            key = MARK + hashlib.sha256(repr(record.id if record else raw).encode()).hexdigest()
        else:
            key = record.id
        if key in dates:
            continue
        dates[key] = record.uploaded if record else 0
        if reason:
            passed[key] = reason
        elif record:
            records.append((rank, record))
    return _Sorted(dates, records, passed, len(photos) - len(dates))


def _objection(record: Record | None, licences: Collection[int], forgotten: Collection[str]) -> str:
    if record is None:
        return MALFORMED
    if record.licence not in licences:
        return OTHER_LICENCE
    return FORGOTTEN if record.id in forgotten else ""
