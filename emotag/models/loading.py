"""Bundles read back as estimators and as torch networks; no pickle anywhere."""

import os

import safetensors
import safetensors.torch
from sklearn.pipeline import Pipeline

from emotag.backbones.registry import find_backbone, load_backbone
from emotag.bundle.config import CONFIG
from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import Bundle, open_bundle
from emotag.errors import BundleError, EmotagError, ModelError
from emotag.features.cnn import CNNFeatures
from emotag.models.estimators import ESTIMATOR_FILES, SENTIMENT_LABELS, load_estimator
from emotag.models.heads import make_head
from emotag.models.network import HEADS, PixelNetwork

__all__ = ["load_model", "load_network"]


def load_model(folder: str | os.PathLike[str] | None = None, target: str = "emotion") -> Pipeline:
    """Load the estimator of a bundle, to predict with or to go on from.

    Parameters
    ----------
    folder : path-like, optional
        The bundle; by default the one that ships with emotag.
    target : {'emotion', 'sentiment'}, default='emotion'
        Which estimator; a bundle has the second where it was learnt separately.

    Returns
    -------
    Pipeline
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
    labels = bundle.config.label_set.names if target == "emotion" else SENTIMENT_LABELS
    content = bundle.read(ESTIMATOR_FILES[target])
    features = _features(bundle)
    try:
        classifier = load_estimator(content, labels, len(features.get_feature_names_out()))
    except BundleError as error:
        raise BundleError(f"The model {bundle.folder} is refused: {error}.") from error
    return Pipeline([("features", features), ("classify", classifier)])


def load_network(bundle: Bundle) -> PixelNetwork:
    """Return the torch network of a bundle, rebuilt from its own weights.

    Raises
    ------
    BundleError
        The weights do not fit the config.
    """
    features = _features(bundle)
    try:
        given = safetensors.torch.load(bundle.read(HEADS))
    except safetensors.SafetensorError as error:
        raise BundleError(f"The model {bundle.folder} is refused: {HEADS}: {error}.") from error
    backbone = find_backbone(features.backbone)
    size = backbone.layers[backbone.choose_layer(features.layer)]
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
    network = load_backbone(features.backbone, features.layer)
    return PixelNetwork(backbone.preprocess, network, **heads).eval()


def _features(bundle: Bundle) -> CNNFeatures:
    description = bundle.config.estimator.get("features")
    try:
        if not isinstance(description, dict) or description["class"] != "CNNFeatures":
            raise ModelError("its features are not known to this emotag")
        features = CNNFeatures(description["backbone"], layer=description["layer"])
        backbone = find_backbone(features.backbone)
        backbone.choose_layer(features.layer)
        if description["weights_sha256"] != backbone.sha256:
            raise ModelError(f"it was made with other weights of {backbone.name}")
    except KeyError as error:
        raise BundleError(
            f"The model {bundle.folder} is refused: {CONFIG} lacks {error}."
        ) from error
    except EmotagError as error:
        reason = str(error).removesuffix(".")
        raise BundleError(f"The model {bundle.folder} is refused: {reason}.") from error
    return features
