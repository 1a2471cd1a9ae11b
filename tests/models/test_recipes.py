"""Models by name: ordinary scikit-learn estimators, calibrated without looking at groups twice."""

import copy
import os
import shutil
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline

from emotag.backbones.backbone import Backbone
from emotag.backbones.runtime import open_runner
from emotag.dataset import load_dataset, load_photos
from emotag.errors import DataError, ModelError, UnreadablePhoto
from emotag.features.cnn import CNNFeatures
from emotag.models.catalogue import PROGRESSIVE, RECIPES, find_recipe
from emotag.models.recipes import (
    CALIBRATION_FOLDS,
    fit_model,
    make_model,
    prepare_photos,
    refuse_few,
    set_options,
    without_failures,
)
from emotag.models.related import BY_HAND
from tests.conftest import draw_photo
from tests.models.conftest import Photos

pytestmark = pytest.mark.usefixtures("tiny")


def tiny_model(random_state: int | None = 0) -> Pipeline:
    return make_model(random_state=random_state).set_params(features__backbone="tiny")


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that says which folds it was given."""

    def __init__(self, cv: Any = None, fails: bool = False) -> None:
        self.cv = cv
        self.fails = fails

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        self.folds_ = copy.deepcopy(self.cv)
        if self.fails:
            raise ArithmeticError("fitting fails")
        return self


def recorder(**options: Any) -> Pipeline:
    return Pipeline([("features", CNNFeatures("tiny")), ("classify", Recorder(**options))])


class TestNames:
    def test_every_recipe_can_be_made_and_described(self) -> None:
        for name, recipe in RECIPES.items():
            model = make_model(name, random_state=3)
            assert recipe.name == name
            if name in PROGRESSIVE:
                assert model.architecture == PROGRESSIVE[name]
            elif recipe.backbone is None:
                assert name in BY_HAND
                assert not any(part.endswith("backbone") for part in model.get_params())
            else:
                tuned = recipe.family.name == "finetune"
                stands_on = model if tuned else model.named_steps["features"]
                assert stands_on.backbone == recipe.backbone
        assert RECIPES["gist"].summary == "GIST alone, of Karayev et al. 2014, calibrated"
        assert RECIPES["svm"].summary == (
            "one-vs-rest linear support vector machines, calibrated, on features of vgg16"
        )
        assert RECIPES["vgg16"].summary == "a fine-tuned network, calibrated, from vgg16"

    def test_options_of_fine_tuning(self) -> None:
        model = make_model("resnet50", random_state=3)
        set_options(model, "models/x", max_epochs=7, batch_size=None, device="cpu")
        assert (model.max_epochs, model.batch_size, model.device) == (7, 32, "cpu")
        assert model.checkpoint.startswith(os.environ["EMOTAG_CACHE"])
        with pytest.raises(ModelError) as caught:
            set_options(make_model("lite0"), "models/x", max_epochs=7, progress=print)
        assert str(caught.value) == "--epochs can be set for a network that is trained only."

    def test_the_second_training_has_half_the_epochs(self) -> None:
        model = make_model("pcnn-2conv4fc", random_state=3)
        set_options(model, "models/x", max_epochs=7)
        assert (model.max_epochs, model.progressive_epochs) == (7, 3)
        set_options(model, "models/x", max_epochs=1)
        assert (model.max_epochs, model.progressive_epochs) == (1, 1)

    def test_families_stand_on_any_backbone(self) -> None:
        model = make_model("svm", backbone="timm:resnet18", layer="pool")
        features = model.named_steps["features"]
        assert (features.backbone, features.layer) == ("timm:resnet18", "pool")
        assert find_recipe("svm", "timm:resnet18.a1_in1k").name == "svm-timm-resnet18.a1_in1k"
        assert find_recipe("linear", "onnx:/here/net.onnx").name == "linear-net.onnx"
        assert find_recipe("linear").backbone == "lite0"
        assert find_recipe("svm").backbone == "vgg16"

    def test_a_short_name_has_its_backbone(self) -> None:
        assert find_recipe("lite0", "lite0") == find_recipe("lite0")
        with pytest.raises(ModelError) as caught:
            make_model("lite0", backbone="vgg16")
        assert str(caught.value) == (
            "The model 'lite0' stands on lite0 and takes no other backbone; "
            "choose from linear, svm, concepts, fused, finetune, fc7, fusion to name one."
        )

    @pytest.mark.parametrize(
        ("name", "hint"),
        [("lite", " Did you mean 'lite0'?"), ("svn", " Did you mean 'svm'?"), (None, "")],
    )
    def test_unknown_name(self, name: str, hint: str) -> None:
        with pytest.raises(ModelError) as caught:
            make_model(name)
        assert str(caught.value) == (
            f"Unknown model {name!r}; choose from linear, svm, concepts, fused, finetune, fc7, "
            "fusion, lite0, vgg16, places205, resnet50, mpeg7, bag-of-emotions, lab, gist, "
            f"saliency, pcnn-2conv4fc, pcnn-2conv3fc, pcnn-3conv2fc, pcnn-3conv4fc.{hint}"
        )


class TestScikitLearn:
    def test_parameters_and_clone(self) -> None:
        model = make_model("lite0", random_state=7)
        assert list(model.named_steps) == ["features", "classify"]
        assert model.get_params()["classify__cv"].random_state == 7
        assert repr(clone(model)) == repr(model)

    def test_cross_validation(self, photos: Photos) -> None:
        scores = cross_val_score(tiny_model(), photos.X, photos.y, cv=2, error_score="raise")
        assert scores.mean() > 0.5

    def test_the_same_random_state_gives_the_same_model(self, photos: Photos) -> None:
        probabilities = [
            tiny_model(random_state).fit(photos.X, photos.y).predict_proba(photos.X)
            for random_state in (0, 0, 1)
        ]
        np.testing.assert_array_equal(probabilities[0], probabilities[1])
        assert np.abs(probabilities[0] - probabilities[2]).max() > 1e-6

    def test_probabilities(self, photos: Photos) -> None:
        model = tiny_model().fit(photos.X, photos.y)
        probabilities = model.predict_proba(photos.X)
        assert probabilities.shape == (len(photos.X), 4)
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
        assert model.classes_.tolist() == sorted(set(photos.y.tolist()))
        predicted = model.classes_[probabilities.argmax(axis=1)]
        assert predicted.tolist() == model.predict(photos.X).tolist()
        assert model.score(photos.X, photos.y) > 0.7

    def test_calibration_leaves_the_most_probable_label(self, photos: Photos) -> None:
        model = tiny_model().fit(photos.X, photos.y)
        (calibrated,) = model.named_steps["classify"].calibrated_classifiers_
        features = model.named_steps["features"].transform(photos.X)
        head = calibrated.estimator
        before, after = head.predict_proba(features), model.predict_proba(photos.X)
        assert before.argmax(axis=1).tolist() == after.argmax(axis=1).tolist()
        # and it does something
        assert np.abs(before - after).max() > 1e-3

    @pytest.mark.parametrize("kind", [object, "np.str_", "list"])
    def test_labels_as_text_of_any_kind(self, photos: Photos, kind: Any) -> None:
        expected = tiny_model().fit(photos.X, photos.y).predict(photos.X).tolist()
        labels: Any = {
            "list": photos.y.tolist(),
            "np.str_": np.array([np.str_(label) for label in photos.y], dtype=object),
        }.get(kind)
        if labels is None:
            labels = photos.y.astype(kind)
        assert tiny_model().fit(photos.X, labels).predict(photos.X).tolist() == expected
        fitted = fit_model(tiny_model(), photos.X, labels, np.arange(len(photos.X)))
        assert fitted.classes_.tolist() == sorted(set(photos.y.tolist()))

    def test_labels_as_numbers(self, photos: Photos) -> None:
        numbers = np.unique(photos.y, return_inverse=True)[1]
        model = tiny_model().fit(photos.X, numbers)
        assert model.classes_.tolist() == [0, 1, 2, 3]
        assert model.predict(photos.X).dtype == numbers.dtype

    def test_two_labels(self, photos: Photos) -> None:
        model = tiny_model().fit(photos.X, photos.sentiments)
        assert model.predict_proba(photos.X).shape == (len(photos.X), 2)

    def test_fewer_photos_than_folds(self, photos: Photos) -> None:
        some = np.r_[0:3, 10:20]
        with pytest.raises(ValueError, match="less than 5 examples for at least one class"):
            tiny_model().fit(photos.X[some], photos.y[some])


class TestFitModel:
    def test_groups_are_in_one_fold_each(self, photos: Photos) -> None:
        rng = np.random.default_rng(0)
        groups = rng.permutation(np.arange(len(photos.X)) // 2)
        model = fit_model(recorder(), photos.X, photos.y, groups)
        folds = model.named_steps["classify"].folds_
        assert len(folds) == CALIBRATION_FOLDS
        tested = np.concatenate([test for _, test in folds])
        assert sorted(tested.tolist()) == list(range(len(photos.X)))
        for train, test in folds:
            assert not set(groups[train]) & set(groups[test])
            assert set(photos.y[train]) == set(photos.y)

    def test_the_seed_chooses_the_folds(self, photos: Photos) -> None:
        groups = np.arange(len(photos.X))
        folds = [
            fit_model(recorder(), photos.X, photos.y, groups, seed=seed)["classify"].folds_
            for seed in (3, 3, 4)
        ]
        first, again, other = ([test.tolist() for _, test in some] for some in folds)
        assert first == again != other

    @pytest.mark.parametrize("fails", [False, True])
    def test_the_folds_are_forgotten(self, photos: Photos, fails: bool) -> None:
        usual = StratifiedKFold(3)
        model = recorder(cv=usual, fails=fails)
        try:
            fit_model(model, photos.X, photos.y, np.arange(len(photos.X)))
        except ArithmeticError:
            assert fails
        assert model.get_params()["classify__cv"] is usual

    def test_groups_of_copies_make_it_less_sure(self, photos: Photos) -> None:
        # five copies of each photo: without groups, every fold has seen those it is tested on
        X, y = np.tile(photos.X, 5), np.tile(photos.y, 5)
        groups = np.tile(np.arange(len(photos.X)), 5)
        model = tiny_model().set_params(classify__estimator__logisticregression__C=100.0)
        honest = fit_model(clone(model), X, y, groups).predict_proba(photos.X)
        fooled = fit_model(clone(model), X, y, np.arange(len(X))).predict_proba(photos.X)
        doubts = [(1 - probabilities.max(axis=1)).mean() for probabilities in (honest, fooled)]
        # the second is held back by the number of groups that it is told of
        assert doubts[0] > 3 * doubts[1]

    def test_repeatable(self, photos: Photos) -> None:
        groups = np.arange(len(photos.X))
        one, other = (
            fit_model(tiny_model(random_state), photos.X, photos.y, groups, seed=1)
            for random_state in (0, 1)
        )
        np.testing.assert_array_equal(one.predict_proba(photos.X), other.predict_proba(photos.X))

    def test_lists_do(self, photos: Photos) -> None:
        model = fit_model(tiny_model(), photos.X.tolist(), photos.y.tolist(), [*range(40)])
        assert model.score(photos.X, photos.y) > 0.7

    def test_too_few_independent_photos(self, photos: Photos) -> None:
        groups = np.where(photos.y == "love", "one owner", photos.X)
        message = (
            "The label 'love' has 1 photos to fit on that are independent of each other, fewer "
            "than the 5 folds of the calibration. Add photos of it, or leave the label out."
        )
        with pytest.raises(DataError) as caught:
            fit_model(tiny_model(), photos.X, photos.y, groups)
        assert str(caught.value) == message
        with pytest.raises(DataError) as caught:
            refuse_few(photos.y, groups)
        assert str(caught.value) == message
        refuse_few(photos.y, photos.X)


class TestComputingAhead:
    def test_unreadable_photos_are_left_out(self, tmp_path: Path, tiny: Backbone) -> None:
        for label in ("love", "fear"):
            (tmp_path / label).mkdir()
            for seed in range(3):
                draw_photo(tmp_path / label / f"{seed}.jpg", seed)
        (tmp_path / "love/bad.jpg").write_text("no photo")
        dataset = load_dataset([str(tmp_path)])
        done: list[int] = []
        failures = prepare_photos(tiny_model(), dataset.paths.tolist(), done.append)
        assert [failure.path for failure in failures] == [f"{tmp_path}/love/bad.jpg"]
        assert isinstance(failures[0], UnreadablePhoto)
        assert sum(done) == len(dataset) == 7
        left = without_failures(dataset, failures)
        assert left.counts == {"fear": 3, "love": 3}
        assert len(without_failures(left, [])) == 6
        # fitting now finds every feature in the cache
        open_runner.cache_clear()
        tiny_model().named_steps["features"].transform(left.paths)
        assert open_runner.cache_info().misses == 0

    def test_nothing_can_be_read(self, tmp_path: Path) -> None:
        shutil.copy(__file__, tmp_path / "a.jpg")
        paths = [f"{tmp_path}/a.jpg", f"{tmp_path}/b.jpg"]
        with pytest.raises(DataError) as caught:
            prepare_photos(tiny_model(), paths)
        assert str(caught.value) == (
            f"None of the photos can be read; the first: {tmp_path}/a.jpg: not a photo but text."
        )


def test_few_photos_that_are_all_told_apart_do_not_make_it_certain(labelled_folder: Path) -> None:
    X, y, groups = load_photos(labelled_folder)
    model = fit_model(make_model("lite0"), X, y, groups)
    confidence = model.predict_proba(X).max(axis=1)
    assert (model.predict(X) == y).all()
    assert 0.5 < confidence.mean() <= 25 / 26
