"""Bundles read back as estimators and as torch networks; no pickle anywhere."""

import inspect
import os
from collections.abc import Mapping
from typing import Any

import safetensors
import safetensors.torch
import torch
from sklearn.pipeline import Pipeline

from emotag.bundle.config import CONFIG
from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import Bundle, open_bundle
from emotag.errors import BundleError, EmotagError, ModelError
from emotag.features.ratings import CONCEPTS
from emotag.models.descriptions import rebuild_features, width_of
from emotag.models.estimators import ESTIMATOR_FILES, SENTIMENT_LABELS, load_estimator
from emotag.models.finetuning.base import NetworkClassifier
from emotag.models.finetuning.checks import SETTINGS, check_parameters
from emotag.models.finetuning.estimator import FineTunedCNN
from emotag.models.heads import make_head
from emotag.models.network import HEADS, PixelNetwork
from emotag.models.parts import take_apart
from emotag.models.progressive.estimator import ProgressiveCNN
from emotag.models.trunks import Features, backbone_of, load_trunk, rebuild

__all__ = ["load_model", "load_network"]

# The part of a config's estimator that describes a network that was trained.
_TUNED = "network"

# Their classes, and the parameters that say where the network begins.
_TRAINED: dict[str, tuple[type[NetworkClassifier], tuple[str, ...]]] = {
    "FineTunedCNN": (FineTunedCNN, ("backbone", "layer")),
    "ProgressiveCNN": (ProgressiveCNN, ("architecture",)),
}


def load_model(
    folder: str | os.PathLike[str] | None = None,
    target: str = "emotion",
    *,
    weights: str | os.PathLike[str] | None = None,
) -> Pipeline | NetworkClassifier:
    """Load the estimator of a bundle, to predict with or to go on from.

    Parameters
    ----------
    folder : path-like, optional
        The bundle; by default the one that ships with emotag.
    target : {'emotion', 'sentiment'}, default='emotion'
        Which estimator; a bundle has the second where it was learnt separately.
    weights : path-like, optional
        A file with the backbone's weights, where the model was fitted with
        such a one; of a backbone ``onnx:FILE``, that file.

    Returns
    -------
    Pipeline, FineTunedCNN or ProgressiveCNN
        Fitted, from paths of photos to labels.

    Raises
    ------
    BundleError
        The bundle is refused, or has no such estimator.

    Examples
    --------
    >>> from emotag import load_model
    >>> sorted(load_model().classes_.tolist())
    ['fear', 'happiness', 'love', 'sadness', 'violence']
    """
    bundle = open_bundle(os.fspath(folder or default_bundle()))
    if target not in ESTIMATOR_FILES:
        raise BundleError(f"target={target!r}; choose from {', '.join(ESTIMATOR_FILES)}.")
    if _TUNED in bundle.config.estimator and target == "emotion":
        return _tuned(bundle)
    labels = bundle.config.label_set.names if target == "emotion" else SENTIMENT_LABELS
    content = bundle.read(ESTIMATOR_FILES[target])
    features = _features(bundle, weights)
    try:
        classifier = load_estimator(content, labels, width_of(features))
    except BundleError as error:
        raise BundleError(f"The model {bundle.folder} is refused: {error}.") from error
    return Pipeline([("features", features), ("classify", classifier)])


def load_network(bundle: Bundle, weights: str | os.PathLike[str] | None = None) -> PixelNetwork:
    """Return the torch network of a bundle, rebuilt from its own weights.

    Parameters
    ----------
    bundle : Bundle
        Opened.
    weights : path-like, optional
        As in `load_model`.

    Raises
    ------
    BundleError
        The weights do not fit the config.
    """
    if _TUNED in bundle.config.estimator:
        network = take_apart(_tuned(bundle), None, bundle.config.label_set).network
        assert network is not None
        return network
    features = _features(bundle, weights)
    given = _tensors(bundle)
    size = width_of(features)
    labels = {"emotion": len(bundle.config.label_set)}
    if bundle.config.learnt_sentiment:
        labels["sentiment"] = len(SENTIMENT_LABELS)
    heads = {}
    for name, count in labels.items():
        state = {
            key.removeprefix(f"{name}."): value
            for key, value in given.items()
            if key.startswith(f"{name}.")
        }
        # a linear layer after UnitLength stands at index 1
        head = make_head(size, count, unit_length="1.weight" in state)
        try:
            head.load_state_dict(state)
        except RuntimeError as error:
            raise BundleError(f"The weights of {bundle.folder} do not fit its config.") from error
        heads[name] = head
    return PixelNetwork(backbone_of(features).preprocess, load_trunk(features), **heads).eval()


