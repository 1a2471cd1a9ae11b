"""Models by name: each an ordinary scikit-learn estimator on paths of photos."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from emotag.dataset import Dataset
from emotag.errors import DataError, PhotoError
from emotag.features.cnn import CNNFeatures
from emotag.models.catalogue import find_recipe

__all__ = [
    "compute_features",
    "fit_model",
    "make_model",
    "refuse_few",
    "without_failures",
]

CALIBRATION_FOLDS = 5

# How the inverse temperature is lowered to a confidence that the photos justify.
_BETA_STEP = 0.9
_LEAST_BETA = 1e-6


def make_model(
    name: str = "lite0",
    *,
    backbone: str | None = None,
    layer: str | None = None,
    weights: str | os.PathLike[str] | None = None,
    calibrated: bool = True,
    random_state: int | None = None,
) -> Pipeline:
    """Make a model by name, not yet fitted.

    Parameters
    ----------
    name : str, default='lite0'
        The recipe; ``emotag models`` lists them. ``'svm'`` is the paper's
        first system: fc7 of VGG16, and a linear support vector machine for
        each label against the others.
    backbone : str, optional
        The network on which ``'linear'`` or ``'svm'`` shall stand; by default
        the recipe's own.
    layer : str, optional
        Of the backbone; by default its own choice.
    weights : path-like, optional
        A file with the backbone's weights.
    calibrated : bool, default=True
        Whether the probabilities are calibrated. Without, ``'svm'`` gives
        scores only, by ``decision_function``.
    random_state : int, optional
        Makes the folds of the calibration, and the machines, repeatable.

    Returns
    -------
    sklearn.pipeline.Pipeline
        A classifier from paths of photos to labels. Its steps are
        ``features`` and ``classify``.

    Raises
    ------
    ModelError
        There is no such recipe or backbone; the message names the choices.

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
    features = CNNFeatures(recipe.backbone, layer=layer, weights=weights)
    head = make_pipeline(StandardScaler(), _HEADS[recipe.family.name](random_state))
    if calibrated:
        folds = StratifiedKFold(CALIBRATION_FOLDS, shuffle=True, random_state=random_state)
        # One temperature for one head: sigmoid would change the most probable label,
        # and an ensemble would make as many heads as folds.
        head = CalibratedClassifierCV(head, method="temperature", ensemble=False, cv=folds)
    return Pipeline([("features", features), ("classify", head)])


def _logistic_regression(_: int | None) -> LogisticRegression:
    return LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000)


def _one_vs_all(random_state: int | None) -> OneVsRestClassifier:
    # scaled features are thousands, so a margin of this C already tells most photos apart
    machine = LinearSVC(C=0.001, class_weight="balanced", random_state=random_state)
    return OneVsRestClassifier(machine)


_HEADS: dict[str, Callable[[int | None], Any]] = {
    "linear": _logistic_regression,
    "svm": _one_vs_all,
}


def compute_features(
    model: Pipeline, paths: Sequence[str], progress: Callable[[int], None] | None = None
) -> list[PhotoError]:
    """Compute the features of photos ahead of fitting, so that fitting finds them in the cache.

    Parameters
    ----------
    model : Pipeline
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
    features: CNNFeatures = model.named_steps["features"]
    extraction = features.extract(paths, progress)
    if not extraction.vectors:
        raise DataError(f"None of the photos can be read; the first: {extraction.failures[0]}.")
    return extraction.failures


def without_failures(dataset: Dataset, failures: Sequence[PhotoError]) -> Dataset:
    """Return a data set without the photos that failed."""
    refused = {failure.path for failure in failures}
    return dataset.take(np.array([path not in refused for path in dataset.paths.tolist()], bool))


def fit_model(
    model: Pipeline,
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike,
    *,
    seed: int = 0,
) -> Pipeline:
    """Fit a model such that its calibration keeps groups together.

    scikit-learn's `CalibratedClassifierCV` passes no groups on to its folds
    where it fits a single head, so the folds are made here.

    Parameters
    ----------
    model : Pipeline
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
    Pipeline
        The model itself, fitted.

    Raises
    ------
    DataError
        A label has fewer independent photos than there are folds.
    """
    X, y, groups = np.asarray(X), np.asarray(y), np.asarray(groups)
    folds = _group_folds(X, y, groups, seed)
    with _calibrating_on(model, folds):
        model.fit(X, y)
    _cap_confidence(model, X, len(np.unique(groups)))
    return model


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
