"""The set of a manifest, fetched once more elsewhere."""

import hashlib
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from emotag.errors import DataError
from emotag.flickr.collecting import Task, Watcher, fetch_all
from emotag.flickr.downloading import Address, Downloader, parse_address, photo_file
from emotag.flickr.forgetting import parse_photo_id
from emotag.flickr.manifest import Entry
from emotag.flickr.request import check_label

__all__ = ["Again", "fetch_again"]


@dataclass
class Again:
    """What became of the photos of a manifest.

    Attributes
    ----------
    entries : list of Entry
        Those that are there now, in the manifest's order.
    changed : list of str
        Files that are not what they were, by the manifest's checksum.
    gone, failed : list of tuple of str
        Files that are not to be had, and those that could not be fetched this time, with why.
    """

    entries: list[Entry] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def fetch_again(
    entries: Sequence[Entry],
    downloader: Downloader,
    watcher: Watcher,
    *,
    forgotten: Collection[str] = (),
    threads: int = 8,
) -> Again:
    """Fetch what a manifest lists, but for what is there already with the right checksum.

    Parameters
    ----------
    entries : sequence of Entry
        Of the manifest.
    downloader : Downloader
        Fetches, into the folder that is to be filled.
    watcher : Watcher
        Is told how far it is.
    forgotten : collection of str
        Ids that are left out.
    threads : int, default=8
        That fetch.

    Raises
    ------
    DataError
        A row names no photo of Flickr.
    """
    rows = {_key(entry): entry for entry in entries if entry.id not in forgotten}
    again = Again(gone=[(e.file, "forgotten") for e in entries if e.id in forgotten])
    there = {key for key, entry in rows.items() if _is_there(downloader.folder, entry)}
    labels = {entry.label: 0 for entry in rows.values()}
    for label in labels:
        wanted = sum(key[0] == label for key in rows)
        watcher.planned(label, wanted, sum(key[0] == label for key in there))
    tasks = [Task(*key, [_address(entry)]) for key, entry in rows.items() if key not in there]
    for outcome in fetch_all(downloader, tasks, threads=threads):
        label, photo, _ = outcome.task
        entry = rows[label, photo]
        watcher.came(outcome)
        if outcome.fetched is None:
            (again.gone if outcome.state == "gone" else again.failed).append(
                (entry.file, outcome.reason)
            )
            del rows[label, photo]
            continue
        if entry.sha256 and outcome.fetched.sha256 != entry.sha256:
            again.changed.append(entry.file)
        rows[label, photo] = replace(
            entry,
            sha256=outcome.fetched.sha256,
            width=outcome.fetched.width,
            height=outcome.fetched.height,
            fetched=outcome.fetched.at,
        )
    again.entries.extend(rows.values())
    return again


def _key(entry: Entry) -> tuple[str, str]:
    """Return label and id, which make the file's name; whatever the manifest says of that."""
    check_label(entry.label)
    photo = parse_photo_id(entry.id)
    if entry.file != photo_file(entry.label, photo):
        raise DataError(
            f"The manifest lists {entry.file!r} for the photo {photo} of {entry.label!r}; "
            f"emotag fetch writes it as {photo_file(entry.label, photo)}."
        )
    return entry.label, photo


def _address(entry: Entry) -> Address:
    address = parse_address(entry.url)
    if address is None or f"/{entry.id}_" not in address:
        raise DataError(
            f"The manifest gives {entry.url!r} as the address of the photo {entry.id}, which is "
            "no picture of Flickr's."
        )
    return Address(address)


def _is_there(folder: str, entry: Entry) -> bool:
    try:
        with open(os.path.join(folder, *entry.file.split("/")), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except OSError:
        return False
