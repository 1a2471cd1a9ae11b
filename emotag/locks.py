"""A lock between processes that dies with the one who holds it."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["locked"]

POLL_SECONDS = 0.1


@contextmanager
def locked(path: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock while the body runs, waiting for whoever holds it.

    The system frees the lock of a process that dies, so a file that was left
    behind locks no one out.

    Parameters
    ----------
    path : str
        A file for the lock alone, in a folder that exists; it is removed after.
    waiting : callable
        Called without arguments, again and again, while another holds the lock.

    Raises
    ------
    OSError
        The file cannot be made, or the file system knows no locks.
    """
    handle = _take(path, waiting)
    try:
        yield
    finally:
        # while it is held, so that no one removes another's; Windows keeps it, as it is open
        with suppress(OSError):
            os.remove(path)
        os.close(handle)


def _take(path: str, waiting: Callable[[], None]) -> int:
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            while not _try_lock(handle):
                waiting()
                time.sleep(POLL_SECONDS)
            # the one who held it has removed it, and yet another may have made a new one
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
