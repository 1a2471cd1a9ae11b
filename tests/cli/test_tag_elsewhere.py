"""``emotag tag`` on archives and buckets: the same rows, also where a server fails."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import pandas
import pytest

from emotag.photos.opening import hash_photo
from tests.cli.program import command, run, run_here
from tests.conftest import draw_photo
from tests.photos.crafted import Entry, build_zip
from tests.s3 import KEYS, S3, Fault

TAG = ("tag", "-q", "--model", "small")


@pytest.fixture(autouse=True)
def _model(small_bundle, inside):
    """Let --model small name a real but tiny model, in the current folder's ./models."""
    os.makedirs("models")
    os.symlink(small_bundle, "models/small")


@pytest.fixture
def photos(inside) -> str:
    """The folder ``photos`` of 20 sound photos, one too small and two broken."""
    folder = inside / "photos"
    (folder / "sub").mkdir(parents=True)
    for index in range(20):
        draw_photo(folder / ("sub" if index % 3 else ".") / f"img{index}.jpg", index)
    draw_photo(folder / "small.png", 99, (16, 16))
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.jpg").write_bytes((folder / "img0.jpg").read_bytes()[:500])
    return "photos"


def upload(folder: str, s3: S3, bucket: str) -> str:
    for path in Path(folder).rglob("*.*"):
        s3.put(bucket, str(path), path.read_bytes())
    return f"s3://{bucket}/{folder}"


def rows_of(source: str, *options: str) -> list[list[str]]:
    """Return the rows of a run, with paths below the source."""
    assert run_here(*TAG, source, "-o", "rows.csv", *options) in (0, 3)
    with open("rows.csv", newline="") as file:
        return [[row[0].replace(source, "", 1), *row[1:]] for row in csv.reader(file)]


def statuses(file: str) -> dict[str, str]:
    table = pandas.read_csv(file).fillna("")
    return {
        path.rpartition("/")[2]: f"{status} {reason}".strip()
        for path, status, reason in zip(table.path, table.status, table.reason, strict=True)
        if status != "tagged"
    }


def test_the_rows_are_the_same_wherever_the_photos_are(photos: str, s3: S3, bucket: str) -> None:
    shutil.make_archive("a", "zip", photos)
    for packing in ("tar cf ../a.tar .", "tar czf ../a.tgz ."):
        subprocess.run(packing.split(), cwd=photos, check=True)
    expected = rows_of(photos)
    assert len(expected) == 24
    remote = [s3.put(bucket, f"in/{name}", Path(name).read_bytes()) for name in ("a.zip", "a.tgz")]
    for source in ("a.zip", "a.tar", "a.tgz", upload(photos, s3, bucket), *remote):
        assert rows_of(source) == expected


def test_a_second_run_asks_for_no_photo_again(photos: str, s3: S3, bucket: str) -> None:
    url = upload(photos, s3, bucket)
    for broken in ("empty.jpg", "cut.jpg"):
        s3.client.delete_object(Bucket=bucket, Key=f"{photos}/{broken}")
    first = rows_of(url)
    assert len(s3.asked("GET", ".jpg")) == 20
    s3.requests.clear()
    assert rows_of(url) == first
    assert s3.requests == [
        f"HEAD /{bucket}/photos",
        f"GET /{bucket}?list-type=2&prefix=photos/&delimiter=/&max-keys=1&encoding-type=url",
        f"GET /{bucket}?list-type=2&prefix=photos/&encoding-type=url",
    ]
    s3.put(bucket, "photos/img0.jpg", Path(draw_photo("new.jpg", 50)).read_bytes())
    s3.requests.clear()
    assert rows_of(url) != first
    assert len(s3.asked("GET", ".jpg")) == 1


def test_one_photo_that_fails_ends_no_run(photos: str, s3: S3, bucket: str) -> None:
    url = upload(photos, s3, bucket)
    undisturbed = rows_of(url)
    s3.client.delete_object(Bucket=bucket, Key="photos/sub/img19.jpg")
    s3.put(bucket, "photos/sub/img19.jpg", Path("photos/sub/img19.jpg").read_bytes())
    s3.faults += [
        Fault("GET", "img1.jpg", 99, status=500),
        Fault("GET", "img2.jpg", 99, status=403, code="AccessDenied"),
        Fault("GET", "img3.jpg", 99, status=404, code="NoSuchKey"),
        Fault("GET", "img4.jpg", 99, cut=300),
        Fault("GET", "img5.jpg", 99, cut=300, is_reset=True),
        Fault("GET", "img6.jpg", 3, status=503, code="SlowDown"),
        Fault("GET", "img7.jpg", 1, cut=300),
    ]
    assert run_here(*TAG, url, "-o", f"s3://{bucket}/tags.csv") == 3
    Path("tags.csv").write_bytes(s3.get(bucket, "tags.csv"))
    assert statuses("tags.csv") == {
        "img1.jpg": "failed the server says: It went wrong",
        "img2.jpg": "failed no permission",
        "img3.jpg": "failed does not exist (any more)",
        "img4.jpg": "failed the connection failed",
        "img5.jpg": "failed the connection failed",
        "small.png": "skipped too small: 16 x 16 pixels, at least 32",
        "empty.jpg": "failed empty file",
        "cut.jpg": "failed damaged: Truncated File Read",
    }
    s3.reset()
    assert run_here(*TAG, url, "-o", f"s3://{bucket}/tags.csv") == 3
    asked = {line.rpartition("/")[2] for line in s3.asked("GET", ".jpg")}
    assert asked == {f"img{index}.jpg" for index in range(1, 6)} | {"cut.jpg"}
    Path("tags.csv").write_bytes(s3.get(bucket, "tags.csv"))
    with open("tags.csv", newline="") as file:
        assert [[row[0].replace(url, ""), *row[1:]] for row in csv.reader(file)] == undisturbed


