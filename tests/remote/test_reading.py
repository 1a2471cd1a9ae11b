"""Objects of buckets and other places: listed, told apart and read, also where a server fails."""

import pytest

from emotag.errors import PlaceError
from emotag.photos.finding import find_photos
from emotag.remote import reading
from emotag.remote.reading import describe, fitting, list_objects, read_range, read_unsized, recall
from tests.s3 import S3, Fault
from tests.servers import Answer, serve


@pytest.fixture
def memory():
    """fsspec's file system in memory, empty."""
    import fsspec

    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]
    return filesystem


def test_an_object_is_described(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "a/b.jpg", b"12345")
    found = describe(url)
    assert (found.url, found.size, found.is_folder) == (url, 5, False)
    assert describe(f"s3://{bucket}/a").is_folder
    assert describe(f"s3://{bucket}").is_folder


def test_another_content_is_another_state(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "b.jpg", b"12345")
    before = describe(url).state
    assert describe(url).state == before
    assert [found.state for found in list_objects(f"s3://{bucket}")] == [before]
    s3.put(bucket, "b.jpg", b"54321")
    assert describe(url).state != before


def test_what_was_listed_is_not_asked_for_again(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "a/b.jpg", b"12345")
    (found,) = list_objects(f"s3://{bucket}")
    s3.requests.clear()
    assert recall(url) == found
    assert not s3.requests
    assert read_range(url, 0, 5) == b"12345"
    assert s3.requests == [f"GET /{bucket}/a/b.jpg"]


def test_what_was_not_listed_is_asked_for_once(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "b.jpg", b"12345")
    assert recall(url) == recall(url)
    assert s3.requests == [f"HEAD /{bucket}/b.jpg"]


def test_a_listing_goes_on_page_after_page(
    s3: S3, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    names = [f"p/{index}.jpg" for index in range(8)]
    for name in [*names, "p/folder/", "q/other.jpg"]:
        s3.put(bucket, name, b"x")
    s3.faults.append(Fault("GET", "continuation-token", status=500))
    assert [found.url for found in list_objects(f"s3://{bucket}/p/")] == [
        f"s3://{bucket}/{name}" for name in names
    ]
    assert len(s3.asked("GET", "list-type=2")) == 4


def test_not_every_bucket_is_listed(s3: S3) -> None:
    with pytest.raises(PlaceError) as error:
        list(list_objects("s3://"))
    assert str(error.value) == "s3:// cannot be read: name a bucket in it, as s3://bucket."


def test_a_name_may_hold_what_looks_like_a_chain(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "a::b?c#d [e] *.jpg", b"12345")
    assert read_range(url, 0, 5) == b"12345"
    assert [found.url for found in list_objects(f"s3://{bucket}")] == [url]


def test_a_listing_that_fails_for_good_says_so(s3: S3, bucket: str) -> None:
    s3.put(bucket, "p/a.jpg", b"x")
    s3.faults.append(Fault("GET", "list-type=2", times=99, status=503, code="SlowDown"))
    with pytest.raises(PlaceError) as error:
        list(list_objects(f"s3://{bucket}/p"))
    assert str(error.value) == (f"s3://{bucket}/p cannot be read: the server says: It went wrong.")
    assert len(s3.requests) == 4


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET", "b.jpg", times=2, status=500),
        Fault("GET", "b.jpg", times=3, status=503, code="SlowDown"),
        Fault("GET", "b.jpg", times=2, is_reset=True),
        Fault("GET", "b.jpg", cut=2),
        Fault("GET", "b.jpg", cut=2, is_reset=True),
        Fault("GET", "b.jpg", status=400, code="RequestTimeout"),
    ],
)
def test_what_passes_is_asked_for_again(s3: S3, bucket: str, fault: Fault) -> None:
    url = s3.put(bucket, "b.jpg", b"12345")
    s3.faults.append(fault)
    expected = fault.times + 1
    assert read_range(url, 0, 5) == b"12345"
    # aiohttp asks once more itself where a connection was used before
    assert len(s3.requests) in (expected, expected + fault.is_reset)


@pytest.mark.parametrize(
    ("fault", "reason", "attempts"),
    [
        (Fault("GET", "b.jpg", 99, status=500), "the server says: It went wrong", 4),
        (Fault("GET", "b.jpg", 99, is_reset=True), "the connection failed", 4),
        (Fault("GET", "b.jpg", 99, cut=3), "the connection failed", 4),
        (Fault("GET", "b.jpg", 99, status=403, code="AccessDenied"), "no permission", 1),
        (
            Fault("GET", "b.jpg", 99, status=404, code="NoSuchKey"),
            "does not exist (any more)",
            1,
        ),
        (
            Fault("GET", "b.jpg", 99, status=400, code="InvalidRequest"),
            "the server says: It went wrong",
            1,
        ),
    ],
)
def test_what_does_not_pass_says_why(
    s3: S3, bucket: str, fault: Fault, reason: str, attempts: int
) -> None:
    url = s3.put(bucket, "b.jpg", b"12345")
    s3.faults.append(fault)
    with pytest.raises(PlaceError) as error:
        read_range(url, 0, 5)
    assert error.value.reason == reason
    assert attempts <= len(s3.requests) <= attempts * (1 + fault.is_reset)


