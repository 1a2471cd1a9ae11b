"""One model judged on labelled photos."""

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotag.emotions import LabelSet
from emotag.errors import DataError
from emotag.evaluation.metrics import Figure, Outcomes, bootstrap
from emotag.evaluation.predicting import groups_of, labels_of, predict
from emotag.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

__all__ = ["Report", "evaluate", "judge", "report_of"]

_OF_SENTIMENT = ("accuracy", "balanced_accuracy", "majority_baseline")


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
        ``majority_baseline`` (always the most frequent label) and
        ``prior_accuracy`` (guessing by the labels' shares). Where there are
        probabilities: ``top_2_accuracy`` (of more than two labels),
        ``log_loss``, ``prior_log_loss`` (always the labels' shares) and
        ``calibration_error`` (expected, ten bins). Where the labels fold:
        ``sentiment_accuracy``, ``sentiment_balanced_accuracy`` and
        ``sentiment_majority_baseline``; where the model learnt sentiment
        separately, the same with ``trained_`` before them.
    per_label : dict of dict of Figure
        By label, then ``precision``, ``recall`` and ``f1``; nan where no photo
        says it.
    counts : dict of int
        How many photos each label has.
    confusion : ndarray of shape (n_labels, n_labels), int
        Rows actual, columns predicted.
    baselines : dict of dict of float
        See `emotag.evaluation.metrics.Outcomes.baselines`.
    by_kind : dict of dict of Figure
        The metrics of the photos whose label is ``'depicted'``, and of those
        whose label is ``'evoked'``, where the data says so.
    predictions : Predictions
        What was said of each photo.
    """

    n_photos: int
    n_groups: int
    labels: tuple[str, ...]
    metrics: dict[str, Figure]
    per_label: dict[str, dict[str, Figure]]
    counts: dict[str, int]
    confusion: NDArray[np.intp] = field(repr=False)
    baselines: dict[str, dict[str, float]] = field(repr=False)
    by_kind: dict[str, dict[str, Figure]] = field(repr=False)
    predictions: Predictions = field(repr=False)

    @property
    def recalls(self) -> dict[str, Figure]:
        """The share of each label's photos that was found, by label that has any."""
        return {name: of["recall"] for name, of in self.per_label.items() if self.counts[name]}

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold: all but the predictions."""
        return {
            "n_photos": self.n_photos,
            "n_groups": self.n_groups,
            "labels": list(self.labels),
            "counts": self.counts,
            "metrics": _plain(self.metrics),
            "baselines": {
                metric: {name: round(value, 6) for name, value in of.items()}
                for metric, of in self.baselines.items()
            },
            "recalls": _plain(self.recalls),
            "per_label": {name: _plain(of) for name, of in self.per_label.items()},
            "by_kind": {kind: _plain(of) for kind, of in self.by_kind.items()},
            "confusion": self.confusion.tolist(),
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)

    def confusion_display(self) -> Any:
        """Return scikit-learn's display of the confusion matrix, whose ``plot`` draws it.

        Returns
        -------
        sklearn.metrics.ConfusionMatrixDisplay
        """
        from sklearn.metrics import ConfusionMatrixDisplay

        return ConfusionMatrixDisplay(self.confusion, display_labels=list(self.labels))

    def figure_confusion(self, *, sentiment: bool = False) -> "Drawing":
        """Draw the confusion matrix.

        Parameters
        ----------
        sentiment : bool, default=False
            That of the sentiments, not of the emotions.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from emotag.evaluation.figures import draw_confusion

        return draw_confusion([self.predictions], sentiment=sentiment)

    def figure_reliability(self) -> "Drawing":
        """Draw how often the model is right by how confident it is.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from emotag.evaluation.figures import draw_reliability

        return draw_reliability([self.predictions])

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write the report as one page that opens by a double click.

        Parameters
        ----------
        path : path-like
            The page to be; one that is there is replaced.

        Raises
        ------
        StorageError
            The page cannot be written.
        """
        from emotag.evaluation.page import write_report
        from emotag.evaluation.report_page import content_of

        write_report(os.fspath(path), content_of(self))


def evaluate(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    label_set: LabelSet | None = None,
    sentiment_estimator: Any = None,
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
    sentiment_estimator : estimator, optional
        A fitted classifier of ``'positive'`` and ``'negative'``, such as a
        `SentimentClassifier`, to be judged beside the folded emotions.
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
    predictions = predict(
        estimator, X, y, groups, label_set=label_set, sentiment_estimator=sentiment_estimator
    )
    return report_of(predictions, n_draws=n_draws, seed=seed)


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
    actual = labels_of(y)
    for name in np.unique(actual).tolist():
        label_set.index(name)
    given = np.asarray(proba, dtype=np.float64)
    if given.shape != (len(actual), len(label_set)):
        raise DataError(
            f"Probabilities of shape {given.shape} do not fit {len(actual)} photos "
            f"and {len(label_set)} labels."
        )
    predictions = Predictions(
        "model",
        label_set,
        actual,
        np.array(label_set.names)[given.argmax(axis=1)],
        given,
        groups_of(groups, len(actual)),
        np.full(len(actual), "", dtype=np.str_),
    )
    return report_of(predictions, n_draws=n_draws, seed=seed)


def report_of(predictions: Predictions, *, n_draws: int = 2000, seed: int = 0) -> Report:
    """Return every figure of what a model said.

    Parameters
    ----------
    predictions : Predictions
        What it said.
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
        There is no photo.
    LabelError
        A photo's label, or what is predicted, is not in the set.
    """
    if not len(predictions):
        raise DataError("There is no photo to judge with.")
    outcomes = Outcomes.of(predictions)
    names, counts = predictions.labels.names, outcomes.confusion().sum(axis=1).tolist()
    baselines = outcomes.baselines()
    for prefix, (_, of_sentiment) in _sentiments(predictions).items():
        found = of_sentiment.baselines()
        baselines |= {f"{prefix}{name}": found[name] for name in _OF_SENTIMENT if name in found}
    return Report(
        n_photos=len(predictions),
        n_groups=len(np.unique(predictions.groups)),
        labels=names,
        metrics=_metrics(predictions, n_draws, seed),
        per_label=_per_label(outcomes, predictions, n_draws, seed),
        counts=dict(zip(names, counts, strict=True)),
        confusion=outcomes.confusion(),
        baselines=baselines,
        by_kind={
            kind: _metrics(predictions.take(predictions.kinds == kind), n_draws, seed)
            for kind in np.unique(predictions.kinds[predictions.kinds != ""]).tolist()
        },
        predictions=predictions,
    )


def _metrics(predictions: Predictions, n_draws: int, seed: int) -> dict[str, Figure]:
    outcomes = Outcomes.of(predictions)
    metrics = bootstrap(
        outcomes.sums(), predictions.groups, outcomes.figures(), n_draws=n_draws, seed=seed
    )
    for prefix, (known, of_sentiment) in _sentiments(predictions).items():
        statistics = of_sentiment.figures()
        metrics |= bootstrap(
            of_sentiment.sums(),
            predictions.groups[known],
            {f"{prefix}{name}": statistics[name] for name in _OF_SENTIMENT},
            n_draws=n_draws,
            seed=seed,
        )
    return metrics


def _per_label(
    outcomes: Outcomes, predictions: Predictions, n_draws: int, seed: int
) -> dict[str, dict[str, Figure]]:
    statistics = {
        f"{measure} {index}": of_label(index)
        for measure, of_label in {
            "precision": outcomes.precision,
            "recall": outcomes.recall,
            "f1": outcomes.f1,
        }.items()
        for index in range(outcomes.n_labels)
    }
    found = bootstrap(outcomes.sums(), predictions.groups, statistics, n_draws=n_draws, seed=seed)
    return {
        name: {measure: found[f"{measure} {index}"] for measure in ("precision", "recall", "f1")}
        for index, name in enumerate(predictions.labels.names)
    }


def _sentiments(predictions: Predictions) -> dict[str, tuple[NDArray[np.bool_], Outcomes]]:
    """Return what was said of sentiment, each way, of the photos whose sentiment is known."""
    labels = predictions.labels
    folded = {name: labels.sentiment(name) or "" for name in labels.names}
    # what the data says of a photo counts, and where it says nothing, the label
    actual = np.where(
        predictions.sentiments != "",
        predictions.sentiments,
        np.array([folded[name] for name in predictions.actual.tolist()], dtype=np.str_),
    )
    ways = {}
    if labels.folds:
        ways["sentiment_"] = (
            np.array([float(folded[name] == "positive") for name in predictions.predicted.tolist()])
            if predictions.proba is None
            else labels.fold(predictions.proba)
        )
    if predictions.p_positive is not None:
        ways["trained_sentiment_"] = predictions.p_positive
    known = actual != ""
    positive = (actual[known] == "positive").astype(np.intp)
    return {
        prefix: (known, Outcomes(positive, (proba[known] >= 0.5).astype(np.intp), 2))
        for prefix, proba in ways.items()
        if known.any()
    }


def _plain(figures: dict[str, Figure]) -> dict[str, dict[str, float | None]]:
    return {name: figure.to_dict() for name, figure in figures.items()}
