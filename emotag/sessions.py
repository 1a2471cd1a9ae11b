"""An ONNX file opened safely, with its threads chosen."""

from collections.abc import Iterator
from typing import Any

from emotag.errors import BundleError, MissingExtraError

__all__ = ["open_session", "refuse_external_data"]

# Numbers of the fields of ONNX's protobuf messages through which a tensor can
# be reached (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
_NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_TENSOR_EXTERNAL_DATA = 13
_TENSOR_DATA_LOCATION = 14
_DEPTH_LIMIT = 64


def open_session(model: bytes, *, threads: int = 1, name: str = "the model") -> Any:
    """Open an ONNX model for inference on the CPU.

    Parameters
    ----------
    model : bytes
        The content of an ONNX file.
    threads : int, default=1
        Threads for one run. Runs from several threads of ours may overlap.
    name : str
        What messages call it.

    Returns
    -------
    onnxruntime.InferenceSession
        Without access to any other file.

    Raises
    ------
    BundleError
        It is no ONNX model, cannot be run, or names a file outside itself.
    """
    refuse_external_data(model, name=name)
    try:
        import onnxruntime
    except ImportError as error:  # pragma: no cover - a broken installation
        raise MissingExtraError(
            f"onnxruntime cannot be loaded ({error}); "
            "type: pip install --force-reinstall onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # idle threads that spin would take the cores from the decoders
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # onnxruntime's own format can be made to look like ONNX to the check above
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class of their own
        first = str(error).strip().splitlines()[0]
        raise BundleError(f"{name} is no model that can be run: {first}") from error


def refuse_external_data(model: bytes, *, name: str = "the model") -> None:
    """Raise a BundleError if a tensor of an ONNX model lies in another file.

    onnxruntime may look for such a file in the current folder.
    """
    try:
        found = _has_external_data(memoryview(model), "model", 0)
    except (IndexError, RecursionError, ValueError) as error:
        raise BundleError(f"{name} is not an ONNX model, or is cut off.") from error
    if found:
        raise BundleError(
            f"{name} keeps weights in a file outside itself, which is refused; "
            "export it with external_data=False."
        )


def _has_external_data(message: memoryview, kind: str, depth: int) -> bool:
    if depth > _DEPTH_LIMIT:
        raise ValueError("nested too deeply")
    if kind == "tensor":
        return any(
            number == _TENSOR_EXTERNAL_DATA or (number == _TENSOR_DATA_LOCATION and value == 1)
            for number, value in _fields(message)
        )
    nested = _NESTED[kind]
    return any(
        _has_external_data(value, nested[number], depth + 1)
        for number, value in _fields(message)
        if number in nested and isinstance(value, memoryview)
    )


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield the fields of a protobuf message: its wire format, without a schema."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        if key >> 32:
            # parsers drop the bits above and see another field than we would
            raise ValueError("field number too large")
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire == 2:
            length, position = _varint(message, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError("unknown wire type")
        if position + length > len(message):
            raise ValueError("cut off")
        yield number, message[position : position + length]
        position += length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("number too long")
