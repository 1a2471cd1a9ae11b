"""The frozen part of a saved model: its first step, as a network and as plain values."""

import os
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from sklearn.pipeline import FeatureUnion
from sklearn.utils.validation import check_is_fitted
from torch import nn

from emotag.backbones.backbone import Backbone
from emotag.backbones.registry import find_backbone, load_backbone, shown_name
from emotag.errors import ModelError
from emotag.features.cnn import CNNFeatures
from emotag.features.concepts import LOGITS, ConceptScores
from emotag.features.ratings import CONCEPTS, format_ratings, parse_ratings
from emotag.models.concept_network import load_concepts, load_fused
from emotag.saliency.preprocess import SalientPreprocess

__all__ = [
    "Features",
    "MirrorMean",
    "backbone_of",
    "concept_table",
    "describe",
    "is_supported",
    "load_trunk",
    "parts_of",
    "rebuild",
]

Features: TypeAlias = CNNFeatures | ConceptScores | Any
"""What the first step of a pipeline can be that a bundle holds."""

Path = str | os.PathLike[str] | None


class MirrorMean(nn.Module):
    """The mean of what a network gives for a photo and for its mirror image.

    Parameters
    ----------
    network : torch.nn.Module
        From normalised pixels to features.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the features.

        Parameters
        ----------
        pixels : tensor of shape (n_photos, 3, size, size), float32
        """
        mean: torch.Tensor = (self.network(pixels) + self.network(pixels.flip(3))) / 2
        return mean


def is_supported(features: Any) -> bool:
    """Return whether a bundle can hold such a first step."""
    if isinstance(features, FeatureUnion):
        parts = [part for _, part in features.transformer_list]
        kinds = [type(part) for part in parts]
        return kinds == [CNNFeatures, ConceptScores] and not features.transformer_weights
    return isinstance(features, CNNFeatures | ConceptScores)


def parts_of(features: Features) -> tuple[CNNFeatures | None, ConceptScores | None]:
    """Return what a first step is made of, as `is_supported` allows."""
    if isinstance(features, FeatureUnion):
        cnn, concepts = (part for _, part in features.transformer_list)
        return cnn, concepts
    return (features, None) if isinstance(features, CNNFeatures) else (None, features)


def backbone_of(features: Features) -> Backbone:
    """Return the backbone on which a first step stands."""
    cnn, concepts = parts_of(features)
    if cnn is not None:
        return cnn.chosen_backbone()
    assert concepts is not None
    return find_backbone(concepts.backbone, concepts.weights)


def load_trunk(features: Features) -> nn.Module:
    """Return the network that gives these features, ready for inference.

    Parameters
    ----------
    features : CNNFeatures, ConceptScores or FeatureUnion
        Fitted, where there is something to fit.

    Raises
    ------
    ModelError
        The features cannot be computed by one network.
    WeightsError
        The weights are missing, or are not the ones that were meant.
    """
    cnn, concepts = parts_of(features)
    if concepts is not None:
        check_is_fitted(concepts)
        return load_concepts(concepts) if cnn is None else load_fused(cnn, concepts)
    assert cnn is not None
    network = load_backbone(cnn.backbone, cnn.layer, cnn.weights)
    return MirrorMean(network).eval() if cnn.mirror else network


def describe(features: Features) -> dict[str, Any]:
    """Return what JSON can hold of a first step; `rebuild` reads it back."""
    cnn, concepts = parts_of(features)
    backbone = backbone_of(features)
    stands_on = {
        "backbone": shown_name(backbone.name),
        "weights_sha256": backbone.weights.identity(),
    }
    said: dict[str, Any] = {}
    if cnn is not None:
        said = {
            "class": "CNNFeatures",
            **stands_on,
            "layer": backbone.choose_layer(cnn.layer),
            "mirror": cnn.mirror,
        }
        if cnn.salient is not None:
            said["preprocess"] = backbone.preprocess.to_dict()
    if concepts is None:
        return said
    of_concepts = {
        "class": "ConceptScores",
        **stands_on,
        "softness": float(concepts.softness),
        "epsilon": float(concepts.epsilon),
        "mean": concepts.mean_.tolist(),
        "centre": concepts.centre_.tolist(),
        "spread": concepts.spread_.tolist(),
    }
    if cnn is None:
        return of_concepts
    return {"class": "FeatureUnion", "cnn": said, "concepts": of_concepts}


