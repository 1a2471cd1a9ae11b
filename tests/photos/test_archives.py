"""Archives as folders: which paths lead into one, and what is there."""

import os
import subprocess
import tempfile
import threading
import zipfile
from pathlib import Path

import pytest

from emotag.errors import PlaceError, SkippedPhoto, UnreadablePhoto
from emotag.photos import archives, sources
from emotag.photos.archives import (
    is_archive,
    is_archive_name,
    open_archive,
    open_member,
    split_archive,
)
from tests.conftest import as_ordinary_user
from tests.photos.crafted import Entry, build_zip
from tests.s3 import S3, Fault
from tests.servers import Answer, serve


def save(path: Path, *entries: Entry) -> str:
    path.write_bytes(build_zip(*entries))
    return str(path)


def read(archive: str, name: str) -> bytes:
    with open_member(f"{archive}/{name}", archive, name) as file:
        return file.read()


@pytest.mark.parametrize(
    "ending",
    ["zip", "tar", "tgz", "tbz", "tbz2", "txz", "tzst", "tar.gz", "tar.bz2", "tar.xz", "tar.zst"],
)
def test_archives_are_known_by_their_ending(ending: str) -> None:
    assert is_archive_name(f"a/b.{ending}")
    assert is_archive_name(f"a/b.{ending.upper()}/")
    assert not is_archive_name(f"b.{ending}/c.jpg")
    assert not is_archive_name(f"b.{ending}x")
    assert not is_archive_name(f".{ending}")


def test_a_folder_is_no_archive_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.zip" / "b.tar").mkdir(parents=True)
    (tmp_path / "a.zip" / "c.zip").touch()
    assert not is_archive(str(tmp_path / "a.zip"))
    assert is_archive(str(tmp_path / "a.zip" / "c.zip"))
    assert split_archive(f"{tmp_path}/a.zip/b.tar/d.jpg") is None
    assert split_archive(f"{tmp_path}/a.zip/c.zip/e.tar/d.jpg") == (
        f"{tmp_path}/a.zip/c.zip",
        "e.tar/d.jpg",
    )
    assert split_archive(f"{tmp_path}/none.zip/d.jpg") is None
    assert split_archive(f"{tmp_path}/a.zip/c.zip") is None


def test_a_link_to_an_archive_is_one(tmp_path: Path) -> None:
    save(tmp_path / "a.zip", Entry(b"b.jpg", b"1"))
    (tmp_path / "link.zip").symlink_to("a.zip")
    assert read(str(tmp_path / "link.zip"), "b.jpg") == b"1"


def test_an_archive_is_opened_once_until_it_changes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.zip", Entry(b"b.jpg", b"1"))
    first = open_archive(path)
    assert open_archive(os.path.relpath(path)) is first
    save(tmp_path / "a.zip", Entry(b"b.jpg", b"22"))
    assert read(path, "b.jpg") == b"22"
    os.remove(path)
    with pytest.raises(UnreadablePhoto) as error:
        read(path, "b.jpg")
    assert error.value.reason == "no such file or directory"


def test_few_archives_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MOST_OPEN", 2)
    n_open = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    paths = [save(tmp_path / f"{index}.zip", Entry(b"b.jpg", b"1")) for index in range(9)]
    for path in paths:
        assert read(path, "b.jpg") == b"1"
    assert len(archives._archives) == 2
    if n_open is not None:
        assert len(os.listdir("/proc/self/fd")) <= n_open + 2


def test_another_state_of_an_archive_is_one_of_its_files(tmp_path: Path) -> None:
    path = save(tmp_path / "a.zip", Entry(b"b.jpg", b"1"), Entry(b"c.jpg", b"1"))
    archive = open_archive(path)
    states = {archive.state_of("b.jpg"), archive.state_of("c.jpg"), archive.state_of("none")}
    assert len(states) == 3
    assert None in states
    os.utime(path, (1, 1))
    assert open_archive(path).state_of("b.jpg") not in states


def test_what_is_not_read_says_why(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.zip",
        Entry(b"a.jpg", b"1", crc=7),
        Entry(b"../b.jpg"),
    )
    for name, kind, reason in (
        ("a.jpg", UnreadablePhoto, "damaged: its checksum is wrong"),
        ("../b.jpg", SkippedPhoto, "its name leads out of the archive"),
        ("none.jpg", UnreadablePhoto, "does not exist (any more)"),
    ):
        with pytest.raises(kind) as error:
            read(path, name)
        assert (error.value.path, error.value.reason) == (f"{path}/{name}", reason)


def test_an_archive_that_is_written_to_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "a.zip", Entry(b"b.jpg", b"12345"))
    archive = open_archive(path)
    opened = archive._open

    def write_meanwhile(*arguments):
        content = opened(*arguments)
        with open(path, "ab") as file:
            file.write(b"more")
        return content

    object.__setattr__(archive, "_open", write_meanwhile)
    with pytest.raises(UnreadablePhoto) as error:
        read(path, "b.jpg")
    assert error.value.reason == "changed while it was read"


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_a_damaged_archive_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"Dear diary,")
    kind = "zip archive, or its end is missing" if name == "a.zip" else "tar archive, or is damaged"
    with pytest.raises(PlaceError) as error:
        open_archive(str(tmp_path / name))
    assert str(error.value) == f"{tmp_path / name} cannot be read: it is no {kind}."


