"""What a fitted estimator is made of, as a bundle holds it."""

from dataclasses import dataclass, field
from typing import Any

import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import Pipeline
from torch import nn

from emotag.backbones.registry import find_backbone, shown_name
from emotag.emotions import LabelSet
from emotag.errors import ModelError
from emotag.features.cnn import CNNFeatures
from emotag.features.ratings import CONCEPTS
from emotag.models.descriptions import describe_features, extractors_of, is_describable
from emotag.models.estimators import ESTIMATOR_FILES, SENTIMENT_LABELS, dump_estimator
from emotag.models.finetuning.base import NetworkClassifier
from emotag.models.finetuning.checks import plain_settings
from emotag.models.finetuning.estimator import FineTunedCNN
from emotag.models.heads import to_torch
from emotag.models.network import PixelNetwork, reorder_head
from emotag.models.progressive.estimator import ProgressiveCNN
from emotag.models.trunks import (
    Features,
    backbone_of,
    concept_table,
    describe,
    is_supported,
    load_trunk,
)
from emotag.photos.preprocess import Preprocess

__all__ = ["Parts", "refuse_others", "take_apart"]


@dataclass(frozen=True)
class Parts:
    """What a bundle is made of, beside config and card.

    Attributes
    ----------
    backbone : str
        Its name, as the config says it; empty where there is none.
    preprocess : Preprocess or None
        What the network sees.
    network : PixelNetwork or None
        The whole of it; None where the features are no network's, so that
        scikit-learn runs the model.
    tensors : dict of str to tensor
        The weights that are not a frozen backbone's.
    description : dict
        How the estimator is rebuilt.
    files : dict of str to bytes
        scikit-learn's estimators.
    calibrated : bool
        Whether the probabilities are.
    """

    backbone: str
    preprocess: Preprocess | None
    network: PixelNetwork | None
    tensors: dict[str, torch.Tensor]
    description: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    calibrated: bool = False

    @property
    def has_sentiment(self) -> bool:
        """Whether the sentiment is learnt separately."""
        return ESTIMATOR_FILES["sentiment"] in self.files


def take_apart(model: Any, sentiment_model: Any, label_set: LabelSet) -> Parts:
    """Return what fitted estimators are made of.

    Parameters
    ----------
    model : Pipeline or FineTunedCNN
        Of the emotions.
    sentiment_model : Pipeline or None
        Of the sentiment, on the same features.
    label_set : LabelSet
        The order of the emotions.

    Raises
    ------
    ModelError
        A bundle cannot hold them.
    """
    refuse_others(model)
    if isinstance(model, NetworkClassifier):
        if sentiment_model is not None:
            raise ModelError(
                "A network that was trained is saved without a model of the sentiment; "
                "fit one on sentiments and save it by itself."
            )
        return _tuned(model, label_set)
    if is_supported(model.steps[0][1]):
        return _frozen(model, sentiment_model, label_set)
    return _measured(model, sentiment_model, label_set)


def refuse_others(model: Any) -> None:
    """Raise a ModelError unless a model is fitted, and of a kind that a bundle can hold."""
    steps = model.steps if isinstance(model, Pipeline) else []
    known = len(steps) > 1 and (is_supported(steps[0][1]) or is_describable(steps[0][1]))
    if not known and not isinstance(model, NetworkClassifier):
        raise ModelError(
            f"{type(model).__name__} cannot be saved as a bundle: it takes a FineTunedCNN, a "
            "ProgressiveCNN, or a Pipeline whose first step is CNNFeatures, ConceptScores, one of "
            "the hand-crafted features or a FeatureUnion of such, with a classifier after it."
        )
    if not hasattr(model, "classes_"):
        raise ModelError("The model is not fitted, so there is nothing to save.")
    if not hasattr(model, "predict_proba"):
        raise ModelError(
            f"{type(steps[-1][1]).__name__} gives scores and no probabilities, which a "
            "bundle needs; calibrate it: make_model('svm') does, or CalibratedClassifierCV with "
            "method='temperature' and ensemble=False."
        )


