"""Fixtures that several rooms need."""

import os
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # one worker a core: more threads in each would only wait for one another. It must be
    # said before numpy or torch is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from tests.s3 import KEYS, S3, serve_s3

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache out of the tests, and the tests out of it.

    The exported networks are shared by all tests of a session: making one takes seconds.
    """
    base = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("EMOTAG_CACHE", str(base))


@pytest.fixture
def shared_data() -> Path:
    """The labelled photos beside the checkout."""
    if not (SHARED / "data" / "photos.csv").is_file():
        pytest.skip("needs the labelled photos of ../shared/data, which are not here")
    return SHARED / "data"


@pytest.fixture(scope="session")
def sample_photos() -> list[str]:
    """scikit-learn's two photos: 640 x 427 JPEGs that no one here made."""
    folder = Path(sysconfig.get_path("purelib")) / "sklearn" / "datasets" / "images"
    return [str(folder / name) for name in ("china.jpg", "flower.jpg")]


def draw_photo(path: str | os.PathLike[str], seed: int, size: tuple[int, int] = (96, 64)) -> str:
    """Write a small photo-like JPEG of smooth random colours and return its path."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
    return os.fspath(path)


@pytest.fixture
def labelled_folder(tmp_path: Path) -> Path:
    """Two labels that colour tells apart: DATA/love (red) and DATA/fear (blue), 12 photos each."""
    for label, colour in (("love", (200, 40, 40)), ("fear", (30, 30, 160))):
        (tmp_path / "data" / label).mkdir(parents=True)
        for index in range(12):
            rng = np.random.default_rng([index, colour[0]])
            noise = rng.integers(-30, 31, (48, 64, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / label / f"{index}.jpg", quality=90)
    return tmp_path / "data"


@pytest.fixture
def chmod_matters(tmp_path: Path) -> Iterator[None]:
    """Skip where permissions do not bind, as for root."""
    probe = tmp_path / "probe"
    probe.write_text("x")
    probe.chmod(0)
    if os.access(probe, os.R_OK):
        pytest.skip("this user may read everything (root)")
    yield
    shutil.rmtree(probe, ignore_errors=True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter and write in; `tmp_path` is closed to others."""
    with tempfile.TemporaryDirectory(prefix="emotag-") as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Run as a user for whom permissions bind: root runs as nobody meanwhile.

    Nothing may be imported for the first time inside: Python itself may be closed to nobody.
    """
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture(scope="session")
def _s3_server() -> Iterator[S3]:
    with serve_s3() as server:
        yield server


@pytest.fixture
def s3(_s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """An S3 server that the environment names, with which nothing goes wrong so far."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", _s3_server.url)
    # the clock: the attempts are made, but not waited for
    monkeypatch.setattr("emotag.remote.filesystems._PAUSES", (0.0, 0.01, 0.02))
    _s3_server.reset()
    return _s3_server


@pytest.fixture
def bucket(s3: S3) -> str:
    """The name of an empty bucket."""
    return s3.new_bucket()