def test_what_is_refused_in_an_archive_is_a_row(inside: Path) -> None:
    photo = Path(draw_photo("photo.jpg", 1)).read_bytes()
    bomb = bytes(150 * 2**20)
    entries = [
        Entry(b"sound.jpg", photo, method=8),
        Entry(b"../../climbs.jpg", photo),
        Entry(b"/etc/absolute.jpg", photo),
        Entry(b"nul\0.jpg", photo),
        Entry(b"link.jpg", b"/etc/passwd", mode=0o120777),
        Entry(b"bomb.jpg", bomb, method=8),
        Entry(b"crc.jpg", photo, crc=1),
        Entry(b"secret.jpg", photo, flags=1),
    ]
    Path("a.zip").write_bytes(build_zip(*entries))
    before = sorted(os.listdir())
    assert run_here(*TAG, "a.zip", "-o", "tags.csv") == 3
    assert statuses("tags.csv") == {
        "climbs.jpg": "skipped its name leads out of the archive",
        "absolute.jpg": "skipped its name is an absolute path",
        "nul%00.jpg": "skipped its name holds a control character",
        "link.jpg": "skipped a link, not a file",
        "bomb.jpg": "skipped it unpacks to more than 200 times its bytes, as a bomb does",
        "crc.jpg": "failed damaged: its checksum is wrong",
        "secret.jpg": "skipped it is encrypted",
    }
    assert sorted(os.listdir()) == sorted([*before, "tags.csv"])


@pytest.mark.parametrize("name", ["tags.csv", "tags.jsonl", "tags.parquet"])
def test_every_format_is_written_to_a_bucket(photos: str, s3: S3, bucket: str, name: str) -> None:
    assert run_here(*TAG, photos, "-o", name) == 3
    assert run_here(*TAG, photos, "-o", f"s3://{bucket}/deep/{name}") == 3
    assert s3.get(bucket, f"deep/{name}") == Path(name).read_bytes()


