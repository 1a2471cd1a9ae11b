"""Tar archives: plain and packed ones by several writers, damaged ones, and bombs."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.photos import tars
from emotag.photos.sources import DamagedError
from emotag.photos.tars import TarIndex, begin_tar_member, open_tar_member, read_tar
from tests.photos.test_zips import source_of

CONTENT = b"a photo, " * 1000 + os.urandom(5000)
NO_TAR = "it is no tar archive, or is damaged"


def info_of(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def made(*infos: tarfile.TarInfo, format: int = tarfile.PAX_FORMAT, **contents: bytes) -> bytes:  # noqa: A002
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format, errors="surrogateescape") as archive:
        for name, content in contents.items():
            archive.addfile(info_of(name, size=len(content)), io.BytesIO(content))
        for info in infos:
            archive.addfile(info)
    return file.getvalue()


def index_of(archive: bytes) -> TarIndex:
    return read_tar(source_of(archive))


def content_of(index: TarIndex, name: str) -> bytes:
    with open_tar_member(index.source, index.members[name]) as file:
        return file.read()


def in_streams(pack):
    """Pack in two streams, one after the other."""
    return lambda content: pack(content[:9000]) + pack(content[9000:])


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-q"], input=content, capture_output=True, check=True).stdout


PACKERS = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "xz with padding": lambda content: lzma.compress(content) + bytes(8),
    "zstd": zstd,
    "gzip in streams": in_streams(gzip.compress),
    "bzip2 in streams": in_streams(bz2.compress),
    "xz in streams": in_streams(lzma.compress),
    "zstd in streams": in_streams(zstd),
}


def needs_zstd(name: str) -> None:
    if "zstd" in name and shutil.which("zstd") is None:
        pytest.skip("needs zstd")


@pytest.mark.parametrize("name", PACKERS)
def test_an_archive_is_read_however_it_is_packed(name: str) -> None:
    needs_zstd(name)
    index = index_of(PACKERS[name](made(**{"a.jpg": CONTENT, "b/c.jpg": b"x" * 700, "d.jpg": b""})))
    assert index.damage == ""
    assert [content_of(index, name) for name in index.members] == [CONTENT, b"x" * 700, b""]
    assert begin_tar_member(index.source, index.members["b/c.jpg"], 64) == b"x" * 64


@pytest.mark.parametrize("form", ["v7", "ustar", "pax", "gnu"])
def test_what_tar_writes_is_read(tmp_path: Path, form: str) -> None:
    name = "ä.jpg" if form in ("v7", "ustar") else f"{'long' * 40}/ä.jpg"
    (tmp_path / "in" / name).parent.mkdir(parents=True)
    (tmp_path / "in" / name).write_bytes(CONTENT)
    subprocess.run(
        ["tar", f"--format={form}", "-cf", "a.tar", "-C", "in", "."], cwd=tmp_path, check=True
    )
    index = index_of((tmp_path / "a.tar").read_bytes())
    assert list(index.members) == [name]
    assert content_of(index, name) == CONTENT


def test_what_was_added_later_counts(tmp_path: Path) -> None:
    for content in (b"1", b"two"):
        (tmp_path / "a.jpg").write_bytes(content)
        subprocess.run(["tar", "-rf", "a.tar", "a.jpg"], cwd=tmp_path, check=True)
    index = index_of((tmp_path / "a.tar").read_bytes())
    assert [content_of(index, name) for name in index.members] == [b"two"]


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (info_of("../a.jpg"), "its name leads out of the archive"),
        (info_of("/etc/a.jpg"), "its name is an absolute path"),
        (info_of("a\n.jpg"), "its name holds a control character"),
        (info_of("a.jpg", tarfile.SYMTYPE, linkname="/etc/passwd"), "a link, not a file"),
        (info_of("a.jpg", tarfile.LNKTYPE, linkname="sound.jpg"), "a link, not a file"),
        (info_of("a.jpg", tarfile.CHRTYPE), "a device, not a file"),
        (info_of("a.jpg", tarfile.BLKTYPE), "a device, not a file"),
        (info_of("a.jpg", tarfile.FIFOTYPE), "a FIFO, not a file"),
    ],
)
def test_what_is_not_read_has_a_reason(info: tarfile.TarInfo, reason: str) -> None:
    index = index_of(made(info, info_of("folder", tarfile.DIRTYPE), **{"sound.jpg": b"x"}))
    (name,) = set(index.members) - {"sound.jpg"}
    assert index.members.refusal(name) == reason
    assert index.members.refusal("sound.jpg") == ""


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(10**6)
    subprocess.run(["tar", "-Scf", "a.tar", "a.jpg"], cwd=tmp_path, check=True)
    index = index_of((tmp_path / "a.tar").read_bytes())
    assert index.members.refusal("a.jpg") == "it is a sparse file"


def test_a_file_of_more_than_a_gigabyte_is_not_read() -> None:
    archive = made(info_of("a.jpg", size=2**30 + 1))
    assert index_of(archive).members.refusal("a.jpg") == "it has more than 1024 MiB"


def test_a_name_that_is_no_text_is_kept_as_it_is() -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    index = index_of(made(info_of(name), format=tarfile.GNU_FORMAT))
    assert list(index.members) == [name]


def test_of_an_archive_that_is_cut_off_the_whole_files_are_read() -> None:
    archive = made(**{"a.jpg": CONTENT, "b.jpg": CONTENT, "c.jpg": CONTENT})
    index = index_of(archive[:20_000])
    assert index.damage == "it is damaged or cut off: unexpected end of data"
    assert list(index.members) == ["a.jpg", "b.jpg"]
    assert content_of(index, "a.jpg") == CONTENT
    with pytest.raises(DamagedError, match="cut off"):
        content_of(index, "b.jpg")


def test_an_archive_that_is_cut_off_in_a_header_says_so() -> None:
    archive = made(**{"a.jpg": b"x", "b.jpg": b"x"})
    index = index_of(archive[:1200])
    assert index.damage == "it is damaged at byte 1024, so what comes after is not known"
    assert list(index.members) == ["a.jpg"]


def test_an_archive_without_its_end_is_whole() -> None:
    index = index_of(made(**{"a.jpg": b"x"})[:1024])
    assert (index.damage, list(index.members)) == ("", ["a.jpg"])


def test_what_comes_after_damage_is_not_known() -> None:
    archive = bytearray(made(**{"a.jpg": b"x", "b.jpg": b"x", "c.jpg": b"x"}))
    archive[1024:1034] = b"0123456789"
    index = index_of(bytes(archive))
    assert index.damage == "it is damaged at byte 1024, so what comes after is not known"
    assert list(index.members) == ["a.jpg"]


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd"])
def test_of_a_packed_archive_that_is_cut_off_the_whole_files_are_read(name: str) -> None:
    needs_zstd(name)
    contents = {f"{index}.jpg": os.urandom(300_000) for index in range(20)}
    packed = PACKERS[name](made(**contents))
    index = index_of(packed[: len(packed) // 2])
    assert index.damage.startswith("it is damaged")
    first = next(iter(index.members))
    assert content_of(index, first) == contents["0.jpg"]


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"", NO_TAR),
        (b"Dear diary," * 1000, NO_TAR),
        (gzip.compress(b"Dear diary," * 1000, mtime=0), NO_TAR),
        (
            b"\x1f\x8b",
            "it is damaged: Compressed file ended before the end-of-stream marker was reached",
        ),
        (b"BZh" + b"x" * 50, "it is damaged: Invalid data stream"),
        (lzma.compress(CONTENT)[:20], "it is damaged: cut off"),
    ],
)
def test_what_is_no_archive_is_refused(archive: bytes, reason: str) -> None:
    with pytest.raises(DamagedError) as error:
        index_of(archive)
    assert error.value.reason == reason


def test_an_archive_of_nothing_is_no_error() -> None:
    assert list(index_of(bytes(10240)).members) == []


def test_a_bomb_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "_BOMB_BYTES", 2**20)
    with pytest.raises(DamagedError) as error:
        index_of(gzip.compress(made(**{"a.jpg": bytes(3 * 2**20)})))
    assert error.value.reason == "it unpacks to more than 50 times its bytes, as a bomb does"


def test_xz_may_not_ask_for_much_memory() -> None:
    archive = lzma.compress(
        made(**{"a.jpg": b"x"}), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 2**29}]
    )
    with pytest.raises(DamagedError) as error:
        index_of(archive)
    assert error.value.reason == "it is damaged: Memory usage limit exceeded"


def test_a_header_may_not_ask_for_much_memory() -> None:
    header = info_of("x", tarfile.XHDTYPE, size=2**30).tobuf(tarfile.USTAR_FORMAT)
    archive = made(**{"a.jpg": b"x"})[:1024] + header + bytes(2**20)
    tracemalloc.start()
    try:
        index = index_of(archive)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()
    assert index.damage == "it is damaged or cut off: a header of 1073741824 bytes"
    assert list(index.members) == ["a.jpg"]


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    source = source_of(gzip.compress(made(**{"a.jpg": b"x"})))
    monkeypatch.setattr(tars.tempfile, "TemporaryFile", lambda: open("/dev/full", "wb", 0))  # noqa: SIM115
    with pytest.raises(DamagedError) as error:
        read_tar(source)
    assert error.value.reason == (
        f"it cannot be unpacked into {tars.tempfile.gettempdir()} (No space left on device); "
        "TMPDIR names another folder"
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@given(data=st.data())
def test_no_damage_is_an_error_of_another_kind(pack, data: st.DataObject) -> None:
    archive = bytearray(pack(WHOLE))
    for _ in range(data.draw(st.integers(1, 4))):
        archive[data.draw(st.integers(0, len(archive) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(archive)), st.integers(0, len(archive))))
    reason = "sound"
    try:
        index = index_of(bytes(archive[:cut]))
        for name in index.members:
            if not index.members.refusal(name):
                begin_tar_member(index.source, index.members[name], 64)
                open_tar_member(index.source, index.members[name]).close()
    except DamagedError as error:
        reason = error.reason
    assert reason


WHOLE = made(
    info_of("link.jpg", tarfile.SYMTYPE, linkname="a"), **{"ä" * 120: b"x" * 600, "b.jpg": b"y"}
)
