"""Zip archives: honest ones by several writers, damaged ones, and those that lie."""

import io
import lzma
import os
import shutil
import struct
import subprocess
import tempfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.photos.members import Member, Members
from emotag.photos.sources import DamagedError, LocalSource
from emotag.photos.zips import begin_zip_member, open_zip_member, read_zip
from tests.photos.crafted import Entry, build_zip

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}
CONTENT = b"a photo, " * 1000 + os.urandom(5000)


def source_of(content: bytes) -> LocalSource:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the source closes it
    file.write(content)
    file.flush()
    return LocalSource(file)


def members_of(*entries: Entry, **options) -> Members:
    return read_zip(source_of(build_zip(*entries, **options)))


def content_of(archive: bytes, name: str) -> bytes:
    source = source_of(archive)
    with open_zip_member(source, read_zip(source)[name]) as file:
        return file.read()


def damage_of(archive: bytes, name: str) -> str:
    with pytest.raises(DamagedError) as error:
        content_of(archive, name)
    return error.value.reason


def made(method: int = zipfile.ZIP_DEFLATED, **contents: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("content", [b"", b"x", CONTENT, bytes(3_000_000)])
def test_every_method_of_the_standard_library_is_read(method: int, content: bytes) -> None:
    archive = made(method, a=content, b=b"another")
    assert content_of(archive, "a") == content
    source = source_of(archive)
    member = read_zip(source)["a"]
    assert (member.size, member.method) == (len(content), method)
    assert begin_zip_member(source, member, 64) == content[:64]


needs_zip = pytest.mark.skipif(shutil.which("zip") is None, reason="needs zip")


@needs_zip
@pytest.mark.parametrize("options", [["-0"], ["-9"], ["-Z", "bzip2"], ["-fz"]])
def test_what_zip_writes_is_read(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "ü").mkdir()
    (tmp_path / "ü" / "ä.jpg").write_bytes(CONTENT)
    subprocess.run(["zip", "-qr", *options, "photos.zip", "ü"], cwd=tmp_path, check=True)
    assert content_of((tmp_path / "photos.zip").read_bytes(), "ü/ä.jpg") == CONTENT


@needs_zip
def test_what_zip_writes_to_a_pipe_is_read(tmp_path: Path) -> None:
    """It does not know a size before it has read all, so it notes it after the content."""
    (tmp_path / "a.jpg").write_bytes(CONTENT)
    archive = subprocess.run(
        "zip -q - a.jpg | cat", shell=True, cwd=tmp_path, check=True, capture_output=True
    ).stdout
    assert content_of(archive, "a.jpg") == CONTENT


def test_large_numbers_are_read() -> None:
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w") as archive,
        archive.open("a.jpg", "w", force_zip64=True) as member,
    ):
        member.write(CONTENT)
    assert content_of(file.getvalue(), "a.jpg") == CONTENT
    large = struct.pack("<2H3Q", 1, 24, 7, 7, 0)
    full = 0xFFFFFFFF
    archive = build_zip(
        Entry(b"a.jpg", b"content", size=full, packed=full, offset=full, extra=large)
    )
    # its own header says full, too, but that is not asked
    assert content_of(archive, "a.jpg") == b"content"
    with pytest.raises(DamagedError, match=r"its list of files is damaged"):
        members_of(Entry(b"a.jpg", b"content", size=full, extra=b"\1\0\4\0abcd"))


def test_more_files_than_16_bits_count() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for index in range(66_000):
            archive.writestr(f"{index}.txt", b"")
    members = read_zip(source_of(file.getvalue()))
    assert len(list(members)) == 66_000
    # some writers keep the lower bits only
    n_lower = len([*members_of(*(Entry(b"%d" % index) for index in range(65_537)))])
    assert n_lower == 65_537


def test_what_stands_before_and_after_does_no_harm() -> None:
    archive = build_zip(Entry(b"a.jpg", CONTENT), before=b"#!/bin/sh\n" * 99, comment=b"PK\5\6 hm")
    assert content_of(archive, "a.jpg") == CONTENT
    assert content_of(archive + b"some bytes more", "a.jpg") == CONTENT


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        (Entry("ü.jpg".encode(), flags=0x800), "ü.jpg"),
        (Entry("ü.jpg".encode()), "ü.jpg"),
        (Entry("ü.jpg".encode("cp437")), "ü.jpg"),
        (Entry(b"caf\xe9.jpg", flags=0x800), "caf\udce9.jpg"),
        (Entry(b"./a//b/./c.jpg"), "a/b/c.jpg"),
        (
            Entry(
                b"?.jpg",
                extra=struct.pack("<2HBL", 0x7075, 11, 1, zlib.crc32(b"?.jpg")) + "ü.jpg".encode(),
            ),
            "ü.jpg",
        ),
        (
            Entry(b"?.jpg", extra=struct.pack("<2HBL", 0x7075, 11, 1, 7) + "ü.jpg".encode()),
            "?.jpg",
        ),
    ],
)
def test_names_are_read_as_their_writers_meant_them(entry: Entry, name: str) -> None:
    assert list(members_of(entry)) == [name]


