"""The frozen part of a saved network: a backbone as `CNNFeatures` runs it."""

import torch
from torch import nn

from emotag.backbones.registry import load_backbone
from emotag.features.cnn import CNNFeatures

__all__ = ["MirrorMean", "load_trunk"]


class MirrorMean(nn.Module):
    """The mean of what a network gives for a photo and for its mirror image.

    Parameters
    ----------
    network : torch.nn.Module
        From normalised pixels to features.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the features.

        Parameters
        ----------
        pixels : tensor of shape (n_photos, 3, size, size), float32
        """
        mean: torch.Tensor = (self.network(pixels) + self.network(pixels.flip(3))) / 2
        return mean


def load_trunk(features: CNNFeatures) -> nn.Module:
    """Return the network that gives these features, ready for inference.

    Parameters
    ----------
    features : CNNFeatures
        Fitted or not.

    Raises
    ------
    WeightsError
        The weights are missing, or are not the ones that were meant.
    """
    network = load_backbone(features.backbone, features.layer, features.weights)
    return MirrorMean(network).eval() if features.mirror else network
