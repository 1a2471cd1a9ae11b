"""The feature cache: what is put in comes out, for several processes, in bounded space."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emotag.errors import StorageError
from emotag.features.cache import (
    DEFAULT_LIMIT,
    FeatureCache,
    cache_state,
    clear_cache,
)
from emotag.features.store import photo_key
from tests.conftest import as_ordinary_user


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def vector(value: float, size: int = 300) -> np.ndarray:
    return np.full(size, value, dtype=np.float32)


def keys(count: int, prefix: str = "") -> list[bytes]:
    return [f"{prefix}{index}".encode() for index in range(count)]


def fill(path: Path, count: int, prefix: str = "") -> None:
    with FeatureCache(str(path), limit=2**30) as opened:
        opened.put({key: vector(index) for index, key in enumerate(keys(count, prefix))})


class TestPutAndGet:
    @settings(deadline=None, max_examples=25)
    @given(
        st.dictionaries(
            st.binary(max_size=40),
            arrays(np.float32, st.integers(1, 50), elements=st.floats(width=32)),
            min_size=1,
        )
    )
    def test_what_is_put_comes_out(
        self, tmp_path_factory: pytest.TempPathFactory, vectors: dict[bytes, np.ndarray]
    ) -> None:
        path = str(tmp_path_factory.mktemp("cache") / "features.sqlite")
        with FeatureCache(path) as opened:
            opened.put(vectors)
        with FeatureCache(path) as opened:
            found = opened.get([*vectors, b"another key, longer than all others before it here"])
            assert opened.count() == len(vectors)
        assert found.keys() == vectors.keys()
        for key, expected in vectors.items():
            np.testing.assert_array_equal(found[key], expected)
            assert found[key].dtype == np.float32

    def test_vectors_may_be_changed_by_who_got_them(self) -> None:
        with FeatureCache() as opened:
            opened.put({b"key": vector(1)})
            found = opened.get([b"key"])[b"key"]
            found += 1
            assert opened.get([b"key"])[b"key"][0] == 1

    def test_thousands_at_once(self) -> None:
        with FeatureCache() as opened:
            opened.put({key: vector(0, 2) for key in keys(2500)})
            assert len(opened.get(keys(3000))) == 2500

    def test_a_second_put_replaces(self) -> None:
        with FeatureCache() as opened:
            opened.put({b"key": vector(1)})
            opened.put({b"key": vector(2)})
            assert opened.count() == 1
            assert opened.get([b"key"])[b"key"][0] == 2

    def test_a_failed_put_leaves_nothing_begun(self) -> None:
        keys: dict[Any, np.ndarray] = {b"key": vector(1), ("no", "bytes"): vector(2)}
        with FeatureCache() as opened, FeatureCache() as other:
            with pytest.raises(StorageError, match=r"cannot be used: .*type 'tuple'"):
                opened.put(keys)
            assert opened.count() == 0
            # a transaction left open would keep the other one waiting
            other.put({b"key": vector(3)})
            assert opened.count() == 1

    def test_nothing(self) -> None:
        with FeatureCache() as opened:
            opened.put({})
            assert opened.get([]) == {}
            assert opened.count() == 0

    def test_keys_depend_on_content_and_computation(self) -> None:
        found = {photo_key(b"a", "x"), photo_key(b"b", "x"), photo_key(b"a", "y")}
        assert len(found) == 3
        assert photo_key(b"a", "x") == photo_key(b"a", "x")


WORKER = """
import sys, time
import numpy as np
from emotag.features.cache import FeatureCache

who, start = sys.argv[1], float(sys.argv[2])
time.sleep(max(0, start - time.time()))
for turn in range(5):
    with FeatureCache() as cache:
        for step in range(10):
            mine = {f"{who} {turn} {step} {n}".encode(): np.full(300, n, "f4") for n in range(4)}
            cache.put(mine)
            found = cache.get([key.replace(who.encode(), other) for key in mine
                               for other in (b"a", b"b", b"c", b"d")])
            assert all(vector[0] == int(key.split()[-1]) for key, vector in found.items())
            assert set(mine) <= set(found)
