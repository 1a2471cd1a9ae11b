"""CNNFeatures: computed once, refused clearly, and at home in scikit-learn."""

import dataclasses
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from emotag.backbones.backbone import Backbone
from emotag.backbones.runtime import open_runner
from emotag.errors import DataError, ModelError, PhotoError, SkippedPhoto, UnreadablePhoto
from emotag.features.cnn import CNNFeatures
from emotag.features.extraction import check_paths
from tests.conftest import draw_photo
from tests.networks import TINY_FEATURES, registered, tiny_backbone


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, sample_photos: list[str]) -> Path:
    """A cache that holds the small backbone's exported network and nothing else."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch, registered(tiny_backbone(folder)):
        patch.setenv("EMOTAG_CACHE", str(folder / "cache"))
        CNNFeatures("tiny", cache=False).transform(sample_photos[:1])
    return folder / "cache"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exported: Path) -> Iterator[Backbone]:
    """A small backbone, and a cache of this test's own."""
    monkeypatch.setenv("EMOTAG_CACHE", shutil.copytree(exported, str(tmp_path / "cache")))
    with registered(tiny_backbone(tmp_path)) as backbone:
        yield backbone


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    (tmp_path / "photos").mkdir()
    return [draw_photo(tmp_path / "photos" / f"{seed}.jpg", seed) for seed in range(5)]


def truncated(path: Path) -> str:
    """Write a photo that ends in the middle."""
    draw_photo(path, seed=77, size=(200, 200))
    path.write_bytes(path.read_bytes()[:1500])
    return str(path)


class TestComputedOnce:
    def test_a_second_run_computes_nothing(self, tiny: Backbone, photos: list[str]) -> None:
        features = CNNFeatures("tiny")
        first = features.extract(photos)
        assert (len(first.vectors), first.computed, first.failures) == (5, 5, [])
        open_runner.cache_clear()
        again = CNNFeatures("tiny").extract(photos)
        assert (len(again.vectors), again.computed) == (5, 0)
        # the network was not even opened
        assert open_runner.cache_info().misses == 0
        for path in photos:
            np.testing.assert_array_equal(again.vectors[path], first.vectors[path])

    def test_a_second_fit_of_a_model_computes_nothing(
        self, tiny: Backbone, photos: list[str]
    ) -> None:
        model = make_pipeline(CNNFeatures("tiny"), LogisticRegression())
        model.fit(photos, list("aabbb"))
        open_runner.cache_clear()
        clone(model).fit(photos, list("aabbb")).predict(photos)
        assert open_runner.cache_info().misses == 0

    def test_only_what_is_new_is_computed(self, tiny: Backbone, photos: list[str]) -> None:
        CNNFeatures("tiny").extract(photos[:3])
        assert CNNFeatures("tiny").extract(photos).computed == 2

    def test_the_same_content_under_two_names(
        self, tiny: Backbone, photos: list[str], tmp_path: Path
    ) -> None:
        copy = shutil.copy(photos[0], tmp_path / "copy.jpg")
        extraction = CNNFeatures("tiny").extract([*photos, str(copy), photos[0]])
        assert extraction.computed == 5
        assert len(extraction.vectors) == 6
        np.testing.assert_array_equal(extraction.vectors[str(copy)], extraction.vectors[photos[0]])

    def test_other_content_under_the_same_name(self, tiny: Backbone, photos: list[str]) -> None:
        before = CNNFeatures("tiny").transform(photos)
        draw_photo(photos[2], seed=99)
        extraction = CNNFeatures("tiny").extract(photos)
        assert extraction.computed == 1
        after = CNNFeatures("tiny").transform(photos)
        changed = np.abs(after - before).max(axis=1) > 1e-3
        assert changed.tolist() == [False, False, True, False, False]

    def test_other_weights_and_other_preprocessing(
        self, tiny: Backbone, photos: list[str], tmp_path: Path
    ) -> None:
        before = CNNFeatures("tiny").transform(photos)
        squashing = dataclasses.replace(tiny.preprocess, keep_aspect=False)
        with registered(dataclasses.replace(tiny, name="tiny2", preprocess=squashing)):
            extraction = CNNFeatures("tiny2").extract(photos)
            assert extraction.computed == 5
            assert np.abs(CNNFeatures("tiny2").transform(photos) - before).max() > 1e-4

    def test_without_the_cache(self, tiny: Backbone, photos: list[str], tmp_path: Path) -> None:
        features = CNNFeatures("tiny", cache=False)
        assert features.extract(photos).computed == 5
        assert features.extract(photos).computed == 5
        assert not (tmp_path / "cache" / "features.sqlite").exists()

    def test_progress_adds_up(self, tiny: Backbone, photos: list[str], tmp_path: Path) -> None:
        CNNFeatures("tiny").extract(photos[:2])
        copy = str(shutil.copy(photos[4], tmp_path / "copy.jpg"))
        paths = [*photos, copy, photos[0], truncated(tmp_path / "bad.jpg"), str(tmp_path / "none")]
        done: list[int] = []
        CNNFeatures("tiny", batch_size=1).extract(paths, done.append)
        assert sum(done) == len(paths)
        assert len(done) > 3


