"""Chunks of work on several threads of this process, in order."""

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from numbers import Integral
from typing import TypeVar

from emotag.errors import ModelError

__all__ = ["chunked", "map_chunks", "map_tasks", "usable_cores"]

Item = TypeVar("Item")
Result = TypeVar("Result")
Task = TypeVar("Task")

# Chunks a thread that may be worked on or wait to be taken: enough that no thread
# idles while the caller is busy, few enough that memory stays flat.
_AHEAD = 4

# Python hands its lock on after 5 ms by default, as long as it takes to decode some photos.
_SWITCH_SECONDS = 1e-4


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def chunked(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Cut a sequence into chunks of `size`, the last one possibly shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def map_chunks(
    function: Callable[[Sequence[Item]], Result],
    items: Sequence[Item],
    *,
    size: int,
    jobs: int | None = None,
) -> Generator[Result]:
    """Apply a function to fixed chunks of the items, several at a time.

    If the caller stops early, no further chunk is begun, and those that run
    are waited for.

    Parameters
    ----------
    function : callable
        Takes a chunk, returns its result. Failures it expects are values in
        the result; what it raises ends the whole.
    items : sequence
        What to work through.
    size : int
        Items a chunk. The chunks do not depend on `jobs`.
    jobs : int, optional
        Threads at a time; by default one a core. Negative numbers count
        down from there, as scikit-learn's ``n_jobs``: -1 is one a core.

    Yields
    ------
    result
        One for each chunk, in the order of the items.

    Raises
    ------
    ModelError
        `jobs` is no number of threads.
    """
    yield from map_tasks(function, chunked(items, size), jobs=jobs)


def map_tasks(
    function: Callable[[Task], Result], tasks: Iterable[Task], *, jobs: int | None = None
) -> Generator[Result]:
    """Apply a function to tasks that come one by one, several at a time; as `map_chunks`.

    A task is taken by the caller's own thread, shortly before it is begun.
    """
    jobs = _count_threads(jobs)
    pending: deque[Future[Result]] = deque()
    # Not joblib's threads: those are daemons, which must not be inside onnxruntime
    # when the interpreter ends.
    with _switching_soon(), ThreadPoolExecutor(jobs, thread_name_prefix="emotag") as pool:
        try:
            for task in tasks:
                pending.append(pool.submit(function, task))
                if len(pending) == _AHEAD * jobs:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for waiting in pending:
                waiting.cancel()


@contextmanager
def _switching_soon() -> Iterator[None]:
    """Let threads that need Python often, and shortly, have it soon."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, _SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _count_threads(jobs: int | None) -> int:
    if jobs is None:
        return usable_cores()
    whole: object = jobs
    if isinstance(whole, bool) or not isinstance(whole, Integral) or not whole:
        raise ModelError(f"n_jobs={jobs!r} must be None or a whole number other than 0.")
    return jobs if jobs > 0 else max(1, usable_cores() + 1 + jobs)
