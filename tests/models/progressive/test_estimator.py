"""ProgressiveCNN: two stages, repeatable, and at home in scikit-learn."""

import inspect
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_checks
from skorch.callbacks import Callback

from emotag.errors import DataError, ModelError
from emotag.models.finetuning.callbacks import Epoch
from emotag.models.progressive.estimator import ProgressiveCNN
from emotag.photos.decoding import decode_photo
from tests.models.conftest import Photos
from tests.models.progressive.conftest import Quick


class Watch(Callback):
    """Keep what was trained on in each epoch, and what the network was after it."""

    def __init__(self) -> None:
        self.photos: list[list[str]] = []
        self.steps: list[int] = []
        self.rates: list[float] = []
        self.states: list[dict[str, torch.Tensor]] = []

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, **kwargs: Any) -> None:
        self.photos.append(list(dataset_train.photos.paths))
        self.rates.append(net.optimizer_.param_groups[0]["lr"])
        self.steps.append(0)

    def on_batch_begin(self, net: Any, batch: Any, training: bool = False, **_: Any) -> None:
        if training:
            self.steps[-1] += len(batch[0])

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        state = net.network.state_dict()
        self.states.append({key: value.clone() for key, value in state.items()})


class Lengths(Callback):
    """Keep the norm of each step's gradient, as the optimizer gets it."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        gradients = [p.grad for p in net.network.parameters() if p.grad is not None]
        self.found.append(torch.nn.utils.get_total_norm(gradients).item())


def assert_same(one: ProgressiveCNN, other: ProgressiveCNN) -> None:
    ours, theirs = one.module_.state_dict(), other.module_.state_dict()
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value.numpy(), theirs[name].numpy(), err_msg=name)
    assert one.temperature_ == other.temperature_
    assert one.n_iter_by_stage_ == other.n_iter_by_stage_
    assert one.kept_.tolist() == other.kept_.tolist()


class TestLearning:
    def test_learns_what_colour_tells(self, quick: Quick, photos: Photos) -> None:
        model = quick(max_epochs=30, progressive_epochs=10).fit(photos.X, photos.sentiments)
        assert model.classes_.tolist() == ["negative", "positive"]
        assert model.score(photos.X, photos.sentiments) > 0.8
        score = model.decision_function(photos.X)
        assert score.shape == (40,)
        assert ((score > 0) == (model.predict(photos.X) == "positive")).all()

    def test_the_paper_s_network_learns(self, photos: Photos) -> None:
        model = ProgressiveCNN(
            "3conv-2fc", max_epochs=8, progressive_epochs=2, batch_size=8, random_state=0,
            validation_fraction=None,
        )  # fmt: skip
        model.fit(photos.X, photos.sentiments)
        assert model.score(photos.X, photos.sentiments) > 0.8

    def test_five_labels(self, quick: Quick, photos: Photos) -> None:
        y = np.repeat(["awe", "fear", "love", "rage", "zeal"], 8)
        model = quick(max_epochs=2, progressive_epochs=1).fit(photos.X, y)
        assert model.classes_.tolist() == ["awe", "fear", "love", "rage", "zeal"]
        proba = model.predict_proba(photos.X)
        assert (proba.shape, proba.dtype) == ((40, 5), np.float32)
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)

    def test_labels_that_are_numbers(self, quick: Quick, photos: Photos) -> None:
        y = np.repeat([7, 3, 5, 11], 10)
        model = quick(max_epochs=1, progressive_epochs=1).fit(photos.X, y)
        assert model.classes_.tolist() == [3, 5, 7, 11]
        assert set(model.predict(photos.X).tolist()) <= {3, 5, 7, 11}

    def test_in_16_bits(self, quick: Quick, photos: Photos) -> None:
        settings = {"max_epochs": 30, "progressive_epochs": 5}
        full = quick(**settings).fit(photos.X, photos.sentiments)
        mixed = quick(**settings, mixed_precision=True).fit(photos.X, photos.sentiments)
        assert mixed.module_.head.weight.dtype == torch.float32
        assert not torch.equal(mixed.module_.head.weight, full.module_.head.weight)
        assert mixed.score(photos.X, photos.sentiments) > 0.8

    @pytest.mark.parametrize("progressive", [False, True])
    def test_no_gradient_is_longer_than_it_may_be(
        self, quick: Quick, photos: Photos, progressive: bool
    ) -> None:
        def lengths(longest: float | None) -> list[float]:
            watch = Lengths()
            given = {"net_params": {"callbacks": [watch]}, "progressive": progressive}
            quick(**given, gradient_clip_value=longest).fit(photos.X, photos.y)
            return watch.found

        free, cut = lengths(None), lengths(0.5)
        assert max(free) > 1
        assert len(cut) >= len(free) // 2
        # of the first step alone it is known that both had the same gradient
        assert cut[0] == pytest.approx(min(free[0], 0.5), rel=1e-3)
        assert max(cut) <= 0.5 * (1 + 1e-5)
        second = cut[-len(cut) // 4 :]
        assert max(second) == pytest.approx(0.5, rel=1e-3)

    def test_calibrated_on_the_held_out(self, quick: Quick, photos: Photos) -> None:
        model = quick().fit(photos.X, photos.y)
        logits = model.decision_function(photos.X)
        expected = torch.softmax(torch.from_numpy(logits) / model.temperature_, dim=1).numpy()
        np.testing.assert_allclose(model.predict_proba(photos.X), expected, atol=1e-6)
        assert model.temperature_ != 1.0


class TestStages:
    @pytest.fixture
    def model(self, quick: Quick, photos: Photos) -> ProgressiveCNN:
        return quick(net_params={"callbacks": [Watch()]}, schedule=None).fit(photos.X, photos.y)

    def test_the_second_sees_only_what_was_kept(
        self, model: ProgressiveCNN, photos: Photos
    ) -> None:
        [watch] = model.net_params["callbacks"]  # type: ignore[index]
        first, second = watch.photos[0], watch.photos[-1]
        assert watch.photos == [first] * 6 + [second] * 4
        assert watch.steps == [len(first)] * 6 + [len(second)] * 4
        assert set(second) < set(first) < set(photos.X)
        assert model.kept_.dtype == bool
        assert set(photos.X[~model.kept_]) == set(first) - set(second) != set()
        # the label of each photo that was kept
        labels = dict(zip(photos.X.tolist(), photos.y.tolist(), strict=True))
        assert {labels[path] for path in second} == set(photos.y)

    def test_the_second_begins_where_the_first_was_best(
        self, model: ProgressiveCNN, quick: Quick, photos: Photos
    ) -> None:
        alone = quick(schedule=None, progressive=False).fit(photos.X, photos.y)
        [watch] = model.net_params["callbacks"]  # type: ignore[index]
        losses = [row["valid_loss"] for row in model.net_.history if row["stage"] == 1]
        best = watch.states[int(np.argmin(losses))]
        for name, value in alone.module_.state_dict().items():
            assert torch.equal(value, best[name])
        # without a rate, it ends as it began
        still = quick(schedule=None, lr=0).fit(photos.X, photos.y)
        begun = quick(schedule=None, lr=0, progressive=False).fit(photos.X, photos.y)
        for name, value in still.module_.state_dict().items():
            assert torch.equal(value, begun.module_.state_dict()[name])

    def test_each_ends_with_its_best(self, model: ProgressiveCNN) -> None:
        [watch] = model.net_params["callbacks"]  # type: ignore[index]
        losses = [row["valid_loss"] for row in model.net_.history if row["stage"] == 2]
        best = watch.states[6 + int(np.argmin(losses))]
        for name, value in model.module_.state_dict().items():
            assert torch.equal(value, best[name])

    def test_how_long_each_was(self, model: ProgressiveCNN) -> None:
        assert (model.n_iter_, model.n_iter_by_stage_) == (10, [6, 4])
        assert [row["stage"] for row in model.net_.history] == [1] * 6 + [2] * 4

    def test_each_has_its_own_schedule(self, quick: Quick, photos: Photos) -> None:
        watch = Watch()
        quick(net_params={"callbacks": [watch]}).fit(photos.X, photos.y)
        falls = [(1 + np.cos(np.pi * np.arange(n) / n)) / 2 for n in (6, 4)]
        np.testing.assert_allclose(watch.rates, 0.005 * np.concatenate(falls))

    def test_one_alone(self, quick: Quick, photos: Photos) -> None:
        model = quick(progressive=False).fit(photos.X, photos.y)
        assert (model.n_iter_, model.n_iter_by_stage_) == (6, [6])
        assert model.kept_.all()
        assert len(model.kept_) == 40

    def test_progress_goes_on_from_one_to_the_next(self, quick: Quick, photos: Photos) -> None:
        epochs: list[Epoch] = []
        quick(progress=epochs.append).fit(photos.X, photos.y)
        assert [(epoch.stage, epoch.number, epoch.of) for epoch in epochs] == [
            *((1, number, 10) for number in range(1, 7)),
            *((2, number, 10) for number in range(7, 11)),
        ]
        assert epochs[0].seconds_left > 0 == epochs[-1].seconds_left

    def test_progress_where_the_first_stops_early(self, quick: Quick, photos: Photos) -> None:
        epochs: list[Epoch] = []
        settings = {"lr": 1.0, "schedule": None, "max_epochs": 40, "patience": 1}
        model = quick(**settings, progress=epochs.append).fit(photos.X, photos.y)
        first, second = model.n_iter_by_stage_
        assert first < 40
        assert (epochs[first - 1].number, epochs[first - 1].of) == (first, 44)
        assert (epochs[first].number, epochs[first].of) == (first + 1, first + 4)
        assert len(epochs) == first + second


class TestRepeatable:
    def test_the_same_seed_gives_the_same_weights(self, quick: Quick, photos: Photos) -> None:
        first = quick(dropout=0.3).fit(photos.X, photos.y)
        assert_same(first, quick(dropout=0.3, n_jobs=1).fit(photos.X, photos.y))
        assert_same(first, first.fit(photos.X, photos.y))
        other = quick(dropout=0.3, random_state=1).fit(photos.X, photos.y)
        weights = [model.module_.trunk.get_parameter("conv1.weight") for model in (first, other)]
        assert not torch.equal(*weights)

    def test_random_states_are_left_alone(self, quick: Quick, photos: Photos) -> None:
        torch.manual_seed(5)
        np.random.seed(5)
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        quick(max_epochs=1, progressive_epochs=1).fit(photos.X, photos.y).predict(photos.X)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert (np.random.get_state()[1] == before[1]).all()

    def test_photos_that_are_named_twice(self, quick: Quick, photos: Photos) -> None:
        model = quick().fit(np.tile(photos.X, 2), np.tile(photos.y, 2))
        assert model.kept_[:40].tolist() == model.kept_[40:].tolist()


class TestKeeping:
    def test_pickle(self, quick: Quick, photos: Photos) -> None:
        model = quick().fit(photos.X, photos.y)
        other = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(other.predict_proba(photos.X), model.predict_proba(photos.X))
        assert_same(other, model)
        assert [row["stage"] for row in other.net_.history] == [1] * 6 + [2] * 4

    def test_restored_from_plain_values(self, quick: Quick, photos: Photos) -> None:
        model = quick(progressive=False).fit(photos.X, photos.y)
        parameters = {"architecture": "small", "dropout": 0.0}
        state = model.module_.state_dict()
        classes = model.classes_.tolist()
        other = ProgressiveCNN.restore(parameters, classes, state, model.temperature_)
        np.testing.assert_array_equal(other.predict_proba(photos.X), model.predict_proba(photos.X))
        with pytest.raises(ModelError) as caught:
            ProgressiveCNN.restore(parameters, ["a", "b"], state, 1.0)
        assert str(caught.value) == "The weights do not fit the network 'small' and 2 labels."

    def test_parts_give_the_same_probabilities(self, quick: Quick, photos: Photos) -> None:
        model = quick().fit(photos.X, photos.y)
        preprocess, trunk, head = model.export_parts()
        pixels = np.stack([decode_photo(path, preprocess).pixels for path in photos.X])
        with torch.inference_mode():
            features = trunk(torch.from_numpy(preprocess.normalise(pixels)))
            probabilities = torch.softmax(head(features), dim=1).numpy()
        assert features.shape == (40, 8)
        np.testing.assert_allclose(probabilities, model.predict_proba(photos.X), atol=1e-5)


class TestScikitLearn:
    @pytest.mark.parametrize(
        "check",
        [
            estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
            estimator_checks.check_estimator_cloneable,
            estimator_checks.check_estimator_repr,
            estimator_checks.check_estimator_tags_renamed,
            estimator_checks.check_get_params_invariance,
            estimator_checks.check_mixin_order,
            estimator_checks.check_no_attributes_set_in_init,
            estimator_checks.check_parameters_default_constructible,
            estimator_checks.check_set_params,
            estimator_checks.check_valid_tag_types,
        ],
        ids=lambda check: check.__name__,
    )
    def test_its_own_checks(self, check: Any) -> None:
        check("ProgressiveCNN", ProgressiveCNN())

    def test_parameters(self) -> None:
        names = list(inspect.signature(ProgressiveCNN.__init__).parameters)[1:]
        model = ProgressiveCNN("3conv-4fc", lr=0.5)
        assert sorted(model.get_params()) == sorted(names)
        assert repr(model) == "ProgressiveCNN(architecture='3conv-4fc', lr=0.5)"
        assert clone(model).get_params() == model.get_params()
        documented = inspect.getdoc(ProgressiveCNN)
        assert documented is not None
        parameters = documented[: documented.index("Attributes\n")]
        assert all(f"\n{name} : " in parameters for name in names)

    def test_not_fitted(self, quick: Quick, photos: Photos) -> None:
        for method in ("predict", "predict_proba", "decision_function"):
            with pytest.raises(NotFittedError, match="This ProgressiveCNN instance is not fitted"):
                getattr(quick(), method)(photos.X)

    def test_grid_search(self, quick: Quick, photos: Photos) -> None:
        pipeline = Pipeline([("classify", quick(max_epochs=2, progressive_epochs=1))])
        grid = {"classify__progressive": [False, True]}
        search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
        search.fit(photos.X, photos.y)
        assert search.predict(photos.X).shape == (40,)

    def test_only_attributes_with_an_underscore_are_added(
        self, quick: Quick, photos: Photos
    ) -> None:
        model = quick(max_epochs=1, progressive_epochs=1)
        before = dict(vars(model))
        model.fit(photos.X, photos.y)
        assert {name: vars(model)[name] for name in before} == before
        assert all(name.endswith("_") for name in set(vars(model)) - set(before))

    def test_groups_and_weights(self, quick: Quick, photos: Photos) -> None:
        ignored = (photos.y != "love").astype(float)
        model = quick(max_epochs=20, validation_fraction=0.3)
        model.fit(photos.X, photos.y, groups=np.arange(40) // 2, sample_weight=ignored)
        assert "love" not in model.predict(photos.X)


class TestRefusals:
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"progressive": 1}, "progressive=1 must be True or False."),
            (
                {"progressive_epochs": 0},
                "progressive_epochs=0 must be a whole number from 1 on.",
            ),
            (
                {"gradient_clip_value": 0},
                "gradient_clip_value=0 must be None or a number above 0.",
            ),
            ({"dropout": 1}, "dropout=1 must be a number from 0 on and below 1."),
            (
                {"net_params": {"lr": 1}},
                "net_params must not set lr: that is a parameter of ProgressiveCNN, or emotag's "
                "own affair.",
            ),
            (
                {"architecture": "big"},
                "architecture='big'; choose from '2conv-4fc', '2conv-3fc', '3conv-2fc', "
                "'3conv-4fc', 'small'.",
            ),
        ],
    )
    def test_parameters(
        self, quick: Quick, photos: Photos, parameters: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ModelError) as caught:
            quick(**parameters).fit(photos.X, photos.y)
        assert str(caught.value) == message

    def test_a_network_that_learns_too_fast(self, quick: Quick, photos: Photos) -> None:
        with pytest.raises(ModelError) as caught:
            quick(lr=1e20).fit(photos.X, photos.y)
        assert str(caught.value).endswith("the network learns too fast. Try a lower lr.")

    def test_one_label(self, quick: Quick, photos: Photos) -> None:
        with pytest.raises(DataError, match="y holds one label only, love"):
            quick().fit(photos.X, ["love"] * 40)


def test_the_paper_s_defaults() -> None:
    model = ProgressiveCNN()
    assert (model.architecture, model.progressive) == ("2conv-4fc", True)
