"""The photos of a run on one HTML page, by emotion, the surest first."""

import base64
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from typing import IO, Any

from emotag import __version__
from emotag.emotions import SENTIMENTS, LabelSet
from emotag.errors import StorageError
from emotag.pages.escaping import link_to, visible
from emotag.pages.page import write_page
from emotag.pages.thumbnails import MEDIA_TYPE, Thumbnail, make_thumbnail
from emotag.parallel.threads import map_chunks
from emotag.photos.decoding import MAX_PIXELS
from emotag.photos.formats import ending_of
from emotag.storage import replace_file
from emotag.tagging.rows import DECIMALS, Row, path_text

__all__ = ["ENDINGS", "PHOTOS", "GalleryWriter", "Surest", "check_ending"]

ENDINGS = (".html", ".htm")

PHOTOS = 3000
"""On a page, by default: it is of 30 to 60 MB then."""

# Photos whose thumbnails stand in one block of the page, and are made by one thread at a time.
_BLOCK = 32

_REFUSED = ("skipped", "failed")
_KEPT_REFUSALS = 500

_UNCERTAIN = ""


def check_ending(path: str) -> None:
    """Refuse a file that is not called as a page is.

    Raises
    ------
    StorageError
        Its name ends otherwise, as that of a photo would.
    """
    if ending_of(path) not in ENDINGS:
        raise StorageError(
            f"{path}: a page is HTML, so let its name end in {' or '.join(ENDINGS)}."
        )


def _nothing(count: int) -> None:
    """Do nothing with what is done."""


