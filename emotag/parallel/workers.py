"""Chunks of work on worker processes, here or on other machines, through joblib; in order."""

import sys
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from emotag.errors import WorkersError
from emotag.parallel.cluster import cluster_backend

__all__ = ["has_workers", "map_on_workers", "on_processes"]

Item = TypeVar("Item")
Result = TypeVar("Result")
Task = TypeVar("Task")

# Chunks a worker that are handed out at once: enough that the wait for the last of them
# does not count, few enough that memory stays flat where results are taken slowly.
_AT_ONCE = 24

# So often may workers die before any has answered, until it is looked for what kills them.
_DEATHS = 2

# So many items may be lost one after the other until no more are tried.
_LOST = 8


def has_workers() -> bool:
    """Return whether ``joblib.parallel_config`` names processes or machines to work on."""
    # whoever has named any has imported it
    if "joblib" not in sys.modules:
        return False
    from joblib.parallel import get_active_backend

    backend, _ = get_active_backend(prefer="threads")
    return not getattr(backend, "supports_sharedmem", False)


def map_on_workers(
    function: Callable[[Sequence[Item]], list[Result]],
    tasks: Iterable[Sequence[Item]],
    *,
    lost: Callable[[Item], Result],
) -> Generator[list[Result]]:
    """Apply a function to chunks of items through the backend of ``joblib.parallel_config``.

    A worker that dies costs the time of the chunks that were out. If one dies again and
    again, each chunk that was out is tried alone, and at last each item.

    Parameters
    ----------
    function : callable
        Takes a chunk, returns the result of each item; can be pickled.
    tasks : iterable
        The chunks; some more are taken whenever the last ones are done.
    lost : callable
        Takes an item that killed a worker by itself; returns its result.

    Yields
    ------
    list
        For each chunk, in their order.

    Raises
    ------
    WorkersError
        The workers die whatever they are given.
    """
    from joblib import effective_n_jobs

    left = iter(tasks)
    while some := deque(islice(left, _AT_ONCE * effective_n_jobs(None))):
        yield from _map_some(function, some, lost)


def _map_some(
    function: Callable[[Sequence[Item]], list[Result]],
    waiting: deque[Sequence[Item]],
    lost: Callable[[Item], Result],
) -> Iterator[list[Result]]:
    deaths = lost_in_a_row = 0
    while waiting:
        try:
            for results in _parallel(function, waiting):
                deaths = lost_in_a_row = 0
                waiting.popleft()
                yield results
        except _deaths() as error:
            deaths += 1
            if deaths < _DEATHS:
                continue
            deaths = 0
            lost_in_a_row = yield from _find_killer(function, waiting, lost, lost_in_a_row)
            if lost_in_a_row >= _LOST:
                raise WorkersError(
                    "The workers die whatever they are given. Fewer of them need less memory; "
                    f"the last one died so: {str(error).strip().splitlines()[0]}"
                ) from error


def _find_killer(
    function: Callable[[Sequence[Item]], list[Result]],
    waiting: deque[Sequence[Item]],
    lost: Callable[[Item], Result],
    lost_in_a_row: int,
) -> Generator[list[Result], None, int]:
    """Try chunks one after the other until one kills its worker, and that item by item.

    Returns how many items in a row have killed theirs up to here.
    """
    while waiting:
        chunk = waiting.popleft()
        results = _alone(function, chunk)
        if results is not None:
            lost_in_a_row = 0
            yield results
            continue
        results = []
        for item in chunk:
            result = _alone(function, [item])
            lost_in_a_row = 0 if result else lost_in_a_row + 1
            results += result or [lost(item)]
            if lost_in_a_row >= _LOST:
                return lost_in_a_row
        yield results
        break
    return lost_in_a_row


def _parallel(function: Callable[[Task], Result], tasks: Iterable[Task]) -> Generator[Result]:
    from joblib import Parallel, delayed
    from joblib.parallel import get_active_backend

    # all are handed out at once, since joblib hands out from threads that it does not join
    backend = cluster_backend() or get_active_backend()[0]
    calls = [delayed(function)(task) for task in tasks]
    if not backend.supports_return_generator:
        yield from Parallel(batch_size=1)(calls)
        return
    work = Parallel(
        backend=cluster_backend(), return_as="generator", pre_dispatch="all", batch_size=1
    )
    results: Generator[Result] = work(calls)
    try:
        for result in results:  # noqa: UP028 - not closed by whoever closes this one
            yield result
    finally:
        with warnings.catch_warnings():
            # of what was begun and is not asked for any more
            warnings.simplefilter("ignore", UserWarning)
            results.close()


def _deaths() -> tuple[type[Exception], ...]:
    """Return what backends raise where a worker has died."""
    kinds: list[type[Exception]] = [BrokenExecutor]
    if "distributed" in sys.modules:
        from distributed import KilledWorker

        kinds.append(KilledWorker)
    return tuple(kinds)


def _alone(
    function: Callable[[Sequence[Item]], list[Result]], chunk: Sequence[Item]
) -> list[Result] | None:
    try:
        return next(_parallel(function, [chunk]))
    except _deaths():
        return None


@contextmanager
def on_processes(count: int) -> Iterator[None]:
    """Let `map_on_workers` work on processes of this machine while the body runs.

    Parameters
    ----------
    count : int
        How many, at least 2.
    """
    from joblib import parallel_config

    with parallel_config(backend="loky", n_jobs=count):
        yield