class TestRows:
    def test_in_the_order_of_the_photos(self, tiny: Backbone, photos: list[str]) -> None:
        every = CNNFeatures("tiny").transform(photos)
        assert every.shape == (5, TINY_FEATURES)
        assert every.dtype == np.float32
        some = CNNFeatures("tiny").transform([photos[3], photos[0], photos[3]])
        np.testing.assert_array_equal(some, every[[3, 0, 3]])
        assert len(np.unique(every, axis=0)) == 5

    @pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": np.int64(3)}])
    def test_batches_change_nothing(
        self, tiny: Backbone, photos: list[str], options: dict[str, Any]
    ) -> None:
        usual = CNNFeatures("tiny", cache=False).transform(photos)
        other = CNNFeatures("tiny", cache=False, **options).transform(photos)
        np.testing.assert_allclose(other, usual, atol=1e-5)

    @pytest.mark.parametrize("n_jobs", [1, 2, -1, -99])
    def test_threads_change_nothing(self, tiny: Backbone, tmp_path: Path, n_jobs: int) -> None:
        # more than one chunk of hashes, and of batches
        paths = [draw_photo(tmp_path / f"{seed}.jpg", seed) for seed in range(70)]
        usual = CNNFeatures("tiny", cache=False).transform(paths)
        other = CNNFeatures("tiny", cache=False, n_jobs=n_jobs).transform(paths)
        np.testing.assert_allclose(other, usual, atol=1e-5)

    def test_layers_of_lite0(self, photos: list[str]) -> None:
        logits = CNNFeatures(layer="logits").fit(photos[:1])
        assert logits.n_features_out_ == len(logits.get_feature_names_out()) == 1000
        assert CNNFeatures().fit(photos).n_features_out_ == 1280
        assert CNNFeatures().transform(photos[:1]).shape == (1, 1280)


class TestPhotosThatCannotBeRead:
    def test_transform_names_the_photo(
        self, tiny: Backbone, photos: list[str], tmp_path: Path
    ) -> None:
        bad = truncated(tmp_path / "bad.jpg")
        with pytest.raises(UnreadablePhoto, match=f"^{bad}: damaged: ") as caught:
            CNNFeatures("tiny").fit_transform([*photos, bad])
        assert caught.value.path == bad
        # as scikit-learn's users would catch it
        assert isinstance(caught.value, OSError)

    def test_extract_gives_them_as_values(
        self, tiny: Backbone, photos: list[str], tmp_path: Path
    ) -> None:
        (tmp_path / "text.jpg").write_text("no photo")
        draw_photo(tmp_path / "icon.jpg", seed=0, size=(16, 16))
        (tmp_path / "folder.jpg").mkdir()
        reasons = {
            "none.jpg": (UnreadablePhoto, "does not exist (any more)"),
            "text.jpg": (UnreadablePhoto, "not a photo but text"),
            "folder.jpg": (SkippedPhoto, "a folder, not a file"),
            "icon.jpg": (SkippedPhoto, "too small: 16 x 16 pixels, at least 32"),
        }
        bad = [str(tmp_path / name) for name in reasons]
        extraction = CNNFeatures("tiny").extract([*bad, *photos])
        assert sorted(extraction.vectors) == photos
        assert extraction.computed == 5
        found = {error.path: (type(error), error.reason) for error in extraction.failures}
        assert found == dict(zip(bad, reasons.values(), strict=True))

    def test_copies_of_a_refused_photo_are_refused_too(
        self, tiny: Backbone, tmp_path: Path
    ) -> None:
        bad = truncated(tmp_path / "bad.jpg")
        copy = str(shutil.copy(bad, tmp_path / "copy.jpg"))
        failures = {
            error.path: error for error in CNNFeatures("tiny").extract([bad, copy]).failures
        }
        assert failures.keys() == {bad, copy}
        reasons = sorted(error.reason for error in failures.values())
        assert reasons[0].startswith("damaged: ")
        assert reasons[1] == "its content is that of another refused photo"
        assert all(isinstance(error, PhotoError) for error in failures.values())

    def test_they_are_not_remembered(self, tiny: Backbone, tmp_path: Path) -> None:
        bad = truncated(tmp_path / "bad.jpg")
        assert CNNFeatures("tiny").extract([bad]).failures
        draw_photo(bad, seed=1)
        assert CNNFeatures("tiny").extract([bad]).computed == 1

    def test_a_fifo_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo.jpg")
        code = (
            "import sys; from emotag.features.cnn import CNNFeatures; "
            "print(*CNNFeatures().extract(sys.argv[1:]).failures)"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "fifo.jpg")]
        done = subprocess.run(command, timeout=100, check=True, capture_output=True, text=True)
        assert done.stdout == f"{tmp_path}/fifo.jpg: a FIFO, not a file\n"


