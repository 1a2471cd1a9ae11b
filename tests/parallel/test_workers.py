"""Chunks of work on real worker processes, of which some die."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from joblib import parallel_config

from emotag.errors import WorkersError
from emotag.parallel.cluster import on_cluster
from emotag.parallel.threads import chunked
from emotag.parallel.workers import has_workers, map_on_workers, on_processes
from tests.cluster import dask_cluster

ITEMS = list(range(40))
CHUNKS = list(chunked(ITEMS, 4))


@pytest.fixture(params=["loky", "dask"])
def workers(request: pytest.FixtureRequest) -> Iterator[str]:
    """Two worker processes of a backend."""
    if request.param == "loky":
        with on_processes(2):
            yield "loky"
        return
    with dask_cluster() as address, on_cluster(address):
        yield "dask"


def double(chunk: Sequence[int], *, dies_of: int = -1, often: Path | None = None) -> list[int]:
    """Return the doubles; die of one item, always or as often as there are files to remove."""
    if dies_of in chunk:
        left = list(often.iterdir()) if often is not None else [None]
        if left:
            if left[0] is not None:
                left[0].unlink()
            os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.002)
    return [2 * item for item in chunk]


def lost(item: int) -> int:
    return -item


def test_results_come_in_the_order_of_the_chunks(workers: str) -> None:
    assert has_workers()
    results = list(map_on_workers(double, CHUNKS, lost=lost))
    assert results == [[2 * item for item in chunk] for chunk in CHUNKS]


@pytest.mark.parametrize("deaths", [1, 3])
def test_a_worker_that_dies_costs_nothing(workers: str, tmp_path: Path, deaths: int) -> None:
    for index in range(deaths):
        (tmp_path / str(index)).touch()
    work = partial(double, dies_of=17, often=tmp_path)
    results = list(map_on_workers(work, iter(CHUNKS), lost=lost))
    assert results == [[2 * item for item in chunk] for chunk in CHUNKS]
    assert not list(tmp_path.iterdir())


def test_an_item_that_kills_every_worker_is_lost_alone(workers: str) -> None:
    results = list(map_on_workers(partial(double, dies_of=17), iter(CHUNKS), lost=lost))
    flat = [result for chunk in results for result in chunk]
    assert flat == [-item if item == 17 else 2 * item for item in ITEMS]


def die(chunk: Sequence[int]) -> list[int]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def test_workers_that_die_of_everything_end_the_run() -> None:
    with (
        parallel_config(backend="loky", n_jobs=2),
        pytest.raises(WorkersError, match=r"^The workers die whatever they are given\. Fewer of"),
    ):
        list(map_on_workers(die, CHUNKS, lost=lost))


def refuse(chunk: Sequence[int]) -> list[int]:
    if 17 in chunk:
        raise ArithmeticError("seventeen")
    return [0]


def test_what_the_function_raises_ends_the_whole(workers: str) -> None:
    with pytest.raises(ArithmeticError, match="seventeen"):
        list(map_on_workers(refuse, CHUNKS, lost=lost))


def test_tasks_are_taken_as_they_are_needed() -> None:
    taken = []

    def tasks() -> Iterator[list[int]]:
        for item in range(1000):
            taken.append(item)
            yield [item]

    with parallel_config(backend="loky", n_jobs=2):
        results = map_on_workers(double, tasks(), lost=lost)
        for _ in range(5):
            next(results)
        time.sleep(0.2)
        assert len(taken) < 100
        results.close()
    assert len(taken) < 100


ALL_AT_ONCE = """
from joblib import parallel_config
from emotag.parallel.workers import has_workers, map_on_workers
from tests.parallel.test_workers import CHUNKS, double, lost

if __name__ == "__main__":
    with parallel_config(backend="multiprocessing", n_jobs=2):
        assert has_workers()
        results = list(map_on_workers(double, iter(CHUNKS), lost=lost))
    assert results == [[2 * item for item in chunk] for chunk in CHUNKS]
    print("all")
"""


def test_a_backend_that_gives_all_results_at_once() -> None:
    # in a process of its own: this backend forks, and what was forked from one with the
    # threads of other tests' libraries may wait for them for ever
    done = subprocess.run(
        [sys.executable, "-c", ALL_AT_ONCE], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "all\n"


def test_threads_are_no_workers() -> None:
    assert not has_workers()
    with parallel_config(backend="threading", n_jobs=2):
        assert not has_workers()
