"""The layers are the paper's, and begin as they say."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from emotag.errors import ModelError
from emotag.models.finetuning.training import make_network
from emotag.models.network import PixelNetwork, export_network
from emotag.models.progressive.networks import (
    ARCHITECTURES,
    PREPROCESS,
    build_trunk,
    draw_weights,
    find_architecture,
)

NAMES = ["2conv-4fc", "2conv-3fc", "3conv-2fc", "3conv-4fc"]

CONV1 = 96 * (11 * 11 * 3 + 1)
CONV2 = 256 * (5 * 5 * 96 + 1)
CONV3 = 384 * (3 * 3 * 256 + 1)


def direct_normalisation(values: np.ndarray) -> np.ndarray:
    """Krizhevsky et al. 2012, section 3.3, kernel by kernel, with Caffe's alpha over n."""
    kernels = values.shape[1]
    found = np.empty_like(values)
    for i in range(kernels):
        near = values[:, max(0, i - 2) : min(kernels, i + 3)]
        scale = (1 + 1e-4 / 5 * (near**2).sum(axis=1)) ** 0.75
        found[:, i] = values[:, i] / scale
    return found


class TestLayers:
    def test_of_the_paper(self) -> None:
        trunk = build_trunk(ARCHITECTURES["2conv-4fc"])
        shapes = {}
        value = torch.zeros(1, 3, 227, 227)
        for name, layer in trunk.named_children():
            value = layer(value)
            shapes[name] = tuple(value.shape[1:])
        assert shapes == {
            "conv1": (96, 55, 55),
            "conv1_relu": (96, 55, 55),
            "conv1_pool": (96, 27, 27),
            "conv1_norm": (96, 27, 27),
            "conv2": (256, 27, 27),
            "conv2_relu": (256, 27, 27),
            "conv2_pool": (256, 13, 13),
            "conv2_norm": (256, 13, 13),
            "flatten": (256 * 13 * 13,),
            "fc1": (512,),
            "fc1_relu": (512,),
            "fc2": (512,),
            "fc2_relu": (512,),
            "fc3": (24,),
            "fc3_relu": (24,),
        }

    @pytest.mark.parametrize(
        ("name", "count"),
        [
            (
                "2conv-4fc",
                CONV1 + CONV2 + 512 * (256 * 13 * 13 + 1) + 512 * (512 + 1) + 24 * (512 + 1),
            ),
            ("2conv-3fc", CONV1 + CONV2 + 512 * (256 * 13 * 13 + 1) + 24 * (512 + 1)),
            ("3conv-2fc", CONV1 + CONV2 + CONV3 + 24 * (384 * 6 * 6 + 1)),
            (
                "3conv-4fc",
                CONV1 + CONV2 + CONV3 + 512 * (384 * 6 * 6 + 1) + 512 * (512 + 1) + 24 * (512 + 1),
            ),
        ],
    )
    def test_how_many_weights(self, name: str, count: int) -> None:
        architecture = ARCHITECTURES[name]
        # with the last layer, as many convolutions and fully connected ones as its name says
        network = make_network(build_trunk(architecture), architecture.n_features, 2, 0.0, seed=0)
        assert sum(value.numel() for value in network.parameters()) == count + 2 * (24 + 1)
        kinds = [type(layer) for layer in network.modules()]
        assert f"{kinds.count(nn.Conv2d)}conv-{kinds.count(nn.Linear)}fc" == name

    def test_normalisation_against_a_direct_computation(self) -> None:
        values = np.random.default_rng(0).uniform(0, 300, (2, 96, 3, 3)).astype(np.float32)
        norm = build_trunk(ARCHITECTURES["2conv-4fc"]).get_submodule("conv1_norm")
        found = norm(torch.from_numpy(values)).numpy()
        np.testing.assert_allclose(found, direct_normalisation(values), rtol=1e-4)
        # large enough that it does something
        assert (found < 0.9 * values).mean() > 0.5

    def test_photos_are_squashed_and_cropped_as_in_the_paper(self) -> None:
        assert (PREPROCESS.size, PREPROCESS.resize, PREPROCESS.keep_aspect) == (227, 256, False)


class TestFirstWeights:
    def test_same_seed_same_weights(self) -> None:
        first, second, other = (build_trunk(ARCHITECTURES["3conv-2fc"]) for _ in range(3))
        for trunk, seed in ((first, 3), (second, 3), (other, 4)):
            draw_weights(trunk.modules(), seed)
        for name, value in first.state_dict().items():
            assert torch.equal(value, second.state_dict()[name])
            if name.endswith("weight"):
                assert not torch.equal(value, other.state_dict()[name])
            else:
                assert not value.any()

    def test_global_random_state_is_left_alone(self) -> None:
        trunk = build_trunk(ARCHITECTURES["small"])
        before = torch.get_rng_state()
        draw_weights(trunk.modules(), 0)
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", NAMES)
def test_onnx_agrees(name: str) -> None:
    architecture = ARCHITECTURES[name]
    network = make_network(build_trunk(architecture), architecture.n_features, 5, 0.0, seed=0)
    draw_weights(network.modules(), 0)
    whole = PixelNetwork(PREPROCESS, network.trunk, emotion=network.head).eval()
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 3, 227, 227)).astype(np.float32)
    session = onnxruntime.InferenceSession(export_network(whole, PREPROCESS.size))
    with torch.inference_mode():
        expected = whole(torch.from_numpy(pixels))[0].numpy()
    assert np.ptp(expected, axis=1).min() > 0.01
    np.testing.assert_allclose(session.run(None, {"pixels": pixels})[0], expected, atol=1e-3)


def test_an_unknown_name() -> None:
    with pytest.raises(ModelError) as caught:
        find_architecture("2conv-5fc")
    assert str(caught.value).startswith(
        "architecture='2conv-5fc'; choose from '2conv-4fc', '2conv-3fc', '3conv-2fc', '3conv-4fc'"
    )
    assert "Did you mean '2conv-" in str(caught.value)