"""


def test_four_processes_at_once() -> None:
    start = str(time.time() + 1.5)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, who, start], stderr=subprocess.PIPE, text=True
        )
        for who in "abcd"
    ]
    outcomes = [(worker.communicate(timeout=120)[1], worker.returncode) for worker in workers]
    assert outcomes == [("", 0)] * 4
    with FeatureCache() as opened:
        assert opened.count() == 4 * 5 * 10 * 4


class TestLimit:
    def test_the_oldest_are_dropped_first(self, tmp_path: Path, clock: "Clock") -> None:
        path = str(tmp_path / "features.sqlite")
        with FeatureCache(path, limit=2**20) as opened:
            for key in keys(100):
                clock.now += 1
                opened.put({key: vector(1, 4000)})
            assert opened.size() <= 2**20
            left = list(opened.get(keys(100)))
        assert 20 < len(left) < 100
        assert left == keys(100)[-len(left) :]

    def test_what_is_used_stays(self, tmp_path: Path, clock: "Clock") -> None:
        path = str(tmp_path / "features.sqlite")
        with FeatureCache(path, limit=2**20) as opened:
            for key in keys(40):
                clock.now += 1
                opened.put({key: vector(1, 4000)})
            clock.now += 25 * 3600
            assert opened.get([b"0"])
            opened.put({key: vector(1, 4000) for key in keys(20, "new ")})
            left = opened.get(keys(40))
        assert b"0" in left
        assert b"1" not in left

    def test_the_disk_is_given_back(self, tmp_path: Path) -> None:
        path = tmp_path / "features.sqlite"
        fill(path, 2000)
        full = path.stat().st_size
        with FeatureCache(str(path), limit=full // 2) as opened:
            opened.put({b"one more": vector(1)})
        assert path.stat().st_size <= full // 2

    def test_no_space_at_all(self) -> None:
        with FeatureCache(limit=0) as opened:
            opened.put({b"key": vector(1)})
            assert opened.count() == 0
            assert opened.get([b"key"]) == {}

    def test_named_by_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert FeatureCache.default_limit() == DEFAULT_LIMIT
        monkeypatch.setenv("EMOTAG_CACHE_LIMIT", "3")
        assert FeatureCache.default_limit() == 3 * 2**20
        with FeatureCache() as opened:
            assert opened.limit == 3 * 2**20

    @pytest.mark.parametrize("value", ["", "2 GiB", "-1", "1.5", "٣", "²", "1e3", " 5"])
    def test_no_whole_number(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("EMOTAG_CACHE_LIMIT", value)
        with pytest.raises(StorageError) as caught:
            FeatureCache()
        message = f"EMOTAG_CACHE_LIMIT={value!r} is not a whole number of MiB."
        assert str(caught.value) == message


class TestClearing:
    def test_state_and_clear(self, cache: Path) -> None:
        fill(Path(FeatureCache.default_path()), 500)
        (cache / "networks").mkdir()
        (cache / "networks" / "lite0.network").write_bytes(b"x" * 1000)
        state = cache_state()
        assert (state.folder, state.entries) == (str(cache), 500)
        assert (state.networks, state.limit) == (1000, DEFAULT_LIMIT)
        assert 500 * 1200 < state.size < 2 * 500 * 1200
        clear_cache()
        state = cache_state()
        assert (state.entries, state.networks) == (0, 0)
        assert state.size < 100_000
        assert Path(FeatureCache.default_path()).stat().st_size < 100_000

    def test_nothing_there_yet(self) -> None:
        clear_cache()
        assert cache_state().entries == 0

    def test_a_damaged_file(self) -> None:
        fill(Path(FeatureCache.default_path()), 10)
        Path(FeatureCache.default_path()).write_bytes(b"not a data base, but as long as one" * 1000)
        with pytest.raises(StorageError) as caught:
            FeatureCache()
        assert str(caught.value) == (
            f"{FeatureCache.default_path()} cannot be used: file is not a database. "
            "If it is damaged, delete it; EMOTAG_CACHE names another place."
        )
        clear_cache()
        assert cache_state().entries == 0

    def test_a_file_damaged_in_the_middle(self) -> None:
        path = Path(FeatureCache.default_path())
        fill(path, 2000)
        content = bytearray(path.read_bytes())
        content[16384:-16384] = b"\xa5" * (len(content) - 2 * 16384)
        path.write_bytes(content)
        with FeatureCache() as opened, pytest.raises(StorageError) as caught:
            opened.get(keys(2000))
        assert str(caught.value) == (
            f"The feature cache {path} cannot be used: database disk image is malformed. "
            "EMOTAG_CACHE names another folder for it; emotag cache clear empties it."
        )
        clear_cache()
        fill(path, 3)
        assert cache_state().entries == 3

    def test_what_cannot_be_removed(self, cache: Path) -> None:
        (cache / "networks" / "a folder").mkdir(parents=True)
        with pytest.raises(StorageError, match=r"networks/a folder cannot be removed: Is a dir"):
            clear_cache()


class TestBadPlaces:
    def test_a_file_where_the_folder_should_be(self, cache: Path) -> None:
        cache.write_text("a file")
        with pytest.raises(StorageError) as caught:
            FeatureCache()
        assert str(caught.value).startswith(f"{cache}/features.sqlite cannot be opened: ")

    def test_a_folder_where_the_file_should_be(self, cache: Path) -> None:
        (cache / "features.sqlite").mkdir(parents=True)
        with pytest.raises(StorageError, match=r"features\.sqlite cannot be \w+: unable to"):
            FeatureCache()

    def test_a_folder_closed_to_writing(
        self, open_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EMOTAG_CACHE", str(open_folder))
        open_folder.chmod(0o555)
        with as_ordinary_user(), pytest.raises(StorageError) as caught:
            FeatureCache()
        open_folder.chmod(0o777)
        assert str(caught.value).startswith(f"{open_folder}/features.sqlite cannot be opened: ")

    def test_a_full_disk(self, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EMOTAG_CACHE", str(small_disk))
        with FeatureCache() as opened:
            opened.put({b"first": vector(1)})
            with pytest.raises(StorageError) as caught:
                opened.put({key: vector(2, 1280) for key in keys(1000)})
            assert str(caught.value) == (
                f"The disk is full: the feature cache {small_disk}/features.sqlite cannot be "
                "written. Make room, set a smaller EMOTAG_CACHE_LIMIT or EMOTAG_PIXEL_LIMIT, or "
                "type emotag cache clear; EMOTAG_CACHE names another folder."
            )
            # all or nothing, and what was there before is still there
            assert opened.count() == 1
            assert opened.get([b"first"])[b"first"][0] == 1
        clear_cache()
        assert cache_state().entries == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; only root can make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "emotag-test", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("cannot mount a small file system here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("version", [0, 999])
def test_a_file_of_another_version_is_made_anew(cache: Path, version: int) -> None:
    cache.mkdir()
    with closing(sqlite3.connect(FeatureCache.default_path())) as old:
        old.execute("CREATE TABLE features (photo TEXT, numbers TEXT)")
        old.execute("CREATE TABLE others (a)")
        old.execute("INSERT INTO features VALUES ('a.jpg', '1 2 3')")
        old.execute(f"PRAGMA user_version = {version}")
        old.commit()
    with FeatureCache() as opened:
        assert opened.count() == 0
        opened.put({b"key": vector(1)})
    with FeatureCache() as opened:
        assert opened.get([b"key"])[b"key"][0] == 1
    with closing(sqlite3.connect(FeatureCache.default_path())) as new:
        tables = new.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert tables == [("features",)]


class Clock:
    """A clock that the test sets."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("emotag.features.store.time.time", found)
    return found
