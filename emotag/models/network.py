"""The whole network of a saved model: from pixels to probabilities, and its ONNX form."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from emotag.backbones.onnx_module import OnnxModule
from emotag.backbones.runtime import export_onnx
from emotag.bundle.engine import SEEN
from emotag.errors import ModelError
from emotag.models.concept_network import ConceptTrunk, SeeingTrunk
from emotag.models.wrapping import wrap_network
from emotag.photos.preprocess import Preprocess

__all__ = ["HEADS", "PixelNetwork", "export_network", "halve_weights", "reorder_head"]

HEADS = "model.safetensors"
"""The file of a bundle with the weights that are not the backbone's."""

# Smaller tensors, such as biases, stay as they are: they weigh nothing.
_HALVED_FROM = 4096
_LARGEST_HALF = float(np.finfo(np.float16).max)


class PixelNetwork(nn.Module):
    """From pixels to calibrated probabilities, with everything in between.

    Parameters
    ----------
    preprocess : Preprocess
        Its normalisation becomes part of the network.
    backbone : torch.nn.Module
        From normalised pixels to features.
    emotion : torch.nn.Module
        From features to the logits of the emotions.
    sentiment : torch.nn.Module, optional
        From features to the logits of negative and positive.
    """

    def __init__(
        self,
        preprocess: Preprocess,
        backbone: nn.Module,
        emotion: nn.Module,
        sentiment: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.emotion = emotion
        self.sentiment = sentiment
        self.reverse_channels = preprocess.channels == "BGR"
        mean = torch.tensor(preprocess.mean, dtype=torch.float32).reshape(1, 3, 1, 1)
        std = torch.tensor(preprocess.std, dtype=torch.float32).reshape(1, 3, 1, 1)
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the probabilities of photos.

        Parameters
        ----------
        pixels : tensor of shape (n_photos, 3, size, size), float32
            Values 0 to 255 in the order R, G, B.

        Returns
        -------
        tuple of tensors of shape (n_photos, n_labels)
            Of the emotions; where it is learnt, of the sentiment (negative,
            positive); and where it stands on concepts, of the backbone's own classes.
        """
        planes = self.normalise(pixels)
        if isinstance(self.backbone, SeeingTrunk):
            features, seen = self.backbone.see(planes)
            return (*self.judge(features), seen)
        return self.judge(self.backbone(planes).flatten(1))

    @property
    def outputs(self) -> list[str]:
        """The names of what it gives, in order."""
        names = ["emotion"] if self.sentiment is None else ["emotion", "sentiment"]
        sees = isinstance(self.backbone, SeeingTrunk)
        return [*names, SEEN] if sees else names

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return pixels as the backbone takes them."""
        if self.reverse_channels:
            pixels = pixels.flip(1)
        return (pixels - self.mean) / self.std

    def judge(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the probabilities for features of shape (n_photos, n_features)."""
        heads = [self.emotion] if self.sentiment is None else [self.emotion, self.sentiment]
        return tuple(torch.softmax(head(features), dim=1) for head in heads)

    def predict(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Return `forward` of pixels of shape (n_photos, size, size, 3), uint8."""
        planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32)
        with torch.inference_mode():
            return [output.numpy() for output in self(torch.from_numpy(planes))]


class _Normalise(nn.Module):
    """What a network does before its backbone."""

    def __init__(self, network: PixelNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.network.normalise(pixels)


class _Judge(nn.Module):
    """What a network does after its backbone."""

    def __init__(self, network: PixelNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        trunk = self.network.backbone
        if isinstance(trunk, ConceptTrunk):
            scores, seen = trunk.read(features)
            return (*self.network.judge(scores), seen)
        return self.network.judge(features)


def export_network(network: PixelNetwork, size: int) -> bytes:
    """Return a network as the content of one ONNX file, as a bundle holds it.

    Parameters
    ----------
    network : PixelNetwork
        On the CPU, in evaluation mode.
    size : int
        Side of the square of pixels.

    Returns
    -------
    bytes
        Input ``pixels``; outputs ``emotion`` and, where it is learnt, ``sentiment``.
    """
    trunk = network.backbone
    foreign = trunk.network if isinstance(trunk, ConceptTrunk) else trunk
    if isinstance(foreign, OnnxModule):
        before, after = _Normalise(network), _Judge(network)
        return wrap_network(foreign, before, after, size, network.outputs)
    return export_onnx(network, size, input_name="pixels", output_names=network.outputs)


def reorder_head(head: nn.Linear, given: Sequence[str], wanted: Sequence[str]) -> nn.Linear:
    """Return a linear layer whose outputs stand in another order.

    Parameters
    ----------
    head : torch.nn.Linear
        From features to logits.
    given, wanted : sequence of str
        The labels of its outputs, and the same in the order to be.

    Raises
    ------
    ModelError
        The labels are others.
    """
    if sorted(given) != sorted(wanted):
        raise ModelError(f"A classifier of {list(given)} cannot be saved for {list(wanted)}.")
    rows = [list(given).index(name) for name in wanted]
    ordered = nn.Linear(head.in_features, len(rows)).requires_grad_(False)
    ordered.weight.copy_(head.weight[rows])
    ordered.bias.copy_(head.bias[rows])
    return ordered


def halve_weights(model: bytes) -> bytes:
    """Return an ONNX model whose large weights are stored in 16 bits.

    Each is cast back to 32 bits by a node of the graph, which onnxruntime
    folds away when a session starts: the speed stays that of 32 bits.

    Parameters
    ----------
    model : bytes
        The content of an ONNX file.

    Returns
    -------
    bytes
        Of about half the size.
    """
    proto = onnx.load_from_string(model)
    graph = proto.graph
    casts = []
    for tensor in graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _HALVED_FROM:
            continue
        if np.abs(values).max() > _LARGEST_HALF:
            continue
        name = tensor.name
        stored = onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
        tensor.CopyFrom(stored)
        cast: Any = onnx.helper.make_node("Cast", [stored.name], [name], to=onnx.TensorProto.FLOAT)
        casts.append(cast)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return bytes(proto.SerializeToString())
