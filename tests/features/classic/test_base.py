"""Every descriptor on real files: any photo, computed once, at home in scikit-learn."""

import copy
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from emotag import CNNFeatures
from emotag.errors import DataError, ModelError, SkippedPhoto, UnreadablePhoto
from emotag.features.classic.base import PhotoFeatures
from emotag.features.classic.catalogue import CLASSIC
from emotag.features.classic.color_layout import ColorLayout
from emotag.features.classic.dominant_color import DominantColor
from emotag.features.classic.edge_histogram import EdgeHistogram
from emotag.features.classic.gist import GIST
from emotag.features.classic.lab_histogram import LabHistogram
from emotag.features.classic.local_descriptors import LocalDescriptors
from emotag.features.classic.saliency_map import SaliencyMap
from emotag.features.classic.scalable_color import ScalableColor
from emotag.photos import decoding
from tests.conftest import draw_photo
from tests.features.classic.pictures import noise, plain, smooth

SIZES = {
    "ColorLayout": 12,
    "DominantColor": 32,
    "EdgeHistogram": 80,
    "GIST": 960,
    "LabHistogram": 784,
    "LocalDescriptors": 512,
    "SaliencyMap": 900,
    "ScalableColor": 256,
}
EVERY: list[PhotoFeatures] = [
    *(kind() for kind in CLASSIC.values()),
    ColorLayout(64, 28),
    DominantColor(3),
    EdgeHistogram(200, 30, extended=True),
    GIST((4, 2), 3, 64),
    LabHistogram((2, 5, 3)),
    LocalDescriptors(5),
    SaliencyMap("barrier", 16),
    ScalableColor(32),
]

