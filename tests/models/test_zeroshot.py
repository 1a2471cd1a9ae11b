"""CLIP's classifier without training: as open_clip itself would do it, and what is refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import safetensors.torch
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from emotag import ZeroShotCLIP, save_model, tag_photos
from emotag.errors import LabelError, ModelError, WeightsError

MODEL = "RN50/cc12m"
PROMPTS = ("a photo of {}", "{} on a wall")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A network with fresh weights; the published ones need a network of the other kind."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("clip") / "weights.safetensors"
    network = open_clip.create_model("RN50")
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    safetensors.torch.save_file(state, path)
    return os.fspath(path)


def by_open_clip(weights: str, labels: list[str], photos: list[str]) -> np.ndarray[Any, Any]:
    network, _, transform = open_clip.create_model_and_transforms("RN50", pretrained=weights)
    network.eval()
    tokenizer = open_clip.get_tokenizer("RN50")
    with torch.inference_mode():
        texts = []
        for label in labels:
            tokens = tokenizer([prompt.format(label) for prompt in PROMPTS])
            mean = network.encode_text(tokens, normalize=True).mean(dim=0)
            texts.append(mean / mean.norm())
        images = torch.stack([transform(Image.open(path)) for path in photos])
        embedded = network.encode_image(images, normalize=True)
        return (100 * embedded @ torch.stack(texts).T).softmax(dim=1).numpy()


@pytest.mark.slow
def test_scores_are_open_clips_also_in_a_bundle(
    weights: str, sample_photos: list[str], tmp_path: Path
) -> None:
    labels = ["fear", "happiness", "love"]
    model = ZeroShotCLIP(["love", "fear", "happiness"], PROMPTS, model=MODEL, weights=weights)
    model.fit()
    assert model.classes_.tolist() == labels
    found = model.predict_proba(sample_photos)
    expected = by_open_clip(weights, labels, sample_photos)
    # the crops differ by rounding
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert model.predict(sample_photos).tolist() == [labels[i] for i in found.argmax(axis=1)]
    save_model(model, tmp_path / "bundle", photos=sample_photos)
    rows = list(tag_photos(sample_photos, str(tmp_path / "bundle")))
    assert [row.emotion for row in rows] == model.predict(sample_photos).tolist()


@pytest.mark.slow
def test_two_labels(weights: str, sample_photos: list[str]) -> None:
    model = ZeroShotCLIP(["love", "fear"], PROMPTS, model=MODEL, weights=weights).fit()
    expected = by_open_clip(weights, ["fear", "love"], sample_photos)
    np.testing.assert_allclose(model.predict_proba(sample_photos), expected, atol=0.02)


@pytest.mark.parametrize(
    ("labels", "prompts", "error", "message"),
    [
        ("fear", None, LabelError, "labels='fear' must be a list of labels."),
        (["fear"], None, LabelError, "labels=['fear']: at least two are needed, each once."),
        (
            ["fear", "fear", "love"],
            None,
            LabelError,
            "labels=['fear', 'fear', 'love']: at least two are needed, each once.",
        ),
        (
            None,
            ["a photo"],
            ModelError,
            "prompts=['a photo']: each needs {} where the label goes, as in 'a photo of {}'.",
        ),
        (
            None,
            [],
            ModelError,
            "prompts=[]: each needs {} where the label goes, as in 'a photo of {}'.",
        ),
    ],
)
def test_what_makes_no_sense(
    labels: Any, prompts: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        ZeroShotCLIP(labels, prompts).fit()
    assert str(caught.value) == message


def test_weights_that_are_not_there() -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        ZeroShotCLIP(weights="nowhere.safetensors").fit()


def test_scikit_learns_rules(sample_photos: list[str]) -> None:
    model = ZeroShotCLIP(["awe", "fear"], prompts=["{}"])
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        model.predict(sample_photos)