def test_a_place_that_takes_nothing_is_said_before_any_work(
    photos: str, s3: S3, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = upload(photos, s3, bucket)
    s3.faults.append(Fault("POST", "uploads", 99, status=403, code="AccessDenied"))
    for target, reason in (
        (f"s3://{bucket}/tags.csv", "no permission"),
        ("s3://no-such-bucket/tags.csv", "there is no such bucket or folder"),
        ("https://host/tags.csv", "https:// can only be read"),
    ):
        s3.requests.clear()
        if "no-such" in target:
            s3.faults.clear()
        assert run_here(*TAG, url, "-o", target) == 1
        assert capsys.readouterr().err == f"emotag: {target} cannot be written: {reason}.\n"
        assert not s3.asked("GET")


def test_tags_that_could_not_be_sent_take_no_second_run(
    photos: str, s3: S3, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    url = upload(photos, s3, bucket)
    target = s3.put(bucket, "tags.csv", b"what was there before")
    s3.faults.append(Fault("PUT", "tags.csv", 4, status=500))
    assert run_here(*TAG, url, "-o", target) == 1
    assert capsys.readouterr().err == (
        f"emotag: {target} cannot be written: the server says: It went wrong.\n"
    )
    assert s3.get(bucket, "tags.csv") == b"what was there before"
    s3.requests.clear()
    assert run_here(*TAG, url, "-o", target) == 3
    assert len(s3.asked("GET", ".jpg")) == 1, "the one that failed to be decoded"
    assert len(s3.get(bucket, "tags.csv").splitlines()) == 24


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_goes_on(photos: str, s3: S3, bucket: str, sign: int) -> None:
    url = upload(photos, s3, bucket)
    expected = rows_of(url)
    target = s3.put(bucket, "tags.csv", b"what was there before")
    s3.requests.clear()
    # what is noted is written each second, and at the end of a run that ends in order
    s3.faults += [
        Fault("GET", ".jpg", 16, seconds=1.1 if sign == signal.SIGKILL else 0.0),
        Fault("GET", ".jpg", 99, seconds=2.0),
    ]
    options = ("--jobs", "1")
    with subprocess.Popen(
        command(*TAG, url, "-o", target, *options), stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while len(s3.asked("GET", ".jpg")) < 17 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(sign)
        said = process.communicate(timeout=60)[1]
    if sign == signal.SIGINT:
        assert process.returncode == 130
        assert f"{target} is as it was, and no photo was changed." in said
        assert "Traceback" not in said
    assert s3.get(bucket, "tags.csv") == b"what was there before"
    assert s3.uploads(bucket) == []
    s3.reset()
    assert run_here(*TAG, url, "-o", target, *options) == 3
    assert len(s3.asked("GET", ".jpg")) < 21
    Path("tags.csv").write_bytes(s3.get(bucket, "tags.csv"))
    with open("tags.csv", newline="") as file:
        assert [[row[0].replace(url, ""), *row[1:]] for row in csv.reader(file)] == expected


def test_sidecars_stand_beside_files_of_this_disk_only(
    photos: str, s3: S3, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.zip").write_bytes(build_zip(Entry(b"a.jpg")))
    url = s3.put(bucket, "a.jpg", b"x")
    for source, photo in (("a.zip", "a.zip/a.jpg"), (url, url)):
        assert run_here(*TAG, photos, source, "--xmp") == 1
        assert capsys.readouterr().err == (
            f"emotag: {photo} is no file of this disk, so nothing can be written beside it or into "
            "it; leave out --xmp, and keep the tags by -o tags.csv.\n"
        )
    assert not list(Path().rglob("*.xmp"))


def test_a_folder_of_archives_says_how_they_are_searched(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.makedirs("backups")
    Path("backups/a.zip").write_bytes(build_zip(Entry(b"a.jpg")))
    assert run_here(*TAG, "backups") == 1
    assert capsys.readouterr().err == (
        "emotag: There is no photo in backups, but 1 other file; an archive is searched where it "
        "is named itself. emotag reads JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIF.\n"
    )


def test_an_archive_that_is_cut_off_is_listed(photos: str) -> None:
    subprocess.run(["tar", "cf", "a.tar", photos], check=True)
    os.truncate("a.tar", 12_000)
    done = run("tag", "--model", "small", "a.tar", "-o", "tags.csv")
    assert done.code == 3
    assert "a.tar could not be searched" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("source", ["a.zip", "s3://bucket/photos"])
def test_fitting_takes_folders_only(
    inside: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.zip").write_bytes(build_zip(Entry(b"a.jpg")))
    assert run_here("fit", source) == 1
    assert "emotag fits on folders" in capsys.readouterr().err


def test_the_end_of_a_run_is_quiet(photos: str, s3: S3, bucket: str) -> None:
    """No connection is left open, and nothing is said about it."""
    url = upload(photos, s3, bucket)
    environment = os.environ | KEYS | {"PYTHONWARNINGS": "error::ResourceWarning"}
    for target in ("-", f"s3://{bucket}/tags.csv"):
        done = run(*TAG, url, "-o", target, env=environment)
        assert (done.code, done.err) == (3, "")


def test_a_photo_of_this_disk_loads_nothing_of_fsspec(inside: Path) -> None:
    draw_photo("a.jpg", 1)
    code = (
        "import sys; from emotag.cli.main import main; sys.argv[1:] = "
        "['tag', '-q', '--model', 'small', 'a.jpg']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('fsspec', 's3fs', 'aiohttp', 'pyarrow') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "[]"


def test_another_process_needs_no_more_than_the_path(photos: str, s3: S3, bucket: str) -> None:
    subprocess.run(["tar", "czf", "a.tgz", photos], check=True)
    shutil.make_archive("a", "zip", base_dir=photos)
    url = upload(photos, s3, bucket)
    archive = s3.put(bucket, "a.zip", Path("a.zip").read_bytes())
    paths = [f"{photos}/img0.jpg", f"{url}/img0.jpg"]
    paths += [f"{path}/{photos}/img0.jpg" for path in ("a.tgz", "a.zip", archive)]
    with get_context("spawn").Pool(2) as pool:
        digests = pool.map(hash_photo, paths, chunksize=1)
    assert set(digests) == {hash_photo(paths[0])}


def test_a_damaged_archive_of_several_that_fit_is_listed(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.makedirs("backups")
    Path("backups/a.zip").write_bytes(build_zip(Entry(b"a.jpg")))
    Path("backups/b.zip").write_bytes(build_zip(Entry(b"b.jpg"))[:-10])
    assert run_here("tag", "--model", "small", "backups/*.zip") == 3
    shown = capsys.readouterr()
    assert "backups/a.zip/a.jpg" in shown.out
    assert "backups/b.zip could not be searched: " in shown.err