@dataclass
class Surest:
    """The surest rows of each group, as many in all as there is room for.

    Where there are more, the least sure one of the largest group goes, so that
    a group is cut only down to what every other large group has.

    Parameters
    ----------
    room : int
        How many rows to keep in all.

    Attributes
    ----------
    counts : Counter
        How many rows each group had.

    Examples
    --------
    >>> surest = Surest(room=3)
    >>> for emotion, confidence in (("fear", 0.3), ("love", 0.4), ("fear", 0.9), ("fear", 0.5)):
    ...     surest.add(Row("a.jpg", "tagged", emotion=emotion, confidence=confidence))
    >>> [row.confidence for row in surest.rows("fear")], surest.counts["fear"]
    ([0.9, 0.5], 3)
    """

    room: int
    counts: Counter[str] = field(default_factory=Counter)
    # by group: a heap with the least sure row on top; of equal ones, the last
    _heaps: dict[str, list[tuple[float, int, Row]]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Take one row into account; an uncertain one is in a group of its own."""
        number = self.counts.total()
        self.counts[row.emotion] += 1
        item = (row.confidence or 0.0, -number, row)
        heappush(self._heaps.setdefault(row.emotion, []), item)
        if number >= self.room:
            heappop(max(self._heaps.values(), key=len))

    def rows(self, group: str) -> list[Row]:
        """Return the rows kept of a group, the surest first."""
        return [row for _, _, row in sorted(self._heaps.get(group, ()), reverse=True)]


class GalleryWriter:
    """Takes rows, and makes a page of them in the end.

    Parameters
    ----------
    path : str
        The page to be.
    labels : LabelSet
        The model's.
    photos : int, default=PHOTOS
        How many photos the page may hold: the surest of each emotion.
    max_pixels : int, default=MAX_PIXELS
        A photo of more pixels gets no thumbnail.

    Raises
    ------
    StorageError
        The name does not end as that of a page does.

    Attributes
    ----------
    total, shown : int
        How many photos have been tagged or left uncertain, and how many of
        them the page holds.
    """

    def __init__(
        self,
        path: str,
        labels: LabelSet,
        *,
        photos: int = PHOTOS,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        check_ending(path)
        self.path = path
        self._labels = labels
        self._max_pixels = max_pixels
        self._surest = Surest(photos)
        self._refusals: dict[str, list[Row]] = {status: [] for status in _REFUSED}
        self._refused: Counter[str] = Counter()
        self._model = ""

    @property
    def total(self) -> int:
        """How many photos have been tagged or left uncertain."""
        return self._surest.counts.total()

    @property
    def shown(self) -> int:
        """How many of these the page holds."""
        return min(self.total, self._surest.room)

    def write(self, row: Row) -> None:
        """Take one row."""
        self._model = row.model or self._model
        if row.status not in _REFUSED:
            self._surest.add(row)
            return
        self._refused[row.status] += 1
        if len(self._refusals[row.status]) < _KEPT_REFUSALS:
            self._refusals[row.status].append(row)

    def finish(self, *, jobs: int | None = None, advance: Callable[[int], None] = _nothing) -> None:
        """Make the page, whole or not at all.

        Parameters
        ----------
        jobs : int, optional
            Threads that make thumbnails; by default one a core.
        advance : callable, optional
            Is told how many photos more are done.

        Raises
        ------
        StorageError
            The page cannot be written.
        """
        groups, rows = self._ordered()
        with (
            replace_file(self.path) as file,
            # beside the page, where there is room for it, since the text comes before the pictures
            tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(self.path))) as pictures,
        ):
            photos = list(self._make_pictures(rows, pictures, jobs, advance))
            pictures.seek(0)
            data = self._data(groups, photos)
            write_page(file, "gallery", "Photos by emotion", data, _blocks(pictures))

    def _ordered(self) -> tuple[list[dict[str, Any]], list[Row]]:
        """Return the groups that have photos, each with its place among the rows, and the rows."""
        groups: list[dict[str, Any]] = []
        rows: list[Row] = []
        for name in (*self._labels.names, _UNCERTAIN):
            if not self._surest.counts[name]:
                continue
            start = len(rows)
            rows += self._surest.rows(name)
            groups.append(
                {
                    "label": self._labels.index(name) if name else None,
                    "count": self._surest.counts[name],
                    "from": start,
                    "to": len(rows),
                }
            )
        return groups, rows

    def _make_pictures(
        self,
        rows: Sequence[Row],
        pictures: IO[bytes],
        jobs: int | None,
        advance: Callable[[int], None],
    ) -> Iterator[dict[str, Any]]:
        """Write the thumbnails, a line each, and yield what the page says of each photo."""
        make = partial(_make_chunk, max_pixels=self._max_pixels)
        for chunk in map_chunks(make, rows, size=_BLOCK, jobs=jobs):
            for row, thumbnail in chunk:
                content = b"" if thumbnail is None else base64.b64encode(thumbnail.content)
                pictures.write(content + b"\n")
                yield _photo(row, thumbnail, link_to(row.path, self.path))
            advance(len(chunk))

    def _data(self, groups: list[dict[str, Any]], photos: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "labels": self._labels.names,
            "sentiments": SENTIMENTS,
            "model": visible(path_text(self._model)),
            "version": __version__,
            "type": MEDIA_TYPE,
            "block": _BLOCK,
            "total": self.total,
            "left": self.total - self.shown,
            "groups": groups,
            "photos": photos,
            "refused": [
                {
                    "status": status,
                    "count": self._refused[status],
                    "rows": [_refusal(row) for row in self._refusals[status]],
                }
                for status in _REFUSED
                if self._refused[status]
            ],
        }


def _make_chunk(rows: Sequence[Row], max_pixels: int) -> list[tuple[Row, Thumbnail | None]]:
    return [(row, make_thumbnail(row.path, max_pixels=max_pixels)) for row in rows]


def _blocks(pictures: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a file, as many at a time as are in one block."""
    block: list[bytes] = []
    for line in pictures:
        block.append(line)
        if len(block) == _BLOCK:
            yield b"".join(block)
            block.clear()
    if block:
        yield b"".join(block)


def _photo(row: Row, thumbnail: Thumbnail | None, link: str) -> dict[str, Any]:
    """Return what the page says of a photo, by the names that its script knows."""
    probabilities = [round(value, DECIMALS) for value in row.probabilities]
    # before they are rounded, which may make two of them equal
    best = max(range(len(probabilities)), key=row.probabilities.__getitem__)
    return {
        "path": visible(path_text(row.path)),
        "file": visible(path_text(os.path.basename(row.path))),
        "link": link,
        "label": best if row.emotion else None,
        "best": best,
        "confidence": round(row.confidence or 0.0, DECIMALS),
        "sentiment": row.sentiment,
        "positive": None if row.p_positive is None else round(row.p_positive, DECIMALS),
        "probabilities": probabilities,
        "because": row.because or "",
        "reason": visible(path_text(row.reason)),
        "width": thumbnail.width if thumbnail else 0,
        "height": thumbnail.height if thumbnail else 0,
        "colour": thumbnail.colour if thumbnail else "",
    }


def _refusal(row: Row) -> dict[str, str]:
    return {"path": visible(path_text(row.path)), "reason": visible(path_text(row.reason))}
