"""Sidecars beside photos: what is written, kept, cleared and left alone."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from emotag.errors import PhotosNotFoundError, SidecarError, StorageError
from emotag.tagging.rows import Row
from emotag.tagging.sidecars import (
    FORMS,
    SidecarWriter,
    find_sidecars,
    sidecar_path,
    untag_sidecar,
)
from emotag.tagging.xmp import read_tags
from tests.tagging.test_xmp import PACKETS


def tagged(path: Path | str, emotion: str = "fear", confidence: float = 0.8) -> Row:
    return Row(
        str(path),
        "tagged",
        emotion=emotion,
        confidence=confidence,
        sentiment="negative",
        model="small",
    )


def uncertain(path: Path) -> Row:
    return Row(str(path), "uncertain", confidence=0.2, model="small")


@pytest.fixture
def photo(tmp_path: Path) -> Iterator[Path]:
    """A photo whose content and times must stay what they are."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"the content of a photo")
    os.utime(path, ns=(10**18, 10**18 + 1))
    before = (hashlib.sha256(path.read_bytes()).hexdigest(), os.stat(path).st_mtime_ns)
    yield path
    assert (hashlib.sha256(path.read_bytes()).hexdigest(), os.stat(path).st_mtime_ns) == before


@pytest.mark.parametrize("form", FORMS)
def test_written_beside_the_photo(photo: Path, form: str) -> None:
    writer = SidecarWriter(form)
    writer.write(tagged(photo))
    path = Path(sidecar_path(str(photo), form))
    assert path.name == form
    found = read_tags(path.read_bytes())
    assert found is not None
    assert (found.emotion, found.sentiment, found.confidence) == ("fear", "negative", "0.8000")
    assert writer.counts == {"written": 1}
    assert untag_sidecar(str(path))
    assert sorted(os.listdir(photo.parent)) == ["photo.jpg"]


def test_one_that_says_the_same_is_not_touched(photo: Path) -> None:
    SidecarWriter().write(tagged(photo))
    path = f"{photo}.xmp"
    os.utime(path, ns=(10**18, 10**18))
    writer = SidecarWriter()
    writer.write(tagged(photo))
    assert writer.counts == {"unchanged": 1}
    assert os.stat(path).st_mtime_ns == 10**18
    writer.write(tagged(photo, "love"))
    assert writer.counts == {"unchanged": 1, "written": 1}