class TestInputs:
    def test_every_way_to_give_paths(self, tiny: Backbone, photos: list[str]) -> None:
        expected = CNNFeatures("tiny").transform(photos)
        ways: list[Any] = [
            tuple(photos),
            np.array(photos),
            np.array(photos, dtype=object),
            [Path(path) for path in photos],
            [np.str_(path) for path in photos],
            sorted(os.scandir(os.path.dirname(photos[0])), key=lambda entry: entry.name),
            pd.Series(photos),
            pd.Series(photos, dtype=object),
        ]
        for X in ways:
            np.testing.assert_array_equal(CNNFeatures("tiny").fit_transform(X), expected)

    def test_names_that_are_not_utf8(self, tiny: Backbone, photos: list[str]) -> None:
        path = os.fsdecode(os.fsencode(photos[0]) + b"\xe9, \"'\n.jpg")
        shutil.copy(photos[0], path)
        np.testing.assert_array_equal(
            CNNFeatures("tiny").transform([Path(path)]), CNNFeatures("tiny").transform(photos[:1])
        )

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            ([["a.jpg"], ["b.jpg"]], "X has 2 dimensions; emotag's estimators take a "),
            ("a.jpg", "X has 0 dimensions; emotag's estimators take a one-dimensional array of "),
            (None, "X has 0 dimensions"),
            (pd.DataFrame({"path": ["a.jpg"]}), "X has 2 dimensions"),
            ([], "X is empty: there is no photo in it."),
            (np.array([], dtype=np.str_), "X is empty: there is no photo in it."),
            ([1, 2], "X holds 1, which is not the path of a photo."),
            ([1.5], "X holds 1.5, which is not the path of a photo."),
            (["a.jpg", float("nan")], "X holds nan, which is not the path of a photo."),
            (["a.jpg", None], "X holds None, which is not the path of a photo."),
            ([Path("a.jpg"), 7], "X holds 7, which is not the path of a photo."),
            ([b"a.jpg"], "X holds b'a.jpg', which is not the path of a photo."),
        ],
    )
    def test_anything_else(self, X: Any, message: str) -> None:
        for method in (CNNFeatures().fit, CNNFeatures().transform, check_paths):
            with pytest.raises(DataError) as caught:
                method(X)
            assert str(caught.value).startswith(message)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"backbone": "lite9"}, "Unknown backbone 'lite9'; choose from lite0, vgg16, "),
            (
                {"layer": "fc7"},
                "The backbone 'lite0' has no layer 'fc7'; choose from pool, logits.",
            ),
            ({"batch_size": 0}, "batch_size=0 must be None or a whole number above 0."),
            ({"batch_size": -8}, "batch_size=-8 must be None or a whole number above 0."),
            ({"batch_size": 2.0}, "batch_size=2.0 must be None or a whole number above 0."),
            ({"batch_size": "8"}, "batch_size='8' must be None or a whole number above 0."),
            ({"device": "gpu"}, "device='gpu' cannot be used here ("),
            ({"device": "meta"}, "device='meta' computes nothing; 'cpu' always can."),
            ({"mirror": "yes"}, "mirror='yes' must be True or False."),
            ({"weights": 3}, "weights=3 must be None or the path of a file."),
        ],
    )
    def test_parameters_that_make_no_sense(
        self, photos: list[str], options: dict[str, Any], message: str
    ) -> None:
        # as scikit-learn wants it, __init__ takes everything
        features = CNNFeatures(**options)
        for method in (features.fit, features.transform):
            with pytest.raises(ModelError) as caught:
                method(photos)
            assert str(caught.value).startswith(message)


