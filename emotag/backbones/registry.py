"""The backbones by name: weights, licence, checksum and preprocessing travel together."""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from emotag.backbones.backbone import Backbone
from emotag.backbones.clip_models import clip_backbone
from emotag.backbones.lite0 import LITE0
from emotag.backbones.onnx_files import SIDECAR, onnx_backbone
from emotag.backbones.resnet import RESNET50
from emotag.backbones.timm_models import timm_backbone
from emotag.backbones.vgg import PLACES205, VGG16
from emotag.errors import ModelError, unknown_name

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "BACKBONES",
    "PREFIXES",
    "find_backbone",
    "fresh_backbone",
    "load_backbone",
    "shown_name",
]

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone for backbone in (LITE0, VGG16, PLACES205, RESNET50)
}

PREFIXES: dict[str, tuple[str, Callable[[str], Backbone]]] = {
    "timm": ("timm:NAME", timm_backbone),
    "clip": ("clip:ARCH/TAG", clip_backbone),
    "onnx": ("onnx:FILE", onnx_backbone),
}
"""Names that begin with one of these and a colon stand for networks of others."""


def find_backbone(name: str, weights: str | os.PathLike[str] | None = None) -> Backbone:
    """Return the backbone of a name.

    Parameters
    ----------
    name : str
        In `BACKBONES`, or ``timm:NAME``, ``clip:ARCH/TAG``, ``onnx:FILE``.
    weights : path-like, optional
        A file of the user's with its weights.

    Raises
    ------
    ModelError
        There is none; the message names the choices and the nearest.
    WeightsError
        The file of ``onnx:FILE`` does not exist.
    """
    backbone = _find(name)
    if weights is None:
        return backbone
    if backbone.name.startswith("onnx:"):
        raise ModelError("A backbone onnx:FILE is its own weights, so it takes no others.")
    if not isinstance(weights, str | os.PathLike):
        raise ModelError(f"weights={weights!r} must be None or the path of a file.")
    return backbone.with_weights(os.fspath(weights))


def _find(name: str) -> Backbone:
    if isinstance(name, str):
        if name in BACKBONES:
            return BACKBONES[name]
        prefix, colon, rest = name.partition(":")
        if colon and prefix in PREFIXES:
            if not rest:
                raise ModelError(f"{name!r} names no network; write {PREFIXES[prefix][0]}.")
            return _prefixed(prefix, rest, _state_of_files(rest) if prefix == "onnx" else ())
    forms = (form for form, _ in PREFIXES.values())
    raise ModelError(unknown_name("backbone", name, [*BACKBONES, *forms]))


@lru_cache(maxsize=64)
def _prefixed(prefix: str, rest: str, files: tuple[tuple[int, int], ...]) -> Backbone:  # noqa: ARG001
    return PREFIXES[prefix][1](rest)


def _state_of_files(file: str) -> tuple[tuple[int, int], ...]:
    """Return what changes when an ONNX file or what lies beside it does."""
    found = [os.stat(path) for path in (file, file + SIDECAR) if os.path.exists(path)]
    return tuple((state.st_size, state.st_mtime_ns) for state in found)


def load_backbone(
    name: str, layer: str | None = None, weights: str | os.PathLike[str] | None = None
) -> "nn.Module":
    """Return a pretrained network up to a layer, ready for inference.

    Parameters
    ----------
    name : str
        As `find_backbone` takes it.
    layer : str, optional
        By default the backbone's own choice.
    weights : path-like, optional
        A file of the user's with its weights; by default they come from where
        the backbone says, and are fetched if they are not at hand.

    Returns
    -------
    torch.nn.Module
        From normalised pixels (n, 3, size, size), float32, to features
        (n, n_features), float32. In evaluation mode, its parameters frozen.

    Raises
    ------
    ModelError
        There is no such backbone or layer.
    WeightsError
        The weights are missing, or are not the ones that were meant.
    """
    backbone = find_backbone(name, weights)
    chosen = backbone.choose_layer(layer)
    return _ready(backbone.build(backbone.weights.fetch(), chosen))


def fresh_backbone(name: str, layer: str | None = None) -> "nn.Module":
    """Return a network up to a layer with weights that are not trained, to be filled.

    Parameters
    ----------
    name, layer
        As in `load_backbone`.

    Raises
    ------
    ModelError
        There is no such backbone or layer.
    WeightsError
        The network is one that exists with its weights only.
    """
    backbone = find_backbone(name)
    return _ready(backbone.build(None, backbone.choose_layer(layer)))


def shown_name(name: str) -> str:
    """Return a backbone's name without the folders of ``onnx:FILE``, which are one machine's."""
    prefix, _, file = name.partition(":")
    return f"onnx:{os.path.basename(file)}" if prefix == "onnx" else name


def _ready(network: "nn.Module") -> "nn.Module":
    return network.eval().requires_grad_(False)
