"""Tags in the XMP sidecars beside photos, which are not touched themselves."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from emotag.errors import PhotosNotFoundError, SidecarError, StorageError, unknown_name
from emotag.photos.places import is_elsewhere
from emotag.remote.filesystems import is_remote
from emotag.storage import replace_file, take_over
from emotag.tagging.rows import DECIMALS, Row, path_text
from emotag.tagging.xmp import Tags, add_tags, read_tags, remove_tags

__all__ = [
    "FORMS",
    "SidecarWriter",
    "find_sidecars",
    "reason_of",
    "refuse_elsewhere",
    "row_tags",
    "sidecar_path",
    "untag_sidecar",
]

FORMS = ("photo.jpg.xmp", "photo.xmp")
"""How a sidecar is called: digiKam, darktable and Immich read the first, Adobe the second."""

# no packet of a photo manager comes near to it
_LARGEST = 64 * 2**20


def sidecar_path(photo: str, form: str = FORMS[0]) -> str:
    """Return the path of a photo's sidecar.

    Parameters
    ----------
    photo : str
        The photo.
    form : str
        One of `FORMS`.

    Examples
    --------
    >>> sidecar_path("photos/china.jpg")
    'photos/china.jpg.xmp'
    >>> sidecar_path("photos/china.jpg", "photo.xmp")
    'photos/china.xmp'
    """
    return f"{photo if form == FORMS[0] else os.path.splitext(photo)[0]}.xmp"


def row_tags(row: Row, tagged: str) -> Tags:
    """Return what is to be said of a tagged photo in its packet, and that it was said then."""
    return Tags(
        emotion=row.emotion,
        sentiment=row.sentiment,
        confidence=f"{row.confidence:.{DECIMALS}f}",
        model=path_text(row.model),
        tagged=tagged,
    )


def refuse_elsewhere(photos: Iterable[str], *options: str) -> None:
    """Refuse to write beside or into photos if one of them is no file of this disk.

    Parameters
    ----------
    photos : iterable of str
        The photos.
    *options : str
        What asks for it, as the message shall name it; without any, nothing is refused.

    Raises
    ------
    SidecarError
        A photo is in an archive or at a URL.
    """
    option = " and ".join(options)
    for photo in photos if options else ():
        if is_elsewhere(photo):
            raise SidecarError(
                f"{path_text(photo)} is no file of this disk, so nothing can be written beside it "
                f"or into it; leave out {option}, and keep the tags by -o tags.csv."
            )


class SidecarWriter:
    """Writes the tags of rows into sidecars, one after the other.

    Parameters
    ----------
    form : str
        One of `FORMS`.

    Raises
    ------
    SidecarError
        There is no such form.

    Attributes
    ----------
    counts : Counter
        How many sidecars were ``'written'``, ``'unchanged'`` or ``'cleared'``.
    refusals : list of tuple of str
        The sidecars that were left alone, each with the reason.
    """

    def __init__(self, form: str = FORMS[0]) -> None:
        if form not in FORMS:
            raise SidecarError(unknown_name("form of sidecars", form, FORMS))
        self.form = form
        self.counts: Counter[str] = Counter()
        self.refusals: list[tuple[str, str]] = []
        self._now = datetime.now(UTC).isoformat(timespec="seconds")
        # of the second form, two photos may have the same
        self._photos: dict[str, str] = {}

    def write(self, row: Row) -> None:
        """Write the tags of a photo, or take away those of an uncertain one.

        A sidecar that says the same already is not touched.
        """
        if row.status not in ("tagged", "uncertain"):
            return
        path = sidecar_path(row.path, self.form)
        if self.form != FORMS[0] and self._photos.setdefault(path, row.path) != row.path:
            other = path_text(self._photos[path])
            self.refusals.append((path, f"is the sidecar of {other} already"))
            return
        try:
            self.counts[self._write(path, row)] += 1
        except (SidecarError, StorageError) as error:
            self.refusals.append((path, reason_of(path, error)))

    def _write(self, path: str, row: Row) -> str:
        content = _read(path)
        if row.status == "uncertain":
            return "cleared" if content is not None and _clear(path, content) else "unchanged"
        tags = row_tags(row, self._now)
        if content is not None and tags.same(read_tags(content)):
            return "unchanged"
        _replace(path, add_tags(content, tags))
        return "written"


def reason_of(path: str, error: Exception) -> str:
    """Return what an error says of a file, without its path."""
    said = str(error)
    for name in (path, os.path.realpath(path)):
        said = said.removeprefix(f"{name} ")
    return said.removesuffix(".")


def untag_sidecar(path: str) -> bool:
    """Take what emotag put into a sidecar out of it; remove it if nothing else is in it.

    Parameters
    ----------
    path : str
        Of the sidecar.

    Returns
    -------
    bool
        Whether there was something of emotag's.

    Raises
    ------
    SidecarError
        It is no XMP, and is left alone.
    StorageError
        It cannot be read or written.
    """
    content = _read(path)
    return content is not None and _clear(path, content)


def find_sidecars(paths: Sequence[str]) -> Iterator[str]:
    """Yield the sidecars of photos, and those in folders, in order; links to folders not followed.

    Parameters
    ----------
    paths : sequence of str
        Photos, sidecars and folders.

    Raises
    ------
    PhotosNotFoundError
        A path does not exist.
    """
    for path in paths:
        if is_remote(path):
            raise PhotosNotFoundError(f"{path} is no file of this disk; emotag writes none there.")
    seen: set[str] = set()
    for path in paths:
        for found in _sidecars_of(path):
            if found not in seen:
                seen.add(found)
                yield found


def _sidecars_of(path: str) -> Iterable[str]:
    if os.path.isdir(path):
        return _sidecars_in(path)
    if path.lower().endswith(".xmp"):
        beside = [path]
    else:
        beside = [sidecar_path(path, form) for form in FORMS]
    found = [name for name in beside if os.path.lexists(name)]
    if not found and not os.path.lexists(path):
        raise PhotosNotFoundError(f"{path_text(path)} does not exist.")
    return found


def _sidecars_in(folder: str) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        folders.sort()
        yield from (os.path.join(where, name) for name in sorted(names) if _is_sidecar(name))


def _is_sidecar(name: str) -> bool:
    return name.lower().endswith(".xmp") and not name.startswith(".")


def _read(path: str) -> bytes | None:
    try:
        if not os.path.lexists(path):
            return None
        if not os.path.isfile(path):
            raise SidecarError("is no file, or a link that leads nowhere")
        if os.path.getsize(path) > _LARGEST:
            raise SidecarError(f"is larger than {_LARGEST // 2**20} MiB")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise StorageError(f"cannot be read: {error.strerror}") from error


def _clear(path: str, content: bytes) -> bool:
    """Take emotag's own out of a sidecar; return whether there was any."""
    left = remove_tags(content)
    if left == content:
        return False
    if left is None:
        try:
            os.remove(path)
        except OSError as error:
            raise StorageError(f"cannot be removed: {error.strerror}") from error
    else:
        _replace(path, left)
    return True


def _replace(path: str, content: bytes) -> None:
    there = os.path.exists(path)
    # its folder may allow to replace it all the same, but someone has protected it
    if there and not os.stat(path).st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise SidecarError("is read-only")
    with replace_file(path) as file:
        file.write(content)
        if there:
            file.flush()
            try:
                take_over(path, file.fileno())
            except PermissionError as error:
                raise SidecarError("belongs to someone else, and would not any more") from error
