"""Tags in the photos themselves, put in and taken out through exiftool.

A photo is never written in place. exiftool makes a copy with another packet,
the packet is read back from the copy, and only then the copy takes the photo's
name, with its times, permissions and owner. Until that moment the photo is what
it was, and from it on it is the new one, also if the machine stops.
"""

import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from emotag.errors import EmbeddingError, MissingToolError, SidecarError
from emotag.photos.finding import find_photos
from emotag.photos.formats import BACKUP
from emotag.photos.sources import file_state
from emotag.storage import remove_partial, replace_file, take_over
from emotag.tagging.exiftool import ExifTool
from emotag.tagging.ledger import Ledger
from emotag.tagging.rows import Row
from emotag.tagging.sidecars import reason_of, row_tags
from emotag.tagging.traces import (
    has_extended,
    hide_extended,
    jpeg_packets,
    kind_of,
    may_hold_tags,
    show_extended,
)
from emotag.tagging.xmp import Tags, add_tags, read_tags, remove_tags

__all__ = ["Embedder", "open_embedder", "untag_photo", "untag_photos"]

# exiftool goes by the ending first; photos are called by what they are.
_ENDINGS = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tif",
    "AVIF": "avif",
    "HEIF": "heic",
}

_PACKET = "packet.xmp"
# Without an ending: exiftool has a say in those, and believes that it cannot write WebP.
_WRITTEN = "written"

# A packet in, another out; None stands for none.
_Edit = Callable[[bytes | None], bytes | None]


@dataclass(frozen=True)
class _Change:
    """A photo's identity before and after it was changed."""

    before: str
    after: str


@contextmanager
def open_embedder(*, backup: bool = True, ledger: Ledger | None = None) -> Iterator["Embedder"]:
    """Yield an `Embedder` of these parameters with an exiftool that runs.

    Raises
    ------
    MissingToolError
        exiftool is missing, too old, or cannot be run.
    """
    with ExifTool() as tool:
        tool.start()
        yield Embedder(tool, backup=backup, ledger=ledger)


