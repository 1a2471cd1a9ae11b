"""EfficientNet-Lite0: the weights are where they belong, by name and by what they see."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from emotag.backbones.lite0 import LITE0
from emotag.backbones.registry import load_backbone
from emotag.backbones.states import read_state
from emotag.errors import WeightsError
from emotag.photos.decoding import decode_photo

# What timm calls the tensors of the file. A block without expansion has no first
# convolution, so that all its others stand one place earlier.
_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_WITHOUT_EXPANSION = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_WITH_EXPANSION = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


@pytest.fixture(scope="module")
def reference() -> torch.nn.Module:
    """timm's network, filled tensor by tensor, by name."""
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    blocks = [
        f"blocks.{i}.{j}" for i, stage in enumerate(network.blocks) for j in range(len(stage))
    ]
    given = torch.load(LITE0.weights.fetch(), weights_only=True)
    state = {}
    for name, tensor in given.items():
        parts = name.split(".")
        if parts[0] == "_blocks":
            block, part, leaf = parts[1:]
            expands = f"_blocks.{block}._expand_conv.weight" in given
            names = _WITH_EXPANSION if expands else _WITHOUT_EXPANSION
            state[f"{blocks[int(block)]}.{names[part]}.{leaf}"] = tensor
        else:
            state[f"{_TOP.get(parts[0], 'classifier')}.{parts[1]}"] = tensor
    network.load_state_dict(state)
    return network.eval()


def normalised(path: str) -> torch.Tensor:
    pixels = decode_photo(path, LITE0.preprocess).pixels[np.newaxis]
    return torch.from_numpy(LITE0.preprocess.normalise(pixels))


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@torch.inference_mode()
def test_features_are_those_of_timms_network(
    reference: torch.nn.Module, sample_photos: list[str]
) -> None:
    pool, logits = load_backbone("lite0"), load_backbone("lite0", "logits")
    for path in sample_photos:
        pixels = normalised(path)
        expected = reference.forward_head(reference.forward_features(pixels), pre_logits=True)
        torch.testing.assert_close(pool(pixels), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(logits(pixels), reference(pixels), rtol=1e-5, atol=1e-5)
        assert pool(pixels).shape == (1, LITE0.layers["pool"])
        assert logits(pixels).shape == (1, LITE0.layers["logits"])


@torch.inference_mode()
def test_preprocessing_is_timms_but_for_rounding(
    reference: torch.nn.Module, sample_photos: list[str]
) -> None:
    transform = create_transform(**resolve_model_data_config(reference))
    for path in sample_photos:
        theirs = transform(Image.open(path).convert("RGB"))[np.newaxis]
        ours = normalised(path)
        assert theirs.shape == ours.shape
        features = [reference(pixels).numpy()[0] for pixels in (ours, theirs)]
        assert cosine(*features) > 0.99


@torch.inference_mode()
def test_it_sees_what_is_there(sample_photos: list[str]) -> None:
    network = load_backbone("lite0", "logits")
    china, flower = (int(network(normalised(path)).argmax()) for path in sample_photos)
    # in the order of ImageNet-1k: 698 palace, 985 daisy and, a flower too, 308 fly on one
    assert china in (663, 698)
    assert flower in (308, 723, 738, 883, 985)


def test_tensors_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save(timm.create_model("mobilenetv2_035").state_dict(), path)
    with pytest.raises(WeightsError) as caught:
        LITE0.build(str(path), "pool")
    assert str(caught.value).startswith(
        f"{path} holds the weights of another network than EfficientNet-Lite0: it lacks blocks.5."
    )


@torch.inference_mode()
def test_the_package_s_tensors_in_any_order(tmp_path: Path) -> None:
    pixels = torch.rand(2, 3, 224, 224)
    expected = load_backbone("lite0")(pixels)
    state = {
        name: tensor.contiguous() for name, tensor in read_state(LITE0.weights.fetch()).items()
    }
    # safetensors keeps names sorted
    safetensors.torch.save_file(state, tmp_path / "sorted.safetensors")
    found = load_backbone("lite0", weights=tmp_path / "sorted.safetensors")(pixels)
    torch.testing.assert_close(found, expected)
