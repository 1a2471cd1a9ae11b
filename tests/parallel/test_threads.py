"""Chunks of work on several threads: order, failures, early ends, and how far they run ahead."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.errors import ModelError
from emotag.parallel.threads import chunked, map_chunks, usable_cores

JOBS = [1, 2, 3, None, -1, -2, -100]


@given(st.lists(st.integers(), max_size=50), st.integers(1, 60))
def test_chunks_are_full_but_the_last_and_lose_nothing(items: list[int], size: int) -> None:
    chunks = list(chunked(items, size))
    assert [item for chunk in chunks for item in chunk] == items
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(0 < len(chunk) <= size for chunk in chunks)


@pytest.mark.parametrize("jobs", JOBS)
@pytest.mark.parametrize("count", [0, 1, 7, 100])
def test_results_come_in_the_order_of_the_items(jobs: int | None, count: int) -> None:
    def double_slowly(chunk: Sequence[int]) -> list[int]:
        # the first of each pair of chunks is ready last
        time.sleep(0.002 if chunk[0] % 2 else 0)
        return [2 * item for item in chunk]

    results = list(map_chunks(double_slowly, range(count), size=3, jobs=jobs))
    assert [item for result in results for item in result] == [2 * item for item in range(count)]


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 3))
def test_the_chunks_do_not_depend_on_the_threads(count: int, size: int, jobs: int) -> None:
    alone = list(map_chunks(list, range(count), size=size, jobs=1))
    assert list(map_chunks(list, range(count), size=size, jobs=jobs)) == alone


@pytest.mark.parametrize("jobs", [2, 3])
def test_several_chunks_are_worked_on_at_a_time(jobs: int) -> None:
    # each chunk waits until as many threads are inside: one alone would wait in vain
    meeting = threading.Barrier(jobs, timeout=20)

    def meet(_: Sequence[int]) -> int:
        return meeting.wait()

    assert len(list(map_chunks(meet, range(jobs * 2), size=1, jobs=jobs))) == jobs * 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_the_function_raises_ends_the_whole(jobs: int) -> None:
    def refuse_seven(chunk: Sequence[int]) -> int:
        if 7 in chunk:
            raise ArithmeticError("seven")
        return chunk[0]

    taken = []
    with pytest.raises(ArithmeticError, match=r"^seven$"):
        taken.extend(map_chunks(refuse_seven, range(100), size=2, jobs=jobs))
    assert taken == [0, 2, 4]


@pytest.mark.parametrize("jobs", [1, 2])
def test_whoever_stops_early_gets_no_further_work_and_no_warning(jobs: int) -> None:
    begun = []

    def note(chunk: Sequence[int]) -> int:
        begun.append(chunk[0])
        time.sleep(0.001)
        return chunk[0]

    results = map_chunks(note, range(1000), size=1, jobs=jobs)
    assert next(results) == 0
    results.close()
    at_the_end = len(begun)
    assert at_the_end < 50
    time.sleep(0.02)
    assert len(begun) == at_the_end


def test_results_that_nobody_takes_do_not_pile_up() -> None:
    begun = []

    def note(chunk: Sequence[int]) -> None:
        begun.append(chunk[0])

    results = map_chunks(note, range(10_000), size=1, jobs=2)
    for _ in range(5):
        next(results)
    time.sleep(0.05)
    assert len(begun) <= 5 + 2 * 8
    results.close()


def test_nothing_is_done_before_it_is_asked_for() -> None:
    begun = []
    results = map_chunks(begun.append, range(10), size=1, jobs=2)
    assert begun == []
    next(results)
    assert begun
    results.close()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this platform binds no process")
def test_a_process_bound_to_one_core_uses_one() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from emotag.parallel.threads import usable_cores; print(usable_cores())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_the_cores_of_this_process_are_counted() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_a_platform_that_binds_no_process_counts_the_cores_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert usable_cores() == os.cpu_count()


@pytest.mark.parametrize("jobs", [0, 2.5, "a", True])
def test_what_is_no_number_of_threads(jobs: Any) -> None:
    with pytest.raises(ModelError) as caught:
        list(map_chunks(list, [1, 2], size=1, jobs=jobs))
    assert str(caught.value) == f"n_jobs={jobs!r} must be None or a whole number other than 0."


def test_python_switches_sooner_between_threads_while_they_work() -> None:
    usual = sys.getswitchinterval()
    during = list(map_chunks(lambda _: sys.getswitchinterval(), [1, 2], size=1, jobs=1))
    assert max(during) < usual / 10
    assert sys.getswitchinterval() == usual
