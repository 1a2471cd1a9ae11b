"""One model judged on labelled photos."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotag.emotions import LabelSet
from emotag.errors import DataError
from emotag.evaluation.metrics import Figure, Outcomes, bootstrap

__all__ = ["Report", "evaluate", "judge"]


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
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)


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
        Order and sentiment of the labels, of which the estimator may know some
        only; by default `LabelSet.from_names`.
    n_draws : int, default=2000
        Bootstrap draws.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    Report
        Every figure with its 95 % interval. Where there are probabilities, the
        most probable label counts as predicted.

    Raises
    ------
    DataError
        There is no photo, one has a label that the estimator does not know,
        or lengths differ.
    LabelError
        The estimator has a label that is not in the set.

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
    label_set = label_set.subset(classes) if label_set else LabelSet.from_names(classes)
    outcomes = _outcomes(estimator, X, actual, classes, label_set)
    return _report(outcomes, groups, label_set, n_draws, seed)


def judge(
    proba: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    label_set: LabelSet,
    n_draws: int = 2000,
    seed: int = 0,
) -> Report:
    """Judge probabilities that were predicted before, such as out of fold.

    Parameters
    ----------
    proba : array-like of shape (n_photos, n_labels), float
        Columns in the order of `label_set`.
    y : array-like of str, shape (n_photos,)
        The labels.
    groups : array-like, shape (n_photos,), optional
        Photos of one group are not independent; by default each photo is.
    label_set : LabelSet
        Order and sentiment of the labels.
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
        There is no photo, or lengths differ.
    LabelError
        A photo has a label that is not in the set.
    """
    names = np.asarray(y).astype(np.str_).tolist()
    if not names:
        raise DataError("There is no photo to judge with.")
    actual = np.array([label_set.index(name) for name in names])
    given = np.asarray(proba, dtype=np.float64)
    if given.shape != (len(names), len(label_set)):
        raise DataError(
            f"Probabilities of shape {given.shape} do not fit {len(names)} photos "
            f"and {len(label_set)} labels."
        )
    outcomes = Outcomes(actual, given.argmax(axis=1), len(label_set), given)
    return _report(outcomes, groups, label_set, n_draws, seed)


def _report(
    outcomes: Outcomes, groups: ArrayLike | None, labels: LabelSet, n_draws: int, seed: int
) -> Report:
    n_photos = len(outcomes.actual)
    own = np.arange(n_photos) if groups is None else np.asarray(groups)
    figures = outcomes.figures()
    present = {labels.names[index]: index for index in np.unique(outcomes.actual).tolist()}
    recalls = {f"recall {name}": outcomes.recall(index) for name, index in present.items()}
    found = bootstrap(outcomes.sums(), own, figures | recalls, n_draws=n_draws, seed=seed)
    metrics = {name: found[name] for name in figures}
    if labels.folds:
        metrics |= _sentiment_metrics(outcomes, own, labels, n_draws, seed)
    return Report(
        n_photos,
        len(np.unique(own)),
        labels.names,
        metrics,
        {name: found[f"recall {name}"] for name in present},
        outcomes.confusion(),
    )


def _outcomes(
    estimator: Any, X: ArrayLike, actual: NDArray[np.str_], classes: list[str], labels: LabelSet
) -> Outcomes:
    proba = None
    if hasattr(estimator, "predict_proba"):
        given = np.asarray(estimator.predict_proba(X), dtype=np.float64)
        # of equal probabilities the first class is taken, as scikit-learn's own predict does
        predicted = np.array(classes)[given.argmax(axis=1)]
        proba = given[:, [classes.index(name) for name in labels.names]]
    else:
        predicted = np.asarray(estimator.predict(X)).astype(np.str_)
    if len(predicted) != len(actual):
        raise DataError(f"There are {len(actual)} labels for {len(predicted)} photos.")
    of_actual, of_predicted = (
        np.array([labels.index(name) for name in names.tolist()]) for names in (actual, predicted)
    )
    return Outcomes(of_actual, of_predicted, len(labels), proba)


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
