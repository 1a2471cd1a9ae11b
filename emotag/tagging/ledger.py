"""What was said of which photo, so that a run goes on where an earlier one was stopped."""

import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn, Self

import PIL

from emotag import __version__
from emotag.bundle.config import BundleConfig
from emotag.errors import StorageError
from emotag.locks import locked
from emotag.photos.places import absolute_path
from emotag.remote.filesystems import is_remote
from emotag.storage import ledger_folder, lock_beside, open_database, remove_partial
from emotag.tagging.rows import Outcome, path_text

__all__ = [
    "Known",
    "Ledger",
    "ledger_path",
    "open_ledger",
    "run_fingerprint",
]

_VERSION = 1
_SCHEMA = """
CREATE TABLE photos (
    path BLOB PRIMARY KEY, identity TEXT NOT NULL, computation TEXT NOT NULL,
    outcome TEXT NOT NULL, run INTEGER NOT NULL
) WITHOUT ROWID
"""
_BATCH = 256
_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Known:
    """What an earlier run said of a photo.

    Attributes
    ----------
    identity : str
        Of the file at that time, as `state_of` gives it.
    outcome : Outcome
        What was said.
    """

    identity: str
    outcome: Outcome


def run_fingerprint(
    config: BundleConfig, *, engine: str = "onnx", explain: bool, max_pixels: int
) -> str:
    """Return what outcomes depend on, beside the photos.

    Parameters
    ----------
    config : BundleConfig
        The model's, with the checksums of its files.
    engine : str, default='onnx'
        Which runs it: others differ in the last decimals.
    explain : bool
        Whether outcomes say why.
    max_pixels : int
        Photos of more are skipped.
    """
    parts = [_VERSION, __version__, PIL.__version__, config.to_dict(), engine, explain, max_pixels]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def ledger_path(output: str) -> str:
    """Return the path of the ledger of an output."""
    place = output if is_remote(output) else os.path.realpath(output)
    name = hashlib.sha256(os.fsencode(place)).hexdigest()[:32]
    return os.path.join(ledger_folder(), f"{name}.sqlite")


@contextmanager
def open_ledger(
    output: str | None, computation: str, cannot: Callable[[str], None], *, fresh: bool = False
) -> Iterator["Ledger | None"]:
    """Open the ledger of an output, and keep other runs from the same output.

    Parameters
    ----------
    output : str or None
        A file; None has no ledger.
    computation : str
        As `run_fingerprint` returns it.
    cannot : callable
        Told why, where there can be no ledger; the run does without.
    fresh : bool, default=False
        Whether all that earlier runs noted is forgotten.

    Yields
    ------
    Ledger or None

    Raises
    ------
    StorageError
        Another run writes to the output.
    """

    def refuse() -> NoReturn:
        raise _Busy(f"Another run of emotag writes to {path_text(str(output))}; wait for it.")

    with ExitStack() as stack:
        ledger = None
        if output is not None and not is_remote(output):
            # a run of another user, or on another machine, has another cache
            try:
                stack.enter_context(locked(lock_beside(output), refuse))
            except _Busy:
                raise
            except OSError:
                # no place for a lock: where nothing else can be written, that is said later
                pass
        if output is not None:
            path = ledger_path(output)
            try:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                stack.enter_context(locked(f"{path}.lock", refuse))
                if not is_remote(output):
                    remove_partial(output)
                ledger = stack.enter_context(Ledger(path, computation, cannot))
                if fresh:
                    ledger.forget()
            except _Busy:
                raise
            except StorageError as error:
                cannot(str(error))
            except OSError as error:
                cannot(f"{error.filename or path}: {error.strerror or error}")
        yield ledger


class _Busy(StorageError):
    """Another run has the lock."""


