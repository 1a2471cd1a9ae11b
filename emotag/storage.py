"""Files and folders that appear whole, and SQLite opened one way."""

import errno
import hashlib
import os
import re
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import IO, Any

from emotag.errors import EmotagError, StorageError

__all__ = [
    "cache_folder",
    "is_special",
    "lock_beside",
    "open_database",
    "refuse_existing",
    "refuse_unwritable",
    "remove_partials",
    "replace_file",
    "replace_folder",
    "take_over",
]

if sys.platform != "win32":
    import fcntl

BUSY_SECONDS = 60.0
_NEW_SECONDS = 0.5
_IDLE_SECONDS = 3600.0
_LONGEST = 40

_REMEDIES = {
    errno.ENOSPC: "the disk is full. Make room, and run the same command again.",
    errno.EDQUOT: "your share of the disk is full. Make room, and run the same command again.",
    errno.ENOENT: "its folder is not there. Make it, and run the same command again.",
    errno.EROFS: "the disk may only be read.",
}


def cache_folder() -> str:
    """Return the folder of caches: ``EMOTAG_CACHE``, or the platform's own."""
    if folder := os.environ.get("EMOTAG_CACHE"):
        return folder
    # imported here: most commands never need it
    from platformdirs import user_cache_dir

    return user_cache_dir("emotag", appauthor=False)


def ledger_folder() -> str:
    """Return the folder in the cache where long jobs note what is done."""
    return os.path.join(cache_folder(), "ledgers")


@contextmanager
def replace_file(path: str) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name only once it is whole.

    It is written beside `path`, flushed to the disk, and renamed. If the body
    raises, what was there before stays and nothing is left behind.

    Parameters
    ----------
    path : str
        The file to be; its folder must exist.

    Yields
    ------
    binary file
        Open for writing.

    Raises
    ------
    StorageError
        The file cannot be written; the message says why.
    """
    if is_special(path):
        # written to and never replaced
        with _explaining(path), open(path, "wb") as file:
            yield file
        return
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    # named before it is made, so that it can be removed whenever Ctrl-C comes
    beside = _name_beside(folder, name)
    try:
        with _explaining(path, beside), closing(_Hold()) as hold:
            with open(beside, "xb", opener=_open_private) as file:
                hold.take(file)
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(beside, _mode_of(path))
            os.replace(beside, path)
            _sync_folder(folder)
    except BaseException:
        _remove(beside)
        raise


class _Hold:
    """Tells others that a file is being written; holds also once the file is closed."""

    def __init__(self) -> None:
        self._handle: int | None = None

    def take(self, file: IO[bytes]) -> None:
        """Begin to tell."""
        if sys.platform != "win32":
            # of the same opening, to which the lock belongs
            self._handle = os.dup(file.fileno())
            with suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """End it."""
        if self._handle is not None:
            os.close(self._handle)


def _is_left_behind(path: str) -> bool:
    """Return whether no process writes a file any more."""
    age = time.time() - _last_written(path)
    # whoever has just made it is about to take hold of it
    time.sleep(min(max(_NEW_SECONDS - age, 0.0), _NEW_SECONDS))
    if sys.platform == "win32" or os.path.isdir(path):
        return age > _IDLE_SECONDS
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        # a file system without locks
        return age > _IDLE_SECONDS
    return True


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def take_over(path: str, handle: int) -> None:
    """Give an open file the owner, the group and the extended attributes of another.

    Parameters
    ----------
    path : str
        The other, which this one is going to replace.
    handle : int
        Of the open file.

    Raises
    ------
    PermissionError
        The other belongs to someone else, and only the system may give files away.
    """
    before, own = os.stat(path), os.fstat(handle)
    if (own.st_uid, own.st_gid) != (before.st_uid, before.st_gid):
        os.fchown(handle, before.st_uid, before.st_gid)
    for name in os.listxattr(path) if hasattr(os, "listxattr") else ():
        # the system's own attributes are for the system to set
        with suppress(PermissionError):
            os.setxattr(handle, name, os.getxattr(path, name))


def remove_partial(path: str, *, is_shared: bool = False) -> None:
    """Remove what killed processes left of `replace_file` or `replace_folder` beside a path.

    What stood there before, and was set aside by a process that was killed then, is put back.

    Parameters
    ----------
    path : str
        The file or folder.
    is_shared : bool, default=False
        Whether other processes may write there now, whose files are to be left;
        by default whoever calls it makes sure that there are none.
    """
    folder, name = os.path.split(os.path.realpath(path))
    ours = re.compile(re.escape(_hidden(name)) + r"[0-9a-f]{16}\.partial(\.old)?")
    found = {left: ours.fullmatch(left) for left in os.listdir(folder)}
    for left, match in found.items():
        beside = os.path.join(folder, left)
        if match is None or (is_shared and not _is_left_behind(beside)):
            continue
        if match[1] and not os.path.lexists(os.path.join(folder, name)):
            os.rename(beside, os.path.join(folder, name))
        elif os.path.isdir(beside) and not os.path.islink(beside):
            shutil.rmtree(beside, ignore_errors=True)
        else:
            _remove(beside)


def remove_partials(folder: str) -> None:
    """Remove what killed processes left of `replace_file` in a folder of which one has charge."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for name in os.listdir(folder):
            if re.fullmatch(r"\..+\.[0-9a-f]{16}\.partial", name):
                _remove(os.path.join(folder, name))