def test_an_object_that_shrank_since_says_so(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "b.jpg", b"123")
    with pytest.raises(PlaceError) as error:
        read_range(url, 0, 5)
    assert error.value.reason == "changed since it was listed"


def test_a_server_that_never_answers_is_given_up(
    s3: S3, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emotag.remote import filesystems

    url = s3.put(bucket, "b.jpg", b"12345")
    monkeypatch.setattr(filesystems, "_READ_SECONDS", 0.1)
    monkeypatch.setattr(filesystems, "_filesystems", {})
    s3.faults.append(Fault("GET", "b.jpg", 99, seconds=0.5))
    with pytest.raises(PlaceError) as error:
        read_range(url, 0, 5)
    assert error.value.reason == "the server did not answer in time"


def test_nothing_is_asked_for_no_bytes() -> None:
    assert read_range("s3://no-server/empty.jpg", 5, 0) == b""


def test_a_pattern_is_read_as_fsspec_does(s3: S3, bucket: str) -> None:
    for name in ("2024/a.jpg", "2024/b.png", "2025/c.jpg"):
        s3.put(bucket, name, b"12345")
    hits = fitting(f"s3://{bucket}/20*/*.jpg")
    assert [hit.url for hit in hits] == [f"s3://{bucket}/2024/a.jpg", f"s3://{bucket}/2025/c.jpg"]
    s3.requests.clear()
    assert recall(hits[0].url).size == 5
    assert not s3.requests


def test_any_place_of_fsspec_is_walked_through(memory) -> None:
    for name in ("a/1.jpg", "a/b/2.jpg", "c/3.jpg"):
        memory.pipe_file(f"/{name}", b"12345")
    assert sorted(found.url for found in list_objects("memory://a")) == [
        "memory://a/1.jpg",
        "memory://a/b/2.jpg",
    ]
    assert sorted(found.url for found in list_objects("memory://")) == [
        "memory://a/1.jpg",
        "memory://a/b/2.jpg",
        "memory://c/3.jpg",
    ]
    assert read_range("memory://a/1.jpg", 1, 3) == b"234"
    found = find_photos(["memory://", "memory://c/"])
    assert found.photos == ["memory://a/1.jpg", "memory://a/b/2.jpg", "memory://c/3.jpg"]


def test_a_state_is_not_known_where_nothing_tells(memory) -> None:
    memory.pipe_file("/a.jpg", b"12345")
    reading._known.pop("memory://a.jpg", None)
    assert recall("memory://a.jpg").state is None
    assert recall("memory://a.jpg") == recall("memory://a.jpg")


def test_a_web_server_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(Answer(b"12345", knows_ranges=False)) as server:
        assert read_range(f"{server.url}a.jpg", 0, 5) == b"12345"
        with pytest.raises(PlaceError, match=r"the server does not give parts of files\.$"):
            read_range(f"{server.url}a.jpg", 0, 3)


def test_a_web_server_may_not_say_how_much_it_has() -> None:
    with serve(Answer(b"12345", knows_ranges=False, tells_length=False)) as server:
        assert read_unsized(f"{server.url}a.jpg", 5) == b"12345"
        with pytest.raises(PlaceError, match=r"is larger than 0 MiB\.$"):
            read_unsized(f"{server.url}a.jpg", 4)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "no permission"),
        (404, "does not exist (any more)"),
        (410, "the server answered with the status 410"),
        (502, "the server answered with the status 502"),
    ],
)
def test_a_web_server_says_no(s3: S3, status: int, reason: str) -> None:
    with serve(Answer(b"no", status=status)) as server:
        with pytest.raises(PlaceError) as error:
            read_unsized(f"{server.url}a.jpg", 5)
        assert error.value.reason == reason
        assert len(server.requests) == (4 if status == 502 else 1)


def test_a_web_server_that_is_not_there_is_not_said_to_have_nothing(s3: S3) -> None:
    with serve(Answer()) as server:
        url = f"{server.url}a.jpg"
    with pytest.raises(PlaceError) as error:
        describe(url)
    assert error.value.reason == "the connection failed"