class TestScikitLearn:
    def test_parameters(self) -> None:
        features = CNNFeatures("lite0", batch_size=4)
        assert features.get_params() == {
            "backbone": "lite0",
            "layer": None,
            "weights": None,
            "mirror": False,
            "salient": None,
            "saliency": "barrier",
            "batch_size": 4,
            "device": "auto",
            "precision": "float32",
            "cache": True,
            "n_jobs": None,
        }
        assert clone(features).get_params() == features.get_params()
        assert features.set_params(batch_size=8, layer="logits").batch_size == 8
        with pytest.raises(ValueError, match="Invalid parameter 'size' for estimator CNNFeatures"):
            features.set_params(size=3)
        assert repr(features) == "CNNFeatures(batch_size=8, layer='logits')"

    def test_pickle_and_joblib(self, tiny: Backbone, photos: list[str], tmp_path: Path) -> None:
        features = CNNFeatures("tiny", batch_size=2).fit(photos)
        expected = features.transform(photos)
        joblib.dump(features, tmp_path / "features.joblib")
        for other in (
            pickle.loads(pickle.dumps(features)),
            joblib.load(tmp_path / "features.joblib"),
        ):
            assert other.get_params() == features.get_params()
            assert other.n_features_out_ == TINY_FEATURES
            np.testing.assert_array_equal(other.transform(photos), expected)

    def test_names_of_the_features(self, tiny: Backbone, photos: list[str]) -> None:
        names = CNNFeatures("tiny").get_feature_names_out()
        assert names.tolist() == [f"tiny_pool_{index}" for index in range(TINY_FEATURES)]
        scaled = make_pipeline(CNNFeatures("tiny"), StandardScaler()).fit(photos)
        assert scaled.get_feature_names_out().tolist() == names.tolist()

    def test_data_frames(self, tiny: Backbone, photos: list[str]) -> None:
        frame = CNNFeatures("tiny").set_output(transform="pandas").fit_transform(photos)
        assert isinstance(frame, pd.DataFrame)
        assert frame.columns.tolist() == CNNFeatures("tiny").get_feature_names_out().tolist()
        assert frame.shape == (5, TINY_FEATURES)

    def test_union(self, tiny: Backbone, photos: list[str]) -> None:
        union = FeatureUnion([("one", CNNFeatures("tiny")), ("two", CNNFeatures("tiny"))])
        assert union.fit_transform(photos).shape == (5, 2 * TINY_FEATURES)
        assert union.get_feature_names_out()[0] == "one__tiny_pool_0"

    def test_tags(self) -> None:
        tags = CNNFeatures().__sklearn_tags__()
        assert not tags.requires_fit
        assert tags.input_tags.one_d_array
        assert tags.input_tags.string
        assert not tags.input_tags.two_d_array

    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_grid_search(self, labelled_folder: Path, n_jobs: int) -> None:
        paths = sorted(str(path) for path in labelled_folder.glob("*/*.jpg"))
        y = [os.path.basename(os.path.dirname(path)) for path in paths]
        model = Pipeline([("features", CNNFeatures()), ("classify", LogisticRegression())])
        grid = {"features__batch_size": np.array([4, 8]), "classify__C": [0.01, 1.0]}
        search = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, error_score="raise")
        search.fit(paths, y)
        assert search.best_score_ == 1.0
        assert search.predict(paths).tolist() == y

    def test_cross_validation(self, tiny: Backbone, labelled_folder: Path) -> None:
        paths = sorted(str(path) for path in labelled_folder.glob("*/*.jpg"))
        y = [os.path.basename(os.path.dirname(path)) for path in paths]
        model = make_pipeline(CNNFeatures("tiny"), StandardScaler(), LogisticRegression())
        assert cross_val_score(model, np.array(paths), y, cv=3).tolist() == [1.0, 1.0, 1.0]
