"""What is written once the photos are there: the manifest, the attribution, the data card."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from emotag.flickr.attribution import ATTRIBUTION, write_attribution
from emotag.flickr.card import CARD, FetchAccount, write_card
from emotag.flickr.downloading import photo_file
from emotag.flickr.ledger import Fetched, FetchLedger
from emotag.flickr.licences import Licence
from emotag.flickr.manifest import Entry, write_manifest
from emotag.flickr.records import Record
from emotag.flickr.request import FetchRequest
from emotag.flickr.selecting import Selection
from emotag.grouping import DisjointSets
from emotag.likeness import near_duplicate_groups

__all__ = [
    "MANIFEST",
    "describe_photos",
    "group_alike",
    "keep_account",
    "kept_account",
    "without_lone_groups",
    "write_all",
]

MANIFEST = "photos.csv"

_PAGE = "https://www.flickr.com/photos/{owner}/{photo}/"
_ACCOUNT = "account"


def describe_photos(
    ledger: FetchLedger,
    request: FetchRequest,
    selection: Selection,
    licences: Mapping[int, Licence],
    base: str,
) -> list[Entry]:
    """Return the rows of the manifest, label by label.

    Parameters
    ----------
    ledger : FetchLedger
        Knows the photos.
    request : FetchRequest
        By which they were found.
    selection : Selection
        The photos of the set; all of them have been fetched.
    licences : mapping of int to Licence
        Those that the records name.
    base : str
        The static server.
    """
    fetched = ledger.fetched()
    slices = ledger.slice_days()
    entries, likenesses = [], []
    for label, photos in selection.chosen.items():
        for photo in photos:
            record, picture = ledger.record(label, photo), fetched[label, photo]
            part, rank = ledger.place(label, photo)
            entry = _entry(label, record, picture, licences[record.licence], base)
            entry = replace(entry, query=request.queries[label], rank=rank, slice=slices[part])
            entries.append(entry)
            likenesses.append(picture.likeness)
    return group_alike(entries, likenesses)


def without_lone_groups(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries of which none is said to be like a photo that is not among them."""
    members = {(entry.duplicate_group, entry.id) for entry in entries}
    sizes = Counter(number for number, _ in members)
    return [
        replace(entry, duplicate_group=None) if sizes[entry.duplicate_group] == 1 else entry
        for entry in entries
    ]


def group_alike(entries: Sequence[Entry], likenesses: Sequence[int]) -> list[Entry]:
    """Say which photos look alike, and keep them and those of one owner in one group.

    Parameters
    ----------
    entries : sequence of Entry
        Photos.
    likenesses : sequence of int
        Their perceptual hashes.
    """
    alike = near_duplicate_groups(likenesses)
    members: dict[int, list[str]] = defaultdict(list)
    for entry, number in zip(entries, alike, strict=True):
        members[number].append(entry.id)
    # a photo under two labels is like itself, which goes without saying
    several = [number for number, ids in members.items() if len(set(ids)) > 1]
    numbers = {number: index for index, number in enumerate(several, 1)}
    groups = _join(
        (entry.owner, f"alike {number}") for entry, number in zip(entries, alike, strict=True)
    )
    return [
        replace(entry, duplicate_group=numbers.get(number), group=groups[entry.owner])
        for entry, number in zip(entries, alike, strict=True)
    ]


def keep_account(ledger: FetchLedger, account: FetchAccount) -> None:
    """Note how a set was collected, for when its card is written anew."""
    ledger.keep_fact(_ACCOUNT, asdict(account))


def write_all(
    folder: str, entries: Sequence[Entry], account: FetchAccount, *, with_card: bool = True
) -> None:
    """Write the manifest, the attribution and, if it is ours to write, the card.

    Raises
    ------
    StorageError
        One of them cannot be written.
    """
    # the manifest last: it is what tells others that the set is whole
    write_attribution(os.path.join(folder, ATTRIBUTION), entries)
    if with_card:
        write_card(os.path.join(folder, CARD), entries, account)
    write_manifest(os.path.join(folder, MANIFEST), entries)


def kept_account(ledger: FetchLedger) -> FetchAccount | None:
    """Return how the set was collected; None if it never was to its end."""
    said: dict[str, Any] | None = ledger.fact(_ACCOUNT)
    return None if said is None else FetchAccount(**said)


def _entry(label: str, record: Record, picture: Fetched, licence: Licence, base: str) -> Entry:
    return Entry(
        file=photo_file(label, record.id),
        label=label,
        id=record.id,
        sha256=picture.sha256,
        width=picture.width,
        height=picture.height,
        title=record.title,
        owner=record.owner,
        owner_name=record.owner_name,
        page=_PAGE.format(owner=record.owner, photo=record.id),
        url=base + picture.url,
        licence=licence.id,
        licence_name=licence.name,
        licence_version=licence.version,
        licence_url=licence.url,
        non_commercial=licence.non_commercial,
        no_derivatives=licence.no_derivatives,
        taken=record.taken,
        uploaded=_moment(record.uploaded),
        tags=record.tags,
        views=record.views,
        fetched=picture.at,
    )


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else ""


def _join(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return for each owner the first owner that he is joined with through alike photos."""
    sets, owners = DisjointSets(), []
    for owner, alike in pairs:
        owners.append(owner)
        sets.union(owner, alike)
    first: dict[str, str] = {}
    for owner in owners:
        first.setdefault(sets.find(owner), owner)
    return {owner: first[sets.find(owner)] for owner in owners}
