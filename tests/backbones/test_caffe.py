"""Caffe's files: a real one against what another reader made of it, and broken ones."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from emotag.backbones.caffe import VGG16_SHAPES, extract_caffemodel, read_caffemodel, vgg16_state
from emotag.errors import WeightsError
from tests.conftest import SHARED

REAL = SHARED / "weights" / "res10_300x300_ssd_iter_140000.caffemodel"
ORACLE = SHARED / "weights" / "res10_300x300_ssd.blobs.json"


@pytest.fixture
def real() -> str:
    if not REAL.is_file():
        pytest.skip("needs ../shared/weights, which is not here")
    return str(REAL)


def test_every_convolution_is_as_opencv_reads_it(real: str) -> None:
    layers = read_caffemodel(real)
    for name, expected in json.loads(ORACLE.read_text()).items():
        for blob, said in zip(layers[name], expected, strict=True):
            assert blob.size == np.prod(said["shape"])
            assert blob.sum(dtype="f8") == pytest.approx(said["sum"], rel=1e-6, abs=1e-6)
            assert np.abs(blob).sum(dtype="f8") == pytest.approx(said["abs_sum"], rel=1e-6)
            np.testing.assert_allclose(blob.ravel()[:5], said["first"], rtol=1e-6)


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x89PNG\r\n\x1a\n" + b"\0" * 64])
def test_no_caffemodel(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "net.caffemodel"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"net\.caffemodel"):
        read_caffemodel(str(path))


def test_cut_off(tmp_path: Path, real: str) -> None:
    path = tmp_path / "net.caffemodel"
    path.write_bytes(Path(real).read_bytes()[:-1000])
    with pytest.raises(WeightsError, match=r"net\.caffemodel"):
        read_caffemodel(str(path))


def test_another_network(real: str) -> None:
    with pytest.raises(WeightsError, match="conv1_1"):
        vgg16_state(read_caffemodel(real), n_classes=205, path=real)


def test_a_wrong_shape_names_the_layer() -> None:
    blobs = {
        layer: [np.broadcast_to(np.float32(0), shape), np.zeros(shape[0], np.float32)]
        for layer, shape in VGG16_SHAPES.items()
    }
    blobs["fc8"] = [np.zeros((205, 4096), np.float32), np.zeros(205, np.float32)]
    blobs["conv3_2"] = [np.zeros((2, 2), np.float32), np.zeros(2, np.float32)]
    with pytest.raises(WeightsError, match="layer 'conv3_2' has weights"):
        vgg16_state(blobs, n_classes=205)


def test_the_one_model_of_an_archive(tmp_path: Path, real: str) -> None:
    archive = tmp_path / "places.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(real, "places/net.caffemodel")
    path = extract_caffemodel(str(archive), str(tmp_path / "out.caffemodel"))
    assert Path(path).read_bytes() == Path(real).read_bytes()
