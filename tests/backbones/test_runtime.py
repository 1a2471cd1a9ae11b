"""Backbones at work: onnxruntime and torch agree, and the exported network is kept."""

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from emotag.backbones.backbone import Backbone
from emotag.backbones.registry import find_backbone
from emotag.backbones.runtime import choose_device, open_runner
from emotag.errors import ModelError, StorageError
from emotag.photos.decoding import decode_photo
from tests.conftest import draw_photo
from tests.networks import SIDE, TINY_FEATURES, registered, tiny_backbone

# a device's name that is not the one for which onnxruntime is taken
TORCH_ON_CPU = "cpu:0"
PIXELS = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the exported network of the small backbone."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch, registered(tiny_backbone(folder)):
        patch.setenv("EMOTAG_CACHE", str(folder / "cache"))
        open_runner("tiny", "pool", "cpu")
    return folder / "cache"


def test_threads_that_need_the_same_new_network_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "cache"))
    start = threading.Barrier(4, timeout=60)

    def run(_: int) -> NDArray[np.float32]:
        start.wait()
        return open_runner("tiny", "pool", "cpu")(PIXELS)

    with registered(tiny_backbone(tmp_path)), ThreadPoolExecutor(4) as pool:
        found = list(pool.map(run, range(4)))
    for features in found[1:]:
        np.testing.assert_array_equal(features, found[0])
    assert len(list((tmp_path / "cache" / "networks").iterdir())) == 1


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exported: Path) -> Iterator[Backbone]:
    """A small backbone, and a cache of its own."""
    monkeypatch.setenv("EMOTAG_CACHE", shutil.copytree(exported, str(tmp_path / "cache")))
    with registered(tiny_backbone(tmp_path)) as backbone:
        yield backbone


@pytest.fixture(scope="module")
def tiny_features(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float32]:
    """What torch says about `PIXELS`."""
    with registered(tiny_backbone(tmp_path_factory.mktemp("tiny"))):
        return open_runner("tiny", "pool", TORCH_ON_CPU)(PIXELS)


def kept(tmp_path: Path) -> Path:
    """Return the one network in the cache."""
    (path,) = (tmp_path / "cache/networks").iterdir()
    return path


def reopen() -> NDArray[np.float32]:
    """Run the network as a new process would."""
    open_runner.cache_clear()
    return open_runner("tiny", "pool", "cpu")(PIXELS)


def test_onnxruntime_agrees_with_torch_on_real_photos(
    sample_photos: list[str], tmp_path: Path
) -> None:
    preprocess = find_backbone("lite0").preprocess
    photos = [*sample_photos, *(draw_photo(tmp_path / f"{seed}.jpg", seed) for seed in range(3))]
    pixels = np.stack([decode_photo(path, preprocess).pixels for path in photos])
    fast, slow = (open_runner("lite0", "pool", device)(pixels) for device in ("cpu", TORCH_ON_CPU))
    assert fast.shape == slow.shape == (len(photos), 1280)
    assert fast.dtype == slow.dtype == np.float32
    np.testing.assert_allclose(fast, slow, atol=1e-3)
    assert np.abs(fast).max() > 1


def test_the_exported_network_is_kept_and_used(
    tiny: Backbone, tmp_path: Path, tiny_features: NDArray[np.float32]
) -> None:
    kept(tmp_path).unlink()
    np.testing.assert_allclose(reopen(), tiny_features, atol=1e-5)
    before = kept(tmp_path).stat()
    # without the weights it cannot be exported once more
    Path(tiny.weights.fetch()).unlink()
    np.testing.assert_allclose(reopen(), tiny_features, atol=1e-5)
    after = kept(tmp_path).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("damage", ["cut off", "a bit flipped", "empty", "something else"])
def test_a_damaged_network_is_made_anew(
    tiny: Backbone, tmp_path: Path, tiny_features: NDArray[np.float32], damage: str
) -> None:
    content = bytearray(kept(tmp_path).read_bytes())
    if damage == "a bit flipped":
        # in a weight: the network could still be run, and would say something else
        place = content.find(np.float32(tiny_weight(tiny)).tobytes())
        assert place > 0
        content[place + 3] ^= 0x40
    damaged = {
        "cut off": bytes(content[:-100]),
        "a bit flipped": bytes(content),
        "empty": b"",
        "something else": b"not a network",
    }[damage]
    kept(tmp_path).write_bytes(damaged)
    np.testing.assert_allclose(reopen(), tiny_features, atol=1e-5)
    assert kept(tmp_path).read_bytes() != damaged


def tiny_weight(tiny: Backbone) -> float:
    network = tiny.build(tiny.weights.fetch(), "pool")
    return next(network.parameters()).flatten()[0].item()


def test_a_cache_that_cannot_be_written(tiny: Backbone, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(StorageError) as caught:
        reopen()
    assert str(caught.value).startswith(f"{tmp_path}/cache/networks/tiny-pool-")
    message = ".network cannot be written: Not a directory. EMOTAG_CACHE names another folder."
    assert str(caught.value).endswith(message)


def test_several_threads_at_once(tiny: Backbone, tiny_features: NDArray[np.float32]) -> None:
    start = threading.Barrier(4)

    def run(device: str) -> NDArray[np.float32]:
        start.wait(timeout=60)
        return open_runner("tiny", "pool", device)(PIXELS)

    for device in ("cpu", TORCH_ON_CPU):
        open_runner("tiny", "pool", device)
        with ThreadPoolExecutor(4) as pool:
            for features in pool.map(run, [device] * 4):
                np.testing.assert_allclose(features, tiny_features, atol=1e-5)


def test_one_photo_and_many(tiny: Backbone, tiny_features: NDArray[np.float32]) -> None:
    run = open_runner("tiny", "pool", "cpu")
    assert run(PIXELS[:1]).shape == (1, TINY_FEATURES)
    np.testing.assert_allclose(run(np.repeat(PIXELS, 20, axis=0))[::20], tiny_features, atol=1e-5)


class TestDevices:
    @pytest.mark.parametrize("device", ["cpu", "cpu:0", torch.device("cpu"), None])
    def test_the_cpu(self, device: str) -> None:
        assert choose_device(device) == "cpu"

    def test_auto(self) -> None:
        assert choose_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")

    @pytest.mark.parametrize("device", ["gpu", "", "cuda:999", 999, 1.5, ["cpu"]])
    def test_a_device_that_is_not_there(self, device: str) -> None:
        with pytest.raises(ModelError) as caught:
            choose_device(device)
        message = str(caught.value)
        assert message.startswith(f"device={device!r} cannot be used here (")
        assert message.endswith(" 'cpu' always can.")
        assert "\n" not in message

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_a_gpu_agrees_with_the_cpu(
        self, tiny: Backbone, tiny_features: NDArray[np.float32]
    ) -> None:
        run = open_runner("tiny", "pool", choose_device("auto"))
        np.testing.assert_allclose(run(PIXELS), tiny_features, atol=1e-3)
