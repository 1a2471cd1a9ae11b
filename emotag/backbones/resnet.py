"""ResNet-50 on ImageNet, as torchvision publishes it."""

from typing import TYPE_CHECKING

from emotag.backbones.backbone import Backbone
from emotag.backbones.states import read_state, refuse_other_tensors
from emotag.backbones.weights import UrlWeights
from emotag.photos.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

__all__ = ["RESNET50"]


def _build(path: str | None, layer: str) -> "nn.Module":
    from torch import nn
    from torchvision.models import resnet50

    network = resnet50(weights=None)
    if path is not None:
        given = read_state(path)
        refuse_other_tensors(path, given, network.state_dict(), "ResNet-50")
        network.load_state_dict(given)
    if layer == "pool":
        network.fc = nn.Identity()
    return network  # type: ignore[no-any-return]


RESNET50 = Backbone(
    name="resnet50",
    title="ResNet-50, ImageNet-1k",
    weights=UrlWeights(
        source="torchvision",
        licence="BSD-3-Clause",
        size=102_530_333,
        name="resnet50",
        # the first of torchvision's two: trained as in the paper of He et al.
        url="https://download.pytorch.org/models/resnet50-0676ba61.pth",
        digest="sha256:0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    ),
    preprocess=Preprocess(
        size=224,
        resize=256,
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        interpolation="bilinear",
    ),
    layers={"pool": 2048, "logits": 1000},
    default_layer="pool",
    build=_build,
    head=("fc",),
    classes="imagenet",
)
