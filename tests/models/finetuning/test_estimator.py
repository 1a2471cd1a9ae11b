"""FineTunedCNN: it learns, repeats, survives pickling, and is at home in scikit-learn."""

import dataclasses
import inspect
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline

from emotag.errors import DataError, ModelError, PhotoError
from emotag.models.finetuning.callbacks import Epoch
from emotag.models.finetuning.estimator import FineTunedCNN
from emotag.photos.decoding import decode_photo
from tests.models.conftest import Photos
from tests.models.finetuning.conftest import Quick
from tests.networks import TINY_FEATURES, registered, tiny_backbone


def weights_of(model: FineTunedCNN) -> list[np.ndarray]:
    return [value.numpy().copy() for value in model.module_.state_dict().values()]


def assert_same(one: FineTunedCNN, other: FineTunedCNN) -> None:
    """Check that two networks are the same bit for bit."""
    for ours, theirs in zip(weights_of(one), weights_of(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert one.temperature_ == other.temperature_


class TestLearning:
    def test_learns_what_colour_tells(self, quick: Quick, photos: Photos) -> None:
        model = quick(max_epochs=30).fit(photos.X, photos.y)
        assert model.score(photos.X, photos.y) > 0.8
        assert model.classes_.tolist() == ["fear", "happiness", "love", "sadness"]

    def test_probabilities_logits_and_temperature(self, quick: Quick, photos: Photos) -> None:
        model = quick().fit(photos.X, photos.y)
        logits = model.decision_function(photos.X)
        probabilities = model.predict_proba(photos.X)
        assert logits.shape == probabilities.shape == (40, 4)
        assert (logits.dtype, probabilities.dtype) == (np.float32, np.float32)
        expected = torch.softmax(torch.from_numpy(logits) / model.temperature_, dim=1).numpy()
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        assert model.predict(photos.X).tolist() == model.classes_[logits.argmax(axis=1)].tolist()

    def test_sees_the_centre_of_a_photo_as_tagging_does(self, quick: Quick, photos: Photos) -> None:
        model = quick(max_epochs=1).fit(photos.X, photos.y)
        pixels = np.stack([decode_photo(path, model.preprocess_).pixels for path in photos.X])
        planes = torch.from_numpy(model.preprocess_.normalise(pixels))
        with torch.inference_mode():
            expected = model.module_(planes).numpy()
        np.testing.assert_allclose(model.decision_function(photos.X), expected, atol=1e-5)

    def test_two_labels_have_one_score(self, quick: Quick, photos: Photos) -> None:
        model = quick(max_epochs=2).fit(photos.X, photos.sentiments)
        score = model.decision_function(photos.X)
        assert score.shape == (40,)
        assert ((score > 0) == (model.predict(photos.X) == "positive")).all()

    @pytest.mark.parametrize(
        ("name", "labels"),
        [
            ("whole numbers", np.repeat([7, 3, 5, 11], 10)),
            ("booleans", np.repeat([True, False], 20)),
            ("objects", np.repeat(np.array([(1, 2), (0, 3)], dtype="i,i").astype(object), 20)),
        ],
    )
    def test_labels_of_any_kind(
        self, quick: Quick, photos: Photos, name: str, labels: np.ndarray
    ) -> None:
        model = quick(max_epochs=1).fit(photos.X, labels)
        assert model.classes_.tolist() == sorted(set(labels.tolist()))
        assert set(model.predict(photos.X).tolist()) <= set(labels.tolist())

    def test_lists_do_too(self, quick: Quick, photos: Photos) -> None:
        model = quick(max_epochs=1).fit(photos.X.tolist(), photos.y.tolist())
        assert model.predict([Path(photos.X[0])]).shape == (1,)

    def test_weights_count(self, quick: Quick, photos: Photos) -> None:
        ignored = (photos.y != "love").astype(float)
        model = quick(max_epochs=20).fit(photos.X, photos.y, sample_weight=ignored)
        assert "love" not in model.predict(photos.X)
        other = quick(max_epochs=20, class_weight={"love": 0}).fit(photos.X, photos.y)
        assert "love" not in other.predict(photos.X)

    def test_balanced_weights_lift_a_rare_label(self, quick: Quick, photos: Photos) -> None:
        kept = np.r_[0:20, 20:23]
        X, y = photos.X[kept], np.where(photos.y[kept] == "love", "love", "other")
        settings = {"max_epochs": 3, "validation_fraction": None}
        plain = quick(**settings).fit(X, y).predict_proba(X)[:, 0].mean()
        even = quick(**settings, class_weight="balanced").fit(X, y).predict_proba(X)[:, 0].mean()
        assert even > plain + 0.1

    def test_labels_are_smoothed(self, quick: Quick, photos: Photos) -> None:
        sharp = quick(max_epochs=20, validation_fraction=None).fit(photos.X, photos.y)
        smooth = clone(sharp).set_params(label_smoothing=0.5).fit(photos.X, photos.y)
        highest = [model.predict_proba(photos.X).max(axis=1).mean() for model in (sharp, smooth)]
        assert highest[1] < highest[0] - 0.05

    def test_without_held_out_photos(self, quick: Quick, photos: Photos) -> None:
        model = quick(max_epochs=3, validation_fraction=None).fit(photos.X, photos.y)
        assert (model.temperature_, model.n_iter_) == (1.0, 3)
        assert "valid_loss" not in model.net_.history[-1]

    def test_in_16_bits(self, quick: Quick, photos: Photos) -> None:
        full = quick(max_epochs=30).fit(photos.X, photos.y)
        mixed = quick(max_epochs=30, mixed_precision=True).fit(photos.X, photos.y)
        assert mixed.module_.head.weight.dtype == torch.float32
        assert any(
            (one != other).any()
            for one, other in zip(weights_of(full), weights_of(mixed), strict=True)
        )
        assert mixed.score(photos.X, photos.y) > 0.8


class TestRepeatable:
    def test_the_same_seed_gives_the_same_weights(self, quick: Quick, photos: Photos) -> None:
        first = quick(dropout=0.5).fit(photos.X, photos.y)
        assert_same(first, quick(dropout=0.5, n_jobs=1).fit(photos.X, photos.y))
        other = quick(dropout=0.5, random_state=1).fit(photos.X, photos.y)
        assert any(
            (a != b).any() for a, b in zip(weights_of(first), weights_of(other), strict=True)
        )

    @pytest.mark.parametrize("random_state", [0, None, np.random.RandomState(3)])
    def test_random_states_are_left_alone(
        self, quick: Quick, photos: Photos, random_state: Any
    ) -> None:
        torch.manual_seed(5)
        np.random.seed(5)
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        quick(max_epochs=1, random_state=random_state).fit(photos.X, photos.y).predict(photos.X)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1] == before[1]).all()

    def test_a_random_state_moves_on(self, quick: Quick, photos: Photos) -> None:
        state = np.random.RandomState(0)
        first = quick(max_epochs=1, random_state=state).fit(photos.X, photos.y)
        second = quick(max_epochs=1, random_state=state).fit(photos.X, photos.y)
        assert (weights_of(first)[-2] != weights_of(second)[-2]).any()

    def test_arguments_are_not_changed(self, quick: Quick, photos: Photos) -> None:
        model = quick(max_epochs=1, net_params={"callbacks": []}, class_weight={"love": 2.0})
        before = {**model.get_params(), "net_params": {"callbacks": []}}
        model.fit(photos.X, photos.y)
        assert model.get_params() == before


