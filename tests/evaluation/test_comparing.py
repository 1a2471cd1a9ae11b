"""Models judged on the same splits: each fold once, kept, and put together in order."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from emotag.dataset import Dataset
from emotag.errors import WorkersError
from emotag.evaluation.comparing import judge_all, kept_folder
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.splits import make_splits
from emotag.features.cache import cache_state, clear_cache
from emotag.parallel.workers import on_processes
from tests.evaluation.photo_sets import load_labelled

FOUR = ("fear", "happiness", "love", "sadness")
TWO = ("fear", "love")
MODELS = ("majority", "colour")


@pytest.fixture(autouse=True)
def _no_folds_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> Dataset:
    return load_labelled(tmp_path / "data", FOUR, 6)


def mean_colours(paths: ArrayLike) -> NDArray[np.float64]:
    colours = []
    for path in np.asarray(paths).tolist():
        with Image.open(path) as photo:
            colours.append(np.asarray(photo.convert("RGB"), float).mean(axis=(0, 1)) / 255)
    return np.array(colours)


@dataclass(frozen=True)
class Fit:
    """Fits by name, and notes each fit in a file, which processes can share."""

    notes: str
    strength: float = 1.0
    dies_in: str = ""

    def __call__(self, name: str, dataset: Dataset, seed: int) -> Any:
        target = "sentiment" if set(dataset.labels) == {"positive", "negative"} else "emotion"
        with open(self.notes, "a", encoding="utf-8") as file:
            file.write(f"{name} {target} {len(dataset)} {seed}\n")
        if name == self.dies_in:
            os._exit(1)
        model = (
            DummyClassifier(strategy="prior")
            if name == "majority"
            else make_pipeline(
                FunctionTransformer(mean_colours), LogisticRegression(C=self.strength)
            )
        )
        return model.fit(dataset.paths, dataset.labels)

    def fits(self) -> list[str]:
        """Return what was fitted since the last call."""
        if not os.path.exists(self.notes):
            return []
        lines = Path(self.notes).read_text(encoding="utf-8").splitlines()
        os.remove(self.notes)
        return lines


@pytest.fixture
def fit(tmp_path: Path) -> Fit:
    return Fit(str(tmp_path / "fits.txt"))


def assert_same(one: Predictions, other: Predictions) -> None:
    for name in ("actual", "predicted", "paths", "groups", "kinds", "sentiments", "proba"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert (one.p_positive is None) == (other.p_positive is None)
    if one.p_positive is not None and other.p_positive is not None:
        assert np.array_equal(one.p_positive, other.p_positive)


def test_each_model_judges_every_photo_once_in_the_order_of_the_splits(
    photos: Dataset, fit: Fit
) -> None:
    splits = make_splits(photos, "folds", folds=3)
    told: list[int] = []
    said = judge_all(photos, splits, MODELS, fit, seed=7, tell=told.append)
    assert list(said) == list(MODELS)
    assert told == [1] * 6
    order = np.concatenate([split.test for split in splits])
    for model, part in said.items():
        assert part.model == model
        assert part.paths.tolist() == photos.paths[order].tolist()
        assert part.actual.tolist() == photos.labels[order].tolist()
        assert part.kinds.tolist() == photos.kinds[order].tolist()
        assert set(part.labels.names) == set(FOUR)
    assert fit.fits() == [
        f"{model} {target} 16 7"
        for model in MODELS
        for _ in splits
        for target in ("emotion", "sentiment")
    ]


def test_it_has_not_learnt_from_what_it_judges(photos: Dataset, fit: Fit) -> None:
    splits = make_splits(photos, "folds", folds=3)
    colour = judge_all(photos, splits, ["colour"], fit)["colour"]
    for split, part in zip(splits, np.split(np.arange(24), 3), strict=True):
        train = photos.take(split.train)
        model = fit("colour", train, 0)
        wanted = model.predict_proba(photos.take(split.test).paths)
        places = [model.classes_.tolist().index(name) for name in colour.labels.names]
        np.testing.assert_allclose(colour.proba[part], wanted[:, places])


def test_sentiment_is_learnt_too_but_not_of_two_labels(tmp_path: Path, fit: Fit) -> None:
    four = load_labelled(tmp_path / "four", FOUR, 6)
    said = judge_all(four, make_splits(four, "paper"), ["colour"], fit)["colour"]
    assert said.p_positive is not None
    assert len(said.p_positive) == len(said)
    two = load_labelled(tmp_path / "two", TWO, 6)
    fit.fits()
    assert judge_all(two, make_splits(two, "paper"), ["colour"], fit)["colour"].p_positive is None
    assert [line.split()[1] for line in fit.fits()] == ["emotion"]


class TestKept:
    def test_folds_that_were_judged_are_not_fitted_again(self, photos: Dataset, fit: Fit) -> None:
        splits = make_splits(photos, "folds", folds=3)
        first = judge_all(photos, splits, MODELS, fit)
        assert len(fit.fits()) == 12
        second = judge_all(photos, splits, MODELS, fit)
        assert fit.fits() == []
        for model in MODELS:
            assert_same(first[model], second[model])

    def test_one_that_fails_leaves_what_was_judged_before(
        self, photos: Dataset, fit: Fit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        splits = make_splits(photos, "folds", folds=3)

        def fails(self: Fit, name: str, dataset: Dataset, seed: int) -> Any:
            if name == "colour":
                raise KeyboardInterrupt
            return whole(self, name, dataset, seed)

        whole = Fit.__call__
        with monkeypatch.context() as patch:
            patch.setattr(Fit, "__call__", fails)
            with pytest.raises(KeyboardInterrupt):
                judge_all(photos, splits, MODELS, fit)
        assert len(fit.fits()) == 6
        judge_all(photos, splits, MODELS, fit)
        assert {line.split()[0] for line in fit.fits()} == {"colour"}

    @pytest.fixture
    def again(self, photos: Dataset, fit: Fit) -> Any:
        """Return a function that judges with something else than before."""
        splits = make_splits(photos, "paper")
        judge_all(photos, splits, ["colour"], fit)
        fit.fits()

        def judge(
            dataset: Dataset = photos,
            fit: Fit = fit,
            seed: int = 0,
            networks: dict[str, str] | None = None,
        ) -> list[str]:
            judge_all(dataset, splits, ["colour"], fit, seed=seed, networks=networks)
            return fit.fits()

        assert judge() == []
        return judge

    def test_how_it_is_fitted_counts(self, again: Any, fit: Fit) -> None:
        assert again(fit=replace(fit, strength=50.0))

    def test_the_seed_counts(self, again: Any) -> None:
        assert again(seed=1)

    def test_the_network_behind_the_name_counts(self, again: Any) -> None:
        assert again(networks={"colour": "of other weights"})
        assert again(networks={"colour": "of other weights"}) == []
        assert again(networks={"colour": "of yet others"})

    @pytest.mark.parametrize("column", ["labels", "sentiments"])
    def test_what_is_learnt_counts(self, again: Any, photos: Dataset, column: str) -> None:
        values = np.where(photos.labels == "love", "negative", "positive")
        turned = photos.labels[::-1] if column == "labels" else values
        assert again(dataset=replace(photos, **{column: turned}))

    def test_where_the_photos_lie_does_not(
        self, again: Any, photos: Dataset, tmp_path: Path
    ) -> None:
        (tmp_path / "data").rename(tmp_path / "moved")
        moved = [
            path.replace(str(tmp_path / "data"), str(tmp_path / "moved")) for path in photos.paths
        ]
        assert again(dataset=replace(photos, paths=np.array(moved))) == []

    @pytest.mark.parametrize("damage", ["cut", "changed", "empty", "other"])
    def test_a_damaged_one_is_fitted_again(self, again: Any, damage: str) -> None:
        (kept,) = Path(kept_folder()).iterdir()
        content = kept.read_bytes()
        damaged = {
            "cut": content[:100],
            "changed": content[:60] + bytes(byte ^ 255 for byte in content[60:90]) + content[90:],
            "empty": b"",
            "other": b"no archive at all",
        }
        kept.write_bytes(damaged[damage])
        assert again()
        assert again() == []

    def test_clearing_the_cache_forgets_them(self, again: Any) -> None:
        assert cache_state().checkpoints > 0
        clear_cache()
        assert cache_state().checkpoints == 0
        assert again()


@pytest.mark.slow
class TestProcesses:
    def test_say_what_one_says(
        self, photos: Dataset, fit: Fit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        splits = make_splits(photos, "folds", folds=3)
        one = judge_all(photos, splits, MODELS, fit)
        assert len(fit.fits()) == 12
        monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "other"))
        told: list[int] = []
        with on_processes(2):
            two = judge_all(photos, splits, MODELS, fit, tell=told.append)
        assert sum(told) == 6
        for model in MODELS:
            assert_same(one[model], two[model])

    def test_a_fit_that_ends_its_process_is_named(self, photos: Dataset, fit: Fit) -> None:
        splits = make_splits(photos, "paper")
        with on_processes(2), pytest.raises(WorkersError) as caught:
            judge_all(photos, splits, ["colour"], replace(fit, dies_in="colour"))
        assert str(caught.value) == (
            "Fitting colour on paper ends its process: memory may not suffice. "
            "Fewer --jobs need less."
        )