def concept_table(features: Features) -> bytes | None:
    """Return the ratings that a first step uses as a CSV file; None if it uses none."""
    _, concepts = parts_of(features)
    return None if concepts is None else format_ratings(concepts.ratings_)


def rebuild(said: Mapping[str, Any], table: bytes | None, weights: Path) -> Features:
    """Return the first step that `describe` described.

    Parameters
    ----------
    said : mapping
        What `describe` returned, read as a stranger's.
    table : bytes or None
        What `concept_table` returned.
    weights : path-like or None
        A file of the user's with the backbone's weights.

    Raises
    ------
    ModelError
        It makes no sense, or the weights are others.
    KeyError
        Something is missing.
    """
    if said["class"] == "CNNFeatures":
        return _rebuild_cnn(said, weights)
    if said["class"] == "ConceptScores":
        return _rebuild_concepts(said, table, weights)
    if said["class"] == "FeatureUnion":
        cnn = _rebuild_cnn(_mapping(said["cnn"]), weights)
        concepts = _rebuild_concepts(_mapping(said["concepts"]), table, weights)
        return FeatureUnion([("cnn", cnn), ("concepts", concepts)])
    raise ModelError("its features are not known to this emotag")


def _rebuild_cnn(said: Mapping[str, Any], weights: Path) -> CNNFeatures:
    name, file = _named(said, weights)
    mirror = said.get("mirror", False) is True
    features = CNNFeatures(name, layer=said["layer"], mirror=mirror, weights=file)
    if "preprocess" in said:
        looking = SalientPreprocess.from_dict(dict(_mapping(said["preprocess"])))
        features.set_params(salient=looking.salient, saliency=looking.saliency)
    find_backbone(name, file).choose_layer(features.layer)
    _refuse_other_weights(features, said["weights_sha256"])
    return features


def _rebuild_concepts(said: Mapping[str, Any], table: bytes | None, weights: Path) -> ConceptScores:
    name, file = _named(said, weights)
    concepts = ConceptScores(
        name, softness=_positive(said, "softness"), epsilon=_positive(said, "epsilon"), weights=file
    )
    if table is None:
        raise ModelError(f"it lacks {CONCEPTS}")
    ratings = parse_ratings(table)
    backbone = find_backbone(name, file)
    if len(ratings.names) != backbone.layers[backbone.choose_layer(LOGITS)]:
        raise ModelError(f"{CONCEPTS} is not of the classes of {name}")
    concepts.ratings_, concepts.labels_ = ratings, ratings.labels
    for key in ("mean", "centre", "spread"):
        values = np.asarray(said[key], dtype=np.float64)
        if values.shape != (len(ratings.labels),) or not np.isfinite(values).all():
            raise ModelError(f"{key!r} of its concepts makes no sense")
        setattr(concepts, f"{key}_", values)
    if not (concepts.mean_ > 0).all() or not (concepts.spread_ > 0).all():
        raise ModelError("its concepts make no sense")
    _refuse_other_weights(concepts, said["weights_sha256"])
    return concepts


def _named(said: Mapping[str, Any], weights: Path) -> tuple[str, Path]:
    name = said["backbone"]
    if not isinstance(name, str) or not name.startswith("onnx:"):
        return name, weights
    # a stranger's model may not say which file of this machine is read
    if weights is None:
        raise ModelError(f"it needs the network {name}; name its file: weights=FILE")
    return f"onnx:{os.fspath(weights)}", None


def _refuse_other_weights(features: CNNFeatures | ConceptScores, expected: Any) -> None:
    backbone = find_backbone(features.backbone, features.weights)
    if not backbone.at_hand:
        raise ModelError(
            f"the weights of {backbone.name} are not here; type: emotag models get {backbone.name}"
        )
    if backbone.weights.identity() != expected:
        raise ModelError(
            f"it was made with other weights of {backbone.name}; weights=FILE names another file"
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ModelError("its features are not known to this emotag")
    return value


def _positive(said: Mapping[str, Any], key: str) -> float:
    value = said[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
        raise ModelError(f"{key!r} of its concepts makes no sense")
    return float(value)
