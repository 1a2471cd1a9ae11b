"""Backbones at work: by onnxruntime on a CPU, where it is several times as fast, else by torch."""

import hashlib
import json
import logging
import os
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from emotag.backbones.backbone import Backbone
from emotag.backbones.device import exact_float32, run_on_device
from emotag.backbones.registry import find_backbone
from emotag.errors import ModelError, StorageError
from emotag.sessions import open_session
from emotag.storage import cache_folder, replace_file

__all__ = ["OPSET", "Runner", "choose_device", "export_onnx", "open_runner"]

OPSET = 18

# Raised when the export changes, so that networks kept in the cache are made anew.
_EXPORT_VERSION = 3

_DIGEST_BYTES = hashlib.sha256().digest_size

# torch exports one network at a time; who waits finds what another thread has kept
_EXPORTING = threading.RLock()

_INPUT = "input"
_OUTPUT = "features"


class Runner(Protocol):
    """A backbone up to a layer; may be called from several threads at once."""

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return features (n, n_features) of pixels (n, size, size, 3)."""
        ...


def choose_device(device: str) -> str:
    """Return a device's name for torch; ``'auto'`` takes a GPU if torch sees one.

    Raises
    ------
    ModelError
        The device cannot be used on this machine.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.empty(0, device=device).device
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        # torch goes on for pages
        first = str(error).strip().splitlines()[0].partition(". ")[0].rstrip(".")
        raise ModelError(
            f"device={device!r} cannot be used here ({first}); 'cpu' always can."
        ) from error
    if found.type == "meta":
        raise ModelError("device='meta' computes nothing; 'cpu' always can.")
    return str(found)


@lru_cache(maxsize=2)
def open_runner(
    name: str, layer: str, device: str, weights: str | None = None, precision: str = "float32"
) -> Runner:
    """Return a backbone that is ready to run.

    Parameters
    ----------
    name, layer : str
        The backbone and one of its layers.
    device : str
        As `choose_device` returns it.
    weights : str, optional
        A file of the user's with the weights.
    precision : {'float32', 'bfloat16'}, default='float32'
        Of the computation; a CPU's is always float32.

    Raises
    ------
    ModelError
        The backbone cannot be run on the device.
    WeightsError
        The weights are missing or altered.
    StorageError
        The network's ONNX form cannot be kept in the cache.
    """
    backbone = find_backbone(name, weights)
    if device == "cpu":
        return _OnnxRunner(backbone, layer)
    if name.startswith("onnx:"):
        raise ModelError(f"The backbone {name} runs on the CPU alone; set device='cpu'.")
    return _TorchRunner(backbone, layer, device, precision)


class _OnnxRunner:
    def __init__(self, backbone: Backbone, layer: str) -> None:
        self._preprocess = backbone.preprocess
        self._session = _open_onnx(backbone, layer)
        self._input = self._session.get_inputs()[0].name
        self._output = layer if backbone.name.startswith("onnx:") else _OUTPUT

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        # One photo a run: the layers stay in the processor's caches.
        planes = np.split(self._preprocess.normalise(pixels), len(pixels))
        runs = [self._session.run([self._output], {self._input: photo})[0] for photo in planes]
        features: NDArray[np.float32] = np.concatenate(runs)
        return features.reshape(len(pixels), -1)


class _TorchRunner:
    def __init__(self, backbone: Backbone, layer: str, device: str, precision: str) -> None:
        self._preprocess = backbone.preprocess
        self._device = device
        # convolutions of a GPU's tensor cores want the channels last
        network = _load(backbone, layer).to(memory_format=torch.channels_last)
        self._network = network.to(device)
        self._half = precision == "bfloat16"

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return run_on_device(self._run, torch.from_numpy(self._preprocess.normalise(pixels)))

    def _run(self, batch: torch.Tensor) -> NDArray[np.float32]:
        kind = torch.device(self._device).type
        with (
            torch.inference_mode(),
            exact_float32(),
            torch.autocast(kind, torch.bfloat16, enabled=self._half),
        ):
            planes = batch.to(self._device, memory_format=torch.channels_last)
            features: NDArray[np.float32] = self._network(planes).flatten(1).float().cpu().numpy()
        return features


def _load(backbone: Backbone, layer: str) -> nn.Module:
    network = backbone.build(backbone.weights.fetch(), layer)
    return network.eval().requires_grad_(False)


def _open_onnx(backbone: Backbone, layer: str) -> Any:
    """Open a backbone's ONNX form: its own file, the cache's or, the first time, torch's."""
    # one thread for a run: the callers' threads run side by side
    if backbone.name.startswith("onnx:"):
        with open(backbone.weights.fetch(), "rb") as file:
            return open_session(file.read(), name=backbone.name)
    parts = [_EXPORT_VERSION, OPSET, backbone.name, backbone.weights.identity(), layer]
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    name = re.sub(r"[^\w.-]+", "-", backbone.name)[:60]
    path = os.path.join(cache_folder(), "networks", f"{name}-{layer}-{key}.network")
    model = _kept(path)
    if model is None:
        with _EXPORTING:
            model = _kept(path) or _export(backbone, layer, path)
    return open_session(model, name=f"backbone {backbone.name}")


def _export(backbone: Backbone, layer: str, path: str) -> bytes:
    """Return a backbone's ONNX form, and keep it in the cache."""
    size = backbone.preprocess.size
    model = export_onnx(_load(backbone, layer), size, input_name=_INPUT, output_names=[_OUTPUT])
    _keep(path, model)
    return model


def _kept(path: str) -> bytes | None:
    """Return a network that `_keep` wrote; None if there is none, or it is damaged."""
    try:
        with open(path, "rb") as file:
            digest, model = file.read(_DIGEST_BYTES), file.read()
    except OSError:
        return None
    return model if hashlib.sha256(model).digest() == digest else None


def _keep(path: str, model: bytes) -> None:
    """Write a network behind its checksum, so that it is never run damaged."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}. EMOTAG_CACHE names another folder."
        ) from error
    with replace_file(path) as file:
        file.write(hashlib.sha256(model).digest() + model)


def export_onnx(
    network: nn.Module,
    size: int | None = None,
    *,
    input_name: str,
    output_names: Sequence[str],
    n_features: int = 0,
) -> bytes:
    """Return a network as the content of one ONNX file, weights included.

    It may be called from several threads, which wait for one another.

    Parameters
    ----------
    network : torch.nn.Module
        From (n, 3, size, size) or (n, n_features), float32; on the CPU, in
        evaluation mode.
    size : int, optional
        Side of the square that it sees.
    input_name : str
        Of the input.
    output_names : sequence of str
        Of the outputs, in order.
    n_features : int, optional
        Of its input, where it takes no pixels.

    Returns
    -------
    bytes
        With a free number of photos.
    """
    example = torch.zeros(2, n_features) if size is None else torch.zeros(2, 3, size, size)
    with _EXPORTING, _quiet_exporter():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=[input_name],
            output_names=list(output_names),
            dynamic_shapes=({0: torch.export.Dim("n_photos")},),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _forget_origin(model)
    return bytes(model.SerializeToString())


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep back what the exporter says of its own inside, which a user can do nothing about."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drop where each node came from: lines of code, with the paths of this machine."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.value_info):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for value in (*graph.input, *graph.output):
        value.ClearField("metadata_props")
        value.ClearField("doc_string")