def _tuned(model: NetworkClassifier, label_set: LabelSet) -> Parts:
    preprocess, trunk, head = model.export_parts()
    classes = [str(name) for name in model.classes_.tolist()]
    ordered = reorder_head(head, classes, label_set.names)
    backbone, stands_on = _beginning(model)
    return Parts(
        backbone=backbone,
        preprocess=preprocess,
        network=PixelNetwork(preprocess, trunk, emotion=ordered).eval(),
        tensors={
            # tensors that share memory would be refused
            key: value.detach().cpu().clone().contiguous()
            for key, value in model.module_.state_dict().items()
        },
        description={
            "network": {
                "class": type(model).__name__,
                **stands_on,
                "dropout": float(model.dropout),
                "temperature": float(model.temperature_),
                "classes": classes,
                "settings": plain_settings(model),
            }
        },
        calibrated=model.temperature_ != 1.0,
    )


def _beginning(model: NetworkClassifier) -> tuple[str, dict[str, Any]]:
    """Return the backbone of a trained network, if any, and the parameters that say what it is."""
    if isinstance(model, FineTunedCNN):
        name = shown_name(model.backbone)
        layer = find_backbone(model.backbone).choose_layer(model.layer)
        return name, {"backbone": name, "layer": layer}
    assert isinstance(model, ProgressiveCNN)
    return "", {"architecture": model.architecture}


def _frozen(model: Any, sentiment_model: Any, label_set: LabelSet) -> Parts:
    features, classifier = _split(model)
    heads: dict[str, nn.Module] = {"emotion": to_torch(classifier, label_set.names)}
    files = {ESTIMATOR_FILES["emotion"]: dump_estimator(classifier)}
    if sentiment_model is not None:
        refuse_others(sentiment_model)
        theirs, sentiment = _split(sentiment_model)
        _refuse_other_features(describe(theirs), describe(features))
        heads["sentiment"] = to_torch(sentiment, SENTIMENT_LABELS)
        files[ESTIMATOR_FILES["sentiment"]] = dump_estimator(sentiment)
    table = concept_table(features)
    backbone = backbone_of(features)
    return Parts(
        backbone=shown_name(backbone.name),
        preprocess=backbone.preprocess,
        network=PixelNetwork(backbone.preprocess, load_trunk(features), **heads).eval(),
        tensors={
            f"{output}.{key}": value.contiguous()
            for output, head in heads.items()
            for key, value in head.state_dict().items()
        },
        description={"features": describe(features)},
        files=files if table is None else files | {CONCEPTS: table},
        calibrated=isinstance(model.steps[-1][1], CalibratedClassifierCV),
    )


def _measured(model: Any, sentiment_model: Any, label_set: LabelSet) -> Parts:
    """Return the parts of a model that no network can stand for."""
    features, classifier = _split(model)
    if sorted(map(str, classifier.classes_)) != sorted(label_set.names):
        raise ModelError(
            f"A classifier of {list(classifier.classes_)} cannot be saved for "
            f"{list(label_set.names)}."
        )
    files = {ESTIMATOR_FILES["emotion"]: dump_estimator(classifier)}
    if sentiment_model is not None:
        refuse_others(sentiment_model)
        theirs, sentiment = _split(sentiment_model)
        _refuse_other_features(describe_features(theirs), describe_features(features))
        files[ESTIMATOR_FILES["sentiment"]] = dump_estimator(sentiment)
    networks = [part for part in extractors_of(features) if isinstance(part, CNNFeatures)]
    return Parts(
        backbone=shown_name(networks[0].backbone) if networks else "",
        preprocess=None,
        network=None,
        tensors={},
        description={"features": describe_features(features)},
        files=files,
        calibrated=isinstance(model.steps[-1][1], CalibratedClassifierCV),
    )


def _refuse_other_features(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    if theirs != ours:
        raise ModelError(
            "The models of emotion and of sentiment must stand on the same features: "
            "backbone, weights, layer, mirror and concepts."
        )


def _split(model: Any) -> tuple[Features, Any]:
    """Return a pipeline's features and the rest of it."""
    steps = model.steps
    return steps[0][1], model[1:] if len(steps) > 2 else steps[1][1]
