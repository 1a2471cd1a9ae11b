"""A saved model judged on labelled photos: which of them, under which labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotag.bundle.folder import Bundle, open_bundle
from emotag.dataset import Dataset
from emotag.emotions import FIVE
from emotag.errors import DataError
from emotag.evaluation.bundles import choose_judged, fit_labels, predict_bundle
from tests.evaluation.photo_sets import load_labelled
from tests.tagging.small_bundle import save_small_bundle


@pytest.fixture
def photos(tmp_path: Path) -> Dataset:
    return load_labelled(tmp_path / "data", ["fear", "love"], 10)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(save_small_bundle(tmp_path_factory.mktemp("bundle") / "small"))


def labelled(*labels: str, sentiments: tuple[str, ...] = ()) -> Dataset:
    """Return photos of which only the labels count."""
    names = np.array([f"{index}.jpg" for index in range(len(labels))])
    empty = np.full(len(labels), "", dtype=np.str_)
    said = np.array(sentiments or empty.tolist(), dtype=np.str_)
    return Dataset(names, np.array(labels, dtype=np.str_), said, names, empty, empty, names)


class TestFitLabels:
    def test_known_labels_stay_and_what_has_none_is_left_out(self) -> None:
        found = fit_labels(labelled("love", "", "fear"), FIVE.names)
        assert found.labels.tolist() == ["love", "fear"]
        assert found.paths.tolist() == ["0.jpg", "2.jpg"]

    def test_names_are_taken_for_others_only_where_it_is_said(self) -> None:
        found = fit_labels(labelled("joy", "love", "joy"), FIVE.names, {"joy": "happiness"})
        assert found.labels.tolist() == ["happiness", "love", "happiness"]

    def test_two_labels_may_be_taken_for_one(self) -> None:
        names = {"joy": "happiness", "fun": "happiness"}
        assert fit_labels(labelled("joy", "fun", "fear"), FIVE.names, names).counts == {
            "fear": 1,
            "happiness": 2,
        }

    def test_unknown_ones_are_all_named_and_the_likeliest_name_is_offered(self) -> None:
        with pytest.raises(DataError) as caught:
            fit_labels(labelled("Loved", "fear", "sadly"), FIVE.names)
        assert str(caught.value) == (
            "The photos are labelled Loved, sadly, which the model does not know; it knows love, "
            "happiness, violence, fear, sadness. To take one for another: --map Loved=love"
        )

    def test_a_name_that_the_model_does_not_know_either_is_refused(self) -> None:
        with pytest.raises(DataError, match="labelled delight, which the model does not know"):
            fit_labels(labelled("joy", "love"), FIVE.names, {"joy": "delight"})

    def test_a_model_of_sentiment_judges_what_labels_fold_into(self) -> None:
        found = fit_labels(labelled("love", "fear", "sadness"), ("positive", "negative"))
        assert found.labels.tolist() == ["positive", "negative", "negative"]

    def test_what_the_data_says_of_sentiment_counts_before_the_label(self) -> None:
        dataset = labelled("love", "fear", sentiments=("negative", ""))
        found = fit_labels(dataset, ("negative", "positive"))
        assert found.labels.tolist() == ["negative", "negative"]

    def test_labels_that_are_sentiments_stay(self) -> None:
        found = fit_labels(labelled("positive", "negative"), ("positive", "negative"))
        assert found.labels.tolist() == ["positive", "negative"]

    def test_labels_of_which_no_sentiment_is_known_ask_for_a_map(self) -> None:
        dataset = labelled("dusk", "dawn")
        with pytest.raises(DataError) as caught:
            fit_labels(dataset, ("positive", "negative"))
        assert str(caught.value) == (
            "The model tells positive from negative, and of the labels dawn, dusk it is not known "
            "which is which. To say it of each: --map dawn=positive"
        )
        names = {"dawn": "positive", "dusk": "negative"}
        found = fit_labels(dataset, ("positive", "negative"), names)
        assert found.labels.tolist() == ["negative", "positive"]

    @pytest.mark.parametrize("known", [FIVE.names, ("positive", "negative")])
    def test_no_label(self, known: tuple[str, ...]) -> None:
        with pytest.raises(DataError, match="nothing to judge with"):
            fit_labels(labelled("", ""), known)


class TestChooseJudged:
    def test_all_photos_where_there_are_no_splits(self, photos: Dataset) -> None:
        chosen, words, notes = choose_judged(photos)
        assert (len(chosen), words) == (20, "all photos")
        assert notes[0].startswith("If the model has learnt from some of these photos")

    def test_only_the_split_test_unless_everything_is_asked(self, photos: Dataset) -> None:
        splits = np.array(["train", "val", "test", "test", ""] * 4)
        dataset = replace(photos, splits=splits)
        chosen, *words = choose_judged(dataset)
        assert (chosen.splits.tolist(), words) == (["test"] * 8, ["the split test", []])
        chosen, words, notes = choose_judged(dataset, everything=True)
        assert (len(chosen), words, len(notes)) == (20, "all photos", 1)


class TestPredictBundle:
    def test_says_of_each_photo_what_is_known_of_it(self, bundle: Bundle, photos: Dataset) -> None:
        done: list[int] = []
        said, failed = predict_bundle(bundle, photos, progress=done.append)
        assert failed == []
        assert sum(done) == 20
        assert said.model == "small"
        assert said.labels.names == FIVE.names
        for ours, given in (
            (said.paths, photos.paths),
            (said.actual, photos.labels),
            (said.groups, photos.groups),
            (said.kinds, photos.kinds),
        ):
            assert ours.tolist() == given.tolist()
        assert said.proba is not None
        assert said.proba.shape == (20, 5)
        assert said.proba.sum(axis=1) == pytest.approx(1)
        assert said.predicted.tolist() == [FIVE.names[i] for i in said.proba.argmax(axis=1)]
        assert said.p_positive is None

    @pytest.mark.parametrize("jobs", [1, 3])
    def test_photos_that_cannot_be_read_leave_the_others_as_they_are(
        self, bundle: Bundle, photos: Dataset, jobs: int
    ) -> None:
        whole = predict_bundle(bundle, photos).predictions
        # of one chunk all, and of the others one
        broken = [*range(8, 16), 3, 19]
        for index in broken:
            Path(photos.paths[index]).write_bytes(b"")
        said, failed = predict_bundle(bundle, photos, jobs=jobs)
        sound = np.setdiff1d(np.arange(20), broken)
        assert sorted(error.path for error in failed) == sorted(photos.paths[broken].tolist())
        assert said.paths.tolist() == photos.paths[sound].tolist()
        assert said.actual.tolist() == photos.labels[sound].tolist()
        np.testing.assert_allclose(said.proba, whole.proba[sound], rtol=1e-5)

    def test_a_sentiment_that_was_learnt_is_told(self, photos: Dataset, tmp_path: Path) -> None:
        folder = save_small_bundle(tmp_path / "both", learnt_sentiment=True)
        Path(photos.paths[0]).write_bytes(b"")
        said = predict_bundle(open_bundle(folder), photos).predictions
        assert said.p_positive is not None
        assert said.p_positive.shape == (19,)
        assert ((said.p_positive >= 0) & (said.p_positive <= 1)).all()
        assert np.ptp(said.p_positive) > 0

    def test_no_photo_that_can_be_read(self, bundle: Bundle, photos: Dataset) -> None:
        for path in photos.paths:
            Path(path).write_bytes(b"")
        with pytest.raises(DataError) as caught:
            predict_bundle(bundle, photos)
        assert str(caught.value) == (
            f"No photo can be read; the first: {photos.paths[0]}: empty file."
        )
