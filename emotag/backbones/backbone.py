"""What a backbone is: a network with its weights, preprocessing and layers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from emotag.backbones.weights import LocalWeights, Weights
from emotag.errors import ModelError, did_you_mean
from emotag.photos.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Backbone", "Build"]

Build = Callable[[str | None, str], "nn.Module"]


@dataclass(frozen=True)
class Backbone:
    """A pretrained network and everything that belongs to its weights.

    Attributes
    ----------
    name : str
        As in ``CNNFeatures(backbone=...)``.
    title : str
        What it is, in a few words.
    weights : Weights
        Source, licence, checksum, and the file.
    preprocess : Preprocess
        What the network was trained with.
    layers : dict of str to int
        The layers whose output can be taken, and how many features each has.
    default_layer : str
        The one that is taken where none is named.
    build : callable
        Takes the path of the weights' file, or None for fresh weights, and a
        layer; returns a module from normalised pixels (n, 3, size, size) to
        features (n, n_features).
    head : tuple of str
        The whole network's parameters that belong to its own classifier,
        by the beginning of their names; fine-tuning replaces them.
    classes : str
        The list of names of what the layer ``logits`` tells apart, such as ``'imagenet'``;
        empty where there is none.
    trainable : bool
        Whether the network can be fine-tuned.
    """

    name: str
    title: str
    weights: Weights
    preprocess: Preprocess
    layers: dict[str, int]
    default_layer: str
    build: Build
    head: tuple[str, ...] = ()
    classes: str = ""
    trainable: bool = True

    @property
    def at_hand(self) -> bool:
        """Whether the weights are on this machine."""
        return self.weights.at_hand

    def with_weights(self, path: str) -> Self:
        """Return the same backbone with weights from a file of the user's."""
        return replace(self, weights=LocalWeights(path))

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
                f"choose from {', '.join(self.layers)}.{did_you_mean(layer, self.layers)}"
            )
        return layer
