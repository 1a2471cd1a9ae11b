"""``onnx:FILE``: features from a named output of any ONNX network."""

import json
import os
from typing import TYPE_CHECKING, Any

from emotag.backbones.backbone import Backbone
from emotag.backbones.weights import LocalWeights
from emotag.errors import BundleError, ModelError, WeightsError
from emotag.photos.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

__all__ = ["SIDECAR", "onnx_backbone"]

SIDECAR = ".json"
"""What is added to the name of an ONNX file for the file that says how photos are prepared."""

_EXAMPLE = (
    '{"preprocess": {"size": 224, "resize": 256, "mean": [123.7, 116.3, 103.5], '
    '"std": [58.4, 57.1, 57.4]}}'
)
_KEYS = ("preprocess", "layer", "classes", "licence")


def onnx_backbone(file: str) -> Backbone:
    """Return an ONNX network as a frozen backbone.

    Beside ``NETWORK.onnx`` lies ``NETWORK.onnx.json``, which says how photos
    are prepared (``preprocess``, the arguments of `Preprocess`) and may say
    which output is taken (``layer``), which names its layer ``logits`` stands
    for (``classes``), and the ``licence``.

    Parameters
    ----------
    file : str
        The path of the ONNX file. It has one input, n x 3 x size x size,
        32-bit floats; each output of n x k numbers is a layer.

    Raises
    ------
    ModelError
        The network cannot be used so, or the JSON file is missing or wrong.
    WeightsError
        There is no such file.
    """
    name = f"onnx:{file}"
    weights = LocalWeights(file)
    weights.fetch()
    said = _read_sidecar(file)
    preprocess = _preprocess(file, said)
    input_name, layers = _inspect(file, preprocess.size)
    default = said.get("layer", next(iter(layers)))
    if default not in layers:
        raise ModelError(
            f"{file}{SIDECAR} names the layer {default!r}; the network has {', '.join(layers)}."
        )
    return Backbone(
        name=name,
        title=os.path.basename(file),
        weights=LocalWeights(file, licence=str(said.get("licence", "not stated"))),
        preprocess=preprocess,
        layers=layers,
        default_layer=default,
        build=_Build(input_name),
        classes=str(said.get("classes", "")),
        trainable=False,
    )


def _read_sidecar(file: str) -> dict[str, Any]:
    path = file + SIDECAR
    try:
        with open(path, encoding="utf-8") as stream:
            said = json.load(stream)
    except FileNotFoundError as error:
        raise ModelError(
            f"How photos are prepared for {file} is not known; say it in {path}, such as {_EXAMPLE}"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from error
    if not isinstance(said, dict) or not isinstance(said.get("preprocess"), dict):
        raise ModelError(f"{path} does not say how photos are prepared, such as {_EXAMPLE}")
    strange = sorted(set(said) - set(_KEYS))
    if strange:
        raise ModelError(f"{path}: {strange[0]!r} has no meaning; it may hold {', '.join(_KEYS)}.")
    return said


def _preprocess(file: str, said: dict[str, Any]) -> Preprocess:
    usual = {"channels": "RGB", "interpolation": "bilinear", "keep_aspect": True}
    try:
        return Preprocess.from_dict(usual | said["preprocess"])
    except ModelError as error:
        raise ModelError(f"{file}{SIDECAR}: {error}") from error


def _inspect(file: str, size: int) -> tuple[str, dict[str, int]]:
    """Return the name of the input, and the outputs that can be layers."""
    session = _open(file)
    inputs = session.get_inputs()
    fits = len(inputs) == 1 and len(inputs[0].shape) == 4 and inputs[0].type == "tensor(float)"
    wanted = (3, size, size)
    if not fits or any(
        isinstance(given, int) and given != side
        for given, side in zip(inputs[0].shape[1:], wanted, strict=True)
    ):
        shapes = ", ".join(f"{entry.name} {entry.shape}" for entry in inputs)
        raise ModelError(f"{file} takes {shapes}; a backbone takes n x 3 x {size} x {size} floats.")
    layers = {
        entry.name: _width(entry.shape)
        for entry in session.get_outputs()
        if entry.type == "tensor(float)" and _width(entry.shape)
    }
    if not layers:
        raise ModelError(f"{file} has no output of n x k numbers, so it gives no features.")
    return inputs[0].name, layers


def _width(shape: list[Any]) -> int:
    """Return k of an output of n x k, or of n x k x 1 x 1; 0 for any other."""
    if len(shape) < 2 or not isinstance(shape[1], int) or any(side != 1 for side in shape[2:]):
        return 0
    return shape[1]


def _open(file: str) -> Any:
    from emotag.sessions import open_session

    try:
        with open(file, "rb") as stream:
            return open_session(stream.read(), name=file)
    except BundleError as error:
        raise ModelError(str(error)) from error


class _Build:
    """Builds a module of one ONNX file; an object, so that a backbone can be pickled."""

    def __init__(self, input_name: str) -> None:
        self.input_name = input_name

    def __call__(self, path: str | None, layer: str) -> "nn.Module":
        from emotag.backbones.onnx_module import OnnxModule

        if path is None:
            raise WeightsError("An ONNX network has no fresh weights; name its file.")
        with open(path, "rb") as stream:
            return OnnxModule(stream.read(), self.input_name, layer)
