"""Arrays as bytes by key, on disk, for several processes at once and in bounded space."""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Any, ClassVar, Self

from emotag.errors import StorageError
from emotag.parallel.threads import chunked
from emotag.storage import cache_folder, open_database

__all__ = ["BlobStore", "photo_key", "store_limit"]

# SQLite takes at most 999 parameters on old builds.
_KEYS_A_QUERY = 500
# Entries are marked as used at most so often: a mark costs a write.
_MARK_SECONDS = 24 * 3600.0


def photo_key(content_hash: bytes, computation: str) -> bytes:
    """Return the key of what a computation makes of a photo.

    Parameters
    ----------
    content_hash : bytes
        SHA-256 of the file.
    computation : str
        Everything else that the result depends on.
    """
    return hashlib.sha256(content_hash + computation.encode()).digest()


def store_limit(variable: str, default: int) -> int:
    """Return how many bytes a store may take.

    Parameters
    ----------
    variable : str
        Of the environment, in MiB.
    default : int
        Where it is not set, in bytes.

    Raises
    ------
    StorageError
        It is not a whole number.
    """
    text = os.environ.get(variable)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise StorageError(f"{variable}={text!r} is not a whole number of MiB.")
    return int(text) * 2**20


class BlobStore:
    """Bytes by key in a SQLite file; what was not used for longest goes first.

    Parameters
    ----------
    path : str, optional
        The file; by default that of this user.
    limit : int, optional
        Bytes it may take.

    Raises
    ------
    StorageError
        It cannot be opened.
    """

    name: ClassVar[str]
    """What it is called in messages."""
    table: ClassVar[str]
    """Of the data base, and the name of its file."""
    column: ClassVar[str]
    """Where the bytes stand in the table."""
    version: ClassVar[int]
    """Raised when the bytes' meaning changes, so that old files are made anew."""

    def __init__(self, path: str | None = None, limit: int | None = None) -> None:
        self.path = path or self.default_path()
        self.limit = self.default_limit() if limit is None else limit
        schema = (
            f"CREATE TABLE {self.table} "
            f"(key BLOB PRIMARY KEY, {self.column} BLOB NOT NULL, used REAL NOT NULL);"
            f"CREATE INDEX {self.table}_used ON {self.table} (used)"
        )
        self._connection = open_database(self.path, schema, self.version)

    @classmethod
    def default_path(cls) -> str:
        """Return the file of this user."""
        return os.path.join(cache_folder(), f"{cls.table}.sqlite")

    @classmethod
    def default_limit(cls) -> int:
        """Return how many bytes the file of this user may take."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def known(self, keys: Sequence[bytes]) -> set[bytes]:
        """Return those of the keys that are there, without reading their bytes.

        Raises
        ------
        StorageError
            The file cannot be read.
        """
        found: set[bytes] = set()
        for some in chunked(list(dict.fromkeys(keys)), _KEYS_A_QUERY):
            marks = ",".join("?" * len(some))
            query = f"SELECT key FROM {self.table} WHERE key IN ({marks})"  # noqa: S608
            found.update(key for (key,) in self._run(query, tuple(some)))
        return found

    def read_blobs(self, keys: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and bytes of those of the keys that are there, and mark them as used.

        Raises
        ------
        StorageError
            The file cannot be read.
        """
        stale: list[bytes] = []
        now = time.time()
        for some in chunked(list(dict.fromkeys(keys)), _KEYS_A_QUERY):
            marks = ",".join("?" * len(some))
            columns = f"key, {self.column}, used"
            query = f"SELECT {columns} FROM {self.table} WHERE key IN ({marks})"  # noqa: S608
            for key, blob, used in self._run(query, tuple(some)):
                yield key, blob
                if now - used > _MARK_SECONDS:
                    stale.append(key)
        if stale:
            mark = f"UPDATE {self.table} SET used = ? WHERE key = ?"  # noqa: S608
            self._write(mark, [(now, key) for key in stale])

    def keep_blobs(self, blobs: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep bytes by key, and drop the oldest if they have become too many.

        Raises
        ------
        StorageError
            They cannot be written, for example since the disk is full.
        """
        now = time.time()
        insert = f"INSERT OR REPLACE INTO {self.table} VALUES (?, ?, ?)"  # noqa: S608
        self._write(insert, [(key, blob, now) for key, blob in blobs])
        self._shrink()

    def count(self) -> int:
        """Return how many entries there are."""
        return int(self._run(f"SELECT COUNT(*) FROM {self.table}")[0][0])  # noqa: S608

    def size(self) -> int:
        """Return how many bytes are in use."""
        pages = self._run("PRAGMA page_count")[0][0] - self._run("PRAGMA freelist_count")[0][0]
        return int(pages * self._run("PRAGMA page_size")[0][0])

    def clear(self) -> None:
        """Drop everything, and give the disk back."""
        self._run(f"DELETE FROM {self.table}")  # noqa: S608
        self._vacuum()
        self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    def _shrink(self) -> None:
        """Drop a tenth at a time, least recently used first, until the rest fits."""
        if self.size() <= self.limit:
            return
        while self.size() > self.limit and (count := self.count()):
            oldest = f"SELECT key FROM {self.table} ORDER BY used LIMIT ?"  # noqa: S608
            some = (count // 10 + 1,)
            self._run(f"DELETE FROM {self.table} WHERE key IN ({oldest})", some)  # noqa: S608
        self._vacuum()

    def _vacuum(self) -> None:
        """Give the pages that are free back to the disk."""
        with self._explained():
            # execute() would stop after the first page: each is a row without columns
            self._connection.executescript("PRAGMA incremental_vacuum")

    def _run(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._explained(), closing(self._connection.execute(statement, values)) as cursor:
            return cursor.fetchall()

    def _write(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(statement, rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors into one that names the file and the way out."""
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise StorageError(
                    f"The disk is full: the {self.name} {self.path} cannot be written. Make room, "
                    "set a smaller EMOTAG_CACHE_LIMIT or EMOTAG_PIXEL_LIMIT, or type emotag cache "
                    "clear; EMOTAG_CACHE names another folder."
                ) from error
            raise StorageError(
                f"The {self.name} {self.path} cannot be used: {error}. EMOTAG_CACHE names another "
                "folder for it; emotag cache clear empties it."
            ) from error
