"""Chunks of work through joblib, in order."""

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

__all__ = ["chunked", "map_chunks", "usable_cores"]

Item = TypeVar("Item")
Result = TypeVar("Result")


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
    ahead: int = 64,
) -> Iterator[Result]:
    """Apply a function to fixed chunks of the items, several at a time.

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
        Threads at a time; by default one a core. Inside
        ``joblib.parallel_config`` its backend decides.
    ahead : int, default=64
        Chunks a thread that may be worked on or wait before the first of
        them is taken: it bounds the memory that results take.

    Yields
    ------
    result
        One for each chunk, in the order of the items.
    """
    chunks = list(chunked(items, size))
    jobs = jobs or usable_cores()
    if len(chunks) < 2 or jobs == 1:
        # joblib takes a fifth of a second to import
        yield from map(function, chunks)
        return
    from joblib import Parallel, delayed

    workers = Parallel(n_jobs=jobs, prefer="threads", return_as="generator")
    pending = iter(chunks)
    while batch := list(islice(pending, ahead * jobs)):
        yield from workers(delayed(function)(chunk) for chunk in batch)