def _tensors(bundle: Bundle) -> dict[str, torch.Tensor]:
    try:
        return safetensors.torch.load(bundle.read(HEADS))
    except safetensors.SafetensorError as error:
        raise BundleError(f"The model {bundle.folder} is refused: {HEADS}: {error}.") from error


def _tuned(bundle: Bundle) -> NetworkClassifier:
    """Return a network that was trained, whose weights are all in the bundle."""
    description = bundle.config.estimator[_TUNED]
    try:
        if not isinstance(description, dict) or str(description["class"]) not in _TRAINED:
            raise ModelError("its network is not known to this emotag")
        kind, own = _TRAINED[description["class"]]
        classes = description["classes"]
        names = sorted(bundle.config.label_set.names)
        if not isinstance(classes, list) or sorted(map(str, classes)) != names:
            raise ModelError("its network does not tell its labels apart")
        parameters = _parameters(description, kind, own)
        check_parameters(kind(**parameters).get_params(deep=False), kind.__name__)
        temperature = description["temperature"]
        if not isinstance(temperature, int | float) or not 0 < temperature < float("inf"):
            raise ModelError(f"its temperature is {temperature!r}")
        return kind.restore(parameters, classes, _tensors(bundle), temperature)
    except KeyError as error:
        raise BundleError(
            f"The model {bundle.folder} is refused: {CONFIG} lacks {error}."
        ) from error
    except (EmotagError, TypeError, ValueError) as error:
        if isinstance(error, BundleError):
            raise
        reason = str(error).removesuffix(".")
        raise BundleError(f"The model {bundle.folder} is refused: {reason}.") from error


def _parameters(
    description: Mapping[str, Any], kind: type[NetworkClassifier], own: tuple[str, ...]
) -> dict[str, Any]:
    """Return the parameters of a trained network, read as a stranger's."""
    # models that were saved earlier have no settings
    settings = description.get("settings", {})
    known = SETTINGS.intersection(inspect.signature(kind).parameters)
    if not isinstance(settings, dict) or not known.issuperset(settings):
        raise ModelError("its settings are none that this emotag knows")
    parameters = settings | {name: description[name] for name in (*own, "dropout")}
    name = parameters[own[0]]
    if not isinstance(name, str) or name.startswith("onnx:"):
        raise ModelError(f"{name!r} is no network that can be trained")
    return parameters


def _seeing_alike(features: Features, bundle: Bundle) -> Features:
    """Return features, if they see of a photo what the bundle's network sees."""
    if backbone_of(features).preprocess != bundle.config.preprocess:
        raise ModelError("its network sees photos otherwise than its features say")
    return features


def _features(bundle: Bundle, weights: str | os.PathLike[str] | None = None) -> Features:
    said = bundle.config.estimator.get("features")
    try:
        if not isinstance(said, dict):
            raise ModelError("its features are not known to this emotag")
        if not bundle.config.has_network:
            return rebuild_features(said, weights)
        table = bundle.read(CONCEPTS) if CONCEPTS in bundle.config.files else None
        return _seeing_alike(rebuild(said, table, weights), bundle)
    except KeyError as error:
        raise BundleError(
            f"The model {bundle.folder} is refused: {CONFIG} lacks {error}."
        ) from error
    except (EmotagError, TypeError, ValueError) as error:
        if isinstance(error, BundleError):
            raise
        reason = str(error).removesuffix(".")
        raise BundleError(f"The model {bundle.folder} is refused: {reason}.") from error
