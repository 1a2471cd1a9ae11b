"""The systems on hand-crafted features: fitted, saved, read back, and run by scikit-learn."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.pipeline import FeatureUnion, Pipeline

from emotag.bundle.folder import Bundle, open_bundle
from emotag.errors import BundleError, ModelError
from emotag.features.classic.edge_histogram import EdgeHistogram
from emotag.features.classic.gist import GIST
from emotag.features.classic.lab_histogram import LabHistogram
from emotag.features.cnn import CNNFeatures
from emotag.models.descriptions import describe_features, is_describable, rebuild_features, width_of
from emotag.models.engines import choose_engine, engine_opener
from emotag.models.loading import load_model
from emotag.models.recipes import fit_model, make_model, prepare_photos
from emotag.models.related import BY_HAND
from emotag.models.saving import save_model
from emotag.tagging.run import tag_photos
from tests.models.conftest import Photos

pytestmark = pytest.mark.usefixtures("tiny")

RECIPES = [*BY_HAND, "fusion"]
SKLEARN = engine_opener("sklearn")
PLAIN = describe_features(EdgeHistogram())


@pytest.fixture(scope="module")
def fitted(photos: Photos) -> Callable[[str], Pipeline]:
    """Fits a recipe once."""
    models: dict[str, Pipeline] = {}

    def fit(name: str) -> Pipeline:
        if name not in models:
            model = make_model(name, random_state=0)
            models[name] = fit_model(model, photos.X, photos.y, np.arange(len(photos.X)))
        return models[name]

    return fit


@pytest.fixture(scope="module")
def saved(
    fitted: Callable[[str], Pipeline], photos: Photos, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Bundle]:
    """Saves a recipe once."""
    bundles: dict[str, Bundle] = {}

    def save(name: str) -> Bundle:
        if name not in bundles:
            folder = str(tmp_path_factory.mktemp("models") / name)
            bundles[name] = save_model(fitted(name), folder, photos=photos.X[:20].tolist())
        return bundles[name]

    return save


@pytest.mark.parametrize("name", RECIPES)
class TestEveryRecipe:
    def test_learns_what_colour_tells_apart(
        self, fitted: Callable[[str], Pipeline], photos: Photos, name: str
    ) -> None:
        model = fitted(name)
        proba = model.predict_proba(photos.X)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-5)
        # noise around a colour: saliency, GIST and edges have nothing to go by but its size
        least = 0.3 if name in ("gist", "saliency", "bag-of-emotions") else 0.6
        assert model.score(photos.X, photos.y) > least

    def test_is_read_back_as_it_was(
        self,
        fitted: Callable[[str], Pipeline],
        saved: Callable[[str], Bundle],
        photos: Photos,
        name: str,
    ) -> None:
        expected = fitted(name).predict_proba(photos.X)
        found = load_model(saved(name).folder).predict_proba(photos.X)
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_tags_every_photo(
        self,
        fitted: Callable[[str], Pipeline],
        saved: Callable[[str], Bundle],
        photos: Photos,
        tmp_path: Path,
        name: str,
    ) -> None:
        (tmp_path / "empty.jpg").write_bytes(b"")
        (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
        Image.new("RGB", (8, 8)).save(tmp_path / "small.png")
        shutil.copy(photos.X[3], tmp_path / "odd.jpg")
        given = [*photos.X[:3].tolist(), *sorted(map(str, tmp_path.iterdir()))]
        rows = tag_photos(given, saved(name).folder, opener=SKLEARN)
        assert sorted(row.path for row in rows) == sorted(given)
        by_path = {row.path: row for row in rows}
        said = {Path(path).name: (by_path[path].status, by_path[path].reason) for path in given[3:]}
        assert said == {
            "cut.jpg": ("failed", said["cut.jpg"][1]),
            "empty.jpg": ("failed", "empty file"),
            "odd.jpg": ("tagged", "PNG under the ending .jpg"),
            "small.png": ("skipped", "too small: 8 x 8 pixels, at least 32"),
        }
        assert said["cut.jpg"][1].startswith("damaged")
        expected = fitted(name).predict_proba(photos.X[:4])
        names = saved(name).config.label_set.names
        columns = [fitted(name).classes_.tolist().index(label) for label in names]
        for path, proba in zip([*given[:3], str(tmp_path / "odd.jpg")], expected, strict=True):
            found = by_path[path].probabilities
            np.testing.assert_allclose(found, proba[columns], atol=1e-4)


def test_a_bundle_without_a_network_says_so(saved: Callable[[str], Bundle]) -> None:
    bundle = saved("mpeg7")
    config = json.loads(Path(bundle.folder, "config.json").read_text())
    assert (config["format_version"], config["preprocess"], config["backbone"]) == (2, None, "")
    assert sorted(config["files"]) == ["README.md", "estimator.skops"]
    assert "no `model.onnx`" in Path(bundle.folder, "README.md").read_text()
    with pytest.raises(BundleError, match="has no network"):
        bundle.engine()
    for engine in ("onnx", "torch"):
        with pytest.raises(ModelError, match="--engine sklearn runs it"):
            choose_engine(engine, 1, bundle.config)
    assert choose_engine("auto", 10**6, bundle.config) == "sklearn"


@pytest.mark.parametrize("name", ["lab", "fusion"])
@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 and no more", None])
def test_a_photo_that_goes_while_it_is_judged_is_one_failure(
    fitted: Callable[[str], Pipeline],
    saved: Callable[[str], Bundle],
    photos: Photos,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes | None,
) -> None:
    paths = [shutil.copy(path, tmp_path) for path in photos.X[:5].tolist()]
    extract = LabHistogram.extract

    def extract_and_lose(self: LabHistogram, *arguments: Any) -> Any:
        found = extract(self, *arguments)
        Path(paths[2]).unlink(missing_ok=True)
        if content is not None:
            Path(paths[2]).write_bytes(content)
        return found

    model = saved(name).folder
    expected = fitted(name).predict(photos.X[:5])
    monkeypatch.setattr(LabHistogram, "extract", extract_and_lose)
    rows = {row.path: row for row in tag_photos(paths, model, opener=SKLEARN)}
    assert [rows[path].status for path in paths] == ["tagged"] * 2 + ["failed"] + ["tagged"] * 2
    reason = {None: "does not exist", b"": "empty file"}.get(content, "damaged")
    assert rows[paths[2]].reason.startswith(reason)
    others = [path for path in paths if path != paths[2]]
    assert [rows[path].emotion for path in others] == np.delete(expected, 2).tolist()


def test_the_same_seed_gives_the_same_fusion(photos: Photos) -> None:
    first, second = (
        fit_model(make_model("fusion", random_state=0), photos.X, photos.y, np.arange(40))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.predict_proba(photos.X), second.predict_proba(photos.X))


def test_what_stands_on_no_network_takes_no_part_of_one() -> None:
    for name in ("mpeg7", "pcnn-2conv4fc"):
        for given in ({"layer": "fc7"}, {"weights": "some.pth"}):
            with pytest.raises(ModelError, match="takes no layer and no weights"):
                make_model(name, **given)


def test_a_fusion_wants_a_network_with_classes() -> None:
    with pytest.raises(ModelError, match="a network that tells classes apart"):
        make_model("fusion", backbone="tiny")


def test_a_large_photo_is_skipped_by_its_header(
    saved: Callable[[str], Bundle], photos: Photos
) -> None:
    (row,) = tag_photos(photos.X[:1], saved("lab").folder, max_pixels=100, opener=SKLEARN)
    assert (row.status, row.reason[:20]) == ("skipped", "48 x 40 pixels are m")


def test_a_model_of_sentiments_beside_the_one_of_emotions(photos: Photos, tmp_path: Path) -> None:
    groups = np.arange(len(photos.X))
    emotion, sentiment = (make_model("lab", random_state=0) for _ in range(2))
    fit_model(emotion, photos.X, photos.y, groups)
    fit_model(sentiment, photos.X, photos.sentiments, groups)
    bundle = save_model(
        emotion, tmp_path / "both", photos=photos.X[:5].tolist(), sentiment_model=sentiment
    )
    assert bundle.config.learnt_sentiment
    expected = sentiment.predict_proba(photos.X)[:, 1]
    rows = tag_photos(photos.X, bundle.folder, opener=SKLEARN)
    found = {row.path: row.p_positive for row in rows}
    np.testing.assert_allclose([found[path] for path in photos.X], expected, atol=1e-4)
    other = fit_model(make_model("gist"), photos.X, photos.sentiments, groups)
    with pytest.raises(ModelError, match="same features"):
        save_model(emotion, tmp_path / "no", photos=photos.X[:5].tolist(), sentiment_model=other)


def test_scikit_learn_runs_what_has_a_network_too(sample_photos: list[str]) -> None:
    rows = {
        engine: list(tag_photos(sample_photos, opener=engine_opener(engine)))
        for engine in ("onnx", "sklearn")
    }
    for by_onnx, by_sklearn in zip(rows["onnx"], rows["sklearn"], strict=True):
        np.testing.assert_allclose(by_sklearn.probabilities, by_onnx.probabilities, atol=2e-3)
        assert by_sklearn.p_positive == pytest.approx(by_onnx.p_positive, abs=2e-3)


def test_photos_that_cannot_be_read_are_found_ahead(photos: Photos, tmp_path: Path) -> None:
    broken = str(tmp_path / "broken.jpg")
    Path(broken).write_bytes(b"\xff\xd8\xff")
    done: list[int] = []
    failures = prepare_photos(make_model("fusion"), [*photos.X.tolist(), broken], done.append)
    assert [error.path for error in failures] == [broken]
    assert sum(done) == len(photos.X) + 1


class TestDescriptions:
    @pytest.mark.parametrize(
        "features",
        [
            LabHistogram(bins=(2, 3, 4)),
            EdgeHistogram(extended=True, cache=False, n_jobs=2),
            FeatureUnion([("gist", GIST(blocks=2)), ("cnn", CNNFeatures("tiny"))]),
        ],
    )
    def test_round_trip_through_json(self, features: Any) -> None:
        said = json.loads(json.dumps(describe_features(features)))
        rebuilt = rebuild_features(said)
        assert describe_features(rebuilt) == describe_features(features)
        assert width_of(rebuilt) == width_of(features)

    def test_what_is_not_ours_or_is_weighted_is_not_taken(self) -> None:
        weighted = FeatureUnion([("gist", GIST())], transformer_weights={"gist": 2.0})
        nested = FeatureUnion([("union", FeatureUnion([("gist", GIST())]))])
        assert not any(map(is_describable, (weighted, nested, "gist")))

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ({"class": "os.system", "parameters": {}}, "not known to this emotag"),
            ({"class": ["GIST"], "parameters": {}}, "not known to this emotag"),
            ({"class": "GIST", "parameters": {}}, "GIST has other parameters"),
            ({"class": "GIST", "parameters": None}, "GIST has other parameters"),
            ({"class": "Union", "parts": []}, "not known to this emotag"),
            ({"class": "Union", "parts": [["a b", PLAIN]]}, "no sensible names"),
            ({"class": "Union", "parts": [["a", {"class": "Union"}]]}, "a union of unions"),
            ({"class": "Union", "parts": [["a"]]}, "not known to this emotag"),
            ({"class": "Union", "parts": [["n_jobs", PLAIN]]}, "no sensible names"),
            ({"class": "Union", "parts": [["a__b", PLAIN]]}, "no sensible names"),
            ({"class": "Union", "parts": [["a", PLAIN], ["a", PLAIN]]}, "no sensible names"),
        ],
    )
    def test_a_strangers_description_is_checked(self, said: dict[str, Any], words: str) -> None:
        with pytest.raises(ModelError, match=words):
            rebuild_features(said)

    def test_a_strangers_parameters_are_checked(self) -> None:
        said = describe_features(GIST())
        said["parameters"]["blocks"] = -1
        with pytest.raises(ModelError, match="its GIST makes no sense: blocks=-1"):
            rebuild_features(said)
        said["parameters"]["blocks"] = 10**9
        with pytest.raises(ModelError, match="blocks=1000000000"):
            rebuild_features(said)

    def test_a_tampered_bundle_is_refused(
        self, saved: Callable[[str], Bundle], tmp_path: Path
    ) -> None:
        folder = tmp_path / "tampered"
        shutil.copytree(saved("lab").folder, folder)
        config = json.loads((folder / "config.json").read_text())
        config["estimator"]["features"]["parameters"]["bins"] = [4, 14, 13]
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(BundleError, match="is refused"):
            load_model(folder)
        config["format_version"] = 1
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(BundleError, match="'preprocess' is not an object"):
            open_bundle(str(folder))