@pytest.mark.parametrize("has_pread", [True, False])
def test_threads_read_one_archive_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_pread: bool
) -> None:
    if not has_pread:
        # as on Windows
        monkeypatch.delattr(os, "pread", raising=False)
    path = str(tmp_path / "a.zip")
    contents = {f"{index}.bin": os.urandom(50_000) for index in range(40)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    wrong = []

    def check() -> None:
        wrong.extend(name for name, content in contents.items() if read(path, name) != content)

    threads = [threading.Thread(target=check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_remote_archive_takes_one_request_for_each_file(s3: S3, bucket: str) -> None:
    content = build_zip(
        *(Entry(b"%d.jpg" % index, os.urandom(9000), method=8) for index in range(5))
    )
    url = s3.put(bucket, "a.zip", content)
    open_archive(url)
    s3.requests.clear()
    for index in range(5):
        assert len(read(url, f"{index}.jpg")) == 9000
    assert s3.requests == [f"GET /{bucket}/a.zip"] * 5


def test_a_remote_archive_is_asked_for_changes_where_it_is_typed(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "a.zip", build_zip(Entry(b"b.jpg", b"1")))
    first = open_archive(url)
    assert open_archive(url, anew=True) is first
    s3.put(bucket, "a.zip", build_zip(Entry(b"b.jpg", b"22")))
    assert open_archive(url) is first
    assert open_archive(url, anew=True) is not first
    assert read(url, "b.jpg") == b"22"


def test_a_remote_name_is_asked_whether_it_is_an_archive(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "folder.zip/a.jpg", b"1")
    s3.put(bucket, "folder.zip/b.tar", b"1")
    assert split_archive(url) is None
    assert split_archive(f"s3://{bucket}/folder.zip/b.tar/c.jpg") == (
        f"s3://{bucket}/folder.zip/b.tar",
        "c.jpg",
    )
    assert split_archive(f"s3://{bucket}/none.zip/a.jpg") is None
    s3.faults.append(Fault("HEAD", "other.zip", 99, status=403))
    with pytest.raises(PlaceError, match="no permission"):
        split_archive(f"s3://{bucket}/other.zip/a.jpg")


def test_a_server_that_fails_is_no_damage(s3: S3, bucket: str) -> None:
    url = s3.put(bucket, "a.zip", build_zip(Entry(b"b.jpg", b"1")))
    open_archive(url)
    s3.faults.append(Fault("GET", "a.zip", 99, status=500))
    with pytest.raises(UnreadablePhoto) as error:
        read(url, "b.jpg")
    assert error.value.reason == "the server says: It went wrong"


def test_a_web_server_must_say_how_large_an_archive_is(s3: S3) -> None:
    with (
        serve(Answer(b"PK", knows_ranges=False, tells_length=False)) as server,
        pytest.raises(PlaceError, match=r"the server does not say how large it is\.$"),
    ):
        open_archive(f"{server.url}a.zip")


def test_what_may_not_be_read_is_said() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = save(Path(folder, "a.zip"), Entry(b"b.jpg"))
        os.chmod(path, 0)
        with as_ordinary_user(), pytest.raises(PlaceError) as error:
            open_archive(path)
    assert str(error.value) == f"{path} cannot be read: permission denied."


@pytest.mark.parametrize("pack", ["cf", "czf"])
def test_a_remote_tar_is_copied_once(s3: S3, bucket: str, tmp_path: Path, pack: str) -> None:
    (tmp_path / "a.jpg").write_bytes(b"12345")
    subprocess.run(["tar", pack, "a.tar", "a.jpg"], cwd=tmp_path, check=True)
    url = s3.put(bucket, "a.tar", (tmp_path / "a.tar").read_bytes())
    open_archive(url)
    s3.requests.clear()
    assert read(url, "a.jpg") == b"12345"
    assert not s3.requests


@pytest.mark.parametrize("pack", ["cf", "czf"])
def test_a_remote_tar_whose_server_fails_is_no_damage(
    s3: S3, bucket: str, tmp_path: Path, pack: str
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"12345")
    subprocess.run(["tar", pack, "a.tar", "a.jpg"], cwd=tmp_path, check=True)
    url = s3.put(bucket, "a.tar", (tmp_path / "a.tar").read_bytes())
    s3.faults.append(Fault("GET", "a.tar", 99, after=1, status=500))
    with pytest.raises(PlaceError) as error:
        open_archive(url)
    assert str(error.value) == f"{url} cannot be read: the server says: It went wrong."


def test_a_full_disk_fails_one_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    path = save(tmp_path / "a.zip", Entry(b"a.jpg", b"12345"))
    monkeypatch.setattr(sources, "_IN_MEMORY", 4)
    monkeypatch.setattr(
        sources.tempfile,
        "TemporaryFile",
        lambda: open("/dev/full", "wb", 0),  # noqa: SIM115
    )
    with pytest.raises(UnreadablePhoto) as error:
        read(path, "a.jpg")
    assert error.value.reason == "No space left on device"
