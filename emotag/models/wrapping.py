"""A foreign ONNX network between the normalisation and the heads of a bundle."""

from collections.abc import Sequence

import onnx
import onnx.compose
import onnx.version_converter
import torch
from torch import nn

from emotag.backbones.onnx_module import OnnxModule
from emotag.backbones.runtime import OPSET, export_onnx
from emotag.errors import ModelError

__all__ = ["wrap_network"]


def wrap_network(
    backbone: OnnxModule, before: nn.Module, after: nn.Module, size: int, outputs: Sequence[str]
) -> bytes:
    """Return one ONNX file of three parts in a row.

    Parameters
    ----------
    backbone : OnnxModule
        The foreign network.
    before, after : torch.nn.Module
        From pixels to normalised ones, and from features to probabilities.
    size : int
        Side of the square of pixels.
    outputs : sequence of str
        Names of what `after` gives.

    Raises
    ------
    ModelError
        The foreign network cannot be brought to the version of ONNX that bundles have.
    """
    middle = _brought_up(backbone)
    with torch.inference_mode():
        n_features = backbone(torch.zeros(1, 3, size, size)).shape[1]
    first = _parse(export_onnx(before, size, input_name="pixels", output_names=["normalised"]))
    last = _parse(
        export_onnx(after, n_features=n_features, input_name="features", output_names=outputs)
    )
    for part in (first, last):
        part.ir_version = middle.ir_version = max(part.ir_version, middle.ir_version)
    name = f"backbone/{backbone.output_name}"
    joined = onnx.compose.merge_models(
        first,
        middle,
        io_map=[("normalised", f"backbone/{backbone.input_name}")],
        outputs=[name],
    )
    flat = _flatten(joined, name)
    last.ir_version = flat.ir_version
    # the names inside of it may be those inside of the first part
    last = onnx.compose.add_prefix(last, "heads/", rename_inputs=False, rename_outputs=False)
    whole = onnx.compose.merge_models(flat, last, io_map=[("flat", "features")])
    return bytes(whole.SerializeToString())


def _parse(model: bytes) -> onnx.ModelProto:
    return onnx.load_from_string(model)


def _brought_up(backbone: OnnxModule) -> onnx.ModelProto:
    """Return the foreign network in the version of ONNX of the other parts, its names prefixed."""
    model = _parse(backbone.model)
    try:
        model = onnx.version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter's errors share no base class of their own
        first = str(error).strip().splitlines()[0]
        raise ModelError(
            f"The ONNX backbone cannot be brought to opset {OPSET}: {first}"
        ) from error
    return onnx.compose.add_prefix(model, "backbone/")


def _flatten(model: onnx.ModelProto, output: str) -> onnx.ModelProto:
    """Let the output be n x k, also where the network gives n x k x 1 x 1."""
    model.graph.node.append(onnx.helper.make_node("Flatten", [output], ["flat"], axis=1))
    del model.graph.output[:]
    model.graph.output.append(
        onnx.helper.make_tensor_value_info("flat", onnx.TensorProto.FLOAT, ["n_photos", None])
    )
    return model
