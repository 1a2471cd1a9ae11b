"""Fine-tuned networks and mirrored features as bundles: the same tags, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from emotag import CNNFeatures, FineTunedCNN, LabelSet, load_model, save_model, tag_photos
from emotag.bundle.folder import open_bundle
from emotag.errors import BundleError, LabelError, ModelError
from emotag.models.loading import load_network
from emotag.models.network import reorder_head
from emotag.models.parity import PARITY
from emotag.photos.decoding import decode_photo
from tests.models.conftest import Photos
from tests.networks import PREPROCESS


@pytest.fixture(scope="module")
def tuned(tiny: Any, photos: Photos) -> FineTunedCNN:
    model = FineTunedCNN(
        "tiny", lr=0.02, head_lr=0.3, dropout=0.0, max_epochs=8, batch_size=8,
        validation_fraction=0.2, random_state=0,
    )  # fmt: skip
    return model.fit(photos.X, photos.y)


@pytest.fixture(scope="module")
def saved(tuned: FineTunedCNN, photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "bundle"
    save_model(tuned, folder, photos=photos.X[:8].tolist())
    return folder


def tags(photos: Photos, folder: Path) -> np.ndarray[Any, Any]:
    rows = list(tag_photos(photos.X.tolist(), str(folder)))
    return np.array([row.probabilities for row in rows])


def test_a_tuned_network_tags_as_it_predicts(
    tuned: FineTunedCNN, saved: Path, photos: Photos
) -> None:
    labels = open_bundle(str(saved)).config.label_set.names
    columns = [tuned.classes_.tolist().index(name) for name in labels]
    expected = tuned.predict_proba(photos.X)[:, columns]
    np.testing.assert_allclose(tags(photos, saved), expected, atol=PARITY)
    assert "is calibrated" in (saved / "README.md").read_text()
    assert not (saved / "estimator.skops").exists()


def test_a_tuned_network_read_back(tuned: FineTunedCNN, saved: Path, photos: Photos) -> None:
    loaded = load_model(saved)
    assert isinstance(loaded, FineTunedCNN)
    given, found = tuned.get_params(), loaded.get_params()
    assert {name for name in given if given[name] != found[name]} <= {"layer", "device"}
    np.testing.assert_array_equal(
        loaded.predict_proba(photos.X[:5]), tuned.predict_proba(photos.X[:5])
    )
    network = load_network(open_bundle(str(saved)))
    pixels = np.stack([decode_photo(path, PREPROCESS).pixels for path in photos.X[:5]])
    np.testing.assert_allclose(network.predict(pixels)[0], tags(photos, saved)[:5], atol=PARITY)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("class", "os.system", "its network is not known to this emotag"),
        ("classes", ["fear", "awe"], "its network does not tell its labels apart"),
        ("classes", "fear", "its network does not tell its labels apart"),
        ("backbone", "onnx:/etc/passwd", "'onnx:/etc/passwd' is no network that can be"),
        ("backbone", "lite0", "The weights do not fit the backbone 'lite0' and 4 labels"),
        ("backbone", 3, "3 is no network that can be trained"),
        ("settings", {"device": "cuda"}, "its settings are none that this emotag knows"),
        ("settings", {"lr": -1}, "lr=-1 must be a number from 0 on"),
        ("layer", "fc9", "The backbone 'tiny' has no layer 'fc9'"),
        ("temperature", 0, "its temperature is 0"),
        ("temperature", "hot", "its temperature is 'hot'"),
        ("temperature", None, "its temperature is None"),
    ],
)
def test_an_altered_description_is_refused(
    saved: Path, tmp_path: Path, key: str, value: Any, reason: str
) -> None:
    folder = shutil.copytree(saved, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    config["estimator"]["network"][key] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError) as caught:
        load_model(folder)
    assert str(caught.value).startswith(f"The model {folder} is refused: {reason}")


def test_a_description_that_lacks_something(saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    del config["estimator"]["network"]["dropout"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError) as caught:
        load_model(folder)
    assert str(caught.value) == f"The model {folder} is refused: config.json lacks 'dropout'."


def test_altered_tensors(saved: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(saved, tmp_path / "copy")
    (folder / "model.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(BundleError, match="was altered since it was saved"):
        load_model(folder)


def test_mirrored_features(photos: Photos, tmp_path: Path, tiny: Any) -> None:
    model = make_pipeline(CNNFeatures("tiny", mirror=True), StandardScaler(), LogisticRegression())
    model.fit(photos.X, photos.y)
    save_model(model, tmp_path / "bundle", photos=photos.X[:8].tolist())
    loaded = load_model(tmp_path / "bundle")
    assert loaded.named_steps["features"].mirror is True
    np.testing.assert_allclose(loaded.predict_proba(photos.X), model.predict_proba(photos.X))
    plain = make_pipeline(CNNFeatures("tiny"), *model.steps[1:][0][1:], LogisticRegression())
    with pytest.raises(ModelError) as caught:
        save_model(
            model,
            tmp_path / "other",
            photos=photos.X[:2].tolist(),
            sentiment_model=plain.fit(photos.X, photos.sentiments),
        )
    assert str(caught.value) == (
        "The models of emotion and of sentiment must stand on the same features: "
        "backbone, weights, layer, mirror and concepts."
    )


def test_scores_without_probabilities(photos: Photos, tmp_path: Path, tiny: Any) -> None:
    model = make_pipeline(CNNFeatures("tiny"), OneVsRestClassifier(LinearSVC()))
    model.fit(photos.X, photos.y)
    with pytest.raises(ModelError) as caught:
        save_model(model, tmp_path / "bundle", photos=photos.X[:2].tolist())
    assert str(caught.value) == (
        "OneVsRestClassifier gives scores and no probabilities, which a bundle needs; calibrate "
        "it: make_model('svm') does, or CalibratedClassifierCV with method='temperature' and "
        "ensemble=False."
    )


def test_a_tuned_network_takes_no_second_model(
    tuned: FineTunedCNN, photos: Photos, tmp_path: Path
) -> None:
    second = make_pipeline(CNNFeatures("tiny"), LogisticRegression())
    second.fit(photos.X, photos.sentiments)
    with pytest.raises(ModelError, match="is saved without a model of the sentiment"):
        save_model(tuned, tmp_path / "b", photos=photos.X[:2].tolist(), sentiment_model=second)


def test_labels_that_are_no_text(photos: Photos, tmp_path: Path, tiny: Any) -> None:
    model = FineTunedCNN("tiny", max_epochs=1, validation_fraction=None)
    model.fit(photos.X, np.arange(len(photos.X)) % 2)
    with pytest.raises(LabelError, match="0 is no label"):
        save_model(model, tmp_path / "b", photos=photos.X[:2].tolist())


def test_other_labels(tuned: FineTunedCNN, photos: Photos, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be saved for"):
        save_model(
            tuned,
            tmp_path / "b",
            photos=photos.X[:2].tolist(),
            label_set=LabelSet(["awe", "joy"]),
        )
    head = tuned.export_parts()[2]
    names = tuned.classes_.tolist()
    backwards = reorder_head(head, names, names[::-1])
    np.testing.assert_array_equal(backwards.weight.numpy(), head.weight.numpy()[::-1])