class Embedder:
    """Puts the tags of rows into the photos, one after the other.

    Parameters
    ----------
    tool : ExifTool
        Writes.
    backup : bool, default=True
        Whether the photo as it was is kept, as ``photo.jpg_original``; one that is
        there already is left as it is.
    ledger : Ledger, optional
        Told that a photo was changed by this and is not to be read again.

    Attributes
    ----------
    counts : Counter
        How many photos were ``'written'``, ``'unchanged'`` or ``'cleared'``.
    refusals : list of tuple of str
        The photos that were left alone, each with the reason.
    """

    def __init__(
        self, tool: ExifTool, *, backup: bool = True, ledger: Ledger | None = None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.refusals: list[tuple[str, str]] = []
        self._tool = tool
        self._backup = backup
        self._ledger = ledger
        self._now = datetime.now(UTC).isoformat(timespec="seconds")
        # by folder, whether a process that was killed left something there
        self._left: dict[str, bool] = {}

    def write(self, row: Row) -> None:
        """Put the tags of a photo into it, or take those of an uncertain one out.

        A photo that says the same already is not touched.
        """
        if row.status not in ("tagged", "uncertain"):
            return
        try:
            self._remove_left(os.path.realpath(row.path))
            change = self._write(row)
        except (SidecarError, MissingToolError, OSError) as error:
            self.refusals.append((row.path, _reason(row.path, error)))
            return
        if change is None:
            self.counts["unchanged"] += 1
            return
        self.counts["written" if row.status == "tagged" else "cleared"] += 1
        if self._ledger is not None:
            self._ledger.renew(row.path, change.before, change.after)

    def _remove_left(self, path: str) -> None:
        folder = os.path.dirname(path)
        if folder not in self._left:
            self._left[folder] = any(name.endswith(".partial") for name in os.listdir(folder))
        if self._left[folder]:
            # there is no lock on photos: another run may be writing
            remove_partial(path, is_shared=True)

    def _write(self, row: Row) -> _Change | None:
        # before anything is read: reading may change the time of the last access
        before = os.stat(row.path)
        if row.status == "uncertain":
            if not may_hold_tags(row.path):
                return None
            return _change_packet(row.path, before, _remove, self._tool, backup=self._backup)
        tags = row_tags(row, self._now)
        if any(_says(packet, tags) for packet in jpeg_packets(row.path) or ()):
            return None

        def add(packet: bytes | None) -> bytes | None:
            return packet if _says(packet, tags) else add_tags(packet, tags)

        return _change_packet(row.path, before, add, self._tool, backup=self._backup)


def untag_photo(path: str, tool: ExifTool) -> bool:
    """Take what emotag embedded out of a photo, and nothing else.

    Parameters
    ----------
    path : str
        The photo.
    tool : ExifTool
        Writes.

    Returns
    -------
    bool
        Whether there was something of emotag's.

    Raises
    ------
    EmbeddingError
        It cannot be done; the photo is left as it was. The message has no path in it.
    MissingToolError
        exiftool is needed, and missing or too old.
    """
    if not os.path.exists(path):
        # a link that leads nowhere
        return False
    try:
        before = os.stat(path)
        if not may_hold_tags(path):
            return False
        return _change_packet(path, before, _remove, tool, backup=False) is not None
    except (SidecarError, OSError) as error:
        raise EmbeddingError(_reason(path, error)) from error


def untag_photos(paths: Iterable[str]) -> tuple[int, list[tuple[str, str]]]:
    """Take what emotag embedded out of photos, and of those in folders.

    exiftool is started only where a photo may hold something of emotag's.

    Parameters
    ----------
    paths : iterable of str
        Photos, folders of photos, and what is neither and left aside.

    Returns
    -------
    cleared : int
        How many photos held something of emotag's.
    refusals : list of tuple of str
        The photos that were left alone and the folders that could not be searched, each with
        the reason.

    Raises
    ------
    MissingToolError
        exiftool is needed, and missing or too old.
    """
    cleared = 0
    there = [path for path in paths if os.path.lexists(path) and not _is_sidecar(path)]
    found = find_photos(there)
    refusals = [(folder, f"could not be searched: {reason}") for folder, reason in found.unlisted]
    with ExifTool() as tool:
        for path in found.photos:
            try:
                cleared += untag_photo(path, tool)
            except EmbeddingError as error:
                refusals.append((path, str(error)))
    return cleared, refusals


def _is_sidecar(path: str) -> bool:
    return path.lower().endswith(".xmp") and not os.path.isdir(path)


def _says(packet: bytes | None, tags: Tags) -> bool:
    return packet is not None and tags.same(read_tags(packet))


def _remove(packet: bytes | None) -> bytes | None:
    return None if packet is None else remove_tags(packet)


def _change_packet(
    path: str, before: os.stat_result, edit: _Edit, tool: ExifTool, *, backup: bool
) -> _Change | None:
    """Edit a photo's packet; return None, and leave the photo alone, if that changes nothing."""
    # a link stays a link: what it leads to is changed
    path = os.path.realpath(path)
    kind = kind_of(path)
    _refuse(before, kind)
    photo = f"photo.{_ENDINGS[str(kind)]}"
    try:
        hidden = _lay_out(path, photo, kind, tool)
        packet = _find_packet(path, photo, tool)
        edited = edit(packet)
        if edited == packet:
            return None
        written = _write_packet(edited, photo, tool)
        if hidden:
            show_extended(written)
        after = _swap(path, before, written, backup=backup)
    finally:
        _clean(tool, photo)
    return _Change(file_state(before), after)


def _refuse(state: os.stat_result, kind: str | None) -> None:
    if kind is None or not stat.S_ISREG(state.st_mode):
        raise EmbeddingError("is not a photo any more")
    # its folder may allow to replace it all the same, but someone has protected it
    if not state.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise EmbeddingError("is read-only")


def _lay_out(path: str, photo: str, kind: str | None, tool: ExifTool) -> bool:
    """Give exiftool a photo to read; return whether pieces of a long packet are hidden in it."""
    here = os.path.join(tool.folder, photo)
    if kind == "JPEG" and has_extended(path):
        shutil.copyfile(path, here)
        return hide_extended(here)
    os.symlink(path, here)
    return False


def _find_packet(path: str, photo: str, tool: ExifTool) -> bytes | None:
    packets = jpeg_packets(path)
    # exiftool is not needed to find the only packet of a JPEG, nor that there is none
    if packets is None or len(packets) > 1:
        return _read_packet(photo, tool)
    return packets[0] if packets else None


def _read_packet(photo: str, tool: ExifTool) -> bytes | None:
    # -a: where there are several, all come, and then it is no XML that could be edited
    return tool.ask("-a", "-b", "-XMP", photo) or None


def _write_packet(packet: bytes | None, photo: str, tool: ExifTool) -> str:
    """Write a copy of a photo with another packet, read that back, and return the copy's path."""
    with open(os.path.join(tool.folder, _PACKET), "wb") as file:
        file.write(packet or b"")
    tool.ask(f"-XMP<={_PACKET}" if packet else "-XMP=", "-o", _WRITTEN, photo)
    written = os.path.join(tool.folder, _WRITTEN)
    if not os.path.exists(written):
        raise EmbeddingError("was not written by exiftool, which does not say why")
    # what stands behind the packet's end is no part of it, and a GIF cannot hold it
    if (_read_packet(_WRITTEN, tool) or b"").rstrip() != (packet or b"").rstrip():
        raise EmbeddingError("was written by exiftool so that other tags are read back from it")
    return written


def _swap(path: str, before: os.stat_result, written: str, *, backup: bool) -> str:
    """Let a copy take a photo's name, with all but its content; return its new identity."""
    made = False
    try:
        with replace_file(path) as file, open(written, "rb") as copy:
            shutil.copyfileobj(copy, file, 1 << 20)
            file.flush()
            _take_over(path, before, file.fileno())
            _refuse_changed(path, before)
            made = backup and _keep_backup(path, before)
            mine = os.fstat(file.fileno())
    except BaseException:
        # only where the photo is still there: it may be another run that has replaced it
        if made and os.path.samestat(before, os.stat(path)):
            os.remove(f"{path}{BACKUP}")
        raise
    after = os.stat(path)
    # someone else may have written to it since; what they wrote is to be read
    same = os.path.samestat(mine, after) and mine.st_mtime_ns == after.st_mtime_ns
    return file_state(after) if same else ""


def _refuse_changed(path: str, before: os.stat_result) -> None:
    if file_state(os.stat(path)) != file_state(before):
        raise EmbeddingError("was changed by another program meanwhile")


def _keep_backup(path: str, before: os.stat_result) -> bool:
    """Keep a photo as it is beside it; return False if an earlier one is kept there already."""
    backup = f"{path}{BACKUP}"
    try:
        # the very file, with all that is known of it
        os.link(path, backup)
    except FileExistsError:
        return False
    except OSError:
        # not every file system has links, nor room for one more
        with replace_file(backup) as file, open(path, "rb") as photo:
            shutil.copyfileobj(photo, file, 1 << 20)
            file.flush()
            _take_over(path, before, file.fileno())
        shutil.copymode(path, backup)
    else:
        # exiftool has read it since
        os.utime(backup, ns=(before.st_atime_ns, before.st_mtime_ns))
    return True


def _take_over(path: str, before: os.stat_result, handle: int) -> None:
    """Give an open file the owner, attributes and times of a photo."""
    try:
        take_over(path, handle)
    except PermissionError as error:
        raise EmbeddingError("belongs to someone else, and would not any more") from error
    os.utime(handle, ns=(before.st_atime_ns, before.st_mtime_ns))


def _clean(tool: ExifTool, photo: str) -> None:
    for name in (photo, _PACKET, _WRITTEN):
        with suppress(FileNotFoundError):
            os.remove(os.path.join(tool.folder, name))


def _reason(path: str, error: Exception) -> str:
    """Return what is said of a photo that was left alone, without its path."""
    if isinstance(error, SidecarError):
        return f"holds XMP that {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read or written: {error.strerror}"
    return reason_of(path, error)
