"""Photos found in archives and buckets: the same as in a folder."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from emotag.errors import PhotosNotFoundError, PlaceError
from emotag.photos.finding import find_photos
from tests.photos.crafted import Entry, build_zip
from tests.photos.test_finding import JPEG, touch
from tests.s3 import S3, Fault

NAMES = [
    "img10.jpg",
    "img2.jpg",
    "b/IMG_1.JPG",
    "B/1.jpg",
    "b/a/2.png",
    "b10/1.jpg",
    "b9/1.jpg",
    ".hidden.jpg",
    "b/.thumbs/1.jpg",
    "raw/1.nef",
    "notes.txt",
    "b/ä b.webp",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Photos, others and hidden ones, in the current folder's ``photos``."""
    monkeypatch.chdir(tmp_path)
    touch(tmp_path / "photos", *NAMES, "b/by its bytes")
    (tmp_path / "photos" / "notes.txt").write_text("Dear diary,")
    return "photos"


def pack(folder: str, archive: str) -> str:
    if archive.endswith(".zip"):
        return os.path.relpath(shutil.make_archive(archive.removesuffix(".zip"), "zip", folder))
    what = ["-cf", f"../{archive}", "."]
    if archive.endswith(".gz"):
        what = ["-czf", f"../{archive}", *os.listdir(folder)]
    subprocess.run(["tar", *what], cwd=folder, check=True)
    return archive


def upload(folder: str, s3: S3, bucket: str) -> str:
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            s3.put(
                bucket,
                os.path.relpath(path, os.path.dirname(folder) or "."),
                Path(path).read_bytes(),
            )
    return f"s3://{bucket}/{os.path.basename(folder)}"


@pytest.mark.parametrize("name", ["all.zip", "all.tar", "all.tar.gz"])
@pytest.mark.parametrize("exclude", [[], ["b"], ["*10*", "b/a/*"]])
def test_an_archive_is_searched_as_its_folder(folder: str, name: str, exclude: list[str]) -> None:
    expected, found = (find_photos([path], exclude) for path in (folder, pack(folder, name)))
    assert len(found.photos) > 3
    assert found.photos == [path.replace(folder, name, 1) for path in expected.photos]
    assert (found.others, found.hidden) == (expected.others, expected.hidden)
    assert found.unlisted == []


@pytest.mark.parametrize("exclude", [[], ["b"], ["*10*", "b/a/*"]])
def test_a_bucket_is_searched_as_its_folder(
    folder: str, s3: S3, bucket: str, exclude: list[str]
) -> None:
    os.remove(f"{folder}/b/by its bytes")
    url = upload(folder, s3, bucket)
    s3.put(bucket, "photos/b/", b"")
    expected, found = (find_photos([path], exclude) for path in (folder, url))
    assert found.photos == [path.replace(folder, url, 1) for path in expected.photos]
    assert (found.others, found.hidden) == (expected.others, expected.hidden)
    whole = find_photos([f"s3://{bucket}/"], exclude).photos
    assert whole == found.photos


def test_an_archive_in_a_folder_stays_closed(folder: str) -> None:
    pack(folder, "all.zip")
    os.mkdir("here")
    os.rename("all.zip", "here/all.zip")
    assert find_photos(["here"]).photos == []
    assert find_photos(["here"]).others == {".zip": 1}
    assert find_photos(["here/*"]).photos == []
    assert len(find_photos(["h*/*.zip"]).photos) == 9
    assert find_photos(["h*/*.zip"], ["all*"]).photos == []


def test_an_archive_in_an_archive_stays_closed(tmp_path: Path) -> None:
    inner = build_zip(Entry(b"a.jpg", JPEG))
    (tmp_path / "outer.zip").write_bytes(build_zip(Entry(b"inner.zip", inner), Entry(b"b.jpg")))
    found = find_photos([tmp_path / "outer.zip"])
    assert found.photos == [f"{tmp_path}/outer.zip/b.jpg"]
    assert found.others == {".zip": 1}


def test_a_part_of_an_archive_may_be_typed(folder: str) -> None:
    pack(folder, "all.zip")
    assert find_photos(["all.zip/b/a", "all.zip/notes.txt"]).photos == [
        "all.zip/b/a/2.png",
        "all.zip/notes.txt",
    ]
    assert len(find_photos(["all.zip/", "all.zip/b", "./all.zip"]).photos) == 9
    with pytest.raises(PhotosNotFoundError) as error:
        find_photos(["all.zip/c"])
    assert str(error.value) == "all.zip holds no c."
    assert find_photos(["all.zip"], ["*.zip"]).photos == []


