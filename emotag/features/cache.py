"""Features that were computed once: SQLite, keyed by the photo's content and the network."""

import glob
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emotag.errors import StorageError
from emotag.parallel import chunked
from emotag.storage import cache_folder, open_database

__all__ = [
    "CacheState",
    "FeatureCache",
    "cache_limit",
    "cache_path",
    "cache_state",
    "clear_cache",
    "photo_key",
]

DEFAULT_LIMIT = 2 * 2**30
"""Bytes that the cache may take: about 400,000 photos of 1,280 features."""

Vector = NDArray[np.float32]

_VERSION = 1
_SCHEMA = """
CREATE TABLE features (key BLOB PRIMARY KEY, vector BLOB NOT NULL, used REAL NOT NULL);
CREATE INDEX features_used ON features (used)
"""
# SQLite takes at most 999 parameters on old builds.
_KEYS_A_QUERY = 500
# Entries are marked as used at most so often: a mark costs a write.
_MARK_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class CacheState:
    """How full the cache is.

    Attributes
    ----------
    folder : str
        Where it lies.
    entries : int
        Vectors of features: one for each photo and network.
    size, limit : int
        Bytes that features take, and may take.
    networks : int
        Bytes that exported networks take.
    """

    folder: str
    entries: int
    size: int
    limit: int
    networks: int


def cache_state() -> CacheState:
    """Return how full the cache of this user is.

    Raises
    ------
    StorageError
        It cannot be opened.
    """
    with FeatureCache() as cache:
        entries, size = cache.count(), cache.size()
    networks = sum(os.path.getsize(path) for path in _networks())
    return CacheState(cache_folder(), entries, size, cache_limit(), networks)


def clear_cache() -> None:
    """Remove all that the cache of this user holds, also where it is damaged.

    Raises
    ------
    StorageError
        It cannot be removed.
    """
    try:
        with FeatureCache() as cache:
            cache.clear()
    except StorageError:
        _remove_files(glob.glob(f"{glob.escape(cache_path())}*"))
    _remove_files(_networks())


def _networks() -> list[str]:
    return glob.glob(os.path.join(glob.escape(cache_folder()), "networks", "*"))


def _remove_files(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            os.remove(path)
        except OSError as error:
            raise StorageError(f"{path} cannot be removed: {error.strerror}.") from error


def cache_path() -> str:
    """Return the file of the cache of this user."""
    return os.path.join(cache_folder(), "features.sqlite")


def cache_limit() -> int:
    """Return how many bytes the cache may take: EMOTAG_CACHE_LIMIT in MiB, or 2 GiB.

    Raises
    ------
    StorageError
        EMOTAG_CACHE_LIMIT is not a whole number.
    """
    text = os.environ.get("EMOTAG_CACHE_LIMIT")
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit():
        raise StorageError(f"EMOTAG_CACHE_LIMIT={text!r} is not a whole number of MiB.")
    return int(text) * 2**20


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


class FeatureCache:
    """Vectors by key, on disk, for several processes at once.

    Parameters
    ----------
    path : str, optional
        The file; by default that of this user.
    limit : int, optional
        Bytes it may take; what was not used for longest goes first.

    Raises
    ------
    StorageError
        It cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with FeatureCache(f"{folder}/features.sqlite") as cache:
    ...         cache.put({b"key": np.ones(2, dtype=np.float32)})
    ...         cache.get([b"key", b"other"])
    {b'key': array([1., 1.], dtype=float32)}
    """

    def __init__(self, path: str | None = None, limit: int | None = None) -> None:
        self.path = path or cache_path()
        self.limit = cache_limit() if limit is None else limit
        self._connection = open_database(self.path, _SCHEMA, _VERSION)

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

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors that are known, by key.

        Raises
        ------
        StorageError
            The file cannot be read.
        """
        found: dict[bytes, Vector] = {}
        stale: list[bytes] = []
        now = time.time()
        for some in chunked(list(dict.fromkeys(keys)), _KEYS_A_QUERY):
            marks = ",".join("?" * len(some))
            query = f"SELECT key, vector, used FROM features WHERE key IN ({marks})"  # noqa: S608
            for key, vector, used in self._run(query, tuple(some)):
                found[key] = np.frombuffer(vector, dtype="<f4").astype(np.float32)
                if now - used > _MARK_SECONDS:
                    stale.append(key)
        if stale:
            self._write("UPDATE features SET used = ? WHERE key = ?", [(now, key) for key in stale])
        return found

    def put(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors, and drop the oldest if they have become too many.

        Parameters
        ----------
        vectors : mapping of bytes to ndarray of shape (n_features,), float32
            By key.

        Raises
        ------
        StorageError
            They cannot be written, for example since the disk is full.
        """
        now = time.time()
        rows = [(key, vector.astype("<f4").tobytes(), now) for key, vector in vectors.items()]
        self._write("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)
        self._shrink()

    def count(self) -> int:
        """Return how many vectors there are."""
        return int(self._run("SELECT COUNT(*) FROM features")[0][0])

    def size(self) -> int:
        """Return how many bytes are in use."""
        pages = self._run("PRAGMA page_count")[0][0] - self._run("PRAGMA freelist_count")[0][0]
        return int(pages * self._run("PRAGMA page_size")[0][0])

    def clear(self) -> None:
        """Drop everything, and give the disk back."""
        self._run("DELETE FROM features")
        self._vacuum()
        self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    def _shrink(self) -> None:
        """Drop a tenth at a time, least recently used first, until the rest fits."""
        if self.size() <= self.limit:
            return
        while self.size() > self.limit and (count := self.count()):
            oldest = "SELECT key FROM features ORDER BY used LIMIT ?"
            some = (count // 10 + 1,)
            self._run(f"DELETE FROM features WHERE key IN ({oldest})", some)  # noqa: S608
        self._vacuum()

    def _vacuum(self) -> None:
        """Give the pages that are free back to the disk."""
        with _explained(self.path):
            # execute() would stop after the first page: each is a row without columns
            self._connection.executescript("PRAGMA incremental_vacuum")

    def _run(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with _explained(self.path), closing(self._connection.execute(statement, values)) as cursor:
            return cursor.fetchall()

    def _write(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        with _explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(statement, rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn SQLite's errors into one that names the file and the way out."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(
            f"The feature cache {path} cannot be used: {error}. EMOTAG_CACHE names another "
            "folder for it; emotag cache clear empties it."
        ) from error