every_kind = pytest.mark.parametrize("kind", CLASSIC.values(), ids=CLASSIC)
every_one = pytest.mark.parametrize("features", EVERY, ids=repr)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a cache of its own."""
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    (tmp_path / "photos").mkdir()
    return [draw_photo(tmp_path / "photos" / f"{seed}.jpg", seed) for seed in range(10)]


def grey(rows: int, columns: int, level: int) -> np.ndarray:
    return plain(rows, columns, (level, level, level))


def save(path: Path, pixels: np.ndarray, mode: str = "RGB") -> str:
    Image.fromarray(pixels).convert(mode).save(path)
    return str(path)


class TestAnyPhoto:
    def test_the_catalogue_holds_all_with_their_sizes(self) -> None:
        assert {name: kind().n_features for name, kind in CLASSIC.items()} == SIZES
        assert [kind.__name__ for kind in CLASSIC.values()] == list(CLASSIC)

    @every_one
    @settings(max_examples=25, deadline=None)
    @given(
        st.integers(1, 90),
        st.integers(1, 90),
        st.integers(0, 9),
        st.sampled_from(
            [smooth, noise, lambda rows, columns, seed: plain(rows, columns, (seed,) * 3)]
        ),
    )
    def test_of_any_size(
        self, features: PhotoFeatures, rows: int, columns: int, seed: int, draw: Callable[..., Any]
    ) -> None:
        found = features.measure(draw(rows, columns, seed))
        assert found.shape == (features.n_features,)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()

    @every_one
    @pytest.mark.parametrize(
        "pixels",
        [
            noise(1, 1),
            noise(1, 2000),
            noise(2000, 1),
            plain(50, 70, (0, 0, 0)),
            plain(50, 70, (255, 255, 255)),
            plain(50, 70, (255, 0, 0)),
            np.repeat(noise(80, 60)[:, :, :1], 3, axis=2),
            noise(1, 1)[:, ::-1, ::-1],
        ],
        ids=["1x1", "1x2000", "2000x1", "black", "white", "red", "grey", "not contiguous"],
    )
    def test_extreme_ones(self, features: PhotoFeatures, pixels: np.ndarray) -> None:
        found = features.measure(pixels)
        assert found.shape == (features.n_features,)
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found, features.measure(pixels.copy()))

    @every_kind
    def test_files_of_every_kind(self, kind: type[PhotoFeatures], tmp_path: Path) -> None:
        large = Image.fromarray(smooth(300, 400)).resize((4000, 3000), Image.Resampling.BILINEAR)
        large.save(tmp_path / "large.jpg")
        paths = [
            str(tmp_path / "large.jpg"),
            save(tmp_path / "dot.png", noise(1, 1)),
            save(tmp_path / "line.png", noise(1, 2000)),
            save(tmp_path / "pole.png", noise(2000, 1)),
            save(tmp_path / "grey.jpg", smooth(60, 70), "L"),
            save(tmp_path / "cmyk.jpg", smooth(60, 70), "CMYK"),
            save(tmp_path / "clear.png", smooth(60, 70), "RGBA"),
            save(tmp_path / "icon.gif", smooth(16, 16), "P"),
        ]
        found = kind().fit_transform(paths)
        assert found.shape == (len(paths), SIZES[kind.__name__])
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        assert len(np.unique(found, axis=0)) >= 5

    @every_kind
    @pytest.mark.parametrize(
        "pixels",
        [
            np.zeros((5, 5), np.uint8),
            np.zeros((5, 5, 4), np.uint8),
            np.zeros((0, 5, 3), np.uint8),
            np.zeros((5, 5, 3)),
            [[[1, 2, 3]]],
        ],
        ids=["grey", "transparent", "empty", "floats", "list"],
    )
    def test_what_are_no_pixels(self, kind: type[PhotoFeatures], pixels: Any) -> None:
        with pytest.raises(DataError, match=r"they must be an array of uint8 of the shape \(rows"):
            kind().measure(pixels)

    @every_kind
    def test_turned_files_are_measured_upright(
        self, kind: type[PhotoFeatures], tmp_path: Path
    ) -> None:
        pixels = smooth(80, 120)
        upright, turned = tmp_path / "upright.png", tmp_path / "turned.png"
        Image.fromarray(pixels).save(upright)
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(np.rot90(pixels)).save(turned, exif=exif)
        found = kind().transform([str(upright), str(turned)])
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[0], kind().measure(pixels))


class TestComputedOnce:
    @every_one
    def test_from_the_cache_as_anew(self, features: PhotoFeatures, photos: list[str]) -> None:
        anew = clone(features).set_params(cache=False).extract(photos)
        first, again = clone(features).extract(photos), clone(features).extract(photos)
        assert (anew.computed, first.computed, again.computed) == (10, 10, 0)
        for path in photos:
            np.testing.assert_array_equal(first.vectors[path], anew.vectors[path])
            np.testing.assert_array_equal(again.vectors[path], anew.vectors[path])

    def test_not_kept_where_the_cache_is_off(self, photos: list[str], tmp_path: Path) -> None:
        ColorLayout(cache=False).transform(photos)
        assert not (tmp_path / "cache").exists()

    def test_each_descriptor_and_parameter_by_itself(self, photos: list[str]) -> None:
        for features in EVERY:
            assert features.extract(photos).computed == 10, features

    def test_numpys_numbers_and_lists_are_the_same_as_pythons(self, photos: list[str]) -> None:
        LabHistogram((4, 5, 6)).extract(photos)
        assert LabHistogram([4, np.int64(5), 6]).extract(photos).computed == 0
        ScalableColor(64).extract(photos)
        assert ScalableColor(np.int64(64)).extract(photos).computed == 0

    def test_another_version_computes_anew(
        self, photos: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ColorLayout().extract(photos)
        monkeypatch.setattr(ColorLayout, "version", ColorLayout.version + 1)
        assert ColorLayout().extract(photos).computed == 10

    def test_copies_and_progress(self, photos: list[str], tmp_path: Path) -> None:
        copied = str(shutil.copy(photos[0], tmp_path / "copy.jpg"))
        done: list[int] = []
        extraction = ColorLayout().extract([*photos, copied, photos[1]], done.append)
        assert sum(done) == 12
        assert extraction.computed == 10
        np.testing.assert_array_equal(extraction.vectors[copied], extraction.vectors[photos[0]])


class TestPhotosThatCannotBeRead:
    def test_they_are_values_of_extract(self, photos: list[str], tmp_path: Path) -> None:
        (tmp_path / "text.jpg").write_text("no photo")
        (tmp_path / "folder.jpg").mkdir()
        Path(tmp_path / "cut.jpg").write_bytes(Path(photos[0]).read_bytes()[:700])
        bad = [str(tmp_path / name) for name in ("text.jpg", "folder.jpg", "cut.jpg")]
        extraction = ColorLayout().extract([*bad, *photos])
        assert sorted(extraction.vectors) == photos
        kinds = {error.path: type(error) for error in extraction.failures}
        assert kinds == dict(
            zip(bad, (UnreadablePhoto, SkippedPhoto, UnreadablePhoto), strict=True)
        )

    def test_transform_names_the_photo(self, photos: list[str], tmp_path: Path) -> None:
        missing = str(tmp_path / "none.jpg")
        with pytest.raises(UnreadablePhoto, match=f"^{missing}: does not exist"):
            ColorLayout().transform([*photos, missing])

    def test_bombs_are_skipped(
        self, photos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = save(tmp_path / "large.png", np.zeros((15_000, 15_000), np.uint8), "1")
        assert decoding.MAX_PIXELS < 15_000**2
        (error,) = ColorLayout().extract([path]).failures
        assert "15000 x 15000 pixels are more than the limit" in str(error)


class Deadly(ColorLayout):
    """Ends the process where it meets a red photo."""

    def _measure(self, pixels: np.ndarray) -> Any:
        if pixels[0, 0, 0] > 200 and pixels[0, 0, 1] < 50:
            os._exit(9)
        return super()._measure(pixels)


class TestWorkers:
    @every_kind
    def test_processes_give_the_same(
        self, kind: type[PhotoFeatures], photos: list[str], tmp_path: Path
    ) -> None:
        bad = tmp_path / "bad.jpg"
        bad.write_bytes(Path(photos[0]).read_bytes()[:700])
        here = kind(cache=False).extract([*photos, str(bad)])
        with joblib.parallel_config("loky", n_jobs=2):
            there = kind(cache=False).extract([*photos, str(bad)])
        for path in photos:
            np.testing.assert_array_equal(there.vectors[path], here.vectors[path])
        (error,), (expected,) = there.failures, here.failures
        assert (type(error), str(error)) == (type(expected), str(expected))

    def test_relative_paths(self, photos: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        expected = ColorLayout(cache=False).transform(photos)
        monkeypatch.chdir(os.path.dirname(photos[0]))
        names = [os.path.basename(path) for path in photos]
        Path("bad.jpg").write_bytes(Path(names[0]).read_bytes()[:700])
        with joblib.parallel_config("loky", n_jobs=2):
            extraction = ColorLayout(cache=False).extract([*names, "bad.jpg"])
        np.testing.assert_array_equal(
            np.stack([extraction.vectors[name] for name in names]), expected
        )
        assert [error.path for error in extraction.failures] == ["bad.jpg"]

    @pytest.mark.slow
    def test_a_photo_that_kills_its_worker_is_one_failure(
        self, photos: list[str], tmp_path: Path
    ) -> None:
        red = save(tmp_path / "red.png", plain(40, 40, (255, 0, 0)))
        with joblib.parallel_config("loky", n_jobs=2):
            extraction = Deadly(cache=False).extract([*photos, red])
        assert sorted(extraction.vectors) == photos
        (error,) = extraction.failures
        assert str(error).startswith(f"{red}: reading it ends the process")

    @pytest.mark.parametrize("n_jobs", [1, 2, -1])
    def test_threads_give_the_same(self, photos: list[str], n_jobs: int) -> None:
        for features in EVERY:
            plainly = clone(features).set_params(cache=False, n_jobs=None).transform(photos)
            other = clone(features).set_params(cache=False, n_jobs=n_jobs).transform(photos)
            np.testing.assert_array_equal(other, plainly)


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
    @every_kind
    def test_scikit_learns_own(
        self, kind: type[PhotoFeatures], check: Callable[[str, Any], None]
    ) -> None:
        check(kind.__name__, kind())

    @every_one
    def test_fit(self, features: PhotoFeatures, photos: list[str]) -> None:
        features = clone(features)
        before = copy.deepcopy(features.get_params())
        names = set(vars(features))
        assert features.fit(photos, list("ab" * 5)) is features
        assert repr(features.get_params()) == repr(before)
        assert set(vars(features)) - names == {"n_features_out_"}
        assert features.n_features_out_ == features.n_features
        found = features.transform(photos)
        assert found.shape == (10, features.n_features_out_)
        np.testing.assert_array_equal(clone(features).fit_transform(photos), found)

    @every_one
    def test_rows_in_the_order_of_the_photos(
        self, features: PhotoFeatures, photos: list[str]
    ) -> None:
        every = features.transform(photos)
        np.testing.assert_array_equal(features.transform(photos[::-1]), every[::-1])
        np.testing.assert_array_equal(features.transform([photos[3], photos[3]]), every[[3, 3]])

    @every_one
    def test_pickle_and_names(self, features: PhotoFeatures, photos: list[str]) -> None:
        copied = pickle.loads(pickle.dumps(clone(features).fit(photos)))
        np.testing.assert_array_equal(copied.transform(photos), features.transform(photos))
        names = copied.get_feature_names_out()
        assert len(set(names)) == copied.n_features_out_
        assert names[0] == f"{type(features).__name__.lower()}_0"
        frame = copied.set_output(transform="pandas").transform(photos)
        assert list(frame.columns) == list(names)

    @pytest.mark.parametrize(
        "as_given",
        [tuple, np.array, pd.Series, lambda X: [Path(path) for path in X]],
        ids=["tuple", "array", "Series", "Path"],
    )
    def test_every_way_to_give_paths(
        self, photos: list[str], as_given: Callable[[Any], Any]
    ) -> None:
        expected = ColorLayout().transform(photos)
        np.testing.assert_array_equal(ColorLayout().fit_transform(as_given(photos)), expected)

    @every_kind
    @pytest.mark.parametrize("X", [[], [["a.jpg"]], "a.jpg", [1], np.zeros((3, 4))])
    def test_what_are_no_paths(self, kind: type[PhotoFeatures], X: Any) -> None:
        for method in (kind().fit, kind().transform):
            with pytest.raises(DataError):
                method(X)

    @every_kind
    def test_parameters_that_make_no_sense(
        self, kind: type[PhotoFeatures], photos: list[str]
    ) -> None:
        for options, message in (
            ({"cache": "yes"}, "cache='yes' must be True or False."),
            ({"n_jobs": 0}, "n_jobs=0 must be None or a whole number other than 0."),
        ):
            # as scikit-learn wants it, __init__ takes everything
            features = kind(**options)
            with pytest.raises(ModelError, match=f"^{message}"):
                features.transform(photos)

    def test_tags_are_those_of_networks_features(self) -> None:
        for features in EVERY:
            assert features.__sklearn_tags__() == CNNFeatures().__sklearn_tags__()

    def test_a_grid_over_a_union(self, labelled_folder: Path) -> None:
        X = sorted(str(path) for path in labelled_folder.glob("*/*.jpg"))
        y = [Path(path).parent.name for path in X]
        union = FeatureUnion([("layout", ColorLayout()), ("colour", ScalableColor(16))])
        model = Pipeline(
            [("features", union), ("scale", StandardScaler()), ("head", LogisticRegression())]
        )
        grid = {
            "features__layout__y_coefficients": [3, 6],
            "features__colour__coefficients": [16, 64],
            "head__C": [0.1, 1.0],
        }
        search = GridSearchCV(model, grid, cv=3).fit(X, y)
        assert search.best_score_ > 0.9
        assert search.predict(X[:1]) == y[:1]
        # what the grid computed is known
        assert ScalableColor(64).extract(X).computed == 0

    def test_a_pipeline_learns_from_each_descriptor(self, labelled_folder: Path) -> None:
        X = sorted(str(path) for path in labelled_folder.glob("*/*.jpg"))
        y = [Path(path).parent.name for path in X]
        for kind in (LabHistogram, ColorLayout, ScalableColor, DominantColor, LocalDescriptors):
            model = make_pipeline(kind(), StandardScaler(), LogisticRegression()).fit(X, y)
            assert model.score(X, y) > 0.9, kind
