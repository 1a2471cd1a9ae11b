"""Caffe's .caffemodel files, read with protobuf alone; a VGG16's becomes a state dict of torch's.

Only the messages and fields that lead to the weights are declared; protobuf
skips all others. The numbers of the fields are those of Caffe's ``caffe.proto``.
"""

import lzma
import math
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotag.errors import WeightsError
from emotag.storage import replace_file

__all__ = ["VGG16_SHAPES", "extract_caffemodel", "read_caffemodel", "vgg16_state"]

Blob = NDArray[np.float32]
Shape = tuple[int, ...]

VGG16_SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "conv1_1": (64, 3, 3, 3),
        "conv1_2": (64, 64, 3, 3),
        "conv2_1": (128, 64, 3, 3),
        "conv2_2": (128, 128, 3, 3),
        "conv3_1": (256, 128, 3, 3),
        "conv3_2": (256, 256, 3, 3),
        "conv3_3": (256, 256, 3, 3),
        "conv4_1": (512, 256, 3, 3),
        "conv4_2": (512, 512, 3, 3),
        "conv4_3": (512, 512, 3, 3),
        "conv5_1": (512, 512, 3, 3),
        "conv5_2": (512, 512, 3, 3),
        "conv5_3": (512, 512, 3, 3),
        "fc6": (4096, 512 * 7 * 7),
        "fc7": (4096, 4096),
    }
)
"""The weights of VGG16 by Caffe's names of its layers, all but the last one's."""

_HEAD = "fc8"
# torchvision's names: ReLU, pooling and dropout are modules with numbers of their own.
_MODULES = {
    "conv1_1": "features.0",
    "conv1_2": "features.2",
    "conv2_1": "features.5",
    "conv2_2": "features.7",
    "conv3_1": "features.10",
    "conv3_2": "features.12",
    "conv3_3": "features.14",
    "conv4_1": "features.17",
    "conv4_2": "features.19",
    "conv4_3": "features.21",
    "conv5_1": "features.24",
    "conv5_2": "features.26",
    "conv5_3": "features.28",
    "fc6": "classifier.0",
    "fc7": "classifier.3",
    _HEAD: "classifier.6",
}

# (number, name, type, whether it is repeated). A name is read as bytes: it need not be UTF-8.
_SCHEMA: dict[str, tuple[tuple[int, str, str, bool], ...]] = {
    "BlobShape": ((1, "dim", "int64", True),),
    "BlobProto": (
        (1, "num", "int32", False),
        (2, "channels", "int32", False),
        (3, "height", "int32", False),
        (4, "width", "int32", False),
        (5, "data", "float", True),
        (7, "shape", "BlobShape", False),
        (8, "double_data", "double", True),
    ),
    "V1LayerParameter": ((4, "name", "bytes", False), (6, "blobs", "BlobProto", True)),
    "LayerParameter": ((1, "name", "bytes", False), (7, "blobs", "BlobProto", True)),
    "NetParameter": (
        (2, "layers", "V1LayerParameter", True),
        (100, "layer", "LayerParameter", True),
    ),
}
_LEGACY = ("num", "channels", "height", "width")
_MOST_AXES = 32  # Caffe's own limit, kMaxBlobAxes
_MOST_BYTES = 2**31 - 1  # protobuf's limit of a message
_CHUNK = 2**20


def read_caffemodel(path: str) -> dict[str, list[Blob]]:
    """Return the weights of every layer in a .caffemodel.

    VGG16's, of 540 MB, takes about 4 s of one processor and 1.1 GB of memory.

    Parameters
    ----------
    path : str
        The file, in the present form (its layers are ``layer``), the one
        before it (``layers``), or both.

    Returns
    -------
    dict of str to list of ndarray
        By the layers' names, in the order of the file; layers without weights
        are left out. Each array is float32 and has the shape that the file
        says: blobs of before Caffe 1.0 have four dimensions, so that a fully
        connected layer's weights are (1, 1, n_outputs, n_inputs).

    Raises
    ------
    WeightsError
        The file cannot be read, is damaged, or is no caffemodel.

    References
    ----------
    Y. Jia et al., "Caffe: Convolutional architecture for fast feature
    embedding", ACM Multimedia, 2014.

    Examples
    --------
    >>> import tempfile
    >>> content = "a20615 0a026663 3a0f 3a030a0102 2a080000803f0000003f"
    >>> with tempfile.NamedTemporaryFile(suffix=".caffemodel") as file:
    ...     _ = file.write(bytes.fromhex(content))
    ...     file.flush()
    ...     read_caffemodel(file.name)
    {'fc': [array([1. , 0.5], dtype=float32)]}
    """
    net = _parse(path)
    layers: dict[str, list[Blob]] = {}
    for layer in chain(net.layers, net.layer):
        if not layer.blobs:
            continue
        name = layer.name.decode("utf-8", "backslashreplace")
        if name in layers:
            raise WeightsError(f"{path} is damaged: it has two layers {name!r} with weights.")
        layers[name] = [_to_array(blob, name, path) for blob in layer.blobs]
    if not layers:
        raise WeightsError(f"{path} holds no layer with weights: it is damaged, or no caffemodel.")
    return layers