class Ledger:
    """The record of one output.

    Parameters
    ----------
    path : str
        Of its data base.
    computation : str
        Outcomes of another are not taken.
    cannot : callable
        Told once if it can be written no more; it is then left as it is.

    Raises
    ------
    StorageError
        It cannot be opened.
    """

    def __init__(self, path: str, computation: str, cannot: Callable[[str], None]) -> None:
        self._connection = open_database(path, _SCHEMA, _VERSION)
        self._computation = computation
        self._cannot = cannot
        # reading threads and the one that writes share the connection
        self._lock = threading.Lock()
        self._run = time.time_ns()
        self._fresh: list[tuple[bytes, str, str]] = []
        self._seen: list[bytes] = []
        self._renewed: list[tuple[str, bytes, str]] = []
        self._flushed = time.monotonic()
        self._broken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._flush()
        with self._lock, closing(self._connection):
            pass

    def known(self, paths: Sequence[str]) -> dict[str, Known]:
        """Return what is known of photos, by path; of a damaged ledger, nothing.

        Parameters
        ----------
        paths : sequence of str
            At most a few hundred.
        """
        keys = {_key(path): path for path in paths}
        marks = ", ".join("?" * len(keys))
        query = f"SELECT path, identity, outcome FROM photos WHERE computation = ? AND path IN ({marks})"  # noqa: S608, E501
        try:
            with self._lock:
                rows = self._connection.execute(query, [self._computation, *keys]).fetchall()
            return {keys[key]: Known(identity, _read(outcome)) for key, identity, outcome in rows}
        except (sqlite3.Error, ValueError, TypeError, KeyError):
            return {}

    def keep(self, path: str, identity: str, outcome: Outcome) -> None:
        """Note what was said of a photo; soon written, and all at the end."""
        self._fresh.append((_key(path), identity, _write(outcome)))
        self._flush_sometimes()

    def seen(self, path: str) -> None:
        """Note that a photo is still there, and as it was."""
        self._seen.append(_key(path))
        self._flush_sometimes()

    def renew(self, path: str, before: str, after: str) -> None:
        """Note that a photo's file was changed by emotag, and that what was said still holds.

        Parameters
        ----------
        path : str
            The photo.
        before, after : str
            Its identity before and after. If what was said was said of another
            state than the first, someone else changed the photo meanwhile, and
            it will be read again.
        """
        self._renewed.append((after, _key(path), before))
        self._flush_sometimes()

    def forget(self) -> None:
        """Forget all photos."""
        self._execute(lambda connection: connection.execute("DELETE FROM photos"))

    def finish(self) -> None:
        """Forget the photos that this run did not see."""
        self._flush()
        self._execute(lambda connection: connection.execute(
            "DELETE FROM photos WHERE run <> ?", [self._run]
        ))  # fmt: skip

    def _flush_sometimes(self) -> None:
        many = len(self._fresh) + len(self._seen) + len(self._renewed) >= _BATCH
        if many or time.monotonic() - self._flushed > _SECONDS:
            self._flush()

    def _flush(self) -> None:
        fresh, seen, renewed = self._fresh, self._seen, self._renewed
        self._fresh, self._seen, self._renewed = [], [], []
        self._flushed = time.monotonic()
        if not fresh and not seen and not renewed:
            return

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR REPLACE INTO photos VALUES (?, ?, ?, ?, ?)",
                [(*row[:2], self._computation, row[2], self._run) for row in fresh],
            )
            connection.executemany(
                "UPDATE photos SET run = ? WHERE path = ?", [(self._run, key) for key in seen]
            )
            # last: what is renewed may have been noted just now
            connection.executemany(
                "UPDATE photos SET identity = ? WHERE path = ? AND identity = ?", renewed
            )
            connection.execute("COMMIT")

        self._execute(write)

    def _execute(self, write: Callable[[sqlite3.Connection], object]) -> None:
        if self._broken:
            return
        with self._lock:
            try:
                write(self._connection)
            except sqlite3.Error as error:
                self._broken = True
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._cannot(str(error))


def _key(path: str) -> bytes:
    return os.fsencode(absolute_path(path))


def _write(outcome: Outcome) -> str:
    said = [outcome.status, outcome.note, outcome.emotion, outcome.positive, outcome.because]
    return json.dumps(said)


def _read(text: str) -> Outcome:
    status, note, emotion, positive, because = json.loads(text)
    return Outcome(status, note, tuple(emotion), positive, because)