LOADING = """
import sys, joblib
from tests.networks import TinyNetwork
model = joblib.load(sys.argv[1])
print(*model.predict_proba(sys.argv[2:]).ravel().tolist())
"""


class TestPickling:
    def test_pickle_and_joblib(self, quick: Quick, photos: Photos, tmp_path: Path) -> None:
        model = quick(max_epochs=2).fit(photos.X, photos.y)
        expected = model.predict_proba(photos.X)
        joblib.dump(model, tmp_path / "model.joblib")
        for other in (pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")):
            np.testing.assert_array_equal(other.predict_proba(photos.X), expected)
            assert other.get_params() == model.get_params()
            assert other.net_.history[:, "valid_loss"] == model.net_.history[:, "valid_loss"]
            assert other.failures_ == []

    def test_unfitted(self, quick: Quick) -> None:
        model = pickle.loads(pickle.dumps(quick()))
        assert not hasattr(model, "net_")
        assert model.get_params() == quick().get_params()

    def test_momenta_and_photos_are_not_kept(self, quick: Quick, photos: Photos) -> None:
        model = quick(max_epochs=1).fit(photos.X, photos.y)
        numbers = sum(value.nbytes for value in weights_of(model))
        assert len(pickle.dumps(model)) < numbers + 12_000
        assert photos.X[0].encode() not in pickle.dumps(model)

    def test_in_another_process_without_the_backbone(
        self, quick: Quick, photos: Photos, tmp_path: Path
    ) -> None:
        model = quick(max_epochs=1).fit(photos.X, photos.y)
        joblib.dump(model, tmp_path / "model.joblib")
        command = [sys.executable, "-c", LOADING, str(tmp_path / "model.joblib"), *photos.X[:3]]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        np.testing.assert_allclose(
            np.array(shown.split(), float), model.predict_proba(photos.X[:3]).ravel(), atol=1e-6
        )

    def test_from_a_device_that_is_not_there(self, quick: Quick, photos: Photos) -> None:
        model = quick(max_epochs=1).fit(photos.X, photos.y)
        state = model.__getstate__()
        # as a machine with that many GPUs would have written it
        state["device"] = "cuda:7"
        other = FineTunedCNN.__new__(FineTunedCNN)
        other.__setstate__(state)
        expected = model.predict_proba(photos.X)
        np.testing.assert_array_equal(other.predict_proba(photos.X), expected)


class TestRestoring:
    def test_from_plain_values(self, quick: Quick, photos: Photos) -> None:
        model = quick(max_epochs=2).fit(photos.X, photos.y)
        parameters = {"backbone": "tiny", "batch_size": 8}
        state = model.module_.state_dict()
        other = FineTunedCNN.restore(parameters, model.classes_.tolist(), state, model.temperature_)
        np.testing.assert_array_equal(other.predict_proba(photos.X), model.predict_proba(photos.X))
        assert other.predict(photos.X).tolist() == model.predict(photos.X).tolist()

    def test_weights_of_another_network(self, quick: Quick, photos: Photos) -> None:
        state = quick(max_epochs=1).fit(photos.X, photos.y).module_.state_dict()
        with pytest.raises(ModelError) as caught:
            FineTunedCNN.restore({"backbone": "tiny"}, ["a", "b"], state, 1.0)
        assert str(caught.value) == "The weights do not fit the backbone 'tiny' and 2 labels."

    def test_parts_give_the_same_probabilities(self, quick: Quick, photos: Photos) -> None:
        model = quick().fit(photos.X, photos.y)
        before = weights_of(model)
        preprocess, trunk, head = model.export_parts()
        pixels = np.stack([decode_photo(path, preprocess).pixels for path in photos.X])
        with torch.inference_mode():
            features = trunk(torch.from_numpy(preprocess.normalise(pixels)))
            probabilities = torch.softmax(head(features), dim=1).numpy()
        np.testing.assert_allclose(probabilities, model.predict_proba(photos.X), atol=1e-5)
        assert features.shape == (40, TINY_FEATURES)
        assert all(value.is_contiguous() for value in trunk.state_dict().values())
        # a copy was scaled
        assert all((a == b).all() for a, b in zip(before, weights_of(model), strict=True))


class TestScikitLearn:
    def test_parameters(self) -> None:
        model = FineTunedCNN("lite0", lr=0.5)
        names = list(inspect.signature(FineTunedCNN.__init__).parameters)[1:]
        assert sorted(model.get_params()) == sorted(names)
        assert clone(model).get_params() == model.get_params()
        assert model.set_params(dropout=0.1).dropout == 0.1
        assert repr(FineTunedCNN("lite0", lr=0.5)) == "FineTunedCNN(backbone='lite0', lr=0.5)"

    def test_each_parameter_is_documented(self) -> None:
        documented = inspect.getdoc(FineTunedCNN)
        assert documented is not None
        parameters = documented[: documented.index("Attributes\n")]
        for name in FineTunedCNN().get_params():
            assert f"\n{name} : " in parameters

    def test_nothing_is_checked_before_fit(self) -> None:
        assert FineTunedCNN(backbone="no such", lr="fast").lr == "fast"

    def test_not_fitted(self, quick: Quick, photos: Photos) -> None:
        model = quick()
        for method in (model.predict, model.predict_proba, model.decision_function):
            with pytest.raises(NotFittedError, match="This FineTunedCNN instance is not fitted"):
                method(photos.X)
        with pytest.raises(NotFittedError):
            model.export_parts()
        with pytest.raises(AttributeError):
            model.classes_

    def test_tags(self) -> None:
        tags = FineTunedCNN().__sklearn_tags__()
        assert tags.estimator_type == "classifier"
        assert tags.input_tags.one_d_array
        assert tags.input_tags.string
        assert not tags.input_tags.two_d_array

    def test_grid_search(self, quick: Quick, photos: Photos) -> None:
        pipeline = Pipeline([("classify", quick(max_epochs=20))])
        grid = {"classify__head_lr": [1e-6, 0.3]}
        search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
        search.fit(photos.X, photos.y)
        assert search.best_params_ == {"classify__head_lr": 0.3}
        assert search.score(photos.X, photos.y) > 0.8

    def test_in_a_pool_of_processes(self, labelled_folder: Path) -> None:
        # with a backbone of the package: other processes do not know the tests' own
        paths = sorted(str(path) for path in labelled_folder.glob("*/*.jpg"))
        y = [os.path.basename(os.path.dirname(path)) for path in paths]
        model = FineTunedCNN(
            "lite0", lr=0, max_epochs=2, batch_size=4, validation_fraction=None, random_state=0
        )
        search = GridSearchCV(model, {"head_lr": [0.01]}, cv=2, n_jobs=2, error_score="raise")
        search.fit(paths, y)
        assert search.best_score_ == 1.0
        assert search.predict(paths).tolist() == y

    def test_cross_validation(self, quick: Quick, photos: Photos) -> None:
        scores = cross_val_score(quick(max_epochs=20), photos.X, photos.y, cv=3)
        assert scores.mean() > 0.6
        roc = cross_val_score(quick(), photos.X, photos.sentiments, cv=3, scoring="roc_auc")
        assert roc.mean() > 0.6

    def test_groups_are_routed(self, quick: Quick, photos: Photos) -> None:
        groups = np.arange(40) // 2
        with sklearn.config_context(enable_metadata_routing=True):
            model = quick(max_epochs=1).set_fit_request(groups=True)
            scores = cross_validate(
                model, photos.X, photos.y, cv=GroupKFold(2), params={"groups": groups},
                error_score="raise",
            )  # fmt: skip
        assert len(scores["test_score"]) == 2


class TestProgress:
    def test_each_epoch_is_told(self, quick: Quick, photos: Photos) -> None:
        epochs: list[Epoch] = []
        model = quick(max_epochs=3, progress=epochs.append).fit(photos.X, photos.y)
        assert [(epoch.number, epoch.of) for epoch in epochs] == [(1, 3), (2, 3), (3, 3)]
        assert [epoch.valid_loss for epoch in epochs] == model.net_.history[:, "valid_loss"]
        assert [epoch.train_loss for epoch in epochs] == model.net_.history[:, "train_loss"]
        for epoch in epochs:
            assert epoch.valid_score is not None
            assert 0 <= epoch.valid_score <= 1
            assert epoch.photos_per_second > 0
        assert epochs[0].seconds_left > epochs[1].seconds_left > epochs[2].seconds_left == 0

    def test_without_held_out_photos(self, quick: Quick, photos: Photos) -> None:
        epochs: list[Epoch] = []
        quick(max_epochs=1, validation_fraction=None, progress=epochs.append).fit(
            photos.X, photos.y
        )
        assert (epochs[0].valid_loss, epochs[0].valid_score) == (None, None)

    def test_nothing_is_printed(
        self, quick: Quick, photos: Photos, capfd: pytest.CaptureFixture[str]
    ) -> None:
        quick(max_epochs=2).fit(photos.X, photos.y).predict(photos.X)
        assert capfd.readouterr() == ("", "")


class TestBrokenPhotos:
    def damaged(self, photos: Photos, tmp_path: Path, count: int) -> np.ndarray:
        X = photos.X.astype(object)
        for index in range(count):
            path = tmp_path / f"{index}.png"
            path.write_bytes(Path(photos.X[index]).read_bytes()[:200])
            X[index] = str(path)
        return X.astype(str)

    def test_a_few_are_left_out(self, quick: Quick, photos: Photos, tmp_path: Path) -> None:
        X = self.damaged(photos, tmp_path, 1)
        X[39] = str(tmp_path / "missing.png")
        model = quick(max_epochs=1).fit(X, photos.y)
        assert sorted(failure.path for failure in model.failures_) == sorted([X[0], X[39]])
        assert all(isinstance(failure, PhotoError) for failure in model.failures_)
        without = quick(max_epochs=1).fit(photos.X, photos.y)
        assert without.failures_ == []

    def test_more_than_may_be(self, quick: Quick, photos: Photos, tmp_path: Path) -> None:
        X = self.damaged(photos, tmp_path, 3)
        with pytest.raises(DataError) as caught:
            quick(max_epochs=1).fit(X, photos.y)
        assert str(caught.value).startswith(
            "3 of 40 photos cannot be used, more than max_broken=0.05 allows; the first: "
            f"{tmp_path}"
        )
        assert len(quick(max_epochs=1, max_broken=0.1).fit(X, photos.y).failures_) == 3

    def test_all_of_a_label(self, quick: Quick, photos: Photos, tmp_path: Path) -> None:
        X = self.damaged(photos, tmp_path, 10)
        with pytest.raises(DataError) as caught:
            quick(max_epochs=1, max_broken=0.5).fit(X, photos.y)
        assert str(caught.value) == "None of the photos of fear to train on can be read."

    def test_in_prediction(self, quick: Quick, photos: Photos, tmp_path: Path) -> None:
        model = quick(max_epochs=1).fit(photos.X, photos.y)
        with pytest.raises(PhotoError, match="does not exist"):
            model.predict([photos.X[0], str(tmp_path / "missing.png")])


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"y": ["love"] * 40},
                "y holds one label only, love; there must be two to tell apart.",
            ),
            ({"y": ["love"] * 39}, "X has 40 photos, but y has 39 values."),
            ({"y": [["love"]] * 40}, "y has 2 dimensions; it must have one."),
            ({"y": ["love"] * 39 + [None]}, "y lacks the label of photo 39."),
            ({"y": [1.0] * 39 + [float("nan")]}, "y lacks the label of photo 39."),
            (
                {"y": pd.Series(["love", "fear"] * 19 + ["love", pd.NA], dtype="string")},
                "y lacks the label of photo 39.",
            ),
            ({"y": [0.5, 1.0] * 20}, "y holds 0.5; a continuous number is no label."),
            (
                {"groups": [1] * 39 + [None]},
                "groups lacks that of photo 39; give it one of its own.",
            ),
            ({"groups": [1]}, "X has 40 photos, but groups has 1 values."),
            ({"sample_weight": [1.0] * 3}, "X has 40 photos, but sample_weight has 3 values."),
            (
                {"sample_weight": [1.0] * 39 + [-1]},
                "sample_weight of photo 39 is -1; weights are numbers from 0 on.",
            ),
            (
                {"sample_weight": [float("nan")] * 40},
                "sample_weight of photo 0 is nan; weights are numbers from 0 on.",
            ),
            (
                {"sample_weight": [0.0] * 40},
                "All photos have the weight 0, so there is nothing to learn from.",
            ),
            ({"X": []}, "X is empty: there is no photo in it."),
        ],
    )
    def test_photos(
        self, quick: Quick, photos: Photos, arguments: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(DataError) as caught:
            quick().fit(**{"X": photos.X, "y": photos.y, **arguments})
        assert str(caught.value) == message

    def test_labels_of_two_kinds(self, quick: Quick, photos: Photos) -> None:
        labels = np.array(["love", 3] * 20, dtype=object)
        with pytest.raises(DataError, match="The labels of y are of several kinds: "):
            quick().fit(photos.X, labels)

    def test_too_few_photos_to_hold_out(self, quick: Quick, photos: Photos) -> None:
        few = np.r_[0:3, 10:13]
        with pytest.raises(DataError) as caught:
            quick(validation_fraction=0.1).fit(photos.X[few], photos.y[few])
        assert str(caught.value) == (
            "validation_fraction=0.1 of 6 photos holds out none of any label; add photos, choose "
            "a larger fraction, or validation_fraction=None to train without."
        )

    def test_backbones(self, photos: Photos, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"Unknown backbone 'lite1'.* Did you mean 'lite0'\?"):
            FineTunedCNN("lite1").fit(photos.X, photos.y)
        with pytest.raises(ModelError, match="has no layer 'fc9'"):
            FineTunedCNN("lite0", layer="fc9").fit(photos.X, photos.y)

    def test_a_backbone_that_cannot_be_trained(self, photos: Photos, tmp_path: Path) -> None:
        fixed = dataclasses.replace(tiny_backbone(tmp_path, "fixed"), trainable=False)
        with registered(fixed), pytest.raises(ModelError) as caught:
            FineTunedCNN("fixed").fit(photos.X, photos.y)
        assert str(caught.value) == (
            "The backbone 'fixed' cannot be fine-tuned; use it through CNNFeatures with a "
            "classifier of scikit-learn."
        )

    def test_a_network_that_learns_too_fast(self, quick: Quick, photos: Photos) -> None:
        with pytest.raises(ModelError) as caught:
            quick(lr=1e20, head_lr=1e20).fit(photos.X, photos.y)
        assert str(caught.value).startswith("The loss became ")
        assert str(caught.value).endswith("the network learns too fast. Try a lower lr or head_lr.")

    def test_a_last_step_that_is_too_long(self, quick: Quick, photos: Photos) -> None:
        model = quick(lr=0, head_lr=1e36, max_epochs=1, batch_size=32, validation_fraction=None)
        with pytest.raises(ModelError) as caught:
            model.fit(photos.X, photos.y)
        assert str(caught.value).startswith("The network's scores are no numbers after its last ")

    def test_weights_that_sum_to_more_than_a_number_holds(
        self, quick: Quick, photos: Photos
    ) -> None:
        large = quick().fit(photos.X, photos.y, sample_weight=np.full(40, 1e308))
        usual = quick().fit(photos.X, photos.y)
        np.testing.assert_allclose(large.predict_proba(photos.X), usual.predict_proba(photos.X))

    def test_arguments_that_skorch_does_not_know(self, quick: Quick, photos: Photos) -> None:
        with pytest.raises(ModelError, match=r"^net_params=\{'speed': 3\}: "):
            quick(net_params={"speed": 3}).fit(photos.X, photos.y)


def test_the_paper_s_defaults() -> None:
    model = FineTunedCNN()
    assert (model.backbone, model.lr, model.mirror, model.crop) == ("resnet50", 1e-4, True, True)
    assert model.head_lr > model.lr
