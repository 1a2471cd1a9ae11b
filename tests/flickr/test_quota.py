"""Calls an hour, counted over threads and processes."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from emotag.errors import StorageError
from emotag.flickr.quota import Quota, quota_path
from emotag.flickr.transport import Stopped

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
HOUR = 3600.0


class Clock:
    """A clock that goes on only where someone waits."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "cache" / "flickr.sqlite")


def test_calls_within_the_quota_do_not_wait(path: str) -> None:
    clock = Clock()
    with Quota(path, KEY, 5, clock, clock.sleep) as quota:
        assert (quota.left, quota.wait) == (5, 0.0)
        for _ in range(5):
            quota.take()
        assert not clock.waits
        assert quota.left == 0
        assert quota.wait == pytest.approx(HOUR)


def test_the_next_one_waits_until_the_first_is_an_hour_old(path: str) -> None:
    clock = Clock()
    with Quota(path, KEY, 3, clock, clock.sleep) as quota:
        for _ in range(3):
            quota.take()
            clock.now += 100.0
        quota.take()
        assert sum(clock.waits) == pytest.approx(HOUR - 300.0)
        quota.take()
        assert sum(clock.waits) == pytest.approx(HOUR - 200.0)
        assert quota.left == 0


def test_no_hour_ever_has_more(path: str) -> None:
    clock, taken = Clock(), []
    with Quota(path, KEY, 7, clock, clock.sleep) as quota:
        for number in range(60):
            quota.take()
            taken.append(clock.now)
            clock.now += number % 11 * 37.0
    # a call and the seventh after it are an hour apart
    gaps = [later - earlier for earlier, later in zip(taken, taken[7:], strict=False)]
    assert min(gaps) >= HOUR
    assert len(clock.waits) < 60


def test_keys_are_counted_apart_and_kept_over_runs(path: str) -> None:
    clock = Clock()
    with Quota(path, KEY, 2, clock, clock.sleep) as quota:
        quota.take()
    with Quota(path, KEY, 2, clock) as quota, Quota(path, OTHER, 2, clock) as other:
        assert (quota.left, other.left) == (1, 2)
        other.take()
        assert (quota.left, other.left) == (1, 1)
        clock.now += HOUR
        assert (quota.left, other.left) == (2, 2)


def test_a_lower_quota_than_before_waits_for_enough_to_pass(path: str) -> None:
    clock = Clock()
    with Quota(path, KEY, 4, clock, clock.sleep) as quota:
        for _ in range(4):
            quota.take()
            clock.now += 10.0
    with Quota(path, KEY, 2, clock, clock.sleep) as quota:
        assert quota.left == 0
        quota.take()
        # the third of four must be an hour old, so that one remains
        assert sum(clock.waits) == pytest.approx(HOUR - 20.0)


def test_a_clock_that_was_set_back_costs_an_hour_at_most(path: str) -> None:
    clock = Clock()
    with Quota(path, KEY, 2, clock, clock.sleep) as quota:
        quota.take()
        quota.take()
        clock.now -= 30 * 24 * HOUR
        quota.take()
        assert sum(clock.waits) == pytest.approx(HOUR)


def test_the_key_is_not_on_the_disk(path: str) -> None:
    with Quota(path, KEY) as quota:
        quota.take()
        for file in Path(path).parent.iterdir():
            assert KEY.encode() not in file.read_bytes()


def test_threads_share_it(path: str) -> None:
    with Quota(path, KEY, 100) as quota:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: quota.take(), range(100)))
        assert quota.left == 0


def test_processes_share_it(path: str) -> None:
    code = (
        "import sys\n"
        "from emotag.flickr.quota import Quota\n"
        "with Quota(sys.argv[1], sys.argv[2], 100) as quota:\n"
        "    for _ in range(30): quota.take()\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, path, KEY]) for _ in range(3)]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    with Quota(path, KEY, 100) as quota:
        assert quota.left == 10


def test_who_stops_waits_no_longer(path: str) -> None:
    stop = threading.Event()
    with Quota(path, KEY, 1, sleep=stop.wait) as quota:
        quota.take()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(quota.take)
            # others are not kept out while it waits
            assert quota.left == 0
            stop.set()
            with pytest.raises(Stopped):
                waiting.result(30)


def test_by_default_it_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "elsewhere"))
    assert quota_path() == str(tmp_path / "elsewhere" / "flickr.sqlite")
    with Quota(None, KEY) as quota:
        assert quota.left == 3600
    assert Path(quota_path()).is_file()


def test_a_file_that_is_no_data_base_is_said(tmp_path: Path) -> None:
    path = tmp_path / "flickr.sqlite"
    path.write_bytes(b"no data base" * 100)
    with pytest.raises(StorageError, match=r"flickr\.sqlite cannot be used"):
        Quota(str(path), KEY)


def test_a_data_base_that_breaks_meanwhile_is_said(path: str) -> None:
    with Quota(path, KEY) as quota:
        quota._connection.execute("DROP TABLE calls")
        with pytest.raises(StorageError, match="cannot be used: no such table"):
            quota.take()
        with pytest.raises(StorageError, match="cannot be used: no such table"):
            quota.left
