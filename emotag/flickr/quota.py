"""How many calls an hour a key is good for, counted over all processes of a user."""

import hashlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from emotag.errors import StorageError
from emotag.flickr.transport import Stopped
from emotag.storage import cache_folder, open_database

__all__ = ["CALLS_AN_HOUR", "Quota", "quota_path"]

CALLS_AN_HOUR = 3600
"""What Flickr allows a key. (Flickr developer guide, "API".)"""

_HOUR = 3600.0
_VERSION = 1
_SCHEMA = """
CREATE TABLE calls (key TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX calls_by_key ON calls (key, at)
"""


def quota_path() -> str:
    """Return the path of the data base in which calls are counted by default."""
    return os.path.join(cache_folder(), "flickr.sqlite")


class Quota:
    """A sliding hour in which a key may be used so many times.

    All processes and threads that open the same file share it. The key itself is not
    written, only its SHA-256.

    Parameters
    ----------
    path : str or None
        The data base; None is `quota_path`.
    key : str
        The key.
    per_hour : int, default=3600
        Calls in any hour.
    clock : callable
        Returns Unix time.
    sleep : callable
        Waits so many seconds. If it returns a true value, as `threading.Event.wait` does
        once the event is set, the wait is given up.

    Raises
    ------
    StorageError
        The data base cannot be opened.
    """

    def __init__(
        self,
        path: str | None,
        key: str,
        per_hour: int = CALLS_AN_HOUR,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.per_hour = per_hour
        self._path = path or quota_path()
        self._key = hashlib.sha256(key.encode()).hexdigest()
        self._clock = clock
        self._sleep = sleep
        # of the connection; held for one short transaction, never while a thread waits
        self._lock = threading.Lock()
        self._connection = open_database(self._path, _SCHEMA, _VERSION)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the data base."""
        with self._lock:
            self._connection.close()

    def take(self) -> None:
        """Count a call, after waiting until it is allowed.

        Raises
        ------
        Stopped
            `sleep` was ended.
        StorageError
            The data base cannot be used.
        """
        while (seconds := self._try_take()) > 0.0:
            if self._sleep(seconds):
                raise Stopped

    @property
    def left(self) -> int:
        """How many calls are allowed now."""
        with self._transaction() as connection:
            return max(0, self.per_hour - self._count(connection, self._clock()))

    @property
    def wait(self) -> float:
        """Seconds until the next call is allowed; 0 if it is now."""
        with self._transaction() as connection:
            return self._seconds(connection, self._clock())

    def _try_take(self) -> float:
        """Count a call if it is allowed; else return the seconds until it may be."""
        with self._transaction() as connection:
            now = self._clock()
            # after a clock was set back: for an hour at most, not for all the time it was ahead
            connection.execute("UPDATE calls SET at = ? WHERE at > ?", (now, now))
            connection.execute("DELETE FROM calls WHERE at <= ?", (now - _HOUR,))
            seconds = self._seconds(connection, now)
            if seconds <= 0.0:
                connection.execute("INSERT INTO calls VALUES (?, ?)", (self._key, now))
            return seconds

    def _seconds(self, connection: sqlite3.Connection, now: float) -> float:
        over = self._count(connection, now) - self.per_hour
        if over < 0:
            return 0.0
        query = "SELECT at FROM calls WHERE key = ? AND at > ? ORDER BY at LIMIT 1 OFFSET ?"
        (at,) = connection.execute(query, (self._key, now - _HOUR, over)).fetchone()
        # never 0, as that would say that it is allowed
        return max(float(at) + _HOUR - now, 1e-3)

    def _count(self, connection: sqlite3.Connection, now: float) -> int:
        query = "SELECT COUNT(*) FROM calls WHERE key = ? AND at > ?"
        (count,) = connection.execute(query, (self._key, now - _HOUR)).fetchone()
        return int(count)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Keep other threads and processes out meanwhile, so that none counts past the other."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise StorageError(
                    f"{self._path} cannot be used: {error}. If it is damaged, delete it; "
                    "EMOTAG_CACHE names another place."
                ) from error
