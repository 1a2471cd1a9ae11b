"""``onnx:FILE``: features of a real Places365 network, and what is refused."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from emotag import CNNFeatures, make_model, save_model, tag_photos
from emotag.backbones.registry import find_backbone
from emotag.errors import ModelError, WeightsError
from tests.conftest import SHARED, draw_photo
from tests.networks import pixel_model

PLACES = SHARED / "weights" / "squeezenet_places365.onnx"
SAID = {
    "preprocess": {
        "size": 224,
        "resize": 256,
        "mean": [104.051, 112.514, 116.676],
        "std": [255.0, 255.0, 255.0],
        "channels": "BGR",
        "keep_aspect": False,
    },
    "layer": "features",
}


@pytest.fixture
def places(tmp_path: Path) -> str:
    """The real network, with what says how photos are prepared."""
    if not PLACES.is_file():
        pytest.skip("needs ../shared/weights, which is not here")
    path = shutil.copy(PLACES, tmp_path / "places.onnx")
    (tmp_path / "places.onnx.json").write_text(json.dumps(SAID))
    return os.fspath(path)


def test_features_are_the_networks_own(places: str, sample_photos: list[str]) -> None:
    found = CNNFeatures(f"onnx:{places}").fit_transform(sample_photos)
    assert found.shape == (2, 512)
    session = onnxruntime.InferenceSession(places)
    for row, path in zip(found, sample_photos, strict=True):
        photo = Image.open(path).resize((256, 256), Image.Resampling.BILINEAR)
        pixels = np.asarray(photo, dtype=np.float32)[16:240, 16:240, ::-1]
        normalised = (pixels - np.array(SAID["preprocess"]["mean"])) / 255
        planes = normalised.transpose(2, 0, 1)[np.newaxis].astype(np.float32)
        (expected,) = session.run(["features"], {"pixels": planes})
        cosine = row @ expected[0] / np.linalg.norm(row) / np.linalg.norm(expected[0])
        assert cosine > 0.995


@pytest.mark.parametrize("recipe", ["svm", "fc7"])
def test_a_bundle_holds_the_whole_of_it(places: str, tmp_path: Path, recipe: str) -> None:
    photos = [draw_photo(tmp_path / f"{seed}.jpg", seed) for seed in range(10)]
    model = make_model(recipe, backbone=f"onnx:{places}", random_state=0)
    model.fit(photos, ["fear", "love"] * 5)
    save_model(model, tmp_path / "bundle", photos=photos)
    os.remove(places)
    rows = list(tag_photos(photos, str(tmp_path / "bundle")))
    assert {row.emotion for row in rows} == {"fear", "love"}


def test_without_what_says_how_photos_are_prepared(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(pixel_model(np.ones((3, 2), dtype=np.float32)))
    with pytest.raises(ModelError, match=r"How photos are prepared for .*net\.onnx is not known"):
        find_backbone(f"onnx:{path}")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        find_backbone(f"onnx:{tmp_path}/none.onnx")
    assert str(caught.value) == (
        f"The weights {tmp_path}/none.onnx cannot be read: it does not exist."
    )