def test_folders_are_no_files() -> None:
    assert list(members_of(Entry(b"a/"), Entry(b"./"), Entry(b"."), Entry(b"a/b.jpg"))) == [
        "a/b.jpg"
    ]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Entry(b"../a.jpg"), "its name leads out of the archive"),
        (Entry(b"a/../../a.jpg"), "its name leads out of the archive"),
        (Entry(b"/etc/a.jpg"), "its name is an absolute path"),
        (Entry(b"C:/a.jpg"), "its name begins with a drive letter"),
        (Entry(b"a\\b.jpg"), "its name holds a backslash"),
        (Entry(b"a\0.jpg"), "its name holds a control character"),
        (Entry(b"a\x1b[31m.jpg"), "its name holds a control character"),
        (Entry(b"a.jpg", b"b.jpg", mode=0o120777), "a link, not a file"),
        (Entry(b"a.jpg", mode=0o060666), "a device, not a file"),
        (Entry(b"a.jpg", mode=0o010666), "a FIFO, not a file"),
        (Entry(b"a.jpg", flags=1), "it is encrypted"),
        (
            Entry(b"a.jpg", method=9),
            "it is packed in a way that emotag does not read: deflate64",
        ),
        (
            Entry(b"a.jpg", method=42),
            "it is packed in a way that emotag does not read: method 42",
        ),
        (Entry(b"a.jpg", b"x", size=2**30 + 1), "it unpacks to more than 1024 MiB"),
        (
            Entry(b"a.jpg", bytes(2**20), method=8, size=101 * 2**20),
            "it unpacks to more than 200 times its bytes, as a bomb does",
        ),
    ],
)
def test_what_is_not_read_has_a_reason(entry: Entry, reason: str) -> None:
    members = members_of(entry, Entry(b"sound.jpg"))
    (name,) = set(members) - {"sound.jpg"}
    assert members.refusal(name) == reason
    assert members.refusal("sound.jpg") == ""


def test_a_name_that_is_there_twice_is_not_read() -> None:
    members = members_of(Entry(b"a.jpg", b"1"), Entry(b"./a.jpg", b"2"), Entry(b"b.jpg"))
    assert list(members) == ["a.jpg", "b.jpg"]
    assert members.refusal("a.jpg") == "several files of the archive have this name"


def test_files_that_share_their_bytes_are_not_read() -> None:
    """As of the bombs that need no recursion: each file holds the following ones.

    https://www.bamsoftware.com/hacks/zipbomb/
    """
    shared = "it shares its bytes with another file of the archive"
    members = members_of(
        Entry(b"a.jpg", b"1", packed=40),
        Entry(b"b.jpg", b"2"),
        Entry(b"c.jpg", b"3"),
        Entry(b"d.jpg", b"3", offset=72),
        Entry(b"e/", offset=0),
    )
    assert [members.refusal(name) for name in members] == [shared, "", shared, ""]


def test_a_file_that_reaches_behind_the_end_is_damaged() -> None:
    archive = build_zip(Entry(b"a.jpg", b"content", packed=5000, size=5000))
    assert damage_of(archive, "a.jpg") == "cut off"
    archive = build_zip(Entry(b"a.jpg", b"content", offset=0xFFFFFFFE))
    assert damage_of(archive, "a.jpg") == "its header is missing"
    assert begin_zip_member(source_of(archive), Member(2**20, 5, 5), 64) == b""


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (Entry(b"a", CONTENT, crc=7), "its checksum is wrong"),
        (Entry(b"a", CONTENT, method=8, crc=7), "its checksum is wrong"),
        (Entry(b"a", CONTENT, method=8, size=50), "it unpacks to more than it says"),
        (Entry(b"a", CONTENT, method=8, size=50_000), "it unpacks to less than it says"),
        (Entry(b"a", CONTENT, packed=100), "it unpacks to less than it says"),
        (Entry(b"a", CONTENT, method=8, packed=100), "it unpacks to less than it says"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_damaged(entry: Entry, reason: str) -> None:
    assert damage_of(build_zip(entry), "a") == reason


@pytest.mark.parametrize(
    ("method", "content", "reason"),
    [
        (8, b"\xff" * 50, "Error -3 while decompressing data: invalid block type"),
        (12, b"\xff" * 50, "Invalid data stream"),
        (14, b"\0\0\5\0" + b"\xff" * 50, "Internal error"),
        (14, b"\0\0\5\0", "cut off"),
    ],
)
def test_what_cannot_be_unpacked_is_damaged(method: int, content: bytes, reason: str) -> None:
    archive = bytearray(build_zip(Entry(b"a", content, size=100)))
    for place in (8, archive.index(b"PK\1\2") + 10):
        archive[place] = method
    assert damage_of(bytes(archive), "a") == reason


def test_a_dictionary_takes_no_more_than_the_file() -> None:
    content = bytes(10_000)
    packed = lzma.compress(
        content, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 65536}]
    )
    claim = b"\x09\x14\x05\x00" + bytes([93]) + struct.pack("<L", 2**32 - 1)
    archive = bytearray(
        build_zip(Entry(b"a", claim + packed, size=10_000, crc=zlib.crc32(content)))
    )
    for place in (8, archive.index(b"PK\1\2") + 10):
        archive[place] = 14
    assert content_of(bytes(archive), "a") == content


