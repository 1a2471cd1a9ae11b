"""Features as plain values that JSON can hold, and rebuilt from a stranger's."""

import inspect
from collections.abc import Mapping
from typing import Any

from sklearn.pipeline import FeatureUnion

from emotag.errors import EmotagError, ModelError
from emotag.features.classic.base import WITHOUT_EFFECT, PhotoFeatures
from emotag.features.classic.catalogue import CLASSIC
from emotag.features.cnn import CNNFeatures
from emotag.models.trunks import Path, backbone_of, describe, is_supported, parts_of, rebuild

__all__ = [
    "describe_features",
    "extractors_of",
    "is_describable",
    "rebuild_features",
    "width_of",
]

_MOST_PARTS = 32
_LONGEST_NAME = 64


def is_describable(features: Any) -> bool:
    """Return whether such a first step of a pipeline can be kept without a network.

    Parameters
    ----------
    features : transformer
        Hand-crafted features, or a union of these and of networks' features.
    """
    if isinstance(features, FeatureUnion):
        parts = [part for _, part in features.transformer_list]
        plain = not features.transformer_weights
        return plain and all(isinstance(part, PhotoFeatures | CNNFeatures) for part in parts)
    return isinstance(features, PhotoFeatures)


def extractors_of(features: Any) -> list[Any]:
    """Return what computes the features of a first step, each with the cache."""
    if isinstance(features, PhotoFeatures):
        return [features]
    if not is_supported(features):
        return [part for _, part in features.transformer_list]
    cnn, concepts = parts_of(features)
    found = [] if cnn is None else [cnn]
    return found if concepts is None else [*found, concepts.extractor()]


def width_of(features: Any) -> int:
    """Return how many features a photo has."""
    if not is_supported(features):
        return sum(len(part.get_feature_names_out()) for part in extractors_of(features))
    cnn, concepts = parts_of(features)
    backbone = backbone_of(features)
    of_cnn = 0 if cnn is None else backbone.layers[backbone.choose_layer(cnn.layer)]
    return of_cnn + (0 if concepts is None else len(concepts.labels_))


def describe_features(features: Any) -> dict[str, Any]:
    """Return what JSON can hold of features; `rebuild_features` reads it back.

    Parameters
    ----------
    features : transformer
        As `is_describable` allows.

    Examples
    --------
    >>> from emotag.features.classic.edge_histogram import EdgeHistogram
    >>> describe_features(EdgeHistogram(extended=True))["class"]
    'EdgeHistogram'
    """
    if isinstance(features, FeatureUnion):
        parts = [[name, describe_features(part)] for name, part in features.transformer_list]
        return {"class": "Union", "parts": parts}
    if isinstance(features, CNNFeatures):
        return describe(features)
    given = features.get_params(deep=False)
    kept = {name: _plain(value) for name, value in given.items() if name not in WITHOUT_EFFECT}
    return {"class": type(features).__name__, "parameters": kept}


def rebuild_features(said: Mapping[str, Any], weights: Path = None) -> Any:
    """Return the features that `describe_features` described.

    Parameters
    ----------
    said : mapping
        Read as a stranger's.
    weights : path-like, optional
        A file of the user's with the weights of the network that is among them.

    Raises
    ------
    ModelError
        It makes no sense.
    KeyError
        Something is missing.
    """
    name = said["class"]
    if name == "Union":
        parts = said["parts"]
        if not isinstance(parts, list) or not 1 <= len(parts) <= _MOST_PARTS:
            raise ModelError("its features are not known to this emotag")
        return FeatureUnion(_refuse_names([_rebuild_part(part, weights) for part in parts]))
    if isinstance(name, str) and name in CLASSIC:
        return _rebuild_classic(CLASSIC[name], said["parameters"])
    return rebuild(said, None, weights)


def _rebuild_part(part: Any, weights: Path) -> tuple[str, Any]:
    if not isinstance(part, list) or len(part) != 2 or not isinstance(part[1], dict):
        raise ModelError("its features are not known to this emotag")
    name, said = part
    if said["class"] == "Union":
        raise ModelError("its features are a union of unions, which this emotag does not know")
    return name, rebuild_features(said, weights)


def _refuse_names(parts: list[tuple[Any, Any]]) -> list[tuple[str, Any]]:
    """Refuse names that scikit-learn would not take, or would take for something else."""
    names = [name for name, _ in parts]
    sound = all(
        isinstance(name, str)
        and name.isidentifier()
        and "__" not in name
        and len(name) <= _LONGEST_NAME
        for name in names
    )
    if not sound or len(set(names)) < len(names) or set(names) & set(FeatureUnion([]).get_params()):
        raise ModelError("its features have no sensible names")
    return parts


def _rebuild_classic(kind: type[PhotoFeatures], parameters: Any) -> PhotoFeatures:
    known = set(inspect.signature(kind).parameters) - WITHOUT_EFFECT
    if not isinstance(parameters, dict) or set(parameters) != known:
        raise ModelError(f"its {kind.__name__} has other parameters than this emotag knows")
    given = {name: _as_tuple(value) for name, value in parameters.items()}
    features = kind(**given)
    try:
        # which checks the parameters
        features.get_feature_names_out()
    except EmotagError as error:
        reason = str(error).removesuffix(".")
        raise ModelError(f"its {kind.__name__} makes no sense: {reason}") from error
    return features


def _plain(value: Any) -> Any:
    """Return a parameter as JSON keeps it."""
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.item() if hasattr(value, "item") else value


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
