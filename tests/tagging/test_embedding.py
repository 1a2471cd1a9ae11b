"""Tags in photos of every format: read by programs of others, and taken out without a trace."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from emotag.errors import EmbeddingError, MissingToolError
from emotag.photos.formats import BACKUP
from emotag.tagging import embedding
from emotag.tagging.embedding import Embedder, open_embedder, untag_photo, untag_photos
from emotag.tagging.exiftool import ExifTool
from emotag.tagging.rows import Row
from emotag.tagging.xmp import read_tags
from tests.conftest import draw_photo
from tests.tagging.embedded import (
    FORMATS,
    KEPT_WHOLE,
    all_but_xmp,
    exiftool,
    fake_exiftool,
    frames,
    get_packet,
    needs_exiftool,
    pixels,
    put_packet,
    row,
    save_photo,
    scan,
    uncertain,
)
from tests.tagging.test_xmp import PACKETS, by_exiftool

pytestmark = needs_exiftool

exiv2 = pytest.mark.skipif(shutil.which("exiv2") is None, reason="needs exiv2")

TIMES = (1_600_000_000_123_456_789, 1_500_000_000_987_654_321)


@pytest.fixture(scope="module")
def tool() -> Iterator[ExifTool]:
    with ExifTool() as running:
        yield running


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = Path(draw_photo(tmp_path / "photo.jpg", 1))
    os.utime(path, ns=TIMES)
    return path


def by_exiv2(path: Path) -> dict[str, list[str]]:
    """Return the XMP that exiv2 reads, by its keys."""
    done = subprocess.run(
        ["exiv2", "-q", "-PXkt", str(path)], capture_output=True, text=True, check=False
    )
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value.strip())
    return found


def wrapped(packet: bytes) -> bytes:
    """Return a packet as most programs write one; in a GIF, the end is found by it."""
    return b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>' + packet + b'<?xpacket end="r"?>'


def times(path: Path | str) -> tuple[int, int]:
    now = os.stat(path)
    return now.st_atime_ns, now.st_mtime_ns


def state(path: Path) -> tuple[Any, ...]:
    """Return all that must stay where a photo is left alone."""
    now = os.stat(path)
    return path.read_bytes(), now.st_mtime_ns, now.st_ino, now.st_ctime_ns


@pytest.mark.parametrize("packet", ["nothing before", "several descriptions"])
@pytest.mark.parametrize("ending", FORMATS)
def test_put_in_and_taken_out(
    tool: ExifTool, tmp_path: Path, sample_photos: list[str], ending: str, packet: str
) -> None:
    old = wrapped(PACKETS[packet]) if packet in PACKETS else None
    path = save_photo(tool, tmp_path / f"photo.{ending}", sample_photos[0], old)
    before, metadata, content = pixels(path), all_but_xmp(tool, path), path.read_bytes()
    os.utime(path, ns=TIMES)
    embedder = Embedder(tool)
    embedder.write(row(path))
    assert (embedder.counts, embedder.refusals) == ({"written": 1}, [])
    assert times(path) == times(f"{path}_original") == TIMES
    tags = read_tags(get_packet(path))
    assert tags is not None
    assert (tags.emotion, tags.sentiment, tags.confidence, tags.model) == (
        "fear",
        "negative",
        "0.8000",
        "small",
    )
    assert np.array_equal(pixels(path), before)
    assert all_but_xmp(tool, path) == metadata
    assert Path(f"{path}_original").read_bytes() == content
    if ending == "jpg":
        assert scan(path) == scan(Path(f"{path}_original"))
    os.utime(path, ns=TIMES)
    assert untag_photo(str(path), tool)
    assert times(path) == TIMES
    assert get_packet(path) == (old or b"")
    assert np.array_equal(pixels(path), before)
    assert all_but_xmp(tool, path) == metadata
    if ending in KEPT_WHOLE:
        assert path.read_bytes() == content
    assert not untag_photo(str(path), tool)


@pytest.mark.parametrize("ending", FORMATS)
def test_exiftool_reads_every_field(
    tool: ExifTool, tmp_path: Path, sample_photos: list[str], ending: str
) -> None:
    path = save_photo(
        tool, tmp_path / f"photo.{ending}", sample_photos[0], wrapped(PACKETS["all lists"])
    )
    Embedder(tool).write(row(path))
    found = by_exiftool(path)
    assert found.pop("XMP-emotag:Tagged")[:4].isdigit()
    assert found == {
        "XMP-dc:Subject": ["a", "Fear"],
        "XMP-lr:HierarchicalSubject": ["a|b", "Emotion|Fear"],
        "XMP-digiKam:TagsList": ["a/b", "Emotion/Fear"],
        "XMP-emotag:Emotion": "fear",
        "XMP-emotag:Sentiment": "negative",
        "XMP-emotag:Confidence": pytest.approx(0.8),
        "XMP-emotag:Model": "small",
        "XMP-emotag:Added": "dc lr digiKam",
    }


@exiv2
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif", "avif"])
def test_exiv2_reads_every_field(
    tool: ExifTool, tmp_path: Path, sample_photos: list[str], ending: str
) -> None:
    if ending == "avif" and b"enable_bmff=1" not in subprocess.check_output(
        ["exiv2", "-vVg", "bmff"]
    ):
        pytest.skip("this exiv2 reads no AVIF")
    path = save_photo(tool, tmp_path / f"photo.{ending}", sample_photos[0])
    Embedder(tool).write(row(path))
    found = by_exiv2(path)
    assert found.pop("Xmp.emotag.Tagged")[0][:4].isdigit()
    assert found == {
        "Xmp.dc.subject": ["Fear"],
        "Xmp.lr.hierarchicalSubject": ["Emotion|Fear"],
        "Xmp.digiKam.TagsList": ["Emotion/Fear"],
        "Xmp.emotag.Emotion": ["fear"],
        "Xmp.emotag.Sentiment": ["negative"],
        "Xmp.emotag.Confidence": ["0.8000"],
        "Xmp.emotag.Model": ["small"],
        "Xmp.emotag.Made": ["dc lr digiKam"],
        "Xmp.emotag.Created": ["true"],
    }


def test_all_pictures_of_a_file_stay(tool: ExifTool, tmp_path: Path, photo: Path) -> None:
    """As telephones write them: further JPEGs behind the first, found by their offsets."""
    path = tmp_path / "two.jpg"
    with Image.open(photo) as first, Image.open(draw_photo(tmp_path / "b.jpg", 2)) as second:
        first.save(path, "MPO", save_all=True, append_images=[second])
    before = path.read_bytes()
    pictures = frames(path)
    assert len(pictures) == 2
    Embedder(tool, backup=False).write(row(path))
    assert path.read_bytes() != before
    assert all(np.array_equal(*pair) for pair in zip(pictures, frames(path), strict=True))
    assert untag_photo(str(path), tool)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", PACKETS)
def test_every_packet_comes_back_to_the_byte(tool: ExifTool, photo: Path, name: str) -> None:
    put_packet(tool, photo, PACKETS[name])
    before = photo.read_bytes()
    for emotion in ("fear", "love"):
        embedder = Embedder(tool, backup=False)
        embedder.write(row(photo, emotion))
        assert embedder.refusals == []
    tags = read_tags(get_packet(photo))
    assert tags is not None
    assert tags.emotion == "love"
    assert untag_photo(str(photo), tool)
    assert photo.read_bytes() == before


def test_a_packet_longer_than_a_segment_stays_whole(tool: ExifTool, photo: Path) -> None:
    (photo.parent / "history").write_text("1234567890" * 20_000)
    history = f"-XMP-photoshop:History<={photo.parent}/history"
    exiftool("-overwrite_original", history, str(photo))
    before = photo.read_bytes()
    assert before.count(b"http://ns.adobe.com/xmp/extension/\0") == 4
    Embedder(tool, backup=False).write(row(photo))
    written = photo.read_bytes()
    assert written.count(b"http://ns.adobe.com/xmp/extension/\0") == 4
    found = by_exiftool(photo)
    assert len(found["XMP-photoshop:History"]) == 200_000
    assert found["XMP-emotag:Emotion"] == "fear"
    assert untag_photo(str(photo), tool)
    assert photo.read_bytes() == before
    # there may be a name cut in two, so exiftool has to look, and finds nothing
    assert not untag_photo(str(photo), tool)


def test_a_packet_that_leaves_no_room(tool: ExifTool, photo: Path) -> None:
    put_packet(tool, photo, PACKETS["rating"] + b"\n" * 64_500)
    before = state(photo)
    embedder = Embedder(tool)
    embedder.write(row(photo))
    ((path, reason),) = embedder.refusals
    assert path == str(photo)
    assert reason.startswith(
        "is refused by exiftool: [minor] XMP block too large for JPEG segment!"
    )
    assert state(photo) == before
    assert os.listdir(photo.parent) == ["photo.jpg"]


def test_one_that_says_the_same_is_not_touched(
    tool: ExifTool, tmp_path: Path, sample_photos: list[str]
) -> None:
    for ending in ("jpg", "png"):
        path = save_photo(tool, tmp_path / f"photo.{ending}", sample_photos[0])
        Embedder(tool).write(row(path))
        before = state(path)
        embedder = Embedder(tool)
        embedder.write(row(path))
        assert embedder.counts == {"unchanged": 1}
        assert state(path) == before
        embedder.write(row(path, confidence=0.7))
        assert embedder.counts == {"unchanged": 1, "written": 1}
        assert os.stat(path).st_mtime_ns == TIMES[1]


def test_an_uncertain_photo_loses_what_was_said_before(tool: ExifTool, photo: Path) -> None:
    before = photo.read_bytes()
    embedder = Embedder(tool)
    embedder.write(uncertain(photo))
    embedder.write(row(photo))
    embedder.write(uncertain(photo))
    assert embedder.counts == {"unchanged": 1, "written": 1, "cleared": 1}
    assert photo.read_bytes() == before


@pytest.mark.parametrize("status", ["skipped", "failed"])
def test_a_photo_that_was_not_read_is_left_alone(tool: ExifTool, photo: Path, status: str) -> None:
    before = state(photo)
    embedder = Embedder(tool)
    embedder.write(Row(str(photo), status, "why"))  # type: ignore[arg-type]
    assert (embedder.counts, embedder.refusals) == ({}, [])
    assert state(photo) == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<x", r"holds XMP that is no valid XML \(.*\)"),
        (b'<!DOCTYPE x><x:xmpmeta xmlns:x="adobe:ns:meta/"/>', "holds XMP that declares a .*"),
        (b"<a/>", "holds XMP that is no XMP: it holds no rdf:RDF"),
    ],
)
def test_xmp_that_cannot_be_followed(
    tool: ExifTool, photo: Path, content: bytes, reason: str
) -> None:
    put_packet(tool, photo, content)
    before = state(photo)
    embedder = Embedder(tool)
    embedder.write(row(photo))
    ((_, said),) = embedder.refusals
    assert pytest.importorskip("re").fullmatch(reason, said)
    assert state(photo) == before


def test_two_packets(tool: ExifTool, photo: Path) -> None:
    put_packet(tool, photo, PACKETS["rating"])
    content = photo.read_bytes()
    start = content.index(b"\xff\xe1")
    size = 2 + int.from_bytes(content[start + 2 : start + 4], "big")
    photo.write_bytes(content[:start] + content[start : start + size] + content[start:])
    before = state(photo)
    embedder = Embedder(tool)
    embedder.write(row(photo))
    ((_, reason),) = embedder.refusals
    assert reason.startswith("holds XMP that is no valid XML (junk after document element")
    assert state(photo) == before


def test_formats_that_exiftool_cannot_write(
    tool: ExifTool, tmp_path: Path, sample_photos: list[str]
) -> None:
    path = tmp_path / "photo.bmp"
    with Image.open(sample_photos[0]) as sample:
        sample.save(path)
    before = state(path)
    embedder = Embedder(tool)
    embedder.write(row(path))
    assert embedder.refusals == [
        (str(path), "is refused by exiftool: Writing of BMP files is not yet supported")
    ]
    assert state(path) == before
    assert not untag_photo(str(path), tool)


def test_what_is_no_photo_any_more(tool: ExifTool, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("text")
    (tmp_path / "folder.jpg").mkdir()
    embedder = Embedder(tool)
    for name in ("text.jpg", "gone.jpg", "folder.jpg"):
        embedder.write(row(tmp_path / name))
    assert [reason for _, reason in embedder.refusals] == [
        "is not a photo any more",
        "cannot be read or written: No such file or directory",
        "cannot be read or written: Is a directory",
    ]


class TestFiles:
    def test_permissions_owner_and_attributes_stay(self, tool: ExifTool, photo: Path) -> None:
        photo.chmod(0o640)
        attributes = hasattr(os, "setxattr")
        if attributes:
            os.setxattr(photo, "user.mine", b"of mine")
        if os.geteuid() == 0:
            os.chown(photo, 12345, 54321)
        before = os.stat(photo)
        Embedder(tool).write(row(photo))
        for path in (photo, Path(f"{photo}_original")):
            after = os.stat(path)
            assert (after.st_mode, after.st_uid, after.st_gid, after.st_mtime_ns) == (
                before.st_mode,
                before.st_uid,
                before.st_gid,
                before.st_mtime_ns,
            )
            assert not attributes or os.getxattr(path, "user.mine") == b"of mine"

    def test_a_link_stays_a_link(self, tool: ExifTool, photo: Path, tmp_path: Path) -> None:
        (tmp_path / "links").mkdir()
        link = tmp_path / "links" / "link.jpg"
        link.symlink_to("../photo.jpg")
        Embedder(tool).write(row(link))
        assert link.is_symlink()
        assert os.listdir(tmp_path / "links") == ["link.jpg"]
        assert read_tags(get_packet(photo)) is not None
        assert sorted(os.listdir(tmp_path)) == ["links", "photo.jpg", "photo.jpg_original"]

    def test_another_name_of_the_same_file_keeps_the_old(
        self, tool: ExifTool, photo: Path, tmp_path: Path
    ) -> None:
        os.link(photo, tmp_path / "other.jpg")
        before = photo.read_bytes()
        Embedder(tool, backup=False).write(row(photo))
        assert (tmp_path / "other.jpg").read_bytes() == before
        assert os.stat(tmp_path / "other.jpg").st_mtime_ns == TIMES[1]

    def test_a_backup_that_is_there_is_kept(self, tool: ExifTool, photo: Path) -> None:
        first = photo.read_bytes()
        Embedder(tool).write(row(photo))
        Embedder(tool).write(row(photo, "love"))
        backup = Path(f"{photo}_original")
        assert times(backup)[1] == TIMES[1]
        assert backup.read_bytes() == first

    def test_exiftool_restores_the_backup(self, tool: ExifTool, photo: Path) -> None:
        first = photo.read_bytes()
        Embedder(tool).write(row(photo))
        exiftool("-restore_original", str(photo))
        assert photo.read_bytes() == first
        assert os.listdir(photo.parent) == ["photo.jpg"]

    def test_without_a_backup(self, tool: ExifTool, photo: Path) -> None:
        Embedder(tool, backup=False).write(row(photo))
        assert os.listdir(photo.parent) == ["photo.jpg"]

    def test_a_backup_where_no_further_link_is_possible(self, tool: ExifTool, photo: Path) -> None:
        most = os.pathconf(photo.parent, "PC_LINK_MAX")
        if not 1 < most < 100_000:
            pytest.skip(f"here a file can have {most} names")
        photo.chmod(0o640)
        before = photo.read_bytes()
        (photo.parent / "links").mkdir()
        for index in range(most - 1):
            os.link(photo, photo.parent / f"links/{index}")
        Embedder(tool).write(row(photo))
        backup = Path(f"{photo}_original")
        assert backup.read_bytes() == before
        assert (os.stat(backup).st_mtime_ns, os.stat(backup).st_mode & 0o777) == (TIMES[1], 0o640)
        assert os.stat(backup).st_nlink == 1

    def test_a_read_only_photo(self, tool: ExifTool, photo: Path) -> None:
        photo.chmod(0o444)
        before = state(photo)
        embedder = Embedder(tool)
        embedder.write(row(photo))
        assert embedder.refusals == [(str(photo), "is read-only")]
        assert state(photo) == before

    def test_no_room_for_the_name_of_a_backup(self, tool: ExifTool, tmp_path: Path) -> None:
        photo = Path(draw_photo(tmp_path / f"{'n' * 250}.jpg", 1))
        before = photo.read_bytes()
        embedder = Embedder(tool)
        embedder.write(row(photo))
        assert embedder.refusals == [
            (str(photo), f"{photo}_original cannot be written: File name too long")
        ]
        assert photo.read_bytes() == before
        assert len(os.listdir(tmp_path)) == 1

    def test_a_photo_that_may_not_be_replaced(self, tool: ExifTool, photo: Path) -> None:
        made = subprocess.run(["chattr", "+i", photo], capture_output=True, check=False)
        if made.returncode:
            pytest.skip("no file can be made immutable here")
        embedder = Embedder(tool)
        embedder.write(row(photo))
        subprocess.run(["chattr", "-i", photo], check=True)
        assert embedder.refusals == [(str(photo), "cannot be written: Operation not permitted")]
        # nor is a backup left of what was not changed
        assert os.listdir(photo.parent) == ["photo.jpg"]
        assert photo.read_bytes() == Path(draw_photo(photo.parent / "one.jpg", 1)).read_bytes()

    def test_one_that_another_program_changes_meanwhile(self, tool: ExifTool, photo: Path) -> None:
        def edit(packet: bytes | None) -> bytes:
            draw_photo(photo, 2)
            return PACKETS["rating"]

        with pytest.raises(EmbeddingError, match=r"^was changed by another program meanwhile$"):
            embedding._change_packet(str(photo), os.stat(photo), edit, tool, backup=True)
        assert photo.read_bytes() == Path(draw_photo(photo.parent / "two.jpg", 2)).read_bytes()
        assert sorted(os.listdir(photo.parent)) == ["photo.jpg", "two.jpg"]

    def test_what_a_killed_process_left_is_removed(self, tool: ExifTool, photo: Path) -> None:
        left = photo.parent / f".photo.jpg.{16 * '0'}.partial"
        held = photo.parent / f".photo.jpg.{16 * '1'}.partial"
        other = photo.parent / f".other.jpg.{16 * '0'}.partial"
        for path in (left, held, other):
            path.touch()
        # another run is writing it
        with held.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            Embedder(tool, backup=False).write(row(photo))
        assert sorted(os.listdir(photo.parent)) == sorted([other.name, held.name, "photo.jpg"])

    @pytest.mark.parametrize("exists", [False, True])
    def test_a_folder_that_may_not_be_written(
        self, tool: ExifTool, open_folder: Path, exists: bool
    ) -> None:
        if os.geteuid() != 0:
            pytest.skip("needs to be root, to become someone else")
        photo = Path(draw_photo(open_folder / "photo.jpg", 1))
        photo.chmod(0o666)
        if exists:
            open_folder.chmod(0o755)
        os.seteuid(65534)
        try:
            with ExifTool() as own:
                embedder = Embedder(own)
                embedder.write(row(photo))
        finally:
            os.seteuid(0)
        reason = (
            "cannot be written: Permission denied"
            if exists
            else "belongs to someone else, and would not any more"
        )
        assert embedder.refusals == [(str(photo), reason)]
        assert os.listdir(open_folder) == ["photo.jpg"]


NASTY = [
    b"new\nline.jpg",
    b"-delete_original.jpg",
    b"100%d%f%%.jpg",
    b"caf\xe9 \xff.jpg",
    b"#[CSTR]x.jpg",
    b" blank .jpg",
    b'$(touch x)`$HOME`".jpg',
    b"-@.jpg",
    b"scan.png",
    b"no ending",
    b"{ready1}.jpg",
    "漢字.jpg".encode(),
]


@pytest.mark.parametrize("name", NASTY)
def test_any_name(tool: ExifTool, tmp_path: Path, name: bytes) -> None:
    photo = os.path.join(os.fsencode(tmp_path), name)
    draw_photo(tmp_path / "photo.jpg", 1)
    os.rename(tmp_path / "photo.jpg", photo)
    embedder = Embedder(tool)
    embedder.write(row(os.fsdecode(photo)))
    assert embedder.counts == {"written": 1}
    assert sorted(os.listdir(os.fsencode(tmp_path))) == sorted([name, name + BACKUP.encode()])
    assert untag_photos([os.fsdecode(photo)]) == (1, [])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(min_size=1, max_size=60).filter(lambda name: not {0, 47} & {*name}))
def test_any_bytes_as_a_name(tool: ExifTool, name: bytes) -> None:
    path = os.path.join(os.fsencode(tool.folder), b"here", b"_" + name)
    os.makedirs(os.path.dirname(path))
    try:
        before = Path(draw_photo(os.path.join(tool.folder, "drawn.jpg"), 1)).read_bytes()
        os.rename(os.path.join(tool.folder, "drawn.jpg"), path)
        embedder = Embedder(tool, backup=False)
        embedder.write(row(os.fsdecode(path)))
        assert embedder.counts == {"written": 1}
        assert untag_photo(os.fsdecode(path), tool)
        with open(path, "rb") as file:
            assert file.read() == before
    finally:
        shutil.rmtree(os.path.dirname(path))


class TestUntagging:
    def test_only_where_there_is_something(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photo: Path
    ) -> None:
        """exiftool is not even looked for where no photo holds tags."""
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
        assert untag_photos([str(tmp_path)]) == (0, [])

    def test_needs_exiftool_where_there_is(
        self, monkeypatch: pytest.MonkeyPatch, tool: ExifTool, tmp_path: Path, photo: Path
    ) -> None:
        Embedder(tool).write(row(photo))
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
        with pytest.raises(MissingToolError, match="which is not installed"):
            untag_photos([str(tmp_path)])

    def test_a_folder(self, tool: ExifTool, tmp_path: Path) -> None:
        photos = [Path(draw_photo(tmp_path / f"{index}.jpg", index)) for index in range(3)]
        before = [photo.read_bytes() for photo in photos]
        for photo in photos[:2]:
            Embedder(tool).write(row(photo))
        (tmp_path / "0.jpg.xmp").write_bytes(PACKETS["rating"])
        photos[1].chmod(0o444)
        (tmp_path / "nowhere.jpg").symlink_to("nothing")
        paths = [str(tmp_path), str(tmp_path / "0.jpg.xmp"), str(tmp_path / "gone.jpg")]
        assert untag_photos(paths) == (1, [(str(photos[1]), "is read-only")])
        photos[1].chmod(0o644)
        assert untag_photos([str(photos[1])]) == (1, [])
        assert [photo.read_bytes() for photo in photos] == before
        # the backups are left where they are
        assert len(list(tmp_path.glob("*_original"))) == 2

    def test_a_folder_that_cannot_be_searched(self, open_folder: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("needs to be root, to become someone else")
        (open_folder / "closed").mkdir(mode=0)
        (open_folder / "photo.jpg").write_bytes(b"\xff\xd8\xff")
        (open_folder / "photo.jpg").chmod(0)
        os.seteuid(65534)
        try:
            outcome = untag_photos([str(open_folder)])
        finally:
            os.seteuid(0)
        assert outcome == (
            0,
            [
                (f"{open_folder}/closed", "could not be searched: Permission denied"),
                (f"{open_folder}/photo.jpg", "cannot be read or written: Permission denied"),
            ],
        )

    def test_where_another_program_wrote_since(self, tool: ExifTool, photo: Path) -> None:
        exiftool("-overwrite_original", "-XMP-dc:Subject=dog", str(photo))
        Embedder(tool).write(row(photo))
        exiftool("-overwrite_original", "-XMP-dc:Subject+=cat", "-XMP:Rating=5", str(photo))
        assert untag_photo(str(photo), tool)
        assert (
            by_exiftool(photo).items()
            >= {
                "XMP-dc:Subject": ["dog", "cat"],
                "XMP-xmp:Rating": 5,
            }.items()
        )
        assert "emotag" not in get_packet(photo).decode()


def test_what_exiftool_writes_wrong_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photo: Path
) -> None:
    """An exiftool that writes another packet than it was told to."""
    before = state(photo)
    for edit, reason in (
        ("other_packet()", "was written by exiftool so that other tags are read back from it"),
        (
            "line = line.replace('written', 'elsewhere')",
            "was not written by exiftool, which does not say why",
        ),
    ):
        fake_exiftool(tmp_path / "bin", WRONG.format(real=shutil.which("exiftool"), edit=edit))
        with monkeypatch.context() as patch:
            patch.setenv("PATH", str(tmp_path / "bin"))
            with ExifTool() as own:
                embedder = Embedder(own)
                embedder.write(row(photo))
        assert embedder.refusals == [(str(photo), reason)]
        assert state(photo) == before
        assert sorted(os.listdir(tmp_path)) == ["bin", "photo.jpg"]


WRONG = f"""#!{sys.executable}
import os, subprocess, sys

