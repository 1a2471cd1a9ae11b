"""Concepts alone and fused, as recipes and as bundles."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from sklearn.pipeline import FeatureUnion, Pipeline

from emotag import CNNFeatures, ConceptScores, load_model, make_model, save_model, tag_photos
from emotag.bundle.folder import open_bundle
from emotag.errors import BundleError, ModelError
from emotag.models.fusion import PriorFusion
from emotag.models.loading import load_network
from emotag.models.parity import PARITY
from emotag.models.trunks import load_trunk
from emotag.photos.decoding import decode_photo
from tests.models.conftest import Photos


@pytest.fixture(scope="module", params=["concepts", "fused"])
def saved(
    request: pytest.FixtureRequest, photos: Photos, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Pipeline, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOTAG_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        model = make_model(request.param, random_state=0).fit(photos.X, photos.y)
        folder = tmp_path_factory.mktemp("concepts") / request.param
        save_model(model, folder, photos=photos.X[:8].tolist())
    return model, folder


@pytest.mark.parametrize("recipe", ["concepts", "fused"])
def test_recipes_begin_from_the_concepts(recipe: str, photos: Photos) -> None:
    model = make_model(recipe, random_state=0).fit(photos.X, photos.y)
    features, head = model.named_steps["features"], model.named_steps["classify"]
    fusion = head.calibrated_classifiers_[0].estimator
    concepts = features if recipe == "concepts" else features.transformer_list[1][1]
    columns = [concepts.labels_.index(name) for name in model.classes_]
    assert fusion.prior_columns_.tolist() == columns
    if recipe == "concepts":
        # nothing is learnt, so the highest score is the label
        highest = concepts.transform(photos.X)[:, columns].argmax(axis=1)
        np.testing.assert_array_equal(model.predict(photos.X), model.classes_[highest])


@pytest.mark.slow
class TestBundles:
    def test_tags_are_predictions(self, saved: tuple[Pipeline, Path], photos: Photos) -> None:
        model, folder = saved
        labels = open_bundle(str(folder)).config.label_set.names
        columns = [model.classes_.tolist().index(name) for name in labels]
        rows = list(tag_photos(photos.X.tolist(), str(folder)))
        tagged = np.array([row.probabilities for row in rows])
        np.testing.assert_allclose(tagged, model.predict_proba(photos.X)[:, columns], atol=PARITY)

    def test_read_back(self, saved: tuple[Pipeline, Path], photos: Photos) -> None:
        model, folder = saved
        loaded = load_model(folder)
        np.testing.assert_allclose(
            loaded.predict_proba(photos.X[:5]), model.predict_proba(photos.X[:5]), atol=1e-6
        )
        bundle = open_bundle(str(folder))
        pixels = np.stack(
            [decode_photo(path, bundle.config.preprocess).pixels for path in photos.X[:3]]
        )
        names = bundle.config.label_set.names
        columns = [model.classes_.tolist().index(name) for name in names]
        expected = model.predict_proba(photos.X[:3])[:, columns]
        np.testing.assert_allclose(load_network(bundle).predict(pixels)[0], expected, atol=PARITY)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda said: said.update(softness=0), "'softness' of its concepts makes no sense"),
            (lambda said: said.update(mean=[1.0]), "'mean' of its concepts makes no sense"),
            (lambda said: said.update(spread=[0.0] * 7), "its concepts make no sense"),
            (lambda said: said.update(weights_sha256="0"), "it was made with other weights of"),
            (lambda said: said.pop("epsilon"), "config.json lacks 'epsilon'"),
            (lambda said: said.update(centre="high"), "could not convert string to float"),
        ],
    )
    def test_an_altered_description(
        self,
        saved: tuple[Pipeline, Path],
        tmp_path: Path,
        change: Callable[[dict[str, Any]], Any],
        reason: str,
    ) -> None:
        folder = shutil.copytree(saved[1], tmp_path / "copy")
        config = json.loads((folder / "config.json").read_text())
        said = config["estimator"]["features"]
        change(said.get("concepts", said))
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(BundleError) as caught:
            load_model(folder)
        assert str(caught.value).startswith(f"The model {folder} is refused: {reason}")

    @pytest.mark.parametrize("part", ["class", "cnn", "concepts"])
    def test_unknown_features(
        self, saved: tuple[Pipeline, Path], tmp_path: Path, part: str
    ) -> None:
        folder = shutil.copytree(saved[1], tmp_path / "copy")
        config = json.loads((folder / "config.json").read_text())
        said = config["estimator"]["features"]
        if part not in said:
            pytest.skip(f"concepts alone have no {part}")
        said[part] = "something else"
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(BundleError, match="its features are not known to this emotag"):
            load_model(folder)

    def test_a_bundle_without_its_table(self, saved: tuple[Pipeline, Path], tmp_path: Path) -> None:
        folder = shutil.copytree(saved[1], tmp_path / "copy")
        config = json.loads((folder / "config.json").read_text())
        del config["files"]["concepts.csv"]
        (folder / "config.json").write_text(json.dumps(config))
        with pytest.raises(BundleError, match=r"it lacks concepts\.csv"):
            load_model(folder)


def test_features_of_two_backbones(photos: Photos, tmp_path: Path, tiny: Any) -> None:
    features = FeatureUnion([("cnn", CNNFeatures("tiny")), ("concepts", ConceptScores("lite0"))])
    model = Pipeline([("features", features), ("classify", PriorFusion())])
    model.fit(photos.X, photos.y)
    with pytest.raises(ModelError) as caught:
        save_model(model, tmp_path / "b", photos=photos.X[:2].tolist())
    assert str(caught.value) == (
        "Features and concepts can be saved together if they are of one backbone and of "
        "the whole photo, without mirroring."
    )


def test_a_classifier_that_stands_on_other_features(photos: Photos, tmp_path: Path) -> None:
    network = timm.create_model("test_resnet.r160_in1k")
    path = tmp_path / "weights.pth"
    torch.save(network.state_dict(), path)
    name = "timm:test_resnet.r160_in1k"
    cnn = CNNFeatures(name, layer="logits", weights=path)
    concepts = ConceptScores(name, weights=path).fit(photos.X[:4])
    with pytest.raises(ModelError, match="is no linear layer on its layer logits"):
        load_trunk(FeatureUnion([("cnn", cnn), ("concepts", concepts)]))
    fits = CNNFeatures(name, weights=path)
    trunk = load_trunk(FeatureUnion([("cnn", fits), ("concepts", concepts)]))
    with torch.inference_mode():
        assert trunk(torch.rand(2, 3, 160, 160)).shape == (2, network.num_features + 7)
