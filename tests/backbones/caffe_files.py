"""Caffe's files byte by byte, without protobuf: what the reader under test must understand.

The present form (``layer``, blobs with a shape) and the one before it (``layers``, blobs of
four dimensions) are written as Caffe writes them, with fields that a reader may skip.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

NET_NAME, NET_LAYERS, NET_LAYER = 1, 2, 100
LAYER_NAME, LAYER_TYPE, LAYER_BOTTOM, LAYER_TOP, LAYER_BLOBS = 1, 2, 3, 4, 7
V1_BOTTOM, V1_TOP, V1_NAME, V1_TYPE, V1_BLOBS = 2, 3, 4, 5, 6
BLOB_LEGACY = (1, 2, 3, 4)
BLOB_DATA, BLOB_DIFF, BLOB_SHAPE, BLOB_DOUBLE = 5, 6, 7, 8
SHAPE_DIM = 1

FORMS = ("layer", "layers")


def varint(number: int) -> bytes:
    """Return a whole number in groups of seven bits, the lowest first."""
    number &= 2**64 - 1
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    return bytes([*groups, number])


def key(field: int, wire: int) -> bytes:
    return varint(field << 3 | wire)


def message(field: int, *parts: bytes) -> bytes:
    """Return a field that holds a message, a string or packed numbers."""
    content = b"".join(parts)
    return key(field, LENGTH) + varint(len(content)) + content


def number(field: int, value: int) -> bytes:
    return key(field, VARINT) + varint(value)


def shape_field(shape: Sequence[int]) -> bytes:
    return message(BLOB_SHAPE, message(SHAPE_DIM, *(varint(length) for length in shape)))


def legacy_fields(shape: Sequence[int]) -> bytes:
    """Return a shape in four fields, ones in front."""
    four = (1,) * (4 - len(shape)) + tuple(shape)
    return b"".join(map(number, BLOB_LEGACY, four))


def blob(values: NDArray[np.floating], form: str = "layer") -> bytes:
    """Return the content of a blob."""
    shape = shape_field(values.shape) if form == "layer" else legacy_fields(values.shape)
    return shape + message(BLOB_DATA, values.astype("<f4").tobytes())


def layer(name: str | bytes, *blobs: bytes, form: str = "layer") -> bytes:
    """Return a layer as a field of the net; `blobs` are the contents of its blobs."""
    name = name.encode() if isinstance(name, str) else name
    if form == "layer":
        head = message(LAYER_NAME, name) + message(LAYER_TYPE, b"Convolution")
        head += message(LAYER_BOTTOM, b"below") + message(LAYER_TOP, name)
        return message(NET_LAYER, head, *(message(LAYER_BLOBS, content) for content in blobs))
    head = message(V1_BOTTOM, b"below") + message(V1_TOP, name)
    head += message(V1_NAME, name) + number(V1_TYPE, 4)
    return message(NET_LAYERS, head, *(message(V1_BLOBS, content) for content in blobs))


def write_caffemodel(
    path: Path, layers: Mapping[str, Sequence[NDArray[np.floating]]], form: str = "layer"
) -> str:
    """Write layers with their blobs, a ReLU without any between them, and return the path."""
    with open(path, "wb") as file:
        file.write(message(NET_NAME, b"a net"))
        for name, blobs in layers.items():
            file.write(layer(name, *(blob(values, form) for values in blobs), form=form))
            file.write(layer("relu", form=form))
    return str(path)
