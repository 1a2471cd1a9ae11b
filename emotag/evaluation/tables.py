"""The tables of a report as plain values: galleries of hits and mistakes, models."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emotag.evaluation.literature import LITERATURE, Task
from emotag.evaluation.metrics import Figure
from emotag.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from emotag.evaluation.report import Report

__all__ = [
    "AccuracyRow",
    "Cell",
    "Hits",
    "JudgedPhoto",
    "ModelRow",
    "accuracy_rows",
    "model_rows",
    "photos_by_cell",
    "surest_hits",
    "surest_mistakes",
]


@dataclass(frozen=True)
class JudgedPhoto:
    """A photo, its label, and what a model says of it.

    Attributes
    ----------
    path : str
        The photo.
    actual, predicted : str
        Labels.
    confidence : float or None
        The probability of `predicted`, 0 to 1; None where the model gives none.
    """

    path: str
    actual: str
    predicted: str
    confidence: float | None


@dataclass(frozen=True)
class Hits:
    """A row of Table 1: the photos of one label that the model got right.

    Attributes
    ----------
    label : str
        The label.
    n_hits, n_photos : int
        How many of its photos were found, and how many there are.
    photos : tuple of JudgedPhoto
        The surest first.
    """

    label: str
    n_hits: int
    n_photos: int
    photos: tuple[JudgedPhoto, ...]


@dataclass(frozen=True)
class Cell:
    """The photos of one label of which a model says one thing.

    Attributes
    ----------
    predicted, actual : str
        Labels.
    n_photos : int
        How many there are.
    photos : tuple of JudgedPhoto
        Some of them or all, the surest first.
    """

    predicted: str
    actual: str
    n_photos: int
    photos: tuple[JudgedPhoto, ...] = ()

    @property
    def is_mistake(self) -> bool:
        """Whether the model is wrong here."""
        return self.predicted != self.actual


Grid = tuple[tuple[Cell, ...], ...]


def surest_hits(predictions: Predictions, per_label: int = 5) -> tuple[Hits, ...]:
    """Return Table 1: for each label the true positives that a model is surest of.

    Parameters
    ----------
    predictions : Predictions
        Of one model.
    per_label : int, default=5
        So many photos of each label, or fewer.

    Returns
    -------
    tuple of Hits
        In the order of the labels. Photos of equal confidence, and all where
        the model gives no probabilities, are in the order of their paths.

    Examples
    --------
    >>> from emotag.emotions import LabelSet
    >>> paths = np.array(["a.jpg", "b.jpg", "c.jpg"])
    >>> actual, predicted = np.array(["love", "fear", "love"]), np.array(["love"] * 3)
    >>> proba = np.array([[0.6, 0.4], [0.7, 0.3], [0.9, 0.1]])
    >>> labels = LabelSet(["love", "fear"])
    >>> predictions = Predictions("a model", labels, actual, predicted, proba, paths, paths)
    >>> [(photo.path, photo.confidence) for photo in surest_hits(predictions)[0].photos]
    [('c.jpg', 0.9), ('a.jpg', 0.6)]
    >>> surest_mistakes(predictions)[0][1].photos
    (JudgedPhoto(path='b.jpg', actual='fear', predicted='love', confidence=0.7),)
    """
    order = _surest_first(predictions)
    rows = []
    for label in predictions.labels.names:
        cell = _cell(predictions, order, label, label, per_label)
        total = int((predictions.actual == label).sum())
        rows.append(Hits(label, cell.n_photos, total, cell.photos))
    return tuple(rows)


def surest_mistakes(predictions: Predictions, per_cell: int = 3) -> Grid:
    """Return Table 2: the grid of mistakes, rows predicted, columns actual.

    Parameters
    ----------
    predictions : Predictions
        Of one model.
    per_cell : int, default=3
        So many photos of each cell, or fewer: those that the model is surest of.

    Returns
    -------
    tuple of tuple of Cell
        Rows and columns in the order of the labels. The diagonal holds no
        mistakes: its cells have a number and no photos.
    """
    order = _surest_first(predictions)
    names = predictions.labels.names
    return tuple(
        tuple(
            _cell(predictions, order, said, true, per_cell if said != true else 0) for true in names
        )
        for said in names
    )


def photos_by_cell(predictions: Predictions, per_cell: int | None = None) -> Grid:
    """Return the photos behind a confusion matrix, rows actual, columns predicted.

    Parameters
    ----------
    predictions : Predictions
        Of one model.
    per_cell : int, optional
        So many photos of each cell at most, the surest first; by default all.

    Returns
    -------
    tuple of tuple of Cell
        Rows and columns in the order of the labels.
    """
    order = _surest_first(predictions)
    names = predictions.labels.names
    limit = len(predictions) if per_cell is None else per_cell
    return tuple(
        tuple(_cell(predictions, order, said, true, limit) for said in names) for true in names
    )


def _surest_first(predictions: Predictions) -> NDArray[np.intp]:
    confidence = predictions.confidence
    sureness = np.zeros(len(predictions)) if confidence is None else confidence
    return np.lexsort((predictions.paths, -sureness))


def _cell(
    predictions: Predictions, order: NDArray[np.intp], predicted: str, actual: str, limit: int
) -> Cell:
    inside = (predictions.predicted == predicted) & (predictions.actual == actual)
    chosen = order[inside[order]]
    confidence = predictions.confidence
    photos = tuple(
        JudgedPhoto(
            str(predictions.paths[index]),
            actual,
            predicted,
            None if confidence is None else float(confidence[index]),
        )
        for index in chosen[:limit].tolist()
    )
    return Cell(predicted, actual, len(chosen), photos)


@dataclass(frozen=True)
class ModelRow:
    """One model among those that were compared.

    Attributes
    ----------
    model : str
        Its name.
    n_photos, n_groups : int
        What it was judged on.
    metrics : dict of dict
        By name: ``value``, ``low`` and ``high``; None where there is no number.
    """

    model: str
    n_photos: int
    n_groups: int
    metrics: dict[str, dict[str, float | None]]


def model_rows(reports: Iterable["Report"]) -> tuple[ModelRow, ...]:
    """Return a row a model, in the order in which they come.

    Parameters
    ----------
    reports : iterable of Report
        One a model.
    """
    return tuple(
        ModelRow(
            report.predictions.model,
            report.n_photos,
            report.n_groups,
            {name: figure.to_dict() for name, figure in report.metrics.items()},
        )
        for report in reports
    )


@dataclass(frozen=True)
class AccuracyRow:
    """A row of Table 3 or of Table 4.

    Attributes
    ----------
    system : str
        What was judged.
    data : str
        The photos that it was judged on.
    value : float
        Its accuracy, 0 to 1.
    low, high : float or None
        Of ours the 95 % interval. Of variants that are known by their range only, the range.
    is_ours : bool
        Whether it was measured here; else it was measured by others on other data.
    source, note : str
        Who measured it, and what else must be known to read it.
    """

    system: str
    data: str
    value: float
    low: float | None
    high: float | None
    is_ours: bool
    source: str = ""
    note: str = ""


# What our models' sentiment is called, by where it comes from.
_OUR_METRICS: dict[Task, dict[str, str]] = {
    "emotion": {"accuracy": ""},
    "sentiment": {
        "sentiment_accuracy": ", folded from emotions",
        "trained_sentiment_accuracy": ", trained on sentiment",
    },
}


def accuracy_rows(reports: Iterable["Report"], task: Task, data: str) -> tuple[AccuracyRow, ...]:
    """Return Table 3 (emotions) or Table 4 (sentiment): ours, then the literature's.

    Parameters
    ----------
    reports : iterable of Report
        One a model. Of one whose labels do not fold there is no row on sentiment.
    task : {"emotion", "sentiment"}
        Which table.
    data : str
        What our photos are called.
    """
    ours = [
        _our_row(f"{report.predictions.model}{suffix}", data, report.metrics[name])
        for report in reports
        for name, suffix in _OUR_METRICS[task].items()
        if name in report.metrics
    ]
    theirs = [
        AccuracyRow(
            entry.system,
            entry.data,
            entry.value,
            entry.value if entry.highest is not None else None,
            entry.highest,
            False,
            entry.source,
            entry.note,
        )
        for entry in LITERATURE
        if entry.task == task
    ]
    return (*ours, *theirs)


def _our_row(system: str, data: str, figure: Figure) -> AccuracyRow:
    plain = figure.to_dict()
    return AccuracyRow(
        system, data, figure.value, plain["low"], plain["high"], True, "measured here"
    )