def test_a_url_of_a_file_is_a_path(folder: str) -> None:
    found = find_photos([f"file://{os.path.abspath(folder)}/b%31%30", f"file://{folder}/b9"])
    assert found.photos == [f"{os.path.abspath(folder)}/b10/1.jpg", "photos/b9/1.jpg"]


def test_what_is_refused_is_a_photo_if_its_name_is_that_of_one(tmp_path: Path) -> None:
    names = [b"../a.jpg", b"../b.txt", b"/c.jpg", b"d\0.jpg", b"e\\f", b"g"]
    entries = [Entry(name, JPEG) for name in names]
    (tmp_path / "a.zip").write_bytes(build_zip(*entries))
    found = find_photos([tmp_path / "a.zip"])
    base = f"{tmp_path}/a.zip/"
    assert sorted(path.removeprefix(base) for path in found.photos) == [
        "../a.jpg",
        "/c.jpg",
        "d%00.jpg",
        "g",
    ]
    assert found.others == {".txt": 1, "": 1}


def test_an_archive_that_is_cut_off_is_said_not_to_be_whole(folder: str) -> None:
    pack(folder, "all.tar")
    os.truncate("all.tar", 9000)
    found = find_photos(["all.tar"])
    assert 0 < len(found.photos) < 9
    ((path, reason),) = found.unlisted
    assert path == "all.tar"
    assert reason.startswith("it is damaged")
    assert find_photos(["all.tar/nowhere"]).photos == []


def test_a_damaged_archive_is_refused(folder: str) -> None:
    Path("a.zip").write_text("Dear diary,")
    with pytest.raises(PlaceError, match=r"^a\.zip cannot be read: it is no zip archive"):
        find_photos([folder, "a.zip"])


def test_in_a_bucket_an_object_an_archive_or_a_pattern_may_be_typed(
    folder: str, s3: S3, bucket: str
) -> None:
    url = upload(folder, s3, bucket)
    archive = s3.put(bucket, "in/all.zip", Path(pack(folder, "all.zip")).read_bytes())
    assert find_photos([f"{url}/notes.txt"]).photos == [f"{url}/notes.txt"]
    # by their endings alone: each first byte would take a request
    assert len(find_photos([archive]).photos) == 8
    assert find_photos([f"{archive}/b/a"]).photos == [f"{archive}/b/a/2.png"]
    assert find_photos([f"{url}/b*/1.jpg"]).photos == [f"{url}/b10/1.jpg", f"{url}/b9/1.jpg"]
    assert find_photos([f"{url}/*"]).others == {".txt": 1, ".nef": 1, "": 1}
    assert find_photos([f"s3://{bucket}/in/*"]).photos == []
    assert len(find_photos([f"s3://{bucket}/in/*.zip"]).photos) == 8
    assert find_photos([f"s3://{bucket}/in"]).others == {".zip": 1}


@pytest.mark.parametrize("path", ["none", "none/a.jpg", "none.zip/a.jpg", "none*", "none/"])
def test_what_a_bucket_does_not_hold_is_said(s3: S3, bucket: str, path: str) -> None:
    s3.put(bucket, "a.jpg", JPEG)
    with pytest.raises(PhotosNotFoundError) as error:
        find_photos([f"s3://{bucket}/{path}"])
    assert str(error.value) == f"s3://{bucket}/{path} does not exist."


def test_a_bucket_that_is_not_there_is_said(s3: S3) -> None:
    with pytest.raises(PhotosNotFoundError, match=r"^s3://no-such-bucket does not exist\.$"):
        find_photos(["s3://no-such-bucket"])


def test_a_listing_that_fails_is_an_error(s3: S3, bucket: str) -> None:
    s3.put(bucket, "p/a.jpg", JPEG)
    s3.faults.append(Fault("GET", "list-type=2", 99, after=1, status=403, code="AccessDenied"))
    with pytest.raises(PlaceError) as error:
        find_photos([f"s3://{bucket}/p"])
    assert str(error.value) == f"s3://{bucket}/p cannot be read: no permission."


def test_a_large_archive_takes_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(5000):
            archive.writestr(f"holiday/{index:07}.jpg", b"")
    tracemalloc.start()
    try:
        assert len(find_photos([path]).photos) == 5000
        assert tracemalloc.get_traced_memory()[0] < 5000 * 700
    finally:
        tracemalloc.stop()
