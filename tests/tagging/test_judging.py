"""Photos judged by threads, by processes and on a cluster: the same is said of them."""

import os
import signal
from pathlib import Path

import pytest
from joblib import parallel_config

from emotag.bundle.folder import open_bundle, open_onnx
from emotag.errors import BundleError
from emotag.parallel.cluster import on_cluster
from emotag.tagging.judging import Worker, gather_crew
from emotag.tagging.run import find_some, tag_found, tag_photos
from tests.cluster import dask_cluster
from tests.conftest import draw_photo
from tests.tagging.small_bundle import save_small_bundle

N_PHOTOS = 100


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_small_bundle(tmp_path_factory.mktemp("bundle") / "small")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for index in range(N_PHOTOS):
        draw_photo(folder / f"{index}.jpg", index)
    (folder / "7.jpg").write_bytes(b"\xff\xd8\xff")
    draw_photo(folder / "8.jpg", 1, size=(8, 8))
    return folder


def test_processes_say_the_same_as_threads(
    bundle: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    alone = tag_photos(folder.name, bundle, jobs=1)
    assert len(alone) == N_PHOTOS
    with parallel_config(backend="loky", n_jobs=2):
        assert tag_photos(folder.name, os.path.relpath(bundle)) == alone


def test_a_cluster_says_the_same_also_from_another_folder(
    bundle: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    alone = tag_photos(".", bundle, jobs=1)
    with dask_cluster(threads=2) as address, on_cluster(address) as threads:
        assert threads in (2, 4), "the second worker may come later"
        assert tag_photos(".", bundle) == alone


def open_deadly(bundle, threads, n_seen):  # type: ignore[no-untyped-def]
    """Return an engine that ends its process when it sees a certain colour."""
    engine = open_onnx(bundle, threads, n_seen)

    def run(pixels):  # type: ignore[no-untyped-def]
        if (pixels[:, 0, 0] == (0, 0, 254)).all(axis=-1).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return engine(pixels)

    return run


def test_a_photo_that_kills_every_worker_is_one_failed_row(
    bundle: str, folder: Path, tmp_path: Path
) -> None:
    from PIL import Image

    for index in range(80):
        os.link(folder / f"{index + 10}.jpg", tmp_path / f"{index}.jpg")
    Image.new("RGB", (64, 64), (0, 0, 254)).save(tmp_path / "40.png")
    opened = open_bundle(bundle)
    photos = find_some([tmp_path]).photos
    with parallel_config(backend="loky", n_jobs=2):
        crew = gather_crew(opened, n_photos=len(photos), opener=open_deadly)
        rows = list(tag_found(photos, crew, opened.config))
    failed = [row for row in rows if row.status == "failed"]
    assert [row.path for row in failed] == [str(tmp_path / "40.png")]
    assert failed[0].reason == (
        "reading it ends the process: a decoder crashes, or memory runs out"
    )
    assert len(rows) == 81
    assert {row.status for row in rows if row not in failed} == {"tagged"}


def test_a_worker_opens_its_model_once_and_refuses_another(
    bundle: str, folder: Path, tmp_path: Path
) -> None:
    opened = open_bundle(bundle)
    asked = []

    def opener(*said):  # type: ignore[no-untyped-def]
        asked.append(said)
        return open_onnx(*said)

    with parallel_config(backend="loky", n_jobs=2):
        crew = gather_crew(opened, n_photos=1)
    worker: Worker = crew.judge.args[0]  # type: ignore[attr-defined]
    assert worker.folder == os.path.abspath(bundle)
    here = Worker(worker.folder, worker.checksum, opener, explain=False, max_pixels=10**8)
    photos = [str(folder / "1.jpg")]
    assert here(photos) == here(photos) == worker(photos)
    assert len(asked) == 1
    other = save_small_bundle(tmp_path / "other", name="other")
    with pytest.raises(BundleError) as caught:
        Worker(other, worker.checksum, open_onnx, explain=False, max_pixels=10**8)(photos)
    assert str(caught.value) == (
        f"The model {other} is another one on a worker than where the run was started; copy it "
        "there."
    )
