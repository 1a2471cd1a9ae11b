"""ProgressiveCNN as a bundle: saved, read back, run by onnxruntime and by torch."""

import json
from pathlib import Path

import numpy as np
import pytest

from emotag.bundle.folder import Bundle
from emotag.errors import BundleError
from emotag.models.engines import engine_opener
from emotag.models.loading import load_model
from emotag.models.progressive.estimator import ProgressiveCNN
from emotag.models.saving import save_model
from emotag.tagging.run import tag_photos
from tests.models.conftest import Photos

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(photos: Photos) -> ProgressiveCNN:
    # the architecture with the fewest weights
    estimator = ProgressiveCNN(
        "3conv-2fc", max_epochs=2, progressive_epochs=1, lr=0.005, random_state=0
    )
    return estimator.fit(photos.X, photos.y)


@pytest.fixture(scope="module")
def bundle(
    model: ProgressiveCNN, photos: Photos, tmp_path_factory: pytest.TempPathFactory
) -> Bundle:
    folder = tmp_path_factory.mktemp("models") / "pcnn"
    return save_model(model, folder, photos=photos.X[:8].tolist())


def test_what_is_read_back_says_the_same(
    model: ProgressiveCNN, bundle: Bundle, photos: Photos
) -> None:
    loaded = load_model(bundle.folder)
    assert isinstance(loaded, ProgressiveCNN)
    assert loaded.architecture == "3conv-2fc"
    assert loaded.get_params()["progressive_epochs"] == 1
    np.testing.assert_allclose(
        loaded.predict_proba(photos.X), model.predict_proba(photos.X), atol=1e-6
    )


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_its_network_tags(
    model: ProgressiveCNN, bundle: Bundle, photos: Photos, engine: str
) -> None:
    rows = tag_photos(photos.X, bundle.folder, opener=engine_opener(engine))
    names = bundle.config.label_set.names
    columns = [model.classes_.tolist().index(name) for name in names]
    expected = dict(zip(photos.X, model.predict_proba(photos.X)[:, columns], strict=True))
    for row in rows:
        np.testing.assert_allclose(row.probabilities, expected[row.path], atol=1e-3)


def test_scikit_learn_does_not_run_it(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="for scikit-learn to run; leave --engine out"):
        engine_opener("sklearn")(bundle, 1, 0)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("architecture", "5conv", "5conv"),
        ("architecture", 3, "3 is no network that can be trained"),
        ("architecture", "2conv-3fc", "do not fit"),
        ("dropout", 2.0, "dropout=2.0"),
        ("temperature", 0.0, "temperature is 0.0"),
        ("temperature", None, "temperature is None"),
        ("class", ["ProgressiveCNN"], "network is not known"),
        ("classes", [None, "love"], "does not tell its labels apart"),
        ("settings", {"salient": "crop"}, "settings are none"),
        ("class", "SomeCNN", "not known to this emotag"),
        ("settings", {"backbone": "lite0"}, "settings are none"),
    ],
)
def test_a_strangers_description_is_checked(
    bundle: Bundle, name: str, value: object, words: str, tmp_path: Path
) -> None:
    for file in Path(bundle.folder).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config["estimator"]["network"][name] = value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match=words):
        load_model(tmp_path)
