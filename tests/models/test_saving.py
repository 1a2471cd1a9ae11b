"""Bundles made of estimators and read back: nothing lost, nothing trusted, nothing half left."""

import dataclasses
import functools
import hashlib
import io
import json
import math
import operator
import os
import pickle
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import skops.io
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from emotag.backbones.backbone import Backbone
from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import Bundle, open_bundle
from emotag.dataset import Dataset
from emotag.emotions import FIVE, LabelSet
from emotag.errors import BundleError, LabelError, ModelError, StorageError
from emotag.features.cnn import CNNFeatures
from emotag.models.estimators import load_estimator
from emotag.models.loading import load_model, load_network
from emotag.models.parity import PARITY
from emotag.models.recipes import make_model
from emotag.models.saving import ModelFacts, facts_of_fit, save_model
from emotag.photos.decoding import decode_photo
from emotag.tagging.run import tag_photos
from tests.models.conftest import Photos
from tests.networks import registered, tiny_backbone

pytestmark = pytest.mark.usefixtures("tiny")


def tiny_model() -> Pipeline:
    return make_model(random_state=0).set_params(features__backbone="tiny")


def simple_model(*steps: Any) -> Pipeline:
    return make_pipeline(CNNFeatures("tiny"), *steps)


@pytest.fixture(scope="module")
def model(tiny: Backbone, photos: Photos) -> Pipeline:
    return tiny_model().fit(photos.X, photos.y)


@pytest.fixture(scope="module")
def sentiment_model(tiny: Backbone, photos: Photos) -> Pipeline:
    return tiny_model().fit(photos.X, photos.sentiments)


@pytest.fixture(scope="module")
def bundle(
    model: Pipeline,
    sentiment_model: Pipeline,
    photos: Photos,
    tmp_path_factory: pytest.TempPathFactory,
) -> Bundle:
    """A model of emotion and sentiment, saved."""
    folder = tmp_path_factory.mktemp("models") / "mine"
    facts = ModelFacts("mine", "lite0", {"fingerprint": "abc"}, notes="Fitted on drawings.")
    return save_model(
        model, folder, photos=photos.X.tolist(), sentiment_model=sentiment_model, facts=facts
    )


@pytest.fixture
def copied(bundle: Bundle, tmp_path: Path) -> Path:
    """The bundle, to be altered."""
    return Path(shutil.copytree(bundle.folder, tmp_path / "copied"))


def change(folder: Path, name: str, content: bytes) -> None:
    """Replace a file of a bundle as someone would who means harm: with the right checksum."""
    (folder / name).write_bytes(content)
    config = json.loads((folder / "config.json").read_text())
    config["files"][name] = {"sha256": hashlib.sha256(content).hexdigest()}
    (folder / "config.json").write_text(json.dumps(config))


