"""Any classifier and labelled photos become predictions."""

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotag.emotions import LabelSet
from emotag.errors import DataError
from emotag.evaluation.predictions import Predictions

__all__ = ["groups_of", "labels_of", "predict"]


def predict(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    model: str | None = None,
    label_set: LabelSet | None = None,
    sentiment_estimator: Any = None,
) -> Predictions:
    """Return what a classifier says of labelled photos.

    Parameters
    ----------
    estimator, X, y, groups, label_set, sentiment_estimator
        As for `evaluate`.
    model : str, optional
        The model's name; by default that of the estimator's class.

    Returns
    -------
    Predictions
        In the order of the photos.

    Raises
    ------
    DataError, LabelError
        As for `evaluate`.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> X, y = [[0], [0], [0]], ["love", "love", "fear"]
    >>> predictions = predict(DummyClassifier().fit(X, y), X, y)
    >>> predictions.model, predictions.predicted.tolist()
    ('DummyClassifier', ['love', 'love', 'love'])
    """
    actual = labels_of(y)
    classes = np.asarray(estimator.classes_).astype(np.str_).tolist()
    strange = sorted(set(actual.tolist()) - set(classes))
    if strange:
        raise DataError(
            f"The photos are labelled {', '.join(strange)}, which the model does not know; "
            f"it knows {', '.join(classes)}."
        )
    labels = label_set.subset(classes) if label_set else LabelSet.from_names(classes)
    predicted, proba = _said(estimator, X, classes, labels)
    if len(predicted) != len(actual):
        raise DataError(f"There are {len(actual)} labels for {len(predicted)} photos.")
    return Predictions(
        model or type(estimator).__name__,
        labels,
        actual,
        predicted,
        proba,
        groups_of(groups, len(actual)),
        _paths_of(X, len(actual)),
        None if sentiment_estimator is None else _positive(sentiment_estimator, X),
    )


def labels_of(y: ArrayLike) -> NDArray[np.str_]:
    """Return labels as text.

    Raises
    ------
    DataError
        There is none.
    """
    actual = np.asarray(y).astype(np.str_)
    if not len(actual):
        raise DataError("There is no photo to judge with.")
    return actual


def groups_of(groups: ArrayLike | None, n_photos: int) -> NDArray[np.str_]:
    """Return groups as text, where none are given one for each photo.

    Raises
    ------
    DataError
        There is not one group for each photo.
    """
    if groups is None:
        # as many digits in each, so that they sort as the photos stand
        return np.array([f"{index:09}" for index in range(n_photos)])
    given = np.asarray(groups).astype(np.str_)
    if len(given) != n_photos:
        raise DataError(f"There are {len(given)} groups for {n_photos} photos.")
    return given


def _said(
    estimator: Any, X: ArrayLike, classes: list[str], labels: LabelSet
) -> tuple[NDArray[np.str_], NDArray[np.float64] | None]:
    """Return what is predicted, and the probabilities in the order of the labels."""
    if not hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict(X)).astype(np.str_), None
    given = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    # of equal probabilities the first class is taken, as scikit-learn's own predict does
    predicted = np.array(classes)[given.argmax(axis=1)]
    return predicted, given[:, [classes.index(name) for name in labels.names]]


def _positive(estimator: Any, X: ArrayLike) -> NDArray[np.float64]:
    classes = np.asarray(estimator.classes_).astype(np.str_).tolist()
    if sorted(classes) != ["negative", "positive"]:
        raise DataError(
            f"A classifier of sentiment knows negative and positive, not {', '.join(classes)}."
        )
    if hasattr(estimator, "predict_proba"):
        proba = np.asarray(estimator.predict_proba(X), dtype=np.float64)
        return np.asarray(proba[:, classes.index("positive")])
    said = np.asarray(estimator.predict(X)).astype(np.str_)
    return np.asarray(said == "positive", dtype=np.float64)


def _paths_of(X: Any, n_photos: int) -> NDArray[np.str_]:
    """Return the photos' paths, if it is paths that the classifier takes."""
    flat = getattr(X, "ndim", 1) == 1 and isinstance(X, Iterable)
    if flat and all(isinstance(entry, str | os.PathLike) for entry in X):
        return np.array([os.fspath(entry) for entry in X], dtype=np.str_)
    return np.full(n_photos, "", dtype=np.str_)