def _last_written(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return time.time()


def _mode_of(path: str) -> int:
    """Return the permissions of a file that is to be replaced, or those of a new one."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return _usual_mode()


@contextmanager
def replace_folder(path: str, *, force: bool = False) -> Iterator[str]:
    """Make a folder that takes its name only once it is whole.

    Parameters
    ----------
    path : str
        The folder to be. Missing parents are made.
    force : bool, default=False
        Whether a folder that is there already is replaced. The current
        folder, or one that holds it, never is.

    Yields
    ------
    str
        An empty folder beside `path`, to be filled.

    Raises
    ------
    StorageError
        The folder exists and `force` is false, or it cannot be written.
    """
    refuse_existing(path, force=force)
    target = os.path.abspath(path)
    parent, name = os.path.split(target)
    try:
        os.makedirs(parent, exist_ok=True)
        beside = _name_beside(parent, name)
        os.mkdir(beside)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        with _explaining(path, beside, target):
            yield beside
            refuse_existing(path, force=force)
            _sync_files(beside)
            _swap_in(beside, target)
            _sync_folder(parent)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def is_special(path: str) -> bool:
    """Return whether a device, a pipe or the like stands at `path`, and no plain file."""
    return os.path.exists(path) and not os.path.isfile(path)


def refuse_existing(path: str, *, force: bool) -> None:
    """Raise a StorageError if `path` exists and must not be replaced."""
    target = os.path.abspath(path)
    shown = path or os.curdir
    if not os.path.lexists(target):
        return
    if not force:
        raise StorageError(
            f"{shown} exists already; choose another name, or --force to replace it."
        )
    within = os.path.commonpath([os.path.realpath(target), os.getcwd()])
    if within == os.path.realpath(target) and not os.path.islink(target):
        raise StorageError(
            f"{shown} is the current folder or holds it, and is not replaced; choose another name."
        )


def refuse_unwritable(folder: str) -> None:
    """Raise a StorageError if a folder could not be made, with those above it that are missing."""
    parent = os.path.dirname(os.path.abspath(folder))
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent):
        raise StorageError(f"{folder} cannot be written: {parent} is not a folder.")
    effective = os.access in os.supports_effective_ids
    if not os.access(parent, os.W_OK, effective_ids=effective):
        raise StorageError(f"{folder} cannot be written: no permission for the folder {parent}.")
    # imported here: most commands make no folder
    import tempfile

    try:
        # permissions do not say it all: a file system may be one of the kernel's own, or full
        with tempfile.TemporaryDirectory(dir=parent, prefix=".emotag-"):
            pass
    except OSError as error:
        reason = f"nothing can be made in {parent} ({error.strerror})"
        raise StorageError(f"{folder} cannot be written: {reason}.") from error


@contextmanager
def _explaining(path: str, *ours: str) -> Iterator[None]:
    """Turn an error of writing to `path` into one that says so; others pass as they are."""
    try:
        yield
    except (EmotagError, BrokenPipeError):
        raise
    except OSError as error:
        if error.filename is None or str(error.filename).startswith((path, *ours)):
            raise _cannot_write(path, error) from error
        raise


def _swap_in(beside: str, target: str) -> None:
    """Rename `beside` to `target`, keeping what stood there until it is done."""
    if not os.path.lexists(target):
        os.rename(beside, target)
        return
    old = f"{beside}.old"
    os.rename(target, old)
    try:
        os.rename(beside, target)
    except BaseException:
        os.rename(old, target)
        raise
    if os.path.islink(old) or not os.path.isdir(old):
        os.remove(old)
    else:
        shutil.rmtree(old)


def open_database(path: str, schema: str, version: int) -> sqlite3.Connection:
    """Open a SQLite data base in WAL mode, making it by `schema` where it is new.

    Parameters
    ----------
    path : str
        The file; missing folders are made.
    schema : str
        Statements that make the tables.
    version : int
        The schema's version. A file of another version is made anew: what
        is kept this way can be computed again.

    Returns
    -------
    sqlite3.Connection
        In autocommit mode, waiting up to a minute for other processes.

    Raises
    ------
    StorageError
        It cannot be opened, or is no data base.
    """
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise StorageError(
            f"{path} cannot be opened: {reason}; EMOTAG_CACHE names another place."
        ) from error
    try:
        _prepare(connection, schema, version)
    except sqlite3.Error as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StorageError(
                f"The disk is full, so {path} cannot be used. Make room, or name another place "
                "by EMOTAG_CACHE."
            ) from error
        raise StorageError(
            f"{path} cannot be used: {error}. If it is damaged, delete it; "
            "EMOTAG_CACHE names another place."
        ) from error
    return connection


def _prepare(connection: sqlite3.Connection, schema: str, version: int) -> None:
    # large enough that a vector of features fits into one page
    connection.execute("PRAGMA page_size = 16384")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _switch_to_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    if _scalar(connection, "PRAGMA user_version") == version:
        return
    connection.execute("BEGIN IMMEDIATE")
    # another process may have made the tables while this one waited
    if _scalar(connection, "PRAGMA user_version") != version:
        tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        for (table,) in connection.execute(tables).fetchall():
            connection.execute(f'DROP TABLE "{table}"')
        for statement in filter(str.strip, schema.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version:d}")
    connection.execute("COMMIT")


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait here while another process switches the same new file
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _scalar(connection: sqlite3.Connection, query: str) -> Any:
    return connection.execute(query).fetchone()[0]


def _cannot_write(path: str, error: OSError) -> StorageError:
    reason = _REMEDIES.get(error.errno or 0, f"{error.strerror or error}.")
    return StorageError(f"{path} cannot be written: {reason}")


def lock_beside(path: str) -> str:
    """Return the file by which whoever writes to a path keeps others from it."""
    folder, name = os.path.split(os.path.realpath(path))
    return os.path.join(folder, f"{_hidden(name)}lock")


def _name_beside(folder: str, name: str) -> str:
    return os.path.join(folder, f"{_hidden(name)}{os.urandom(8).hex()}.partial")


def _hidden(name: str) -> str:
    # cut, so that what is added fits into the longest name that a file system takes
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 9]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
    return f".{name}."


def _usual_mode(*, folder: bool = False) -> int:
    # tempfile makes private files; the result should be as open() makes them
    mask = os.umask(0)
    os.umask(mask)
    return (0o777 if folder else 0o666) & ~mask


def _sync_files(folder: str) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb") as file:
                os.fsync(file.fileno())
        _sync_folder(parent)


def _sync_folder(folder: str) -> None:
    # not every platform can open a folder; the rename itself is done by then
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.remove(path)
