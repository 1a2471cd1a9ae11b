"""Photos with something that stands out, and the network that finds it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from emotag.backbones.backbone import Backbone
from emotag.saliency.u2netp import u2netp_path
from tests.conftest import SHARED
from tests.networks import registered, tiny_backbone


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it."""
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "own_cache"))
    return tmp_path / "own_cache"


@pytest.fixture
def u2netp(own_cache: Path) -> Path:
    """The file of U2-Net-p, where emotag looks for it."""
    file = SHARED / "weights" / "u2netp.onnx"
    if not file.is_file():
        pytest.skip("needs ../shared/weights/u2netp.onnx, which is not here")
    place = Path(u2netp_path())
    place.parent.mkdir(parents=True)
    shutil.copyfile(file, place)
    return place


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backbone]:
    """A small backbone, for as long as a module's tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOTAG_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        with registered(tiny_backbone(tmp_path_factory.mktemp("tiny"))) as backbone:
            yield backbone


def disc(
    rows: int = 200, columns: int = 300, centre: tuple[int, int] = (90, 170), radius: int = 40
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a bright disc on a plain ground with a little noise, and where the disc is."""
    down, across = np.mgrid[:rows, :columns]
    inside = (down - centre[0]) ** 2 + (across - centre[1]) ** 2 < radius**2
    pixels = np.where(inside[..., np.newaxis], (250, 190, 40), (40, 90, 60))
    noise = np.random.default_rng(0).integers(-3, 4, pixels.shape)
    return (pixels + noise).astype(np.uint8), inside
