"""Estimators saved as bundles, and bundles read back as estimators; no pickle anywhere."""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import skops.io
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

import emotag
from emotag.backbones.registry import find_backbone, load_backbone
from emotag.bundle import (
    CONFIG,
    NETWORK,
    Bundle,
    BundleConfig,
    OnnxEngine,
    default_bundle,
    open_bundle,
    refuse_target,
)
from emotag.dataset import Dataset
from emotag.emotions import LabelSet
from emotag.errors import BundleError, EmotagError, ModelError, PhotoError
from emotag.features.cnn import CNNFeatures
from emotag.models.cards import model_card
from emotag.models.heads import make_head, to_torch
from emotag.models.network import PixelNetwork, export_network, halve_weights
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess
from emotag.storage import replace_folder

__all__ = ["PARITY", "ModelFacts", "facts_of_fit", "load_model", "load_network", "save_model"]

PARITY = 1e-3
"""How far probabilities of scikit-learn, torch and ONNX may differ in a bundle."""

HEADS = "model.safetensors"
ESTIMATOR = "estimator.skops"
SENTIMENT_ESTIMATOR = "sentiment.skops"
CARD = "README.md"

# The labels of a sentiment output, in its order.
SENTIMENT_LABELS = ("negative", "positive")

_PARITY_PHOTOS = 16
_SKOPS_LIMIT = 256 * 2**20
_SCHEMA_LIMIT = 4 * 2**20

# All that an estimator of a bundle may be made of. skops itself would trust more.
_TRUSTED_TYPES = frozenset(
    {
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.NoneType",
        "builtins.slice",
        "builtins.str",
        "builtins.tuple",
        "numpy.bool",
        "numpy.dtype",
        "numpy.float32",
        "numpy.float64",
        "numpy.generic",
        "numpy.int64",
        "numpy.ndarray",
        "numpy.str_",
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.decomposition._pca.PCA",
        "sklearn.linear_model._logistic.LogisticRegression",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.Normalizer",
        "sklearn.preprocessing._data.StandardScaler",
    }
)


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
    """

    name: str
    recipe: str = "custom"
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    notes: str = ""


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
    model: Pipeline,
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
    model : Pipeline
        Fitted; its first step is `CNNFeatures`, the others are scikit-learn's.
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
    refuse_target(folder, force=force)
    facts = facts or ModelFacts(name=os.path.basename(os.path.abspath(folder)))
    features, classifier = _taken_apart(model)
    label_set = label_set or LabelSet.from_names(model.classes_.tolist())
    sentiment = None if sentiment_model is None else _taken_apart(sentiment_model)[1]
    _refuse_other_features(features, sentiment_model)
    readable = _some_readable(photos, find_backbone(features.backbone).preprocess)
    network, heads = _assemble(features, classifier, sentiment, label_set)
    onnx_model = export_network(network, network_size(features))
    contents = {
        NETWORK: halve_weights(onnx_model) if half else onnx_model,
        HEADS: safetensors.torch.save(heads),
        ESTIMATOR: _dump_skops(classifier),
    }
    if sentiment is not None:
        contents[SENTIMENT_ESTIMATOR] = _dump_skops(sentiment)
    config = _config(features, label_set, facts, learnt_sentiment=sentiment is not None)
    estimators = [model] if sentiment_model is None else [model, sentiment_model]
    _check_parity(network, contents[NETWORK], config, readable, estimators)
    contents[CARD] = model_card(config, facts.notes).encode()
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    contents[CONFIG] = _to_json(replace(config, files=files).to_dict())
    with replace_folder(folder, force=force) as beside:
        for name, content in contents.items():
            with open(os.path.join(beside, name), "wb") as file:
                file.write(content)
    return open_bundle(folder)


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
    files = {"emotion": ESTIMATOR, "sentiment": SENTIMENT_ESTIMATOR}
    if target not in files:
        raise BundleError(f"target={target!r}; choose from {', '.join(files)}.")
    labels = bundle.config.label_set.names if target == "emotion" else SENTIMENT_LABELS
    classifier = _load_skops(bundle, bundle.read(files[target]), labels)
    features = _features(bundle)
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


def network_size(features: CNNFeatures) -> int:
    """Return the side of the square of pixels that some features are taken from."""
    return find_backbone(features.backbone).preprocess.size


def _taken_apart(model: Pipeline) -> tuple[CNNFeatures, Pipeline]:
    """Return a model's features and the rest of it."""
    steps = model.steps if isinstance(model, Pipeline) else []
    if len(steps) < 2 or not isinstance(steps[0][1], CNNFeatures):
        raise ModelError(
            f"{type(model).__name__} cannot be saved as a bundle: it takes a Pipeline whose "
            "first step is CNNFeatures, with a classifier after it."
        )
    if not hasattr(model, "classes_"):
        raise ModelError("The model is not fitted, so there is nothing to save.")
    classifier = model[1:] if len(model.steps) > 2 else model.steps[1][1]
    return model.steps[0][1], classifier


def _refuse_other_features(features: CNNFeatures, other: Pipeline | None) -> None:
    if other is None:
        return
    theirs = other.steps[0][1]
    if (theirs.backbone, theirs.layer) != (features.backbone, features.layer):
        raise ModelError("The models of emotion and of sentiment must share backbone and layer.")