def test_a_lie_of_a_size_costs_no_memory() -> None:
    """What unpacks to a gigabyte and says a kilobyte is given up after a piece."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(100)) + packer.flush()
    archive = bytearray(build_zip(Entry(b"a", bomb, size=1024)))
    for place in (8, archive.index(b"PK\1\2") + 10):
        archive[place] = 8
    tracemalloc.start()
    try:
        assert damage_of(bytes(archive), "a") == "it unpacks to more than it says"
        assert tracemalloc.get_traced_memory()[1] < 5 * 2**20
    finally:
        tracemalloc.stop()


def test_a_large_file_waits_on_the_disk() -> None:
    archive = made(a=os.urandom(2**20) * 33)
    tracemalloc.start()
    try:
        source = source_of(archive)
        with open_zip_member(source, read_zip(source)["a"]) as file:
            assert len(file.read(100)) == 100
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


def test_folders_may_share_their_bytes() -> None:
    members = members_of(Entry(b"e/"), Entry(b"f/", offset=0), Entry(b"a.jpg"))
    assert members.refusal("a.jpg") == ""


def patched(archive: bytes, place: int, value: int) -> bytes:
    """Return an archive with another number in the first entry of its list of files."""
    start = archive.index(b"PK\1\2") + place
    return archive[:start] + struct.pack("<H", value) + archive[start + 2 :]


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (patched(build_zip(Entry(b"a")), 32, 50), "its list of files is cut off"),
        (
            patched(build_zip(Entry(b"a", comment=b"x" * 20)), 32, 0),
            "its list of files is cut off",
        ),
        (b"", "it is no zip archive, or its end is missing"),
        (b"PK\5\6", "it is no zip archive, or its end is missing"),
        (b"Dear diary," * 1000, "it is no zip archive, or its end is missing"),
        (build_zip(Entry(b"a", CONTENT))[:-30], "it is no zip archive, or its end is missing"),
        (build_zip(Entry(b"a", CONTENT))[-40:], "its list of files is cut off"),
        (build_zip(Entry(b"a"), count=5), "it says that it holds 5 files, and lists 1"),
        (
            build_zip(Entry(b"a")).replace(b"PK\1\2", b"PK\1\3"),
            "its list of files is damaged",
        ),
        (
            build_zip(Entry(b"a")).replace(b"PK\5\6\0\0", b"PK\5\6\1\0"),
            "it is a part of an archive that is split over several files",
        ),
        (
            build_zip(Entry(b"a")).replace(b"PK\5\6", b"PK\6\7" + bytes(16) + b"PK\5\6"),
            "its end is damaged",
        ),
    ],
)
def test_a_damaged_archive_is_refused(archive: bytes, reason: str) -> None:
    with pytest.raises(DamagedError) as error:
        read_zip(source_of(archive))
    assert error.value.reason == reason


@given(st.data())
def test_no_damage_is_an_error_of_another_kind(data: st.DataObject) -> None:
    """Whatever is changed, an archive is refused, or its files read, or found to be damaged."""
    archive = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 3).map(lambda wish: len(archive) if wish else -1))
    if cut < 0:
        cut = data.draw(st.integers(0, len(archive)))
    source = source_of(bytes(archive[:cut]))
    reason = "sound"
    try:
        members = read_zip(source)
        for name in members:
            if not members.refusal(name):
                begin_zip_member(source, members[name], 64)
                open_zip_member(source, members[name]).close()
    except DamagedError as error:
        reason = error.reason
    assert reason


def _whole() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, method in METHODS.items():
            archive.writestr(f"{name}/ä.jpg", b"a photo" * 20, method)
    return file.getvalue()


WHOLE = _whole()


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), unique=True))
def test_any_name_is_found_again(names: list[str]) -> None:
    """As one name each, sound or refused, that never leads out of the archive."""
    entries = [Entry(name.encode(), name.encode(), flags=0x800) for name in names]
    source = source_of(build_zip(*entries))
    members = read_zip(source)
    for name in members:
        if members.refusal(name):
            continue
        assert not os.path.isabs(name)
        assert ".." not in name.split("/")
        assert os.path.normpath(name) == name
        content = open_zip_member(source, members[name]).read().decode()
        assert os.path.normpath(content) == name
