"""``emotag tag --embed`` and ``emotag untag``, as a person types them."""

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from zipfile import ZipFile

import pytest

from emotag.bundle import engine
from emotag.tagging.traces import may_hold_tags
from emotag.tagging.xmp import read_tags
from tests.cli.program import command
from tests.conftest import draw_photo
from tests.tagging.embedded import fake_exiftool, get_packet, needs_exiftool


@pytest.fixture(autouse=True)
def _photos(small_bundle, inside):
    os.makedirs("models")
    os.symlink(small_bundle, "models/small")
    os.makedirs("photos")
    for index in range(3):
        draw_photo(inside / f"photos/{index}.jpg", index)


def content() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path("photos").iterdir())}


def tag(emotag, *arguments):
    return emotag("tag", "photos", "-m", "small", "-o", "tags.csv", "--embed", *arguments)


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The photos that are decoded."""
    seen: list[str] = []
    usual = engine.try_decoding

    def decode(path, *arguments, **options):
        seen.append(path)
        return usual(path, *arguments, **options)

    monkeypatch.setattr(engine, "try_decoding", decode)
    return seen


@needs_exiftool
class TestEmbedding:
    def test_tagged_and_untagged(self, emotag):
        before = content()
        outcome = tag(emotag)
        assert outcome.code == 0
        assert outcome.err.endswith("Written to tags.csv.\nEmbedded: 3 written.\n")
        names = [f"{index}.jpg{end}" for index in range(3) for end in ("", "_original")]
        assert list(content()) == names
        for path in Path("photos").glob("*.jpg"):
            said = read_tags(get_packet(path))
            assert said.model == "small"
            assert (
                f"photos/{path.name},tagged,,{said.emotion},{said.confidence}"
                in Path("tags.csv").read_text()
            )
        outcome = emotag("untag", "photos")
        assert (outcome.code, outcome.out) == (0, "")
        assert outcome.err == ("Tags taken out of 3 photos.\n")
        assert {name: content()[name] for name in before} == before
        assert emotag("untag", "photos/0.jpg", "-q").err == ""

    def test_a_second_run_decodes_nothing_and_touches_nothing(self, emotag, decoded):
        tag(emotag)
        assert len(decoded) == 3
        rows, once = Path("tags.csv").read_bytes(), content()
        states = [os.stat(path) for path in Path("photos").iterdir()]
        again = tag(emotag)
        assert len(decoded) == 3
        assert "Left aside, no photos: 3 .jpg_original." in again.err
        assert again.err.endswith("Embedded: 0 written, 3 unchanged.\n")
        assert (Path("tags.csv").read_bytes(), content()) == (rows, once)
        assert [os.stat(path).st_ctime_ns for path in Path("photos").iterdir()] == [
            state.st_ctime_ns for state in states
        ]

    def test_what_someone_changed_since_is_read_again(self, emotag, decoded):
        tag(emotag, "-q")
        before = os.stat("photos/1.jpg")
        draw_photo("photos/1.jpg", 7)
        os.utime("photos/1.jpg", ns=(before.st_atime_ns, before.st_mtime_ns))
        decoded.clear()
        assert tag(emotag).err.endswith("Embedded: 1 written, 2 unchanged.\n")
        assert decoded == ["photos/1.jpg"]

    def test_uncertain_photos_lose_their_tags(self, emotag):
        before = content()
        tag(emotag, "--no-backup", "-q")
        outcome = tag(emotag, "--no-backup", "--min-confidence", "1")
        assert outcome.err.endswith("Embedded: 0 written, 3 cleared.\n")
        assert content() == before

    def test_beside_sidecars(self, emotag):
        outcome = tag(emotag, "--no-backup", "--xmp")
        assert outcome.err.endswith("Sidecars: 3 written.\nEmbedded: 3 written.\n")
        outcome = emotag("untag", "photos")
        assert outcome.err == ("Tags taken out of 3 sidecars and 3 photos.\n")
        assert list(content()) == ["0.jpg", "1.jpg", "2.jpg"]

    def test_what_is_left_alone_is_named(self, emotag):
        os.chmod("photos/1.jpg", 0o444)
        outcome = tag(emotag, "-q")
        assert (outcome.code, outcome.out) == (3, "")
        assert outcome.err == ("Embedded: 2 written.\n1 left alone:\n  photos/1.jpg is read-only\n")
        os.chmod("photos/0.jpg", 0o444)
        outcome = emotag("untag", "photos", "-q")
        assert outcome.code == 3
        assert outcome.err == "1 left alone:\n  photos/0.jpg is read-only\n"


def test_without_exiftool_nothing_is_read(emotag, monkeypatch, inside, decoded):
    monkeypatch.setenv("PATH", str(inside))
    before = content()
    outcome = tag(emotag)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        "emotag: Tags inside of photos need exiftool, which is not installed; type: "
        "apt install libimage-exiftool-perl, or brew install exiftool.\n"
    )
    assert not decoded
    assert content() == before
    fake_exiftool(inside, "#!/bin/sh\n")
    assert "it ends without an answer" in tag(emotag).err


def test_photos_that_are_elsewhere(emotag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_photo(tmp_path / "photo.jpg", 1)
    with ZipFile("photos.zip", "w") as archive:
        archive.write("photo.jpg")
    before = Path("photos.zip").read_bytes()
    outcome = emotag("tag", "photos.zip", "--embed", "--xmp")
    assert outcome.code == 1
    assert outcome.err == (
        "emotag: photos.zip/photo.jpg is no file of this disk, so nothing can be written beside it "
        "or into it; leave out --xmp and --embed, and keep the tags by -o tags.csv.\n"
    )
    assert Path("photos.zip").read_bytes() == before


def processes_in(folder: str) -> list[str]:
    """Return the processes that work in folders of emotag's below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd").startswith(folder):
                found.append(process.name)
        except OSError:
            continue
    return found