def _assemble(
    features: CNNFeatures, classifier: Any, sentiment: Any, label_set: LabelSet
) -> tuple[PixelNetwork, dict[str, Any]]:
    """Return the whole network, and the weights that are not the backbone's."""
    heads = {"emotion": to_torch(classifier, label_set.names)}
    if sentiment is not None:
        heads["sentiment"] = to_torch(sentiment, SENTIMENT_LABELS)
    backbone = load_backbone(features.backbone, features.layer)
    preprocess = find_backbone(features.backbone).preprocess
    network = PixelNetwork(preprocess, backbone, **heads).eval()
    weights = {
        f"{name}.{key}": value.contiguous()
        for name, head in heads.items()
        for key, value in head.state_dict().items()
    }
    return network, weights


def _config(
    features: CNNFeatures, label_set: LabelSet, facts: ModelFacts, *, learnt_sentiment: bool
) -> BundleConfig:
    backbone = find_backbone(features.backbone)
    config = BundleConfig(
        name=facts.name,
        recipe=facts.recipe,
        backbone=backbone.name,
        label_set=label_set,
        preprocess=backbone.preprocess,
        learnt_sentiment=learnt_sentiment,
        emotag_version=emotag.__version__,
        estimator={
            "features": {
                "class": "CNNFeatures",
                "backbone": backbone.name,
                "layer": backbone.choose_layer(features.layer),
                "weights_sha256": backbone.sha256,
            }
        },
        data=facts.data,
        metrics=facts.metrics,
    )
    # what is written must be what can be read again
    return BundleConfig.from_dict(config.to_dict())


def _check_parity(
    network: PixelNetwork,
    model: bytes,
    config: BundleConfig,
    readable: "_Readable",
    estimators: Sequence[Pipeline],
) -> None:
    """Refuse a network that says something else of real photos than its estimators or its ONNX."""
    by_onnx = _onnx_outputs(model, config, readable.pixels)
    by_torch = network.predict(readable.pixels)
    orders = [config.label_set.names, SENTIMENT_LABELS]
    for index, (estimator, labels) in enumerate(zip(estimators, orders, strict=False)):
        columns = [estimator.classes_.tolist().index(label) for label in labels]
        expected = estimator.predict_proba(readable.paths)[:, columns]
        _refuse_difference("torch", "scikit-learn", by_torch[index], expected)
        _refuse_difference("ONNX", "torch", by_onnx[index], by_torch[index])


def _onnx_outputs(
    model: bytes, config: BundleConfig, pixels: NDArray[np.uint8]
) -> list[NDArray[np.floating[Any]]]:
    emotion, positive = OnnxEngine(model, config)(pixels)
    if positive is None or not config.learnt_sentiment:
        return [emotion]
    return [emotion, np.column_stack([1 - positive, positive])]


def _refuse_difference(
    one: str, other: str, ours: NDArray[np.floating[Any]], theirs: NDArray[np.floating[Any]]
) -> None:
    difference = float(np.abs(ours - theirs).max())
    if not difference <= PARITY:
        raise ModelError(
            f"The {one} form of the model differs from {other} by {difference:.2g} in "
            f"probability, more than {PARITY:g}; it is not saved."
        )


@dataclass(frozen=True)
class _Readable:
    """Some photos that can be read, and their pixels."""

    paths: list[str]
    pixels: NDArray[np.uint8]


def _some_readable(photos: Sequence[str], preprocess: Preprocess) -> _Readable:
    pixels: dict[str, NDArray[np.uint8]] = {}
    for path in photos:
        if len(pixels) == _PARITY_PHOTOS:
            break
        with suppress(PhotoError):
            pixels[path] = decode_photo(path, preprocess).pixels
    if not pixels:
        raise ModelError("None of the photos for comparing torch and ONNX can be read.")
    return _Readable(list(pixels), np.stack(list(pixels.values())))


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


def _dump_skops(classifier: Any) -> bytes:
    """Return an estimator in skops' format, if `load_model` would take it back."""
    content: bytes = skops.io.dumps(classifier)
    unknown = sorted(_skops_types(content) - _TRUSTED_TYPES)
    if unknown:
        raise ModelError(f"The model holds {', '.join(unknown)}, which a bundle cannot keep.")
    return content


def _load_skops(bundle: Bundle, content: bytes, labels: Sequence[str]) -> Any:
    """Load an estimator once every type in it is found on our list."""
    try:
        found = _skops_types(content)
        _refuse_untrusted(found)
        classifier = skops.io.loads(content, trusted=sorted(found))
        _refuse_other_labels(classifier.classes_.tolist(), labels)
    except BundleError as error:
        raise BundleError(f"The model {bundle.folder} is refused: {error}.") from error
    except Exception as error:  # whatever skops and scikit-learn raise on a crafted file
        raise BundleError(
            f"The model {bundle.folder} is refused: its estimator cannot be read ({error})."
        ) from error
    return classifier


def _refuse_untrusted(types: set[str]) -> None:
    unknown = sorted(types - _TRUSTED_TYPES)
    if unknown:
        raise BundleError(f"its estimator holds {', '.join(unknown)}, which is not trusted")


def _refuse_other_labels(classes: Sequence[str], labels: Sequence[str]) -> None:
    if sorted(classes) != sorted(labels):
        raise BundleError(f"its estimator does not tell {', '.join(labels)} apart")


def _skops_types(content: bytes) -> set[str]:
    """Return every type that a skops file names, without loading any."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _SKOPS_LIMIT:
            raise BundleError("its estimator is too large")
        if archive.getinfo("schema.json").file_size > _SCHEMA_LIMIT:
            raise BundleError("the description of its estimator is too large")
        schema = json.loads(archive.read("schema.json"))
    return set(_named_types(schema))


def _named_types(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "__class__" in node:
            yield f"{node.get('__module__')}.{node['__class__']}"
        for value in node.values():
            yield from _named_types(value)
    elif isinstance(node, list):
        for value in node:
            yield from _named_types(value)


def _to_json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
