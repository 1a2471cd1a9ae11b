"""Objects that appear whole in a bucket, or not at all."""

import pytest

from emotag.errors import StorageError
from emotag.remote.writing import check_writable, replace_object
from tests.remote.test_reading import memory  # noqa: F401
from tests.s3 import S3, Fault

BEFORE, AFTER = b"what was there before", b"what comes after"


def write(url: str, content: bytes = AFTER) -> None:
    with replace_object(url) as file:
        file.write(content)


def write_and_stop(url: str, stop: type[BaseException]) -> None:
    with replace_object(url) as file:
        file.write(AFTER)
        raise stop


def test_an_object_is_there_once_it_is_whole(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "tags.csv", BEFORE)
    with replace_object(url) as file:
        file.write(AFTER)
        file.flush()
        assert s3.get(bucket, "tags.csv") == BEFORE
    assert s3.get(bucket, "tags.csv") == AFTER


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_what_was_there_stays_if_the_writing_stops(s3: S3, bucket: str, stop) -> None:
    url = s3.put(bucket, "tags.csv", BEFORE)
    with pytest.raises(stop):
        write_and_stop(url, stop)
    assert s3.get(bucket, "tags.csv") == BEFORE
    assert not s3.requests


def test_sending_is_tried_again(s3: S3, bucket: str) -> None:
    s3.faults += [Fault("PUT", "tags.csv", status=503, code="SlowDown"), Fault("PUT", "tags.csv")]
    write(f"s3://{bucket}/tags.csv")
    assert s3.get(bucket, "tags.csv") == AFTER


def test_what_was_there_stays_if_the_sending_fails(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "tags.csv", BEFORE)
    s3.faults.append(Fault("PUT", "tags.csv", times=99, status=500))
    with pytest.raises(StorageError) as error:
        write(url)
    assert str(error.value) == f"{url} cannot be written: the server says: It went wrong."
    assert s3.get(bucket, "tags.csv") == BEFORE


def test_a_large_object_is_sent_in_parts_that_are_taken_back(s3: S3, bucket: str) -> None:
    url = f"s3://{bucket}/tags.csv"
    s3.faults.append(Fault("PUT", "partNumber=2", times=99, status=500))
    with pytest.raises(StorageError):
        write(url, bytes(101 * 2**20))
    assert s3.asked("POST", "uploads")
    assert s3.uploads(bucket) == []


def test_a_bucket_is_asked_whether_it_takes_an_upload(s3: S3, bucket: str) -> None:
    check_writable(f"s3://{bucket}/deep/tags.csv")
    # a part that the test before gave up may still be on its way
    asked = [line.partition(" ")[0] for line in s3.requests if f"/{bucket}/" in line]
    assert asked == ["POST", "DELETE"]
    assert s3.uploads(bucket) == []
    assert "Contents" not in s3.client.list_objects_v2(Bucket=bucket)


def test_who_may_not_take_back_may_write(s3: S3, bucket: str) -> None:
    s3.faults.append(Fault("DELETE", "tags.csv", 99, status=403, code="AccessDenied"))
    check_writable(f"s3://{bucket}/tags.csv")


def test_no_permission_is_said_before_any_work(s3: S3, bucket: str) -> None:
    s3.faults.append(Fault("POST", "uploads", 99, status=403, code="AccessDenied"))
    with pytest.raises(StorageError) as error:
        check_writable(f"s3://{bucket}/tags.csv")
    assert str(error.value) == f"s3://{bucket}/tags.csv cannot be written: no permission."


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("s3://no-such-bucket/tags.csv", "there is no such bucket or folder"),
        ("s3://tags.csv", "it is a bucket, not an object in one"),
        ("https://host/tags.csv", "https:// can only be read"),
        ("nix://host/tags.csv", "nothing is known that reads nix://"),
        ("memory://nowhere/tags.csv", "there is no nowhere"),
    ],
)
def test_what_cannot_be_written_is_refused(s3: S3, memory, url: str, reason: str) -> None:  # noqa: F811
    with pytest.raises(StorageError) as error:
        check_writable(url)
    assert str(error.value) == f"{url} cannot be written: {reason}."


def test_any_place_of_fsspec_is_written_to(memory) -> None:  # noqa: F811
    check_writable("memory://tags.csv")
    write("memory://tags.csv")
    write("memory://tags.csv", BEFORE)
    assert memory.cat_file("/tags.csv") == BEFORE
    assert list(memory.store) == ["/tags.csv"]


def test_nothing_is_left_where_the_last_step_fails(memory) -> None:  # noqa: F811
    import fsspec
    from fsspec.implementations.memory import MemoryFileSystem

    class NothingMoves(MemoryFileSystem):
        protocol = "unmoved"

        def mv(self, *args, **options):
            raise PermissionError

    fsspec.register_implementation("unmoved", NothingMoves, clobber=True)
    memory.pipe_file("/tags.csv", BEFORE)
    with pytest.raises(
        StorageError, match=r"^unmoved://tags\.csv cannot be written: no permission"
    ):
        write("unmoved://tags.csv")
    assert memory.store["/tags.csv"].getvalue() == BEFORE
    assert list(memory.store) == ["/tags.csv"]