def vgg16_state(
    blobs: Mapping[str, list[Blob]],
    n_classes: int | None = None,
    path: str = "",
    *,
    shapes: Mapping[str, Shape] = VGG16_SHAPES,
) -> dict[str, Blob]:
    """Return the weights of a VGG16 by torchvision's names.

    The weights stay as they are. Those of conv1_1 are for pixels in the order
    that the network was trained with, which in Caffe is BGR. Those of fc6 are
    for feature maps flattened row by row within each channel, in Caffe as by
    ``torch.flatten``.

    Parameters
    ----------
    blobs : mapping of str to list of ndarray
        As `read_caffemodel` returns them. The last layer's name only has to
        begin with ``fc8``.
    n_classes : int, optional
        How many classes the network must tell apart; by default as many as it does.
    path : str, optional
        Where the blobs were read, for messages.
    shapes : mapping of str to tuple of int, optional
        Of the weights of each layer before the last one, for a VGG16 of other widths.

    Returns
    -------
    dict of str to ndarray
        From ``features.0.weight`` to ``classifier.6.bias``, float32; they share
        memory with the blobs.

    Raises
    ------
    WeightsError
        It is another network, or a weight is no finite number; the message
        names the layer.

    Examples
    --------
    >>> blobs = {
    ...     layer: [np.broadcast_to(np.float32(0), shape), np.zeros(shape[0], np.float32)]
    ...     for layer, shape in VGG16_SHAPES.items()
    ... }
    >>> blobs["fc8_places"] = [np.zeros((205, 4096), np.float32), np.zeros(205, np.float32)]
    >>> state = vgg16_state(blobs, n_classes=205)
    >>> state["features.0.weight"].shape, state["classifier.6.bias"].shape
    ((64, 3, 3, 3), (205,))
    """
    where = path or "The caffemodel"
    head = _check_layers(blobs, shapes, where)
    if n_classes is None:
        n_classes = blobs[head][0].shape[-2] if blobs[head][0].ndim > 1 else 1
    state = {}
    for layer, shape in {**shapes, head: (n_classes, shapes["fc7"][0])}.items():
        module = _MODULES[_HEAD if layer == head else layer]
        weights, biases = blobs[layer]
        state[f"{module}.weight"] = _fit(weights, shape, f"layer {layer!r} has weights", where)
        state[f"{module}.bias"] = _fit(biases, shape[:1], f"layer {layer!r} has biases", where)
    return state


def extract_caffemodel(archive: str, destination: str) -> str:
    """Write the one .caffemodel of a tar archive to a file, whole or not at all.

    Parameters
    ----------
    archive : str
        A .tar, plain or compressed. Links in it and files that would lie
        outside of it are passed over.
    destination : str
        The file to be; its folder must exist.

    Returns
    -------
    str
        `destination`.

    Raises
    ------
    WeightsError
        The archive cannot be read, or holds no .caffemodel or several.
    StorageError
        The file cannot be written.
    """
    with replace_file(destination) as file:
        for chunk in _read_member(archive):
            file.write(chunk)
    return destination