def many(count: int) -> dict[str, bytes]:
    """Make many photos, and return what is in each."""
    for index in range(count):
        shutil.copyfile(f"photos/{index % 3}.jpg", f"photos/many{index}.jpg")
    return content()


def embedded() -> int:
    names = [name for name in os.listdir("photos") if name.endswith(".jpg") and name[0] != "."]
    return sum(may_hold_tags(f"photos/{name}") for name in names)


@needs_exiftool
def test_ctrl_c_leaves_every_photo_whole(inside):
    many(400)
    process = subprocess.Popen(
        command("tag", "photos", "-m", "small", "-o", "tags.csv", "--embed", "--no-backup"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while embedded() < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    found = re.fullmatch(
        r"emotag: Stopped after \d+ of 403 photos; tags.csv was not written, and tags were "
        r"embedded into (\d+) photos?, each of which is whole\. "
        r"The same command goes on from there\.\n",
        err,
    )
    assert found
    # it may come between the moment a photo is replaced and the one it is counted
    assert embedded() - int(found[1]) in (0, 1)
    assert not [name for name in os.listdir("photos") if name.endswith(".partial")]


@needs_exiftool
@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_killed_at_any_moment(emotag, inside, monkeypatch):
    """Each photo is the old or the new one, and the same command ends what was begun."""
    before = many(240)
    (inside / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(inside / "temporary"))
    rng = random.Random(0)
    pieces = 0
    for _ in range(12):
        process = subprocess.Popen(
            command("tag", "photos", "-m", "small", "-o", "tags.csv", "--embed", "-q"),
            start_new_session=True,
        )
        time.sleep(0.5 + rng.uniform(0, 0.6))
        process.kill()
        process.wait()
        for name, old in before.items():
            path = Path("photos", name)
            now = path.read_bytes()
            # all of it but the packet is the old one
            assert now == old or now.endswith(old[2:][old[2:].index(b"\xff\xdb") :])
            backup = Path(f"{path}_original")
            assert not backup.exists() or backup.read_bytes() == old
            pieces += now != old
    assert 0 < pieces < 12 * len(before)
    assert tag(emotag, "-q").code == 0
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in Path("photos").iterdir()}
    assert len(digests) > 6
    assert not [name for name in os.listdir("photos") if name.endswith(".partial")]
    deadline = time.monotonic() + 10
    while processes_in(str(inside / "temporary")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert emotag("untag", "photos", "-q").code == 0
    assert {name: content()[name] for name in before} == before
