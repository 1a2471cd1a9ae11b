"""One model judged on labelled photos."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotag.emotions import LabelSet
from emotag.errors import DataError
from emotag.evaluation.metrics import Figure, Outcomes, bootstrap

__all__ = ["Report", "evaluate"]


@dataclass(frozen=True)
class Report:
    """How a model did on labelled photos.

    Attributes
    ----------
    n_photos, n_groups : int
        How many photos it was judged on, in how many independent groups.
    labels : tuple of str
        The order of rows and columns.
    metrics : dict of Figure
        By name: ``accuracy``, ``balanced_accuracy``, ``macro_f1``,
        ``majority_baseline`` (always the most frequent label), where there
        are probabilities ``log_loss`` and ``calibration_error`` (ten bins),
        and where the labels fold ``sentiment_accuracy`` and its baseline.
    recalls : dict of Figure
        The share of each label's photos that was found.
    confusion : ndarray of shape (n_labels, n_labels), int
        Rows actual, columns predicted.
    """

    n_photos: int
    n_groups: int
    labels: tuple[str, ...]
    metrics: dict[str, Figure]
    recalls: dict[str, Figure]
    confusion: NDArray[np.intp] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "n_photos": self.n_photos,
            "n_groups": self.n_groups,
            "labels": list(self.labels),
            "metrics": {name: figure.to_dict() for name, figure in self.metrics.items()},
            "recalls": {name: figure.to_dict() for name, figure in self.recalls.items()},
            "confusion": self.confusion.tolist(),
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2)


def evaluate(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    label_set: LabelSet | None = None,
    n_draws: int = 2000,
    seed: int = 0,
) -> Report:
    """Judge a classifier on labelled photos.

    Parameters
    ----------
    estimator : estimator
        Any fitted scikit-learn classifier.
    X : array-like
        What its ``predict`` takes.
    y : array-like of str, shape (n_photos,)
        The labels.
    groups : array-like, shape (n_photos,), optional
        Photos of one group are not independent, such as those of one owner;
        by default each photo is.
    label_set : LabelSet, optional
        Order and sentiment of the labels; by default `LabelSet.from_names`.
    n_draws : int, default=2000
        Bootstrap draws.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    Report
        Every figure with its 95 % interval.

    Raises
    ------
    DataError
        There is no photo, or one has a label that the estimator does not know.

    Examples
    --------
    >>> from emotag import evaluate
    >>> from sklearn.dummy import DummyClassifier
    >>> X, y = [[0]] * 10, ["love"] * 6 + ["fear"] * 4
    >>> report = evaluate(DummyClassifier().fit(X, y), X, y)
    >>> report.metrics["accuracy"].value, report.metrics["balanced_accuracy"].value
    (0.6, 0.5)
    """
    actual = np.asarray(y).astype(np.str_)
    if not len(actual):
        raise DataError("There is no photo to judge with.")
    classes = np.asarray(estimator.classes_).astype(np.str_).tolist()
    strange = sorted(set(actual.tolist()) - set(classes))
    if strange:
        raise DataError(
            f"The photos are labelled {', '.join(strange)}, which the model does not know; "
            f"it knows {', '.join(classes)}."
        )
    label_set = label_set or LabelSet.from_names(classes)
    outcomes = _outcomes(estimator, X, actual, classes, label_set)
    own = np.arange(len(actual)) if groups is None else np.asarray(groups)
    figures = outcomes.figures()
    recalls = {
        name: outcomes.recall(index) for index, name in enumerate(label_set.names) if name in actual
    }
    metrics = bootstrap(outcomes.sums(), own, figures, n_draws=n_draws, seed=seed)
    found = bootstrap(outcomes.sums(), own, recalls, n_draws=n_draws, seed=seed)
    if label_set.folds:
        metrics |= _sentiment_metrics(outcomes, own, label_set, n_draws, seed)
    return Report(
        len(actual), len(np.unique(own)), label_set.names, metrics, found, outcomes.confusion()
    )


def _outcomes(
    estimator: Any, X: ArrayLike, actual: NDArray[np.str_], classes: list[str], labels: LabelSet
) -> Outcomes:
    columns = [classes.index(name) for name in labels.names]
    of_actual = np.array([labels.index(name) for name in actual.tolist()])
    if hasattr(estimator, "predict_proba"):
        proba = np.asarray(estimator.predict_proba(X), dtype=np.float64)[:, columns]
        return Outcomes(of_actual, proba.argmax(axis=1), len(labels), proba)
    predicted = np.asarray(estimator.predict(X)).astype(np.str_)
    of_predicted = np.array([labels.index(name) for name in predicted.tolist()])
    return Outcomes(of_actual, of_predicted, len(labels))


def _sentiment_metrics(
    outcomes: Outcomes, groups: NDArray[Any], labels: LabelSet, n_draws: int, seed: int
) -> dict[str, Figure]:
    """Judge the sentiment that the emotions fold into."""
    positive = np.array([labels.sentiment(name) == "positive" for name in labels.names])
    actual = positive[outcomes.actual].astype(np.intp)
    if outcomes.proba is None:
        predicted, proba = positive[outcomes.predicted].astype(np.intp), None
    else:
        folded = labels.fold(outcomes.proba)
        predicted = (folded >= 0.5).astype(np.intp)
        proba = np.column_stack([1 - folded, folded])
    folded_outcomes = Outcomes(actual, predicted, 2, proba)
    wanted = ("accuracy", "balanced_accuracy", "majority_baseline")
    figures = {
        f"sentiment_{name}": function
        for name, function in folded_outcomes.figures().items()
        if name in wanted
    }
    return bootstrap(folded_outcomes.sums(), groups, figures, n_draws=n_draws, seed=seed)
