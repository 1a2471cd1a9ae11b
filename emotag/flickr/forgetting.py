"""Photos that their authors want gone: removed everywhere, and kept out for good."""

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

from emotag.errors import DataError
from emotag.flickr.downloading import photo_file
from emotag.flickr.finishing import MANIFEST, kept_account, without_lone_groups, write_all
from emotag.flickr.ledger import FetchLedger
from emotag.flickr.manifest import read_manifest
from emotag.storage import remove_partials, replace_file

__all__ = ["FORGOTTEN", "forget_photos", "keep_out", "parse_photo_id", "read_forgotten"]

FORGOTTEN = "forgotten.txt"
"""The file, in the folder of the data, of the ids that are never fetched again."""

_ID = re.compile(r"\d{1,20}", re.ASCII)
_PAGE = re.compile(
    r"(?:https?://)?(?:www\.|m\.)?flickr\.com/photos/[^/\s]+/(\d{1,20})(?:[/?#].*)?", re.ASCII
)


def parse_photo_id(text: str) -> str:
    """Return the id of a photo that is named by it, or by the address of its page.

    Raises
    ------
    DataError
        It is neither.

    Examples
    --------
    >>> parse_photo_id("https://www.flickr.com/photos/ann/53000000001/in/album-1/")
    '53000000001'
    """
    text = text.strip()
    page = _PAGE.fullmatch(text)
    if page:
        return page[1]
    if _ID.fullmatch(text):
        return text
    raise DataError(
        f"{text!r} names no photo of Flickr; give the number in its address, or the address of "
        "its page."
    )


def read_forgotten(folder: str) -> set[str]:
    """Return the ids that are never to be fetched into a folder."""
    try:
        with open(os.path.join(folder, FORGOTTEN), encoding="utf-8-sig") as file:
            return {line.strip() for line in file if _ID.fullmatch(line.strip())}
    except FileNotFoundError:
        return set()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{os.path.join(folder, FORGOTTEN)} cannot be read: {error}.") from error


def forget_photos(folder: str, ledger: FetchLedger, photos: Sequence[str]) -> list[str]:
    """Remove photos and all that is known of them, and keep them out for good.

    Parameters
    ----------
    folder : str
        Of the data.
    ledger : FetchLedger
        Of that folder.
    photos : sequence of str
        Their ids.

    Returns
    -------
    list of str
        The files that were removed, within the folder.

    Raises
    ------
    StorageError, DataError
        Something there cannot be read or written. What is to be kept out is
        noted first, so that the same command goes on from there.
    """
    gone = set(photos)
    _note(folder, read_forgotten(folder) | gone)
    labels = [entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    for label in labels:
        remove_partials(os.path.join(folder, label))
    removed = [file for file in _files(labels, gone) if _remove(folder, file)]
    for photo in gone:
        ledger.erase(photo)
    manifest = os.path.join(folder, MANIFEST)
    entries = read_manifest(manifest) if os.path.exists(manifest) else []
    account = kept_account(ledger)
    left = [entry for entry in entries if entry.id not in gone]
    if account is not None and len(left) < len(entries):
        write_all(folder, without_lone_groups(left), account)
    return removed


def keep_out(folder: str, ledger: FetchLedger) -> set[str]:
    """Make sure that no forgotten photo is in a folder, and return their ids.

    A forgetting may have been killed, or the list come from elsewhere.
    """
    forgotten = read_forgotten(folder)
    if left := [photo for photo in sorted(forgotten) if ledger.knows(photo)]:
        forget_photos(folder, ledger, left)
    return forgotten


def _note(folder: str, photos: Iterable[str]) -> None:
    with replace_file(os.path.join(folder, FORGOTTEN)) as file:
        file.write("".join(f"{photo}\n" for photo in sorted(photos, key=int)).encode())


def _files(labels: Iterable[str], photos: Iterable[str]) -> list[str]:
    return sorted(photo_file(label, photo) for label in labels for photo in photos)


def _remove(folder: str, file: str) -> bool:
    with suppress(FileNotFoundError):
        os.remove(os.path.join(folder, *file.split("/")))
        return True
    return False
