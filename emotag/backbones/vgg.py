"""VGG16: on ImageNet as torchvision publishes it, on Places205 as Caffe did."""

import tarfile
import tempfile
from typing import TYPE_CHECKING, Any

from emotag.backbones.backbone import Backbone
from emotag.backbones.states import read_state, refuse_other_tensors
from emotag.backbones.weights import UrlWeights
from emotag.photos.preprocess import Preprocess

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["PLACES205", "VGG16"]

_IMAGENET_CLASSES = 1000
_PLACES_CLASSES = 205

# What the modules of torchvision's classifier give: fc6 and fc7 after their ReLU, as the
# blobs of those names hold in Caffe, where it works in place.
_CLASSIFIER_END = {"fc6": 2, "fc7": 5}


def _layers(n_classes: int) -> dict[str, int]:
    return {"pool": 512, "fc6": 4096, "fc7": 4096, "logits": n_classes}


def _cut(network: Any, layer: str) -> "nn.Module":
    """Return a VGG16 up to a layer; ``pool`` is the last feature map, averaged over places."""
    from torch import nn

    if layer == "pool":
        network.avgpool, network.classifier = nn.AdaptiveAvgPool2d(1), nn.Identity()
    elif layer in _CLASSIFIER_END:
        network.classifier = network.classifier[: _CLASSIFIER_END[layer]]
    return network  # type: ignore[no-any-return]


def _fresh(n_classes: int) -> "nn.Module":
    from torchvision.models import vgg16

    network: nn.Module = vgg16(weights=None, num_classes=n_classes)
    return network


def _build_imagenet(path: str | None, layer: str) -> "nn.Module":
    network = _fresh(_IMAGENET_CLASSES)
    if path is not None:
        _fill(network, path, read_state(path), "VGG16")
    return _cut(network, layer)


def _build_places(path: str | None, layer: str) -> "nn.Module":
    network = _fresh(_PLACES_CLASSES)
    if path is not None:
        _fill(network, path, _places_state(path), "VGG16 of 205 scenes")
    return _cut(network, layer)


def _fill(network: Any, path: str, given: "dict[str, torch.Tensor]", name: str) -> None:
    refuse_other_tensors(path, given, network.state_dict(), name)
    network.load_state_dict(given)


def _places_state(path: str) -> "dict[str, torch.Tensor]":
    """Return the tensors of a caffemodel, of an archive that holds one, or of a state dict."""
    import torch

    from emotag.backbones.caffe import extract_caffemodel, read_caffemodel, vgg16_state

    if path.endswith((".pt", ".pth", ".safetensors")):
        return read_state(path)
    with tempfile.TemporaryDirectory() as folder:
        model = path
        if _is_archive(path):
            model = extract_caffemodel(path, f"{folder}/places205.caffemodel")
        state = vgg16_state(read_caffemodel(model), n_classes=_PLACES_CLASSES, path=path)
    return {name: torch.from_numpy(blob) for name, blob in state.items()}


def _is_archive(path: str) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except OSError:
        return False


def _unpack(archive: str, path: str) -> None:
    from emotag.backbones.caffe import extract_caffemodel

    extract_caffemodel(archive, path)


VGG16 = Backbone(
    name="vgg16",
    title="VGG16, ImageNet-1k",
    weights=UrlWeights(
        source="torchvision",
        licence="BSD-3-Clause",
        size=553_433_881,
        name="vgg16",
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        digest="sha256:397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    ),
    # torchvision's VGG16_Weights.IMAGENET1K_V1: mean and deviation of ImageNet, times 255
    preprocess=Preprocess(
        size=224,
        resize=256,
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        interpolation="bilinear",
    ),
    layers=_layers(_IMAGENET_CLASSES),
    default_layer="fc7",
    build=_build_imagenet,
    head=("classifier.6",),
    classes="imagenet",
)

PLACES205 = Backbone(
    name="places205",
    title="VGG16, Places205",
    weights=UrlWeights(
        source="MIT Places",
        licence="CC-BY",
        size=None,
        name="places205",
        url="http://places.csail.mit.edu/model/places205vgg.tar.gz",
        # as a public listing has it, of the archive
        digest="sha1:d8f057c5d287e6e12b65e6cf33bdada1a71e353b",
        file="places205vgg_iter_765280.caffemodel",
        unpack=_unpack,
    ),
    # The mean of the Places205 data set, as its prototxt has it; Caffe squashes photos.
    preprocess=Preprocess(
        size=224,
        resize=256,
        mean=(105.487823486, 113.741088867, 116.060394287),
        std=(1.0, 1.0, 1.0),
        channels="BGR",
        interpolation="bilinear",
        keep_aspect=False,
    ),
    layers=_layers(_PLACES_CLASSES),
    default_layer="fc7",
    build=_build_places,
    head=("classifier.6",),
)