@cache
def _net_message() -> Any:
    """Return the class of Caffe's NetParameter, in a pool where it meets no other Caffe."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    types = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="emotag/caffe.proto", package="emotag.caffe", syntax="proto2"
    )
    for message, fields in _SCHEMA.items():
        declared = file.message_type.add(name=message)
        for number, name, kind, repeated in fields:
            field = declared.field.add(name=name, number=number)
            field.label = types.LABEL_REPEATED if repeated else types.LABEL_OPTIONAL
            if kind in _SCHEMA:
                field.type, field.type_name = types.TYPE_MESSAGE, f".{file.package}.{kind}"
            else:
                field.type = types.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{file.package}.NetParameter")
    )


def _parse(path: str) -> Any:
    from google.protobuf.message import DecodeError

    try:
        too_large = os.path.getsize(path) > _MOST_BYTES
        content = b"" if too_large else Path(path).read_bytes()
    except OSError as error:
        raise WeightsError(f"The weights {path} cannot be read: {error.strerror}.") from error
    if too_large:
        raise WeightsError(f"{path} is no caffemodel: it is larger than 2 GiB.")
    try:
        return _net_message().FromString(content)
    except DecodeError as error:
        raise WeightsError(
            f"{path} holds no weights that can be read: it is damaged, or no caffemodel."
        ) from error


def _to_array(blob: Any, layer: str, path: str) -> Blob:
    shape = _shape_of(blob)
    values = blob.double_data or blob.data
    if len(shape) > _MOST_AXES:
        raise WeightsError(
            f"{path} is damaged: layer {layer!r} has a blob of {len(shape)} dimensions, "
            f"Caffe's have {_MOST_AXES} at most."
        )
    # only then is memory taken, so a shape cannot ask for more than the file has
    if min(shape, default=1) < 1 or math.prod(shape) != len(values):
        raise WeightsError(
            f"{path} is damaged: layer {layer!r} has {len(values)} numbers "
            f"in a blob of shape {shape}."
        )
    # np.asarray would make a list of them first, unless protobuf is very new
    with np.errstate(over="ignore"):
        return np.fromiter(values, np.float32, count=len(values)).reshape(shape)


def _shape_of(blob: Any) -> Shape:
    # in Caffe too, the legacy fields come first if any of them is set
    if any(blob.HasField(name) for name in _LEGACY):
        return tuple(getattr(blob, name) for name in _LEGACY)
    return tuple(blob.shape.dim)


def _check_layers(blobs: Mapping[str, list[Blob]], shapes: Iterable[str], where: str) -> str:
    """Return the last layer's name if the layers are a VGG16's, each with weights and biases."""
    heads = [layer for layer in blobs if layer.startswith(_HEAD)]
    lacking = [layer for layer in shapes if layer not in blobs] + ([] if heads else [_HEAD])
    other = [layer for layer in blobs if layer not in shapes and layer not in heads]
    said = [f"lacks {', '.join(lacking)}"] if lacking else []
    said += [f"also has {', '.join(other)}"] if other else []
    said += [f"has several last layers: {', '.join(heads)}"] if len(heads) > 1 else []
    if said:
        raise _other_network(where, f"it {'; it '.join(said)}")
    for layer, given in blobs.items():
        if len(given) != 2:
            raise _other_network(where, f"layer {layer!r} has {len(given)} blobs, VGG16's have 2")
    return heads[0]


def _fit(blob: Blob, shape: Shape, what: str, where: str) -> Blob:
    """Return a blob in a shape that it has, save for ones in front, as legacy files put them."""
    if blob.shape != (1,) * (blob.ndim - len(shape)) + shape:
        raise _other_network(where, f"{what} of shape {blob.shape}, VGG16's are {shape}")
    # the least and the greatest are NaN if any number is
    if not np.isfinite([blob.min(), blob.max()]).all():
        raise WeightsError(f"{where} is damaged: {what} that are not finite numbers.")
    return blob.reshape(shape)


def _other_network(where: str, what: str) -> WeightsError:
    return WeightsError(f"{where} holds another network than VGG16: {what}.")


def _read_member(archive: str) -> Iterator[bytes]:
    """Yield the content of the one .caffemodel in an archive, piece by piece."""
    with _explaining_archive(archive), tarfile.open(archive) as tar:
        member = tar.extractfile(_find_member(tar, archive))
        while member and (chunk := member.read(_CHUNK)):
            yield chunk
        # the checksum of what is compressed stands at its end
        while tar.fileobj and tar.fileobj.read(_CHUNK):
            pass


def _find_member(tar: tarfile.TarFile, archive: str) -> tarfile.TarInfo:
    found = [member for member in tar if member.isfile() and _is_wanted(member.name)]
    if not found:
        raise WeightsError(f"{archive} holds no .caffemodel; name another archive, or the file.")
    if len(found) > 1:
        names = ", ".join(member.name for member in found)
        raise WeightsError(
            f"{archive} holds several .caffemodel files: {names}; unpack it and name one of them."
        )
    if found[0].size > _MOST_BYTES:
        raise WeightsError(f"{archive} holds no caffemodel: {found[0].name} is larger than 2 GiB.")
    return found[0]


def _is_wanted(name: str) -> bool:
    *folders, file = name.split("/")
    inside = not name.startswith("/") and ".." not in folders
    # macOS puts the attributes of a file beside it, under its name after "._"
    return inside and file.endswith(".caffemodel") and not file.startswith("._")


@contextmanager
def _explaining_archive(archive: str) -> Iterator[None]:
    try:
        yield
    except WeightsError:
        raise
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        # a decompressor's OSError is not the system's, and has no text of the system's
        reason = getattr(error, "strerror", None) or "it is damaged, or no archive"
        raise WeightsError(f"{archive} cannot be unpacked: {reason}.") from error
