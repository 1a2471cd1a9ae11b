"""Small real networks for the tests: a backbone of one convolution, and ONNX models by hand."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from emotag.backbones.backbone import Backbone
from emotag.backbones.registry import BACKBONES
from emotag.backbones.runtime import open_runner
from emotag.backbones.weights import PackagedWeights
from emotag.photos.preprocess import Preprocess

# torch's threads wait for each other by spinning: beside other processes, one is far faster.
torch.set_num_threads(1)

SIDE = 32
PREPROCESS = Preprocess(SIDE, SIDE, mean=(127.5,) * 3, std=(127.5,) * 3)
TINY_FEATURES = 24


class TinyNetwork(nn.Module):
    """One convolution, pooled: enough to tell red from blue."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, TINY_FEATURES, kernel_size=8, stride=8)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.convolution(pixels)).mean(dim=(2, 3))


def tiny_backbone(folder: Path, name: str = "tiny") -> Backbone:
    """Write the weights of a `TinyNetwork` and describe it as a backbone."""
    path = folder / f"{name}.pt"
    torch.manual_seed(0)
    torch.save(TinyNetwork().state_dict(), path)

    def build(path: str | None, layer: str) -> nn.Module:
        network = TinyNetwork()
        if path is not None:
            network.load_state_dict(torch.load(path, weights_only=True))
        return network

    return Backbone(
        name=name,
        title="a network of the tests",
        weights=PackagedWeights(
            source="the tests",
            licence="MIT",
            size=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            package="torch",
            find=lambda: os.fspath(path),
        ),
        preprocess=PREPROCESS,
        layers={"pool": TINY_FEATURES},
        default_layer="pool",
        build=build,
    )


@contextmanager
def registered(backbone: Backbone) -> Iterator[Backbone]:
    """Let a backbone be known by its name while the body runs."""
    BACKBONES[backbone.name] = backbone
    try:
        yield backbone
    finally:
        del BACKBONES[backbone.name]
        open_runner.cache_clear()


def pixel_model(
    weight: NDArray[np.float32],
    *,
    outputs: Sequence[str] = ("emotion",),
    input_name: str = "pixels",
    activation: str = "Softmax",
    size: int | str = SIDE,
) -> bytes:
    """Return an ONNX model from pixels to the activation of their mean colour times a weight.

    Parameters
    ----------
    weight : ndarray of shape (3, n_labels), float32
        From mean colour (R, G, B) to logits.
    outputs : sequence of str
        Each is the same.
    input_name, activation : str
        As in ONNX.
    size : int or str
        Side of the pixels; text stands for any.
    """
    nodes = [
        helper.make_node("ReduceMean", [input_name, "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "weight"], ["logits"]),
        *(helper.make_node(activation, ["logits"], [name]) for name in outputs),
    ]
    pixels = helper.make_tensor_value_info(input_name, TensorProto.FLOAT, ["n", 3, size, size])
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", weight.shape[1]])
        for name in outputs
    ]
    tensors = [
        numpy_helper.from_array(np.array([2, 3], dtype=np.int64), "axes"),
        numpy_helper.from_array(weight.astype(np.float32), "weight"),
    ]
    return onnx_bytes(nodes, [pixels], results, tensors)


def onnx_bytes(
    nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], tensors: Sequence[Any] = ()
) -> bytes:
    """Return a checked ONNX model of these parts as a file's content."""
    graph = helper.make_graph(nodes, "graph", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
