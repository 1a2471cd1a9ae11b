"""Estimators saved as bundles; no pickle anywhere."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import safetensors.torch
from sklearn.pipeline import Pipeline

import emotag
from emotag.bundle.config import CONFIG, NETWORK, BundleConfig
from emotag.bundle.folder import Bundle, open_bundle, refuse_target
from emotag.dataset import Dataset
from emotag.emotions import LabelSet
from emotag.models.cards import model_card
from emotag.models.finetuning.estimator import FineTunedCNN
from emotag.models.network import HEADS, export_network, halve_weights
from emotag.models.parity import check_parity, check_reading, some_readable
from emotag.models.parts import Parts, refuse_others, take_apart
from emotag.models.sentiment import SentimentClassifier
from emotag.models.zeroshot import ZeroShotCLIP
from emotag.storage import replace_folder

__all__ = ["ModelFacts", "facts_of_fit", "save_model"]

CARD = "README.md"


@dataclass(frozen=True)
class ModelFacts:
    """What a bundle's config and card say beside the model itself.

    Attributes
    ----------
    name : str
        The model's name in every output.
    recipe : str
        What it was made by.
    data : dict
        Fingerprint and counts of the photos it was fitted on.
    metrics : dict
        What it scored where: ``{"test": {"accuracy": {"value": ..., "low": ..., "high": ...}}}``.
    notes : str
        Paragraphs for the card, in Markdown.
    calibrated : bool
        Whether the probabilities are calibrated, where the estimator does not show it.
    licence : str
        Of the model, as the Hub names it; empty if it is not for giving away.
    """

    name: str
    recipe: str = "custom"
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    notes: str = ""
    calibrated: bool = False
    licence: str = ""


def facts_of_fit(
    folder: str,
    recipe: str,
    fitted_on: Dataset,
    judged_on: Dataset,
    report: dict[str, Any],
    *,
    refit: bool,
) -> ModelFacts:
    """Return what is to be said of a model that was fitted and judged.

    Parameters
    ----------
    folder : str
        Where it will be saved; its last part is the model's name.
    recipe : str
        What was fitted.
    fitted_on, judged_on : Dataset
        The photos.
    report : dict
        What ``Report.to_dict`` returned.
    refit : bool
        Whether the saved model was fitted once more, on all photos.
    """
    recalls = {f"recall_{name}": figure for name, figure in report["recalls"].items()}
    notes = (
        "The figures are those of the same recipe fitted without the held-out photos; "
        "the saved model was then fitted once more on all of them."
        if refit
        else "The saved model is the one that was judged."
    )
    return ModelFacts(
        name=os.path.basename(os.path.abspath(folder)),
        recipe=recipe,
        data={
            "fingerprint": fitted_on.fingerprint(),
            "photos_fitted_on": fitted_on.counts,
            "photos_judged_on": judged_on.counts,
            "refit_on_all": refit,
        },
        metrics={"held-out photos": report["metrics"] | recalls},
        notes=notes,
    )


def save_model(
    model: Pipeline | FineTunedCNN | SentimentClassifier | ZeroShotCLIP,
    folder: str | os.PathLike[str],
    *,
    photos: Sequence[str],
    label_set: LabelSet | None = None,
    sentiment_model: Pipeline | None = None,
    facts: ModelFacts | None = None,
    half: bool = False,
    force: bool = False,
) -> Bundle:
    """Save a fitted model as a bundle, which ``emotag tag --model FOLDER`` runs.

    Parameters
    ----------
    model : Pipeline, FineTunedCNN, ProgressiveCNN, SentimentClassifier or ZeroShotCLIP
        Fitted; the first step of a pipeline is `CNNFeatures` or hand-crafted
        features, the others are scikit-learn's. On hand-crafted features there
        is no network to be run by itself: scikit-learn runs the bundle.
    folder : path-like
        The bundle to be. It appears whole or not at all.
    photos : sequence of str
        A few photos, on which the model and its networks of torch and ONNX are compared.
    label_set : LabelSet, optional
        Order and sentiment of the labels; by default `LabelSet.from_names`.
    sentiment_model : Pipeline, optional
        Fitted on ``'negative'`` and ``'positive'``, on the same features;
        without it, sentiment is folded from the emotions.
    facts : ModelFacts, optional
        What the config and the card say.
    half : bool, default=False
        Whether weights are stored in 16 bits; the network still runs in 32.
    force : bool, default=False
        Whether a bundle that is there already is replaced.

    Returns
    -------
    Bundle
        Opened from the folder.

    Raises
    ------
    ModelError
        The model cannot be exported, or what it says and what its networks say
        differ by more than `PARITY`.
    StorageError
        The folder exists, or cannot be written. With `force`, only a saved model is replaced.

    Examples
    --------
    >>> import os, sklearn, tempfile
    >>> from emotag import make_model, save_model, tag_photos
    >>> photos = os.path.join(os.path.dirname(sklearn.__file__), "datasets", "images")
    >>> X = [f"{photos}/china.jpg", f"{photos}/flower.jpg"] * 5
    >>> model = make_model("lite0").fit(X, ["awe", "love"] * 5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bundle = save_model(model, f"{folder}/demo", photos=X[:2])
    ...     [row.emotion for row in tag_photos(X[:2], f"{folder}/demo")]
    ['awe', 'love']
    """
    folder = os.fspath(folder)
    # ZeroShotCLIP is a pipeline of ordinary parts
    fitted: Any = getattr(model, "estimator_", model) if _is_sentiment(model) else model
    if isinstance(model, ZeroShotCLIP):
        fitted = getattr(model, "pipeline_", model)
    refuse_target(folder, force=force)
    facts = facts or ModelFacts(name=os.path.basename(os.path.abspath(folder)))
    refuse_others(fitted)
    label_set = label_set or LabelSet.from_names(fitted.classes_.tolist())
    parts = take_apart(fitted, sentiment_model, label_set)
    config = _config(parts, label_set, facts)
    contents = {**_network_files(parts, half=half), **parts.files}
    estimators = [fitted] if sentiment_model is None else [fitted, sentiment_model]
    if parts.network is None:
        check_reading(config, contents, estimators, photos)
    else:
        assert parts.preprocess is not None
        readable = some_readable(photos, parts.preprocess)
        check_parity(parts.network, contents[NETWORK], config, readable, estimators)
    calibrated = facts.calibrated or parts.calibrated
    card = model_card(config, facts.notes, calibrated=calibrated, licence=facts.licence)
    contents[CARD] = card.encode()
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    contents[CONFIG] = _to_json(replace(config, files=files).to_dict())
    with replace_folder(folder, force=force) as beside:
        for name, content in contents.items():
            with open(os.path.join(beside, name), "wb") as file:
                file.write(content)
    return open_bundle(folder)


def _network_files(parts: Parts, *, half: bool) -> dict[str, bytes]:
    if parts.network is None or parts.preprocess is None:
        return {}
    onnx_model = export_network(parts.network, parts.preprocess.size)
    return {
        NETWORK: halve_weights(onnx_model) if half else onnx_model,
        HEADS: safetensors.torch.save(parts.tensors),
    }


def _is_sentiment(model: Any) -> bool:
    # what it fitted says the same, without knowing of emotions
    return isinstance(model, SentimentClassifier)


def _config(parts: Parts, label_set: LabelSet, facts: ModelFacts) -> BundleConfig:
    config = BundleConfig(
        name=facts.name,
        recipe=facts.recipe,
        backbone=parts.backbone,
        label_set=label_set,
        preprocess=parts.preprocess,
        learnt_sentiment=parts.has_sentiment,
        emotag_version=emotag.__version__,
        estimator=parts.description,
        data=facts.data,
        metrics=facts.metrics,
    )
    # what is written must be what can be read again
    return BundleConfig.from_dict(config.to_dict())


def _to_json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