def refusal(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_model(folder)
    message = str(caught.value)
    assert message.startswith(f"The model {folder} is refused: ")
    return message.removeprefix(f"The model {folder} is refused: ")


class TestRoundTrip:
    def test_predictions_are_the_same(
        self, bundle: Bundle, model: Pipeline, sentiment_model: Pipeline, photos: Photos
    ) -> None:
        loaded = load_model(bundle.folder)
        assert loaded.classes_.tolist() == model.classes_.tolist()
        np.testing.assert_array_equal(loaded.predict_proba(photos.X), model.predict_proba(photos.X))
        sentiment = load_model(Path(bundle.folder), target="sentiment")
        np.testing.assert_array_equal(
            sentiment.predict_proba(photos.X), sentiment_model.predict_proba(photos.X)
        )

    def test_a_loaded_model_can_be_fitted_anew(self, bundle: Bundle, photos: Photos) -> None:
        again = clone(load_model(bundle.folder)).fit(photos.X, photos.y)
        assert again.score(photos.X, photos.y) > 0.7

    def test_tagging_says_what_the_estimator_says(self, bundle: Bundle, photos: Photos) -> None:
        rows = tag_photos(photos.X.tolist(), bundle.folder)
        labels = bundle.config.label_set.names
        tagged = np.array([row.probabilities for row in rows])
        loaded = load_model(bundle.folder)
        columns = [loaded.classes_.tolist().index(label) for label in labels]
        expected = loaded.predict_proba([row.path for row in rows])[:, columns]
        np.testing.assert_allclose(tagged, expected, atol=PARITY)
        sentiment = load_model(bundle.folder, "sentiment")
        positive = sentiment.predict_proba([row.path for row in rows])[:, 1]
        np.testing.assert_allclose([row.p_positive for row in rows], positive, atol=PARITY)
        # it is learnt, not folded
        folded = bundle.config.label_set.fold(tagged)
        assert np.abs(folded - positive).max() > PARITY

    def test_torch_says_the_same(self, bundle: Bundle, photos: Photos) -> None:
        preprocess = bundle.config.preprocess
        pixels = np.stack([decode_photo(path, preprocess).pixels for path in photos.X])
        scores = bundle.engine()(pixels)
        emotion, sentiment = load_network(bundle).predict(pixels)
        np.testing.assert_allclose(emotion, scores.emotion, atol=PARITY)
        np.testing.assert_allclose(sentiment[:, 1], scores.positive, atol=PARITY)

    def test_what_it_says_of_itself(self, bundle: Bundle, tiny: Backbone) -> None:
        config = bundle.config
        assert (config.name, config.recipe, config.backbone) == ("mine", "lite0", "tiny")
        # the order and the sentiments of the known set
        assert config.label_set == FIVE.subset(["love", "happiness", "fear", "sadness"])
        assert config.learnt_sentiment
        assert config.data == {"fingerprint": "abc"}
        assert config.estimator["features"] == {
            "class": "CNNFeatures",
            "backbone": "tiny",
            "layer": "pool",
            "mirror": False,
            "weights_sha256": tiny.weights.identity(),
        }
        card = bundle.read("README.md").decode()
        assert "# mine" in card
        assert "Fitted on drawings." in card
        assert sorted(os.listdir(bundle.folder)) == [
            "README.md",
            "config.json",
            "estimator.skops",
            "model.onnx",
            "model.safetensors",
            "sentiment.skops",
        ]

    def test_no_file_is_a_pickle(self, bundle: Bundle) -> None:
        for name in os.listdir(bundle.folder):
            content = Path(bundle.folder, name).read_bytes()
            assert not content.startswith(b"\x80")
            if not name.endswith(".skops"):
                continue
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for entry in archive.namelist():
                    assert entry == "schema.json" or entry.endswith(".npy")
                    if entry.endswith(".npy"):
                        np.load(io.BytesIO(archive.read(entry)), allow_pickle=False)

    @pytest.mark.parametrize(
        "steps",
        [
            [LogisticRegression()],
            [Normalizer(), StandardScaler(), PCA(5, whiten=True), LogisticRegression(C=1.0)],
            [Normalizer(), LogisticRegression(class_weight={"positive": 2, "negative": 1})],
            [
                PCA(6),
                CalibratedClassifierCV(
                    LogisticRegression(), method="temperature", ensemble=False, cv=3
                ),
            ],
        ],
    )
    def test_other_heads(self, photos: Photos, tmp_path: Path, steps: list[Any]) -> None:
        model = simple_model(*steps).fit(photos.X, photos.sentiments)
        saved = save_model(model, tmp_path / "other", photos=photos.X.tolist())
        loaded = load_model(saved.folder)
        expected = model.predict_proba(photos.X)
        np.testing.assert_array_equal(loaded.predict_proba(photos.X), expected)
        rows = tag_photos(photos.X.tolist(), saved.folder)
        by_path = {row.path: row.probabilities for row in rows}
        tagged = [by_path[path] for path in photos.X]
        columns = [model.classes_.tolist().index(name) for name in saved.config.label_set.names]
        np.testing.assert_allclose(tagged, expected[:, columns], atol=PARITY)
        pixels = np.stack([decode_photo(photos.X[0], saved.config.preprocess).pixels])
        np.testing.assert_allclose(
            load_network(saved).predict(pixels)[0], [by_path[photos.X[0]]], atol=PARITY
        )

    def test_the_best_of_a_grid(self, photos: Photos, tmp_path: Path) -> None:
        model = simple_model(StandardScaler(), LogisticRegression())
        grid = {
            "logisticregression__C": np.logspace(-2, 0, 2),
            "cnnfeatures__batch_size": np.array([4, 8]),
        }
        labels = np.array([np.str_(label) for label in photos.y], dtype=object)
        best = GridSearchCV(model, grid, cv=2).fit(photos.X, labels).best_estimator_
        saved = save_model(best, tmp_path / "best", photos=photos.X[:3].tolist())
        assert (
            load_model(saved.folder).predict(photos.X).tolist() == best.predict(photos.X).tolist()
        )

    def test_half_weights(self, model: Pipeline, photos: Photos, tmp_path: Path) -> None:
        sizes, tagged = [], []
        for half in (False, True):
            folder = tmp_path / f"half {half}"
            save_model(model, folder, photos=photos.X.tolist(), half=half)
            sizes.append((folder / "model.onnx").stat().st_size)
            rows = tag_photos(photos.X.tolist(), str(folder))
            tagged.append(np.array([row.probabilities for row in rows]))
        assert 0.4 < sizes[1] / sizes[0] < 0.7
        np.testing.assert_allclose(tagged[1], tagged[0], atol=PARITY)

    def test_weights_too_large_for_16_bits_stay_whole(self, tmp_path: Path, photos: Photos) -> None:
        backbone = tiny_backbone(tmp_path, "large")
        path = Path(backbone.weights.fetch())
        state = torch.load(path, weights_only=True)
        torch.save({key: 1e7 * value for key, value in state.items()}, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        weights = dataclasses.replace(backbone.weights, sha256=digest)  # type: ignore[type-var]
        with registered(dataclasses.replace(backbone, weights=weights)):
            model = make_pipeline(CNNFeatures("large"), StandardScaler(), LogisticRegression())
            model.fit(photos.X, photos.y)
            saved = save_model(model, tmp_path / "large", photos=photos.X[:5].tolist(), half=True)
        (row,) = tag_photos(photos.X[0], saved.folder)
        assert row.confidence is not None
        assert math.isfinite(row.confidence)

    def test_another_label_set(self, photos: Photos, tmp_path: Path, model: Pipeline) -> None:
        labels = LabelSet(["sadness", "love", "fear", "happiness"])
        saved = save_model(model, tmp_path / "b", photos=photos.X[:2].tolist(), label_set=labels)
        assert saved.config.label_set == labels
        (row,) = tag_photos(photos.X[0], saved.folder)
        assert row.sentiment == ""
        assert row.emotion == model.predict(photos.X[:1])[0]

    def test_the_model_that_ships_with_emotag(self, sample_photos: list[str]) -> None:
        model = load_model()
        rows = tag_photos(sample_photos)
        columns = [model.classes_.tolist().index(name) for name in FIVE.names]
        expected = model.predict_proba(sample_photos)[:, columns]
        np.testing.assert_allclose([row.probabilities for row in rows], expected, atol=PARITY)


class TestRefusedToSave:
    @pytest.fixture(autouse=True)
    def nothing_is_left(self, tmp_path: Path) -> Iterator[None]:
        (tmp_path / "models").mkdir()
        yield
        assert os.listdir(tmp_path / "models") == []

    @pytest.mark.parametrize(
        ("wrong", "name"),
        [
            (LogisticRegression(), "LogisticRegression"),
            (make_pipeline(StandardScaler(), LogisticRegression()), "Pipeline"),
            (make_pipeline(CNNFeatures()), "Pipeline"),
            (None, "NoneType"),
        ],
    )
    def test_not_such_a_pipeline(self, tmp_path: Path, wrong: Any, name: str) -> None:
        with pytest.raises(ModelError) as caught:
            save_model(wrong, tmp_path / "models/a", photos=[])
        assert str(caught.value) == (
            f"{name} cannot be saved as a bundle: it takes a FineTunedCNN, a "
            "ProgressiveCNN, or a Pipeline whose first step is CNNFeatures, ConceptScores, one of "
            "the hand-crafted features or a FeatureUnion of such, with a classifier after it."
        )

    def test_not_fitted(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"^The model is not fitted, so there is nothing to"):
            save_model(tiny_model(), tmp_path / "models/a", photos=[])

    def test_labels_that_are_no_text(self, tmp_path: Path, photos: Photos) -> None:
        numbers = np.unique(photos.y, return_inverse=True)[1]
        model = simple_model(LogisticRegression()).fit(photos.X, numbers)
        with pytest.raises(LabelError, match=r"^0 is no label: labels are non-empty text\.$"):
            save_model(model, tmp_path / "models/a", photos=photos.X)

    def test_classifier_that_cannot_be_exported(self, tmp_path: Path, photos: Photos) -> None:
        model = simple_model(RandomForestClassifier(2)).fit(photos.X, photos.y)
        with pytest.raises(ModelError, match=r"^RandomForestClassifier cannot be exported\.$"):
            save_model(model, tmp_path / "models/a", photos=photos.X)

    def test_types_that_could_not_be_loaded_again(self, tmp_path: Path, photos: Photos) -> None:
        model = simple_model(MyScaler(), LogisticRegression()).fit(photos.X, photos.y)
        with pytest.raises(ModelError) as caught:
            save_model(model, tmp_path / "models/a", photos=photos.X)
        assert str(caught.value) == (
            "The model holds tests.models.test_saving.MyScaler, which a bundle cannot keep."
        )

    def test_sentiment_on_other_features(
        self, tmp_path: Path, model: Pipeline, sentiment_model: Pipeline, photos: Photos
    ) -> None:
        other = clone(sentiment_model).set_params(features__mirror=True)
        other.steps[1] = sentiment_model.steps[1]
        with pytest.raises(ModelError, match=r"^The models of emotion and of sentiment must stand"):
            save_model(model, tmp_path / "models/a", photos=photos.X, sentiment_model=other)

    def test_sentiment_of_other_labels(
        self, tmp_path: Path, model: Pipeline, photos: Photos
    ) -> None:
        with pytest.raises(ModelError, match=r"cannot be exported for \['negative', 'positive'\]"):
            save_model(model, tmp_path / "models/a", photos=photos.X, sentiment_model=model)

    def test_no_photo_to_compare_on(self, tmp_path: Path, model: Pipeline) -> None:
        message = r"^None of the photos for comparing torch and ONNX can be read\.$"
        for some in ([], ["nowhere.jpg", __file__]):
            with pytest.raises(ModelError, match=message):
                save_model(model, tmp_path / "models/a", photos=some)

    def test_networks_that_differ(self, tmp_path: Path, photos: Photos) -> None:
        # a head so steep, at the first photo, that the rounding to 16 bits shows
        model = simple_model(StandardScaler(), LogisticRegression())
        model.fit(photos.X, photos.sentiments)
        model[-1].coef_ *= 1e4
        model[-1].intercept_ = -(model[-1].coef_ @ model[:-1].transform(photos.X[:1])[0])
        with pytest.raises(ModelError) as caught:
            save_model(model, tmp_path / "models/a", photos=photos.X, half=True)
        message = str(caught.value)
        assert message.startswith("The ONNX form of the model differs from torch by ")
        assert message.endswith(" in probability, more than 0.001; it is not saved.")

    def test_a_name_that_cannot_be_shown(
        self, tmp_path: Path, model: Pipeline, photos: Photos
    ) -> None:
        folder = tmp_path / "models" / os.fsdecode(b"caf\xe9")
        with pytest.raises(BundleError, match="'name' holds characters that cannot be shown"):
            save_model(model, folder, photos=photos.X)

    def test_a_full_disk(self, tmp_path: Path, model: Pipeline, photos: Photos) -> None:
        mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "emotag-test", f"{tmp_path}/models"]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("cannot mount a small file system here")
        try:
            with pytest.raises(StorageError) as caught:
                save_model(model, tmp_path / "models/a", photos=photos.X)
            assert os.listdir(tmp_path / "models") == []
        finally:
            subprocess.run(["umount", f"{tmp_path}/models"], check=True)
        message = f"{tmp_path}/models/a cannot be written: the disk is full. "
        message += "Make room, and run the same command again."
        assert str(caught.value) == message


class TestReplacing:
    def test_only_with_force(self, model: Pipeline, photos: Photos, copied: Path) -> None:
        before = (copied / "config.json").read_bytes()
        with pytest.raises(StorageError, match=f"^{copied} exists already; choose another name"):
            save_model(model, copied, photos=photos.X)
        assert (copied / "config.json").read_bytes() == before
        saved = save_model(model, copied, photos=photos.X, force=True)
        assert saved.config.name == "copied"
        assert not saved.config.learnt_sentiment
        assert not (copied / "sentiment.skops").exists()
        assert os.listdir(copied.parent) == ["copied"]

    def test_a_refused_model_leaves_the_old_one(
        self, model: Pipeline, photos: Photos, copied: Path
    ) -> None:
        with pytest.raises(ModelError, match="None of the photos"):
            save_model(model, copied, photos=[], force=True)
        assert load_model(copied).classes_.tolist() == model.classes_.tolist()

    def test_never_a_folder_of_something_else(
        self, model: Pipeline, photos: Photos, tmp_path: Path
    ) -> None:
        (tmp_path / "holiday.jpg").write_bytes(b"precious")
        with pytest.raises(StorageError, match="is not a saved model, or holds other files too"):
            save_model(model, tmp_path, photos=photos.X, force=True)
        assert (tmp_path / "holiday.jpg").read_bytes() == b"precious"


class MyScaler(StandardScaler):
    """A class that is not scikit-learn's."""


class Exploit:
    """What a pickle would run."""

    def __init__(self, canary: str) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.canary,)


