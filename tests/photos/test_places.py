"""Photos that are no files of this disk: told apart, opened, and read ahead."""

import os
import threading
import time
from pathlib import Path

import pytest

from emotag.errors import SkippedPhoto, UnreadablePhoto
from emotag.photos import places
from emotag.photos.places import (
    absolute_path,
    is_elsewhere,
    open_elsewhere,
    read_ahead,
    state_of,
    suitable_jobs,
)
from emotag.photos.sources import RemoteSource
from emotag.remote.reading import list_objects
from tests.photos.crafted import Entry, build_zip
from tests.s3 import S3, Fault
from tests.servers import Answer, serve


@pytest.fixture
def archive(tmp_path: Path) -> str:
    path = tmp_path / "a.zip"
    path.write_bytes(build_zip(Entry(b"b.jpg", b"12345"), Entry(b"../c.jpg")))
    return str(path)


def read(path: str) -> bytes:
    with open_elsewhere(path) as file:
        return file.read()


def test_a_path_tells_where_a_photo_is(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(os.path.dirname(archive))
    assert is_elsewhere("a.zip/b.jpg")
    assert is_elsewhere("s3://bucket/a.jpg")
    assert not is_elsewhere("b.jpg")
    assert not is_elsewhere("none.zip/b.jpg")


def test_a_name_that_leads_out_is_no_other_photo(archive: str, monkeypatch) -> None:
    folder = os.path.dirname(archive)
    monkeypatch.chdir(folder)
    assert absolute_path("x/../c.jpg") == f"{folder}/c.jpg"
    assert absolute_path("a.zip/b.jpg") == f"{archive}/b.jpg"
    assert absolute_path("a.zip/../c.jpg") == f"{archive}/../c.jpg"
    assert absolute_path("s3://bucket/a/../b.jpg") == "s3://bucket/a/../b.jpg"


def test_what_is_not_there_has_no_state(archive: str, s3: S3, bucket: str) -> None:
    assert state_of(archive) is not None
    assert state_of(f"{archive}/b.jpg") is not None
    assert state_of(f"{archive}/none.jpg") is None
    assert state_of("none/a.jpg") is None
    assert state_of("none\0.jpg") is None
    assert state_of(f"s3://{bucket}/none.jpg") is None
    Path(archive).write_bytes(b"")
    assert state_of(f"{archive}/b.jpg") is None


def test_a_state_costs_no_request_after_a_listing(s3: S3, bucket: str) -> None:
    urls = [s3.put(bucket, f"{index}.jpg", b"12345") for index in range(5)]
    list(list_objects(f"s3://{bucket}"))
    s3.requests.clear()
    assert None not in [state_of(url) for url in urls]
    assert not s3.requests


def test_an_object_is_opened(s3: S3, bucket: str) -> None:
    assert read(s3.put(bucket, "a.jpg", b"12345")) == b"12345"
    assert read(s3.put(bucket, "empty.jpg", b"")) == b""


@pytest.mark.parametrize("content", [b"1234", b"123456"])
def test_an_object_that_changed_since_it_was_listed_is_noticed_once(
    s3: S3, bucket: str, content: bytes
) -> None:
    url = s3.put(bucket, "a.jpg", b"12345")
    list(list_objects(f"s3://{bucket}"))
    s3.put(bucket, "a.jpg", content)
    with pytest.raises(UnreadablePhoto) as error:
        read(url)
    assert error.value.reason == "changed since it was listed"
    assert read(url) == content


def test_a_large_object_is_read_in_parts(s3: S3, bucket: str, monkeypatch) -> None:
    monkeypatch.setattr(RemoteSource, "piece", 2)
    url = s3.put(bucket, "a.jpg", b"12345")
    s3.requests.clear()
    assert read(url) == b"12345"
    assert len(s3.asked("GET")) == 3


def test_what_cannot_be_opened_says_why(s3: S3, bucket: str, monkeypatch) -> None:
    monkeypatch.setattr(places, "LARGEST", 4)
    s3.put(bucket, "folder.jpg/a", b"1")
    for url, kind, reason in (
        (f"s3://{bucket}/none.jpg", UnreadablePhoto, "does not exist (any more)"),
        (f"s3://{bucket}/folder.jpg", SkippedPhoto, "a folder, not a file"),
        (s3.put(bucket, "large.jpg", b"12345"), SkippedPhoto, "it has more than 0 MiB"),
    ):
        with pytest.raises(kind) as error:
            read(url)
        assert (error.value.path, error.value.reason) == (url, reason)


def test_a_web_server_may_not_say_how_much_it_has() -> None:
    with serve(Answer(b"12345", knows_ranges=False, tells_length=False)) as server:
        assert read(f"{server.url}a.jpg") == b"12345"


def test_photos_are_read_at_the_same_time(s3: S3, bucket: str) -> None:
    urls = [s3.put(bucket, f"{index}.jpg", b"%d" % index) for index in range(8)]
    list(list_objects(f"s3://{bucket}"))
    s3.requests.clear()
    s3.delay = 0.2
    started = time.perf_counter()
    with read_ahead(urls):
        assert time.perf_counter() - started < 1.2
        assert len(s3.requests) == 8
        assert [read(url) for url in urls] == [b"%d" % index for index in range(8)]
    assert len(s3.requests) == 8


def test_what_failed_ahead_fails_where_it_is_opened(s3: S3, bucket: str) -> None:
    good, bad = (s3.put(bucket, name, b"12345") for name in ("good.jpg", "bad.jpg"))
    s3.faults.append(Fault("GET", "bad.jpg", 4, status=500))
    with read_ahead([good, bad]):
        with pytest.raises(UnreadablePhoto, match="the server says: It went wrong"):
            read(bad)
        assert read(good) == b"12345"
        # and what was taken is not kept
        assert read(bad) == b"12345"


def test_what_is_large_waits_until_it_is_opened(s3: S3, bucket: str, monkeypatch) -> None:
    monkeypatch.setattr(places, "_MOST_AHEAD", 9)
    urls = [s3.put(bucket, f"{index}.jpg", b"12345") for index in range(3)]
    list(list_objects(f"s3://{bucket}"))
    s3.requests.clear()
    with read_ahead(urls):
        assert len(s3.requests) == 1
        assert [read(url) for url in urls] == [b"12345"] * 3


def test_members_of_a_remote_archive_are_read_ahead(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "a.zip", build_zip(Entry(b"a.jpg", b"1"), Entry(b"b.jpg", b"2")))
    paths = [f"{url}/{name}" for name in ("a.jpg", "b.jpg", "none.jpg")]
    broken = s3.put(bucket, "broken.zip", b"Dear diary,")
    with read_ahead([*paths, f"{broken}/a.jpg"]):
        s3.requests.clear()
        assert [read(path) for path in paths[:2]] == [b"1", b"2"]
        assert not s3.requests
        with pytest.raises(UnreadablePhoto, match="it is no zip archive"):
            read(f"{broken}/a.jpg")


def test_what_is_on_this_disk_is_not_read_ahead(archive: str) -> None:
    with read_ahead([archive, f"{archive}/b.jpg"]):
        assert not hasattr(places._ahead, "photos")


def test_what_was_read_ahead_is_closed_and_forgotten(s3: S3, bucket: str) -> None:
    urls = [s3.put(bucket, "a.jpg", b"1"), f"s3://{bucket}/none.jpg"]
    with read_ahead(urls):
        photo = places._ahead.photos[urls[0]]
        others = []
        thread = threading.Thread(target=lambda: others.append(hasattr(places._ahead, "photos")))
        thread.start()
        thread.join()
        assert others == [False]
    assert photo.closed
    assert not hasattr(places._ahead, "photos")


def test_waiting_threads_are_more() -> None:
    assert suitable_jobs(["a.jpg", "s3://bucket/a.jpg"], None, 2) == 8
    assert suitable_jobs(["s3://bucket/a.jpg"], 1, 2) == 1
    assert suitable_jobs(["a.jpg"], None, 2) is None
