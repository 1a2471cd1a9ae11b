"""The whole network of a saved model: pixels in, probabilities out, in torch and in ONNX."""

import dataclasses
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from emotag.bundle.config import BundleConfig
from emotag.bundle.engine import OnnxEngine
from emotag.emotions import LabelSet
from emotag.models.network import PixelNetwork, export_network, halve_weights
from emotag.photos.preprocess import Preprocess
from emotag.sessions import refuse_external_data
from tests.networks import PREPROCESS, SIDE, TINY_FEATURES, TinyNetwork

PIXELS = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)
LABELS = LabelSet(["love", "fear", "joy"])
BGR = dataclasses.replace(
    PREPROCESS, channels="BGR", mean=(104.0, 117.0, 124.0), std=(50.0, 60.0, 70.0)
)


def make_network(
    preprocess: Preprocess = PREPROCESS, *, sentiment: bool = False
) -> tuple[PixelNetwork, nn.Module, nn.Module]:
    torch.manual_seed(1)
    backbone, head = TinyNetwork(), nn.Linear(TINY_FEATURES, 3)
    second = nn.Linear(TINY_FEATURES, 2) if sentiment else None
    return PixelNetwork(preprocess, backbone, head, second).eval(), backbone, head


def engine(model: bytes, *, learnt_sentiment: bool = False) -> OnnxEngine:
    facts: dict[str, Any] = {"recipe": "custom", "backbone": "tiny", "emotag_version": "0"}
    config = BundleConfig(
        "tests", label_set=LABELS, preprocess=PREPROCESS, learnt_sentiment=learnt_sentiment, **facts
    )
    return OnnxEngine(model, config)


@pytest.mark.parametrize("preprocess", [PREPROCESS, BGR])
def test_normalisation_is_inside(preprocess: Preprocess) -> None:
    network, backbone, head = make_network(preprocess)
    (found,) = network.predict(PIXELS)
    with torch.inference_mode():
        features = backbone(torch.from_numpy(preprocess.normalise(PIXELS)))
        expected = torch.softmax(head(features), dim=1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.shape == (5, 3)


@pytest.mark.parametrize(("preprocess", "sentiment"), [(PREPROCESS, True), (BGR, False)])
def test_onnx_says_what_torch_says(preprocess: Preprocess, sentiment: bool) -> None:
    network, _, _ = make_network(preprocess, sentiment=sentiment)
    model = export_network(network, SIDE)
    refuse_external_data(model)
    scores = engine(model, learnt_sentiment=sentiment)(PIXELS)
    expected = network.predict(PIXELS)
    np.testing.assert_allclose(scores.emotion, expected[0], atol=1e-5)
    assert len(expected) == 1 + sentiment
    if sentiment:
        np.testing.assert_allclose(scores.positive, expected[1][:, 1], atol=1e-5)
    # any number of photos
    assert engine(model, learnt_sentiment=sentiment)(PIXELS[:1]).emotion.shape == (1, 3)


def stored_types(model: bytes) -> dict[str, int]:
    return {
        tensor.name: tensor.data_type for tensor in onnx.load_from_string(model).graph.initializer
    }


def test_half_weights() -> None:
    network, _, _ = make_network()
    whole = export_network(network, SIDE)
    half = halve_weights(whole)
    onnx.checker.check_model(onnx.load_from_string(half), full_check=True)
    weight_bytes = 3 * 8 * 8 * TINY_FEATURES * 4
    assert len(whole) - len(half) == pytest.approx(weight_bytes / 2, abs=500)
    types = stored_types(half)
    assert onnx.TensorProto.FLOAT16 in types.values()
    # biases weigh nothing and stay whole
    assert onnx.TensorProto.FLOAT in types.values()
    scores: NDArray[np.float32] = engine(half)(PIXELS).emotion
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, network.predict(PIXELS)[0], atol=1e-3)
    assert np.abs(scores - network.predict(PIXELS)[0]).max() > 0


def test_halving_twice_changes_nothing_more() -> None:
    half = halve_weights(export_network(make_network()[0], SIDE))
    assert stored_types(halve_weights(half)) == stored_types(half)
