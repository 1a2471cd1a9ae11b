"""Confusion matrices of emotions, and of sentiment both ways."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotag.emotions import SENTIMENTS
from emotag.evaluation.predictions import Predictions

__all__ = ["Matrix", "emotion_matrices", "sentiment_matrices"]


@dataclass(frozen=True, eq=False)
class Matrix:
    """How often one thing was said of another.

    Attributes
    ----------
    title : str
        The model, and for sentiment where it comes from.
    names : tuple of str
        The order of rows and columns.
    counts : ndarray of shape (n_names, n_names), int
        Photos: rows actual, columns predicted.
    """

    title: str
    names: tuple[str, ...]
    counts: NDArray[np.intp]


def emotion_matrices(predictions: Predictions) -> list[Matrix]:
    """Return the one confusion matrix of a model's labels.

    Parameters
    ----------
    predictions : Predictions
        Of the model.

    Examples
    --------
    >>> from emotag.emotions import LabelSet
    >>> names = np.array(["love", "fear", "fear"])
    >>> said = Predictions("a model", LabelSet(["love", "fear"]), names, names, None, names, names)
    >>> emotion_matrices(said)[0].counts
    array([[1, 0],
           [0, 2]])
    """
    return [
        _matrix(
            predictions.model, predictions.labels.names, predictions.actual, predictions.predicted
        )
    ]


def sentiment_matrices(predictions: Predictions) -> list[Matrix]:
    """Return the confusion matrices of sentiment, each way that a model tells it.

    Parameters
    ----------
    predictions : Predictions
        Of the model. Where the data says a photo's sentiment, that counts;
        else its label is folded. Photos without either are left out.

    Returns
    -------
    list of Matrix
        Folded from emotions, where they fold, and trained, where the model
        learnt sentiment separately. Empty if no photo has a sentiment.
    """
    labels = predictions.labels
    of_label = {name: labels.sentiment(name) or "" for name in labels.names}
    folded = np.array([of_label[name] for name in predictions.actual.tolist()], dtype=np.str_)
    actual = np.where(predictions.sentiments != "", predictions.sentiments, folded)
    ways = {}
    if labels.folds and predictions.proba is not None:
        ways["folded"] = np.where(labels.fold(predictions.proba) >= 0.5, *SENTIMENTS)
    elif labels.folds:
        ways["folded"] = np.array([of_label[name] for name in predictions.predicted.tolist()])
    if predictions.p_positive is not None:
        ways["trained"] = np.where(predictions.p_positive >= 0.5, *SENTIMENTS)
    known = actual != ""
    return [
        _matrix(f"{predictions.model}, {way}", SENTIMENTS, actual[known], said[known])
        for way, said in ways.items()
        if known.any()
    ]


def _matrix(
    title: str, names: tuple[str, ...], actual: NDArray[np.str_], predicted: NDArray[np.str_]
) -> Matrix:
    counts = [[((actual == true) & (predicted == said)).sum() for said in names] for true in names]
    return Matrix(title, names, np.array(counts, dtype=np.intp))