def test_what_was_there_comes_back(photo: Path) -> None:
    path = Path(f"{photo}.xmp")
    path.write_bytes(PACKETS["several descriptions"])
    path.chmod(0o640)
    for emotion in ("fear", "love", "fear"):
        SidecarWriter().write(tagged(photo, emotion))
    assert path.read_bytes() != PACKETS["several descriptions"]
    assert untag_sidecar(str(path))
    assert path.read_bytes() == PACKETS["several descriptions"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert not untag_sidecar(str(path))


def test_an_uncertain_photo_loses_what_was_said_before(photo: Path) -> None:
    writer = SidecarWriter()
    writer.write(uncertain(photo))
    writer.write(tagged(photo))
    writer.write(uncertain(photo))
    assert writer.counts == {"unchanged": 1, "written": 1, "cleared": 1}
    assert not os.path.exists(f"{photo}.xmp")


@pytest.mark.parametrize("status", ["skipped", "failed"])
def test_a_photo_that_was_not_read_keeps_its_sidecar(photo: Path, status: str) -> None:
    SidecarWriter().write(tagged(photo))
    writer = SidecarWriter()
    writer.write(Row(str(photo), status, "why"))  # type: ignore[arg-type]
    assert writer.counts == {}
    assert os.path.exists(f"{photo}.xmp")


@pytest.mark.parametrize("content", [b"", b"<x", PACKETS["all lists"][:100]])
def test_one_that_is_no_xmp_is_left_alone(photo: Path, content: bytes) -> None:
    path = Path(f"{photo}.xmp")
    path.write_bytes(content)
    writer = SidecarWriter()
    writer.write(tagged(photo))
    assert path.read_bytes() == content
    ((left, reason),) = writer.refusals
    assert left == str(path)
    assert reason.startswith("is no")
    with pytest.raises(SidecarError):
        untag_sidecar(str(path))


def test_a_link_stays_a_link(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    target = tmp_path / "kept" / "real.xmp"
    target.write_bytes(PACKETS["rating"])
    link = Path(f"{photo}.xmp")
    link.symlink_to(target)
    SidecarWriter().write(tagged(photo))
    assert link.is_symlink()
    assert read_tags(target.read_bytes()) is not None


def test_a_folder_and_a_dead_link_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.jpg.xmp").mkdir()
    (tmp_path / "b.jpg.xmp").symlink_to("nowhere")
    writer = SidecarWriter()
    for name in ("a.jpg", "b.jpg"):
        writer.write(tagged(tmp_path / name))
    assert [reason for _, reason in writer.refusals] == [
        "is no file, or a link that leads nowhere"
    ] * 2


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    writer = SidecarWriter()
    writer.write(tagged(tmp_path / "gone" / "photo.jpg"))
    ((_, reason),) = writer.refusals
    assert "cannot be written" in reason


def test_two_photos_of_one_sidecar(tmp_path: Path) -> None:
    writer = SidecarWriter("photo.xmp")
    writer.write(tagged(tmp_path / "photo.jpg"))
    writer.write(tagged(tmp_path / "photo.png", "love"))
    found = read_tags((tmp_path / "photo.xmp").read_bytes())
    assert found is not None
    assert found.emotion == "fear"
    assert writer.refusals == [
        (f"{tmp_path}/photo.xmp", f"is the sidecar of {tmp_path}/photo.jpg already")
    ]


def test_an_unknown_form() -> None:
    with pytest.raises(SidecarError, match=r"^Unknown form of sidecars 'xmp'; choose from photo"):
        SidecarWriter("xmp")


def test_found_by_photo_by_folder_and_by_themselves(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg.xmp", "sub/c.XMP", ".hidden.xmp", "other.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a.jpg.xmp").touch()
    (tmp_path / "a.xmp").touch()
    expected = [f"{tmp_path}/{name}" for name in ("a.jpg.xmp", "a.xmp", "b.jpg.xmp", "sub/c.XMP")]
    assert list(find_sidecars([str(tmp_path)])) == expected
    assert list(find_sidecars([f"{tmp_path}/a.jpg"])) == expected[:2]
    # of a photo that is gone by now
    assert list(find_sidecars([f"{tmp_path}/b.jpg", f"{tmp_path}/b.jpg.xmp"])) == expected[2:3]
    assert list(find_sidecars([f"{tmp_path}/other.txt"])) == []
    with pytest.raises(PhotosNotFoundError, match=r"nowhere\.jpg does not exist"):
        list(find_sidecars([f"{tmp_path}/nowhere.jpg"]))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may all")
def test_one_that_may_not_be_read(photo: Path) -> None:
    path = Path(f"{photo}.xmp")
    path.write_bytes(PACKETS["rating"])
    path.chmod(0)
    with pytest.raises(StorageError, match="cannot be read"):
        untag_sidecar(str(path))


def test_a_sidecar_that_is_protected_is_left_alone(tmp_path: Path) -> None:
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.write_bytes(PACKETS["keywords"])
    sidecar.chmod(0o444)
    writer = SidecarWriter()
    writer.write(tagged(tmp_path / "a.jpg"))
    assert writer.refusals == [(str(sidecar), "is read-only")]
    assert sidecar.read_bytes() == PACKETS["keywords"]


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="this platform has no such attributes")
def test_the_attributes_of_a_sidecar_stay(tmp_path: Path) -> None:
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.write_bytes(PACKETS["keywords"])
    try:
        os.setxattr(sidecar, "user.mine", b"1")
    except OSError:
        pytest.skip("this file system keeps none")
    SidecarWriter().write(tagged(tmp_path / "a.jpg"))
    assert os.getxattr(sidecar, "user.mine") == b"1"
    assert sidecar.read_bytes() != PACKETS["keywords"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_of_a_sidecar_stays(tmp_path: Path) -> None:
    sidecar = tmp_path / "a.jpg.xmp"
    sidecar.write_bytes(PACKETS["keywords"])
    os.chown(sidecar, 65534, 65534)
    SidecarWriter().write(tagged(tmp_path / "a.jpg"))
    assert (sidecar.stat().st_uid, sidecar.stat().st_gid) == (65534, 65534)
    assert sidecar.read_bytes() != PACKETS["keywords"]
