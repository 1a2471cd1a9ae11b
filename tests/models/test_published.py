"""The paper's systems end to end, with weights that are not trained: none can be had here."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from emotag import load_model, make_model, save_model, tag_photos
from emotag.backbones.registry import fresh_backbone
from tests.models.conftest import Photos


def fresh_weights(folder: Path, name: str) -> str:
    """Write the state dict of a network as its publisher would."""
    torch.manual_seed(0)
    path = folder / f"{name}.pth"
    torch.save(fresh_backbone(name, "logits").state_dict(), path)
    return os.fspath(path)


def tagged(folder: Path, photos: list[str]) -> np.ndarray[Any, Any]:
    return np.array([row.probabilities for row in tag_photos(photos, str(folder))])


@pytest.mark.slow
def test_resnet50_is_tuned_saved_and_tags(photos: Photos, tmp_path: Path) -> None:
    weights = fresh_weights(tmp_path, "resnet50")
    model = make_model("resnet50", weights=weights, random_state=0)
    model.set_params(max_epochs=1, batch_size=10, validation_fraction=None)
    model.fit(photos.X, photos.y)
    some = photos.X[::10].tolist()
    save_model(model, tmp_path / "bundle", photos=some)
    # the weights are in the bundle: the file is not needed any more
    os.remove(weights)
    expected = load_model(tmp_path / "bundle").predict_proba(some)
    names = load_model(tmp_path / "bundle").classes_.tolist()
    order = [names.index(name) for name in ("love", "happiness", "fear", "sadness")]
    np.testing.assert_allclose(tagged(tmp_path / "bundle", some), expected[:, order], atol=1e-3)


@pytest.mark.slow
def test_the_svm_on_fc7_of_vgg16(photos: Photos, tmp_path: Path) -> None:
    weights = fresh_weights(tmp_path, "vgg16")
    model = make_model("svm", weights=weights, calibrated=False, random_state=0)
    model.fit(photos.X[::4], photos.y[::4])
    assert model[:-1].transform(photos.X[:1]).shape == (1, 4096)
    assert model.decision_function(photos.X[:3]).shape == (3, 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "places205"])
def test_vgg16_is_tuned(photos: Photos, tmp_path: Path, name: str) -> None:
    weights = fresh_weights(tmp_path, name)
    model = make_model(name, weights=weights, random_state=0)
    model.set_params(max_epochs=1, batch_size=4, validation_fraction=None)
    model.fit(photos.X[::5], photos.y[::5])
    os.remove(weights)
    proba = model.predict_proba(photos.X[:2])
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert model.module_.head.in_features == 4096
