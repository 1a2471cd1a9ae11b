"""The image tower of a CLIP network as a module of its own."""

from typing import Any

import torch
from torch import nn

__all__ = ["ImageTower"]


class ImageTower(nn.Module):
    """From normalised pixels to embeddings.

    Parameters
    ----------
    network : torch.nn.Module
        Of open_clip; its text tower is left behind.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.visual = network.visual

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the embeddings, of any length.

        Parameters
        ----------
        pixels : tensor of shape (n_photos, 3, size, size), float32
        """
        embeddings: torch.Tensor = self.visual(pixels)
        return embeddings