def other_packet():
    if line.startswith("-XMP<="):
        packet = open("packet.xmp").read()
        open("packet.xmp", "w").write(packet.replace("fear", "love"))

inside = subprocess.Popen(
    ["{{real}}", *sys.argv[1:]], stdin=subprocess.PIPE, env={{{{"PATH": "/usr/bin:/bin"}}}}
)
for line in sys.stdin:
    {{edit}}
    inside.stdin.write(line.encode())
    inside.stdin.flush()
"""


def test_an_exiftool_that_is_gone_meanwhile(monkeypatch: pytest.MonkeyPatch, photo: Path) -> None:
    before = state(photo)
    with ExifTool() as own:
        own.start()
        assert own._process is not None
        own._process.kill()
        own._process.wait()
        monkeypatch.setenv("PATH", str(photo.parent))
        embedder = Embedder(own)
        embedder.write(row(photo))
    ((_, reason),) = embedder.refusals
    assert reason.startswith("Tags inside of photos need exiftool, which is not installed; type: ")
    assert state(photo) == before


def test_two_at_once_leave_each_photo_whole(tmp_path: Path) -> None:
    photos = [Path(draw_photo(tmp_path / f"{index}.jpg", index)) for index in range(12)]
    before = [photo.read_bytes() for photo in photos]

    def embed(emotion: str) -> Embedder:
        with open_embedder() as embedder:
            for _ in range(3):
                for photo in photos:
                    embedder.write(row(photo, emotion))
        return embedder

    with ThreadPoolExecutor() as pool:
        both = list(pool.map(embed, ["fear", "love"]))
    # whoever comes second either replaces what the first wrote or leaves it alone
    reasons = {reason for embedder in both for _, reason in embedder.refusals}
    assert reasons <= {
        "was changed by another program meanwhile",
        "cannot be written: No such file or directory",
    }
    for photo, old in zip(photos, before, strict=True):
        tags = read_tags(get_packet(photo))
        assert tags is not None
        assert tags.emotion in ("fear", "love")
        assert Path(f"{photo}_original").read_bytes() == old
    assert len(os.listdir(tmp_path)) == 2 * len(photos)
    assert untag_photos([str(tmp_path)]) == (len(photos), [])
    assert [photo.read_bytes() for photo in photos] == before