def function_node(function: str, **more: Any) -> dict[str, Any]:
    return {"__class__": function, "__module__": "os", "__loader__": "FunctionNode", **more}


def as_skops(schema: Any, **files: bytes) -> bytes:
    """Return a skops file by hand."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.writestr("schema.json", schema if isinstance(schema, str) else json.dumps(schema))
    return buffer.getvalue()


class TestStrangersEstimators:
    @pytest.fixture(autouse=True)
    def canary(self, tmp_path: Path) -> Iterator[str]:
        """A folder that an executed file would make."""
        yield str(tmp_path / "canary")
        assert not os.path.exists(tmp_path / "canary")

    def test_objects_of_other_types_are_refused_by_name(self, copied: Path, canary: str) -> None:
        evil: dict[str, Any] = {
            "functools.partial": functools.partial(os.mkdir, canary),
            "posix.mkdir": os.mkdir,
            "posix.system": os.system,
            "operator.methodcaller": operator.methodcaller("mkdir"),
            "operator.attrgetter": operator.attrgetter("os"),
            "tests.models.test_saving.MyScaler": MyScaler(),
            "tests.models.test_saving.Exploit": [Exploit(canary)],
            "sklearn.preprocessing._function_transformer.FunctionTransformer": FunctionTransformer(
                os.mkdir
            ),
            "numpy.exp": np.exp,
            "sklearn.ensemble._forest.RandomForestClassifier": RandomForestClassifier(),
            "numpy.random._generator.Generator": np.random.default_rng(0),
            "numpy.random.mtrand.RandomState": np.random.RandomState(0),
            "builtins.set": {1, 2},
            "builtins.bytes": b"bytes",
            "emotag.features.cnn.CNNFeatures": CNNFeatures(),
        }
        for name, value in evil.items():
            hidden = LogisticRegression().set_params(C=value)
            for estimator in (value, make_pipeline(StandardScaler(), hidden)):
                change(copied, "estimator.skops", skops.io.dumps(estimator))
                reason = refusal(copied)
                assert reason.startswith("its estimator holds ")
                assert name in reason
                assert reason.endswith(", which is not trusted.")

    @pytest.mark.parametrize(
        "node",
        [
            function_node("system"),
            # another type is claimed than the one that an old loader would take
            {
                "__class__": "list",
                "__module__": "builtins",
                "__loader__": "FunctionNode",
                "content": {"module_path": "os", "function": "system"},
            },
            {
                "__class__": "methodcaller",
                "__module__": "operator",
                "__loader__": "OperatorFuncNode",
                "attrs": {
                    "__class__": "list",
                    "__module__": "builtins",
                    "__loader__": "ListNode",
                    "content": [],
                },
            },
            {
                "__class__": "list",
                "__module__": "builtins",
                "__loader__": "MethodNode",
                "content": {
                    "func": "append",
                    "obj": {
                        "__class__": "list",
                        "__module__": "builtins",
                        "__loader__": "ListNode",
                        "content": [],
                    },
                },
            },
            {"__class__": "list", "__module__": "builtins", "__loader__": "NoSuchNode"},
            {"__class__": "list", "__module__": "builtins", "__loader__": "CachedNode"},
            {"__class__": ["list"], "__module__": "builtins", "__loader__": "ListNode"},
            {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"},
            {},
        ],
    )
    @pytest.mark.parametrize("protocol", [0, 1, 2, 99])
    def test_schemas_by_hand(self, copied: Path, node: dict[str, Any], protocol: int) -> None:
        change(copied, "estimator.skops", as_skops(node | {"protocol": protocol}))
        reason = refusal(copied)
        assert reason.startswith(("its estimator holds ", "its estimator cannot be read ("))

    @pytest.mark.parametrize(
        "schema", ["", "[]", "3", "null", '{"__class__": 1}', "[" * 100_000, '{"protocol": 2}']
    )
    def test_schemas_that_are_none(self, copied: Path, schema: str) -> None:
        change(copied, "estimator.skops", as_skops(schema))
        assert refusal(copied).startswith(("its estimator holds ", "its estimator cannot be read "))

    def test_a_pickle(self, copied: Path, canary: str) -> None:
        change(copied, "estimator.skops", pickle.dumps(Exploit(canary)))
        reason = refusal(copied)
        assert reason == "its estimator cannot be read (File is not a zip file)."

    def test_a_pickle_inside(self, copied: Path, canary: str) -> None:
        buffer = io.BytesIO()
        np.save(buffer, np.array([Exploit(canary)], dtype=object), allow_pickle=True)
        node = {
            "__class__": "ndarray",
            "__module__": "numpy",
            "__loader__": "NdArrayNode",
            "type": "numpy",
            "file": "a.npy",
            "protocol": 2,
        }
        content = as_skops(node, **{"a.npy": buffer.getvalue()})
        change(copied, "estimator.skops", content)
        assert "allow_pickle=False" in refusal(copied)

    def test_no_archive(self, copied: Path) -> None:
        for content in (b"", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18):
            change(copied, "estimator.skops", content)
            assert refusal(copied).startswith("its estimator cannot be read (")

    @pytest.mark.parametrize(("name", "megabytes"), [("a.npy", 257), ("schema.json", 5)])
    def test_a_zip_bomb(self, copied: Path, name: str, megabytes: int) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            with archive.open(name, "w") as file:
                for _ in range(megabytes):
                    file.write(b" " * 2**20)
            if name != "schema.json":
                archive.writestr("schema.json", "{}")
        assert len(buffer.getvalue()) < 2**21
        change(copied, "estimator.skops", buffer.getvalue())
        start = time.monotonic()
        assert refusal(copied).endswith("is too large.")
        assert time.monotonic() - start < 5

    def test_an_array_larger_than_memory(self, copied: Path) -> None:
        header = b"\x93NUMPY\x01\x00"
        text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }\n" % 10**15
        node = {
            "__class__": "ndarray",
            "__module__": "numpy",
            "__loader__": "NdArrayNode",
            "type": "numpy",
            "file": "a.npy",
            "protocol": 2,
        }
        array = header + len(text).to_bytes(2, "little") + text
        change(copied, "estimator.skops", as_skops(node, **{"a.npy": array}))
        assert refusal(copied).startswith("its estimator cannot be read (")

    def test_an_altered_estimator(self, copied: Path) -> None:
        (copied / "estimator.skops").write_bytes(b"altered")
        assert refusal(copied).startswith("estimator.skops was altered since it was saved")

    def test_an_estimator_of_other_labels(self, copied: Path) -> None:
        content = (copied / "sentiment.skops").read_bytes()
        change(copied, "estimator.skops", content)
        labels = "love, happiness, fear, sadness"
        assert refusal(copied) == f"its estimator does not tell {labels} apart."


class TestStrangersConfigs:
    @pytest.mark.parametrize(
        ("features", "reason"),
        [
            (None, "its features are not known to this emotag."),
            ("CNNFeatures", "its features are not known to this emotag."),
            ({"class": "os.system"}, "its features are not known to this emotag."),
            ({}, "config.json lacks 'class'."),
            ({"backbone": None}, "Unknown backbone None; choose from "),
            ({"backbone": ["tiny"]}, "Unknown backbone ['tiny']; choose from "),
            ({"backbone": "../../weights"}, "Unknown backbone '../../weights'; choose from "),
            ({"layer": "fc7"}, "The backbone 'tiny' has no layer 'fc7'; choose from pool."),
            ({"layer": ["pool"]}, "The backbone 'tiny' has no layer ['pool']; choose from pool."),
            (
                {"weights_sha256": "0" * 64},
                "it was made with other weights of tiny; weights=FILE names another file.",
            ),
            (
                {"weights_sha256": None},
                "it was made with other weights of tiny; weights=FILE names another file.",
            ),
        ],
    )
    def test_features(self, copied: Path, features: Any, reason: str) -> None:
        config = json.loads((copied / "config.json").read_text())
        if isinstance(features, dict) and features:
            features = config["estimator"]["features"] | features
        config["estimator"]["features"] = features
        (copied / "config.json").write_text(json.dumps(config))
        found = refusal(copied)
        assert found.startswith(reason)
        assert not found.endswith("..")
        with pytest.raises(BundleError, match=r"is refused: "):
            load_network(open_bundle(str(copied)))

    def test_missing_features(self, copied: Path) -> None:
        config = json.loads((copied / "config.json").read_text())
        for key in ("layer", "backbone", "weights_sha256"):
            changed = json.loads(json.dumps(config))
            del changed["estimator"]["features"][key]
            (copied / "config.json").write_text(json.dumps(changed))
            assert refusal(copied) == f"config.json lacks '{key}'."

    def test_unknown_target(self, bundle: Bundle) -> None:
        with pytest.raises(BundleError, match=r"^target='mood'; choose from emotion, sentiment\.$"):
            load_model(bundle.folder, "mood")

    def test_no_sentiment(self, model: Pipeline, photos: Photos, tmp_path: Path) -> None:
        save_model(model, tmp_path / "b", photos=photos.X[:1])
        with pytest.raises(BundleError, match=rf"^The model {tmp_path}/b has no sentiment\.skops"):
            load_model(tmp_path / "b", "sentiment")


class TestStrangersWeights:
    def test_not_safetensors(self, copied: Path, tmp_path: Path) -> None:
        canary = tmp_path / "canary"
        torch_file = io.BytesIO()
        torch.save({"emotion.0.weight": Exploit(str(canary))}, torch_file)
        for content in (
            b"",
            b"\xff" * 100,
            torch_file.getvalue(),
            pickle.dumps(Exploit(str(canary))),
        ):
            change(copied, "model.safetensors", content)
            message = rf"^The model {copied} is refused: model\.safetensors: "
            with pytest.raises(BundleError, match=message):
                load_network(open_bundle(str(copied)))
        assert not canary.exists()

    @pytest.mark.parametrize(
        "tensors",
        [
            {},
            {"emotion.0.weight": (4, 3), "emotion.0.bias": (4,)},
            {"emotion.0.weight": (4, 24)},
            {"emotion.1.weight": (4, 24), "emotion.0.bias": (4,)},
            {"emotion.0.weight": (4, 24), "emotion.0.bias": (4,), "emotion.0.more": (1,)},
        ],
    )
    def test_other_weights(self, copied: Path, tensors: dict[str, tuple[int, ...]]) -> None:
        state = {name: torch.zeros(shape) for name, shape in tensors.items()}
        change(copied, "model.safetensors", safetensors.torch.save(state))
        with pytest.raises(BundleError) as caught:
            load_network(open_bundle(str(copied)))
        assert str(caught.value) == f"The weights of {copied} do not fit its config."


AUDITED = """
import sys
import emotag.models.loading as loading
from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle

