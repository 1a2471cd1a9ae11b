"""Photos found in archives and at URLs, as they are found in folders."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from emotag.errors import PhotosNotFoundError, PlaceError
from emotag.photos.archives import is_archive_name, open_archive, split_archive
from emotag.photos.formats import ENDINGS, HEADER_BYTES, RAW_ENDINGS, ending_of, sniff
from emotag.photos.listings import Listing
from emotag.photos.sources import RemoteSource
from emotag.remote.filesystems import MISSING, protocol_of, url_above, without_slash
from emotag.remote.reading import RemoteObject, describe, fitting, list_objects

__all__ = ["Found", "search_archive", "search_remote"]

_WEB = ("http", "https")


@dataclass
class Found:
    """What was found in an archive or at a URL.

    Attributes
    ----------
    photos : list of str
        In natural order, as typed and joined.
    others : Counter
        How many files are no photos, by ending.
    hidden : int
        How many hidden files and folders were left out.
    damage : str
        Empty, or why not all could be listed.
    """

    photos: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    damage: str = ""


def search_archive(path: str, below: str, exclude: Sequence[str]) -> Found:
    """Find the photos in an archive, by ending or, in one of this disk, by their first bytes.

    Parameters
    ----------
    path : str
        The archive.
    below : str
        A file or a folder in it; empty for all. A file is taken whatever its name.
    exclude : sequence of str
        Patterns of what is left out.

    Raises
    ------
    PhotosNotFoundError
        There is no such file or folder in it.
    PlaceError
        It is damaged, or cannot be read.
    """
    path, below = path.rstrip("/"), below.strip("/")
    archive = open_archive(path, anew=True)
    if below in archive.members:
        return Found([f"{path}/{below}"])
    names: Iterable[str] = archive.members
    if below:
        names = [name for name in archive.members if name.startswith(f"{below}/")]
        if not names and not archive.damage:
            raise PhotosNotFoundError(f"{path} holds no {below}.")

    def is_photo(full: str) -> bool:
        name = full[len(path) + 1 :]
        if ending_of(name) in ENDINGS:
            return True
        if ending_of(name) in RAW_ENDINGS or archive.members.refusal(name):
            return False
        # over a network, each would take a request
        is_far = isinstance(archive.source, RemoteSource)
        return not is_far and sniff(archive.begin(name, HEADER_BYTES)) is not None

    found = _sort_out(path, (f"{path}/{name}" for name in names), is_photo, exclude)
    found.damage = archive.damage
    return found


def search_remote(url: str, exclude: Sequence[str]) -> Found:
    """Find the photos at a URL, by ending: an object, what is below one, or what fits a pattern.

    Raises
    ------
    PhotosNotFoundError
        There is nothing.
    PlaceError
        It could not be listed.
    """
    try:
        # on the web, a slash at the end makes another page
        there = describe(url if protocol_of(url) in _WEB else without_slash(url))
    except PlaceError as error:
        if error.reason != MISSING:
            raise
        return _search_missing(url, exclude)
    return _search_object(there, exclude, is_typed=True)


def _search_missing(url: str, exclude: Sequence[str]) -> Found:
    """Find what a URL leads to under which there is nothing itself."""
    if (split := split_archive(url)) is not None:
        return search_archive(*split, exclude)
    found = Found()
    # in a URL of the web, a question mark is no pattern
    hits = fitting(url) if set("*?[") & set(url) and protocol_of(url) not in _WEB else []
    if not hits:
        raise PhotosNotFoundError(f"{url} does not exist.")
    for hit in sorted(hits, key=lambda hit: hit.url):
        more = _search_object(hit, exclude, is_typed=is_archive_name(url))
        found.photos += more.photos
        found.others += more.others
        found.hidden += more.hidden
    return found


def _search_object(there: RemoteObject, exclude: Sequence[str], *, is_typed: bool) -> Found:
    url = there.url
    if there.is_folder:
        objects = (found.url for found in list_objects(url))
        return _sort_out(url_above(url), objects, _ends_like_photo, exclude)
    if is_typed and is_archive_name(url):
        return search_archive(url, "", exclude)
    if is_typed or _ends_like_photo(url):
        return Found([url])
    return Found(others=Counter([ending_of(url)]))


def _sort_out(
    base: str, paths: Iterable[str], is_photo: Callable[[str], bool], exclude: Sequence[str]
) -> Found:
    listing = Listing(base, exclude)
    listing.add(paths)
    photos = listing.in_order(is_photo)
    taken = set(photos)
    others = Counter(ending_of(path) for path in listing.paths if path not in taken)
    return Found(photos, others, len(listing.hidden))


def _ends_like_photo(url: str) -> bool:
    return ending_of(url) in ENDINGS
