"""Models by name: each an ordinary scikit-learn estimator on paths of photos."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from emotag.backbones.runtime import choose_device
from emotag.dataset import Dataset
from emotag.errors import DataError, ModelError, PhotoError
from emotag.features.cache import checkpoint_folder, remove_checkpoints
from emotag.features.cnn import CNNFeatures
from emotag.features.concepts import ConceptScores
from emotag.models.catalogue import PROGRESSIVE, Recipe, find_recipe, refuse_salient
from emotag.models.descriptions import extractors_of
from emotag.models.finetuning.base import NetworkClassifier
from emotag.models.finetuning.estimator import FineTunedCNN
from emotag.models.fusion import CalibratedFusion, PriorFusion
from emotag.models.late_fusion import LateFusion
from emotag.models.progressive.estimator import ProgressiveCNN
from emotag.models.related import BY_HAND, fuse_channels
from emotag.models.trunks import Features

__all__ = [
    "fit_model",
    "forget_checkpoints",
    "make_model",
    "prepare_photos",
    "refuse_few",
    "set_options",
    "without_failures",
]

CALIBRATION_FOLDS = 5

Model: TypeAlias = Pipeline | NetworkClassifier
"""What `make_model` makes."""

_DEVICES = (
    "features__device",
    "features__cnn__device",
    "features__concepts__device",
    "features__content__device",
)

# What parameters are called by the commands.
_OPTIONS = {"max_epochs": "--epochs", "batch_size": "--batch-size"}

# How the inverse temperature is lowered to a confidence that the photos justify.
_BETA_STEP = 0.9
_LEAST_BETA = 1e-6


def make_model(
    name: str = "lite0",
    *,
    backbone: str | None = None,
    layer: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    salient: str | None = None,
    saliency: str = "barrier",
    calibrated: bool = True,
    random_state: int | None = None,
) -> Any:
    """Make a model by name, not yet fitted.

    Parameters
    ----------
    name : str, default='lite0'
        The recipe; ``emotag models`` lists them. The paper's systems are
        ``'svm'``, a linear support vector machine for each label on fc7 of
        VGG16, and ``'vgg16'``, ``'places205'`` and ``'resnet50'``, which are
        fine-tuned.
    backbone : str, optional
        The network on which ``'linear'``, ``'svm'``, ``'concepts'``, ``'fused'``,
        ``'finetune'``, ``'fc7'`` or ``'fusion'`` shall stand; by default the
        recipe's own.
    layer : str, optional
        Of the backbone; by default its own choice.
    weights : path-like, optional
        A file with the backbone's weights.
    salient : {'crop', 'weight'}, optional
        Whether the network sees the salient region of a photo only, or the
        photo with the rest of it faded; by default it sees all of it.
    saliency : {'barrier', 'spectral', 'u2netp'}, default='barrier'
        How what is salient is found.
    calibrated : bool, default=True
        Whether the probabilities are calibrated. Without, ``'svm'`` gives
        scores only, by ``decision_function``. A fine-tuned network always is.
    random_state : int, optional
        Makes the folds of the calibration, and what is fitted, repeatable.

    Returns
    -------
    sklearn.pipeline.Pipeline, FineTunedCNN or ProgressiveCNN
        A classifier from paths of photos to labels. The steps of a pipeline
        are ``features`` and ``classify``.

    Raises
    ------
    ModelError
        There is no such recipe or backbone, and the message names the choices;
        or the recipe takes no salient photos, no layer or no weights.
    WeightsError
        The network that finds what is salient is not at hand.

    References
    ----------
    Gajarla & Gupta, "Emotion Detection and Sentiment Analysis of Images",
    Georgia Tech, 2015, for the support vector machines on fc7.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, for
    the temperature: one number that leaves the most probable label as it is.

    Examples
    --------
    >>> from emotag import make_model
    >>> make_model("lite0").set_params(features__batch_size=16).steps[0]
    ('features', CNNFeatures(batch_size=16))
    >>> model = make_model("svm", backbone="lite0", calibrated=False)
    >>> model.named_steps["classify"].steps[-1][1]
    OneVsRestClassifier(estimator=LinearSVC(C=0.001, class_weight='balanced'))
    """
    recipe = find_recipe(name, backbone)
    refuse_salient(recipe, salient, saliency)
    family = recipe.family.name
    if family == "finetune":
        assert recipe.backbone is not None
        return FineTunedCNN(
            recipe.backbone,
            layer=layer,
            weights=weights,
            salient=salient,
            saliency=saliency,
            class_weight="balanced",
            random_state=random_state,
        )
    if recipe.backbone is None and (layer, weights) != (None, None):
        raise ModelError(
            f"The model {name!r} stands on no network that is given, so it takes no layer and no "
            "weights."
        )
    if family == "progressive":
        return ProgressiveCNN(PROGRESSIVE[name], class_weight="balanced", random_state=random_state)
    if recipe.backbone is None:
        features, head = BY_HAND[family](random_state)
    else:
        cnn = CNNFeatures(
            recipe.backbone, layer=layer, weights=weights, salient=salient, saliency=saliency
        )
        features, head = _on_network(recipe, cnn, random_state)
    if calibrated:
        folds = StratifiedKFold(CALIBRATION_FOLDS, shuffle=True, random_state=random_state)
        # One temperature for one head: sigmoid would change the most probable label,
        # and an ensemble would make as many heads as folds.
        kind = CalibratedFusion if isinstance(head, PriorFusion) else CalibratedClassifierCV
        head = kind(head, method="temperature", ensemble=False, cv=folds)
    return Pipeline([("features", features), ("classify", head)])


def _on_network(recipe: Recipe, cnn: CNNFeatures, random_state: int | None) -> tuple[Any, Any]:
    """Return features of a network, and what classifies them."""
    if recipe.family.name == "fusion":
        return fuse_channels(cnn, random_state)
    concepts = ConceptScores(cnn.backbone, weights=cnn.weights)
    features = {
        "concepts": concepts,
        "fused": FeatureUnion([("cnn", cnn), ("concepts", concepts)]),
    }.get(recipe.family.name, cnn)
    return features, _HEADS[recipe.family.name](random_state)


def _logistic_regression(_: int | None) -> Pipeline:
    head = LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000)
    return make_pipeline(StandardScaler(), head)


def _fusion(_: int | None) -> PriorFusion:
    return PriorFusion(C=0.001, class_weight="balanced")


def _one_vs_all(random_state: int | None) -> Pipeline:
    # scaled features are thousands, so a margin of this C already tells most photos apart
    machine = LinearSVC(C=0.001, class_weight="balanced", random_state=random_state)
    return make_pipeline(StandardScaler(), OneVsRestClassifier(machine))


def _logistic_on_sphere(_: int | None) -> Pipeline:
    # of the paper's choices we know the features and the kind of classifier alone
    head = LogisticRegression(C=10.0, class_weight="balanced", max_iter=2000)
    return make_pipeline(Normalizer(), head)


_HEADS: dict[str, Callable[[int | None], Any]] = {
    "linear": _logistic_regression,
    "fc7": _logistic_on_sphere,
    "svm": _one_vs_all,
    "concepts": _fusion,
    "fused": _fusion,
}


def prepare_photos(
    model: Model,
    paths: Sequence[str],
    progress: Callable[[int], None] | None = None,
) -> list[PhotoError]:
    """Compute features, or resize photos, ahead of fitting, which finds them in the cache.

    Parameters
    ----------
    model : Pipeline, FineTunedCNN or ProgressiveCNN
        As `make_model` makes it, with its cache on.
    paths : sequence of str
        The photos.
    progress : callable, optional
        Called with the number of photos done since the last call.

    Returns
    -------
    list of PhotoError
        The photos that have none, since they cannot be read.

    Raises
    ------
    DataError
        No photo can be read.
    """
    if isinstance(model, NetworkClassifier):
        failures = model.prepare(paths, progress)
    else:
        failures = _extract(model.named_steps["features"], paths, progress)
    if len(failures) == len(set(paths)):
        raise DataError(f"None of the photos can be read; the first: {failures[0]}.")
    return failures


def without_failures(dataset: Dataset, failures: Sequence[PhotoError]) -> Dataset:
    """Return a data set without the photos that failed."""
    refused = {failure.path for failure in failures}
    return dataset.take(np.array([path not in refused for path in dataset.paths.tolist()], bool))


def _extract(
    features: Features, paths: Sequence[str], progress: Callable[[int], None] | None
) -> list[PhotoError]:
    *before, last = extractors_of(features)
    failures = {error.path: error for part in before for error in part.extract(paths).failures}
    failures |= {error.path: error for error in last.extract(paths, progress).failures}
    return list(failures.values())


def set_options(model: Model, folder: str, *, device: str = "auto", **tuning: Any) -> None:
    """Set what a person may say of how a model is fitted.

    Parameters
    ----------
    model : Pipeline, FineTunedCNN or ProgressiveCNN
        As `make_model` makes it.
    folder : str
        Where it will be saved: a fine-tuning that was killed is found again by it.
    device : str, default='auto'
        As torch names it.
    **tuning : object
        Parameters of a network that is trained; None leaves one as it is.

    Raises
    ------
    ModelError
        The device cannot be used; or the model is not fine-tuned, but a parameter of
        that was said.
    """
    said = {name: value for name, value in tuning.items() if value is not None}
    choose_device(device)
    if isinstance(model, NetworkClassifier):
        key = hashlib.sha256(os.path.abspath(folder).encode("utf-8", "surrogateescape")).hexdigest()
        kept = checkpoint_folder(key[:16])
        if isinstance(model, ProgressiveCNN) and "max_epochs" in said:
            # half as many for the second training, as it is by default
            said["progressive_epochs"] = max(1, said["max_epochs"] // 2)
        model.set_params(device=device, checkpoint=kept, keep_checkpoint=True, **said)
        return
    given = model.get_params()
    model.set_params(**{name: device for name in given if name in _DEVICES})
    others = sorted(set(said) - {"progress"})
    if others:
        options = " and ".join(_OPTIONS.get(name, name) for name in others)
        raise ModelError(f"{options} can be set for a network that is trained only.")


def forget_checkpoints(model: Model) -> None:
    """Remove what a fine-tuning would go on from, once its model is saved.

    Parameters
    ----------
    model : Pipeline, FineTunedCNN or ProgressiveCNN
        As `set_options` leaves it.
    """
    if isinstance(model, NetworkClassifier) and model.checkpoint is not None:
        remove_checkpoints(model.checkpoint)


def fit_model(
    model: Model,
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike,
    *,
    seed: int = 0,
) -> Model:
    """Fit a model such that its calibration keeps groups together.

    scikit-learn's `CalibratedClassifierCV` passes no groups on to its folds
    where it fits a single head, so the folds are made here.

    Parameters
    ----------
    model : Pipeline, FineTunedCNN or ProgressiveCNN
        As `make_model` makes it.
    X : array-like of str, shape (n_photos,)
        Paths of photos.
    y : array-like of str, shape (n_photos,)
        Labels.
    groups : array-like, shape (n_photos,)
        Photos of one group are never in two folds.
    seed : int, default=0
        Chooses the folds.

    Returns
    -------
    Pipeline, FineTunedCNN or ProgressiveCNN
        The model itself, fitted.

    Raises
    ------
    DataError
        A label has fewer independent photos than there are folds.
    """
    X, y, groups = np.asarray(X), np.asarray(y), np.asarray(groups)
    if isinstance(model, NetworkClassifier):
        refuse_few(y, groups)
        return model.fit(X, y, groups=groups)
    folds = _group_folds(X, y, groups, seed)
    with _calibrating_on(model, folds):
        model.fit(X, y, **_for_fusion(model, groups))
    _cap_confidence(model, X, len(np.unique(groups)))
    return model


def _for_fusion(model: Pipeline, groups: NDArray[Any]) -> dict[str, Any]:
    """Return what a fusion must be told to keep groups together in folds of its own."""
    fused = isinstance(model.get_params().get("classify__estimator"), LateFusion)
    return {"classify__groups": groups} if fused else {}


def _cap_confidence(model: Pipeline, X: NDArray[Any], n: int) -> None:
    """Let the mean confidence be no more than n photos, all told apart, would justify.

    Where every photo of a small set is told apart out of fold, the best temperature
    is none at all, and every confidence 1. Laplace's rule of succession expects
    (n + 1) / (n + 2) of the next photos to be right then.
    """
    classifier = model.named_steps["classify"]
    if not isinstance(classifier, CalibratedClassifierCV):
        return
    calibrator = classifier.calibrated_classifiers_[0].calibrators[0]
    features = model[:-1].transform(X)
    justified = (n + 1) / (n + 2)
    while calibrator.beta_ > _LEAST_BETA and _mean_confidence(classifier, features) > justified:
        calibrator.beta_ = calibrator.beta_ * _BETA_STEP


def _mean_confidence(classifier: CalibratedClassifierCV, features: NDArray[Any]) -> float:
    return float(classifier.predict_proba(features).max(axis=1).mean())


def refuse_few(y: NDArray[Any], groups: NDArray[Any]) -> None:
    """Raise a DataError if a label has fewer independent photos than the calibration has folds.

    Parameters
    ----------
    y, groups : ndarray of shape (n_photos,)
        Labels, and what keeps photos together.
    """
    for label in sorted(set(y.tolist())):
        independent = len(set(groups[y == label].tolist()))
        if independent < CALIBRATION_FOLDS:
            raise DataError(
                f"The label {label!r} has {independent} photos to fit on that are independent of "
                f"each other, fewer than the {CALIBRATION_FOLDS} folds of the calibration. "
                "Add photos of it, or leave the label out."
            )


def _group_folds(
    X: NDArray[Any], y: NDArray[Any], groups: NDArray[Any], seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    refuse_few(y, groups)
    splitter = StratifiedGroupKFold(CALIBRATION_FOLDS, shuffle=True, random_state=seed)
    return list(splitter.split(X, y, groups))


@contextmanager
def _calibrating_on(model: Pipeline, folds: Any) -> Iterator[None]:
    """Let the calibration use given folds for as long as the body runs."""
    usual = model.get_params()["classify__cv"]
    model.set_params(classify__cv=folds)
    try:
        yield
    finally:
        # The folds are indices of these photos: nothing that a fitted model should keep.
        model.set_params(classify__cv=usual)