photos = sys.argv[1:]
events = []

def note(event, arguments):
    if event == "pickle.find_class" or event.startswith(("socket.", "subprocess.", "os.system")):
        events.append(event)

sys.addaudithook(note)
loading.load_model()
loading.load_model(target="sentiment").predict(photos)
loading.load_network(open_bundle(default_bundle()))
open_bundle(default_bundle()).engine()
print(sorted(set(events)))
"""


def test_loading_runs_no_code_and_no_pickle(sample_photos: list[str]) -> None:
    command = [sys.executable, "-c", AUDITED, *sample_photos]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    assert done.stdout == "[]\n"


def test_facts_of_a_fit() -> None:
    def dataset(labels: list[str]) -> Dataset:
        column = np.array(labels, dtype=np.str_)
        return Dataset(column, column, column, column, column, column, column)

    train, test = dataset(["love", "love", "fear"]), dataset(["fear"])
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    report = {"metrics": {"accuracy": figure}, "recalls": {"love": figure}}
    facts = facts_of_fit("models/mine/", "lite0", train, test, report, refit=False)
    assert (facts.name, facts.recipe) == ("mine", "lite0")
    assert facts.data["fingerprint"] == train.fingerprint()
    assert facts.data["photos_fitted_on"] == {"fear": 1, "love": 2}
    assert facts.data["photos_judged_on"] == {"fear": 1}
    assert facts.metrics == {"held-out photos": {"accuracy": figure, "recall_love": figure}}
    assert facts.notes == "The saved model is the one that was judged."
    refit = facts_of_fit("models/mine", "lite0", train, test, report, refit=True)
    assert refit.notes.endswith("the saved model was then fitted once more on all of them.")
    assert refit.data["refit_on_all"] is True


def test_a_bundle_does_not_tell_where_it_was_made(
    model: Pipeline, tmp_path: Path, photos: Photos
) -> None:
    saved = save_model(model, tmp_path / "b", photos=photos.X[:2].tolist())
    for bundle in (saved, open_bundle(default_bundle())):
        network = bundle.read("model.onnx")
        assert not [mark for mark in (b".py", b"site-packages", b"/home/") if mark in network]


# what joblib says where the machine is busy
@pytest.mark.filterwarnings("ignore:Persisting input arguments took")
def test_a_pipeline_with_memory_is_neither_kept_nor_loaded(
    model: Pipeline, tmp_path: Path, photos: Photos
) -> None:
    head = Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression())])
    head.set_params(memory=str(tmp_path / "memory"))
    remembering = Pipeline([model.steps[0], ("classify", head)]).fit(photos.X, photos.y)
    with pytest.raises(ModelError, match="memory=None"):
        save_model(remembering, tmp_path / "b", photos=photos.X[:2])
    content = skops.io.dumps(head)
    with pytest.raises(BundleError, match="memory, which is not trusted"):
        load_estimator(content, head.classes_.tolist(), head.n_features_in_)


def test_an_estimator_of_another_width_is_refused(photos: Photos) -> None:
    narrow = LogisticRegression().fit(np.eye(4), ["love", "fear"] * 2)
    with pytest.raises(BundleError, match="cannot be read"):
        load_estimator(skops.io.dumps(narrow), ["love", "fear"], 5)


def test_memory_is_found_inside_what_a_calibration_has_fitted() -> None:
    X, y = np.random.default_rng(0).normal(size=(40, 3)), ["love", "fear"] * 20
    head = make_pipeline(StandardScaler(), LogisticRegression())
    calibrated = CalibratedClassifierCV(head, method="temperature", ensemble=False, cv=3).fit(X, y)
    assert load_estimator(skops.io.dumps(calibrated), ["love", "fear"], 3)
    calibrated.calibrated_classifiers_[0].estimator.set_params(memory="memory")
    with pytest.raises(BundleError, match="memory, which is not trusted"):
        load_estimator(skops.io.dumps(calibrated), ["love", "fear"], 3)
