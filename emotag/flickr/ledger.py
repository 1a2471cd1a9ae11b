"""What is known of a collection: pages that were read, photos found, tried and fetched."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn

from emotag.errors import FetchError, StorageError
from emotag.flickr.records import Record
from emotag.flickr.request import FetchRequest
from emotag.locks import locked
from emotag.storage import open_database

__all__ = ["LEDGER", "MARK", "Candidate", "FetchLedger", "Fetched", "Slice", "open_fetch_ledger"]

LEDGER = "fetch.sqlite"
"""The file's name, in the folder of the data."""

MARK = "?"
"""Begins what stands for the id of a record that has none, or none that may be kept."""

_VERSION = 1
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE labels (
    label TEXT PRIMARY KEY, position INTEGER NOT NULL, wanted INTEGER NOT NULL,
    level INTEGER NOT NULL, is_exhausted INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE slices (
    id INTEGER PRIMARY KEY, label TEXT NOT NULL, begins INTEGER NOT NULL, ends INTEGER NOT NULL,
    parent INTEGER, pages INTEGER NOT NULL DEFAULT 0, level INTEGER NOT NULL DEFAULT 0,
    claimed INTEGER NOT NULL DEFAULT 0, came INTEGER NOT NULL DEFAULT 0,
    fresh INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'open'
);
CREATE TABLE seen (
    slice INTEGER, id TEXT, uploaded INTEGER NOT NULL, PRIMARY KEY (slice, id)
) WITHOUT ROWID;
CREATE INDEX seen_by_id ON seen (id);
CREATE TABLE found (
    label TEXT, id TEXT, level INTEGER NOT NULL, rank INTEGER NOT NULL, slice INTEGER NOT NULL,
    owner TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (label, id)
) WITHOUT ROWID;
CREATE TABLE passed (
    label TEXT, reason TEXT, count INTEGER NOT NULL, PRIMARY KEY (label, reason)
) WITHOUT ROWID;
CREATE TABLE photos (
    label TEXT, id TEXT, state TEXT NOT NULL, reason TEXT NOT NULL, fetched TEXT NOT NULL,
    PRIMARY KEY (label, id)
) WITHOUT ROWID
"""


class Candidate(NamedTuple):
    """A photo that was found under a label."""

    id: str
    owner: str


@dataclass(frozen=True)
class Slice:
    """A stretch of upload dates of one query.

    Attributes
    ----------
    id : int
        Its number.
    label : str
        Whose query.
    begins, ends : int
        In seconds since 1970, both included.
    parent : int or None
        The slice that it is a half of; None for a whole.
    pages : int
        How many pages were read.
    claimed : int
        The largest total that the service has claimed.
    came, fresh : int
        How many photos came, and how many of them had not come in the slice that it is half of.
    """

    id: int
    label: str
    begins: int
    ends: int
    parent: int | None
    pages: int
    claimed: int
    came: int
    fresh: int


@dataclass(frozen=True)
class Fetched:
    """A picture on the disk.

    Attributes
    ----------
    url : str
        Its address on the static server, without the server.
    sha256 : str
        Of the file.
    size : int
        Of the file, in bytes.
    width, height : int
        In pixels.
    likeness : int
        The perceptual hash, 64 bits.
    at : str
        When, as ISO 8601 in UTC.
    """

    url: str
    sha256: str
    size: int
    width: int
    height: int
    likeness: int
    at: str


class FetchLedger:
    """The record that makes a collection resumable; `open_fetch_ledger` opens it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    # what was asked for

    def request(self) -> FetchRequest | None:
        """Return the request that the folder is filled by; None if it is new."""
        said = self.fact("request")
        return None if said is None else FetchRequest.from_dict(said)

    def keep_request(self, request: FetchRequest) -> None:
        """Note a request, and its labels where they are new."""
        with self._transaction():
            self.keep_fact("request", request.to_dict())
            for position, label in enumerate(request.queries):
                self._sql.execute(
                    "INSERT OR IGNORE INTO labels VALUES (?, ?, 0, 0, 0)", (label, position)
                )
                if not self._scalar("SELECT count(*) FROM slices WHERE label = ?", label):
                    self._add_slice(label, request.since, request.until)

    def look_until(self, request: FetchRequest, until: int) -> None:
        """Note that photos count which were uploaded since the last look."""
        with self._transaction():
            for label in request.queries:
                self._add_slice(label, request.until + 1, until)
            self._sql.execute("UPDATE labels SET is_exhausted = 0")

    def fact(self, name: str) -> Any:
        """Return what was noted under a name; None if nothing was."""
        row = self._sql.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep_fact(self, name: str, value: Any) -> None:
        """Note anything that JSON can hold."""
        self._sql.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def labels(self) -> list[str]:
        """Return the labels, in their order."""
        return [
            label for (label,) in self._sql.execute("SELECT label FROM labels ORDER BY position")
        ]

    # search

    def wanted(self, label: str) -> int:
        """Return how many photos of a label shall be found."""
        return int(self._scalar("SELECT wanted FROM labels WHERE label = ?", label))

    def want(self, label: str, count: int) -> None:
        """Note how many photos of a label shall be found."""
        self._sql.execute("UPDATE labels SET wanted = ? WHERE label = ?", (count, label))

    def found(self, label: str) -> int:
        """Return how many photos of a label were found."""
        return int(self._scalar("SELECT count(*) FROM found WHERE label = ?", label))

    def is_exhausted(self, label: str) -> bool:
        """Return whether nothing more can be found."""
        return bool(self._scalar("SELECT is_exhausted FROM labels WHERE label = ?", label))

    def exhaust(self, label: str) -> None:
        """Note that nothing more can be found."""
        self._sql.execute("UPDATE labels SET is_exhausted = 1 WHERE label = ?", (label,))

    def due(self, label: str) -> Slice | None:
        """Return a slice whose next page belongs to the level that was begun; None after all."""
        return self._slice(
            "state = 'open' AND level < (SELECT level FROM labels WHERE label = ?1)", label
        )

    def begin_level(self, label: str) -> bool:
        """Begin to read the next page of every open slice; return whether there is one."""
        if self._slice("state = 'open'", label) is None:
            return False
        self._sql.execute("UPDATE labels SET level = level + 1 WHERE label = ?", (label,))
        return True

    def full(self, label: str) -> list[Slice]:
        """Return the slices that hold more photos than the service gave."""
        return list(self._slices("state = 'full'", label))

    def halve(self, whole: Slice) -> None:
        """Put two slices in the place of one, with as many of the photos that came in each."""
        dates = self._sql.execute(
            "SELECT uploaded FROM seen WHERE slice = ? AND uploaded > 0 ORDER BY uploaded",
            (whole.id,),
        ).fetchall()
        middle = dates[(len(dates) - 1) // 2][0] if dates else (whole.begins + whole.ends) // 2
        middle = min(max(middle, whole.begins), whole.ends - 1)
        with self._transaction():
            self._add_slice(whole.label, whole.begins, middle, whole.id)
            self._add_slice(whole.label, middle + 1, whole.ends, whole.id)
            self.close(whole, "halved")

    def close(self, ended: Slice, state: str) -> None:
        """Note that no further page of a slice is to be read, and why."""
        self._sql.execute("UPDATE slices SET state = ? WHERE id = ?", (state, ended.id))

    def add_page(
        self,
        read: Slice,
        dates: Mapping[str, int],
        records: Sequence[tuple[int, Record]],
        passed: Mapping[str, str],
        claimed: int,
    ) -> tuple[Slice, int]:
        """Note a page of a slice.

        Parameters
        ----------
        read : Slice
            Whose next page it is.
        dates : mapping of str to int
            When everything on the page was uploaded, by id.
        records : sequence of (int, Record)
            What is good for the set, with its rank within the slice.
        passed : mapping of str to str
            Why photos are left out, by id; each is counted once.
        claimed : int
            The total that the service claims.

        Returns
        -------
        Slice
            As it is now.
        new : int
            How many of the page had not come in this slice before.
        """
        with self._transaction():
            unheard = [photo for photo in passed if not self._was_seen_anywhere(read.label, photo)]
            new = [photo for photo, date in dates.items() if self._add_seen(read, photo, date)]
            # marks of what makes no sense are not what the service's totals count
            real = [photo for photo in new if not photo.startswith(MARK)]
            fresh = sum(not self._was_seen(read.parent, photo) for photo in real)
            level = self._scalar("SELECT level FROM labels WHERE label = ?", read.label)
            for rank, record in records:
                self._add_found(read, level, rank, record)
            for photo in unheard:
                self.pass_over(read.label, passed[photo], 1)
            self._sql.execute(
                "UPDATE slices SET pages = pages + 1, level = ?, claimed = max(claimed, ?), "
                "came = came + ?, fresh = fresh + ? WHERE id = ?",
                (level, claimed, len(real), fresh, read.id),
            )
        now = self._slice(f"id = {read.id:d}", read.label)
        assert now is not None
        return now, len(new)

    def pass_over(self, label: str, reason: str, count: int) -> None:
        """Count photos that were left out."""
        self._sql.execute(
            "INSERT INTO passed VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET count = count + excluded.count",
            (label, reason, count),
        )

    def passed(self, label: str) -> Counter[str]:
        """Return how many photos of a label were left out while searching, by reason."""
        rows = self._sql.execute("SELECT reason, count FROM passed WHERE label = ?", (label,))
        return Counter(dict(rows.fetchall()))

    def slice_days(self) -> dict[int, str]:
        """Return the first and the last day of each slice."""
        rows = self._sql.execute("SELECT id, begins, ends FROM slices")
        return {number: f"{_day(begins)}/{_day(ends)}" for number, begins, ends in rows}

    # photos

    def candidates(self, label: str) -> list[Candidate]:
        """Return what was found under a label, in the order in which it is to be taken."""
        rows = self._sql.execute(
            "SELECT id, owner FROM found WHERE label = ? ORDER BY level, rank, slice", (label,)
        )
        return [Candidate(*row) for row in rows]

    def record(self, label: str, photo: str) -> Record:
        """Return what the service said of a photo."""
        return self._record("SELECT record FROM found WHERE label = ? AND id = ?", label, photo)

    def place(self, label: str, photo: str) -> tuple[int, int]:
        """Return the slice in which a photo was found, and its rank there."""
        row = self._sql.execute(
            "SELECT slice, rank FROM found WHERE label = ? AND id = ?", (label, photo)
        ).fetchone()
        return int(row[0]), int(row[1])

    def states(self) -> dict[tuple[str, str], str]:
        """Return what became of each photo that was tried, by label and id."""
        rows = self._sql.execute("SELECT label, id, state FROM photos")
        return {(label, photo): state for label, photo, state in rows}

    def note(self, label: str, photo: str, state: str, reason: str = "") -> None:
        """Note that a photo could not be fetched, and why."""
        self._sql.execute(
            "INSERT OR REPLACE INTO photos VALUES (?, ?, ?, ?, '')", (label, photo, state, reason)
        )

    def note_fetched(self, label: str, photo: str, fetched: Fetched) -> None:
        """Note a picture that is on the disk."""
        # SQLite's numbers have a sign
        said = json.dumps(asdict(fetched))
        self._sql.execute(
            "INSERT OR REPLACE INTO photos VALUES (?, ?, 'fetched', '', ?)", (label, photo, said)
        )

    def forget_state(self, label: str, photo: str) -> None:
        """Forget what became of a photo, so that it is tried again."""
        self._sql.execute("DELETE FROM photos WHERE label = ? AND id = ?", (label, photo))

    def fetched(self) -> dict[tuple[str, str], Fetched]:
        """Return the pictures that are on the disk, by label and id."""
        rows = self._sql.execute("SELECT label, id, fetched FROM photos WHERE state = 'fetched'")
        return {(label, photo): Fetched(**json.loads(said)) for label, photo, said in rows}

    def reasons(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield label, id, state and reason of the photos that could not be fetched."""
        yield from self._sql.execute(
            "SELECT label, id, state, reason FROM photos WHERE state != 'fetched' ORDER BY 1, 2"
        )

    def retry_failed(self) -> None:
        """Forget failures that may be over."""
        self._sql.execute("DELETE FROM photos WHERE state = 'failed'")

    def knows(self, photo: str) -> bool:
        """Return whether anything is known of a photo."""
        tables = ("found", "photos", "seen")
        query = "SELECT count(*) FROM {} WHERE id = ?"
        return any(self._scalar(query.format(table), photo) for table in tables)

    def erase(self, photo: str) -> None:
        """Remove all that is known of a photo."""
        with self._transaction():
            for table in ("found", "photos", "seen"):
                self._sql.execute(f"DELETE FROM {table} WHERE id = ?", (photo,))  # noqa: S608
        # what was deleted must not stay readable in the file
        self._sql.execute("VACUUM")
        self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # within

    def _add_slice(self, label: str, begins: int, ends: int, parent: int | None = None) -> None:
        self._sql.execute(
            "INSERT INTO slices (label, begins, ends, parent) VALUES (?, ?, ?, ?)",
            (label, begins, ends, parent),
        )

    def _add_seen(self, read: Slice, photo: str, uploaded: int) -> bool:
        """Note that a photo came in a slice, and return whether it is the first time."""
        added = self._sql.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (read.id, photo, uploaded)
        )
        return added.rowcount > 0

    def _was_seen_anywhere(self, label: str, photo: str) -> bool:
        seen = (
            "SELECT count(*) FROM seen JOIN slices ON slices.id = seen.slice "
            "WHERE seen.id = ? AND slices.label = ?"
        )
        return bool(self._scalar(seen, photo, label))

    def _was_seen(self, part: int | None, photo: str) -> bool:
        seen = "SELECT count(*) FROM seen WHERE slice = ? AND id = ?"
        return bool(self._scalar(seen, part, photo))

    def _add_found(self, read: Slice, level: int, rank: int, record: Record) -> None:
        said = json.dumps(asdict(record), ensure_ascii=True)
        self._sql.execute(
            "INSERT OR IGNORE INTO found VALUES (?, ?, ?, ?, ?, ?, ?)",
            (read.label, record.id, level, rank, read.id, record.owner, said),
        )

    def _slice(self, condition: str, label: str) -> Slice | None:
        return next(self._slices(condition, label), None)

    def _slices(self, condition: str, label: str) -> Iterator[Slice]:
        rows = self._sql.execute(
            "SELECT id, label, begins, ends, parent, pages, claimed, came, fresh FROM slices "  # noqa: S608
            f"WHERE label = ?1 AND {condition} ORDER BY id",
            (label,),
        )
        yield from (Slice(*row) for row in rows.fetchall())

    def _record(self, query: str, *values: str) -> Record:
        said = json.loads(self._scalar(query, *values))
        return Record(**{**said, "sizes": tuple(map(tuple, said["sizes"]))})

    def _scalar(self, query: str, *values: object) -> Any:
        return self._sql.execute(query, values).fetchone()[0]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")


@contextmanager
def open_fetch_ledger(folder: str) -> Iterator[FetchLedger]:
    """Open the ledger in a folder of data, and keep other processes from it meanwhile.

    Parameters
    ----------
    folder : str
        It must exist.

    Raises
    ------
    FetchError
        Another process fills the folder.
    StorageError
        The ledger cannot be opened or written, or is of another version of emotag.
    """
    path = os.path.join(folder, LEDGER)

    def refuse() -> NoReturn:
        raise FetchError(f"Another emotag fetch is filling {folder}; wait for it, or stop it.")

    try:
        with locked(os.path.join(folder, f".{LEDGER}.lock"), refuse):
            _refuse_other_version(path)
            with closing(open_database(path, _SCHEMA, _VERSION)) as connection:
                yield FetchLedger(connection)
    except sqlite3.OperationalError as error:
        raise StorageError(
            f"{path} cannot be written: {error}. Make room, and run the same command again."
        ) from error
    except sqlite3.Error as error:
        raise _damaged(path, error) from error


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _damaged(path: str, error: Exception) -> StorageError:
    return StorageError(
        f"{path} cannot be used: {error}. If it is damaged, delete it and what emotag wrote beside "
        "it, photos.csv, ATTRIBUTION.md and README.md; then all is fetched anew."
    )


def _refuse_other_version(path: str) -> None:
    # opened by another version, it would be made anew, and what is known be lost
    if not os.path.exists(path):
        return
    with closing(sqlite3.connect(path)) as connection:
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise _damaged(path, error) from error
    if version not in (0, _VERSION):
        raise StorageError(
            f"{path} was written by another version of emotag (its format is {version}, this one "
            f"knows {_VERSION}); install that one."
        )
