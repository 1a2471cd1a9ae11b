"""VGG16, Places205 and ResNet-50: their whole path, with weights that are not trained."""

from pathlib import Path

import pytest
import torch

from emotag.backbones.registry import find_backbone, fresh_backbone, load_backbone
from emotag.errors import WeightsError

WIDTHS = [("resnet50", "pool", 2048), ("resnet50", "logits", 1000)]


@pytest.mark.parametrize(("name", "layer", "width"), WIDTHS)
@torch.inference_mode()
def test_weights_of_a_file(tmp_path: Path, name: str, layer: str, width: int) -> None:
    torch.manual_seed(0)
    whole = fresh_backbone(name, "logits")
    path = tmp_path / "weights.pth"
    torch.save(whole.state_dict(), path)
    loaded = load_backbone(name, layer, path)
    pixels = torch.rand(2, 3, 224, 224)
    assert loaded(pixels).shape == (2, width)
    if layer == "logits":
        torch.testing.assert_close(loaded(pixels), whole(pixels))
    assert find_backbone(name, path).at_hand


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "places205"])
@torch.inference_mode()
def test_layers_of_vgg16(name: str) -> None:
    pixels = torch.rand(1, 3, 224, 224)
    for layer, width in find_backbone(name).layers.items():
        found = fresh_backbone(name, layer)(pixels)
        assert found.shape == (1, width)
        # fc6 and fc7 are taken after their ReLU
        assert layer == "logits" or float(found.min()) >= 0


def test_weights_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"fc.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(WeightsError) as caught:
        load_backbone("resnet50", weights=path)
    start = f"{path} holds the weights of another network than ResNet-50: it lacks conv1.weight, "
    assert str(caught.value).startswith(start)
    assert "it has fc.weight (3, 3) instead of (1000, 2048)" in str(caught.value)
