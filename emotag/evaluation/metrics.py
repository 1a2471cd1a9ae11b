"""Figures with bootstrap intervals over groups of photos that are not independent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emotag.errors import DataError
from emotag.evaluation.predictions import Predictions

__all__ = ["Figure", "Outcomes", "Statistic", "bootstrap"]

Floats = NDArray[np.float64]

Statistic = Callable[[Floats], Floats]
"""From sums over photos, (n_draws, n_sums), to a figure a draw, (n_draws,)."""

_BINS = 10
# Draws are made so many at a time, to bound the memory.
_DRAWS_A_BLOCK = 100
# The figures that follow from the confusion matrix and that a baseline has, too.
_BY_CELLS = ("accuracy", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True)
class Figure:
    """A figure and its 95 % interval.

    Attributes
    ----------
    value : float
        On all photos.
    low, high : float
        The 2.5th and the 97.5th percentile over the bootstrap draws; nan
        where all photos are of one group, so that nothing can be said.
    """

    value: float
    low: float
    high: float

    @property
    def interval(self) -> str:
        """The interval as text, a dash where there is none."""
        return f"[{self.low:.3f}, {self.high:.3f}]" if np.isfinite(self.low) else "-"

    def __str__(self) -> str:
        return f"{self.value:.3f} {self.interval}"

    def to_dict(self) -> dict[str, float | None]:
        """Return value, low and high, rounded to six decimals, None for nan."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {
            name: round(float(number), 6) if np.isfinite(number) else None
            for name, number in numbers.items()
        }


@dataclass(frozen=True)
class Outcomes:
    """What a classifier said of each photo, as sums from which every figure follows.

    Parameters
    ----------
    actual, predicted : ndarray of int, shape (n_photos,)
        Columns of labels.
    n_labels : int
        How many labels there are.
    proba : ndarray of shape (n_photos, n_labels), float, or None
        Probabilities, where the classifier gives any.

    Examples
    --------
    >>> outcomes = Outcomes(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    >>> outcomes.confusion()
    array([[1, 1],
           [0, 1]])
    >>> figures = bootstrap(outcomes.sums(), np.arange(3), outcomes.figures())
    >>> figures["balanced_accuracy"].value
    0.75
    """

    actual: NDArray[np.intp]
    predicted: NDArray[np.intp]
    n_labels: int
    proba: Floats | None = None

    @classmethod
    def of(cls, predictions: Predictions) -> Self:
        """Return the outcomes of what a model said of emotions.

        Raises
        ------
        LabelError
            A photo's label, or what is predicted, is not in the set.
        """
        labels = predictions.labels
        actual, predicted = (
            np.array([labels.index(name) for name in names.tolist()], dtype=np.intp)
            for names in (predictions.actual, predictions.predicted)
        )
        return cls(actual, predicted, len(labels), predictions.proba)

    def sums(self) -> Floats:
        """Return for each photo what adds up: its cell, its loss, its place, its bin."""
        n = len(self.actual)
        cells = np.zeros((n, self.n_labels**2))
        cells[np.arange(n), self.actual * self.n_labels + self.predicted] = 1
        if self.proba is None:
            return cells
        of_actual = np.clip(self.proba[np.arange(n), self.actual], 1e-15, 1)
        confidence = self.proba.max(axis=1)
        bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
        gaps = np.zeros((n, _BINS))
        gaps[np.arange(n), bins] = confidence - (self.actual == self.predicted)
        return np.column_stack([cells, -np.log(of_actual), self._in_top_2(self.proba), gaps])

    def _in_top_2(self, proba: Floats) -> NDArray[np.bool_]:
        """Return which photos are labelled as predicted, or as the next best says."""
        others = proba.copy()
        # what is predicted stays first among equals, wherever its column stands
        others[np.arange(len(others)), self.predicted] = -np.inf
        return np.asarray(
            (self.actual == self.predicted) | (self.actual == others.argmax(axis=1)), dtype=np.bool_
        )

    def shares(self) -> Floats:
        """Return the share of the photos that each label has, shape (n_labels,)."""
        return np.bincount(self.actual, minlength=self.n_labels) / len(self.actual)

    def figures(self) -> dict[str, Statistic]:
        """Return the figures by name, each a function of summed `sums`.

        The baselines know the shares of the labels among these very photos:
        the majority baseline always says the most frequent one, the prior
        guesses by the shares, or gives them as its probabilities.
        """
        k, shares = self.n_labels, self.shares()
        figures: dict[str, Statistic] = {
            "accuracy": lambda sums: _accuracy(_confusion(sums, k)),
            "balanced_accuracy": lambda sums: _balanced_accuracy(_confusion(sums, k)),
            "macro_f1": lambda sums: _mean_of_present(_f1(_confusion(sums, k))),
            "majority_baseline": lambda sums: _share(_confusion(sums, k), int(shares.argmax())),
            "prior_accuracy": lambda sums: _mean_over_labels(_confusion(sums, k), shares),
        }
        if self.proba is None:
            return figures
        surprise = -np.log(np.where(shares > 0, shares, 1))
        if k > 2:
            figures["top_2_accuracy"] = lambda sums: _of_photos(sums[:, k * k + 1], sums, k)
        figures["log_loss"] = lambda sums: _of_photos(sums[:, k * k], sums, k)
        figures["prior_log_loss"] = lambda sums: _mean_over_labels(_confusion(sums, k), surprise)
        figures["calibration_error"] = lambda sums: _of_photos(
            np.abs(sums[:, k * k + 2 :]).sum(axis=1), sums, k
        )
        return figures

    def precision(self, label: int) -> Statistic:
        """Return the precision of one label as a function of summed `sums`."""
        return lambda sums: _precisions(_confusion(sums, self.n_labels))[:, label]

    def recall(self, label: int) -> Statistic:
        """Return the recall of one label as a function of summed `sums`."""
        return lambda sums: _recalls(_confusion(sums, self.n_labels))[:, label]

    def f1(self, label: int) -> Statistic:
        """Return the F1 score of one label as a function of summed `sums`."""
        return lambda sums: _f1(_confusion(sums, self.n_labels))[:, label]

    def confusion(self) -> NDArray[np.intp]:
        """Return the confusion matrix: rows actual, columns predicted."""
        matrix = np.zeros((self.n_labels, self.n_labels), dtype=np.intp)
        np.add.at(matrix, (self.actual, self.predicted), 1)
        return matrix

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return what saying nothing of a photo scores, by metric and baseline.

        Returns
        -------
        dict of dict of float
            By metric, then ``'majority'`` (always the most frequent label, or
            the two of them) and ``'prior'`` (guessing by the labels' shares;
            for the log loss, the shares as probabilities).
        """
        shares = self.shares()
        always = np.eye(self.n_labels)[shares.argmax()]
        found: dict[str, dict[str, float]] = {
            name: {
                # what each cell of the confusion matrix holds of all photos, on average
                baseline: float(statistic(np.outer(shares, said).reshape(1, -1))[0])
                for baseline, said in {"majority": always, "prior": shares}.items()
            }
            for name, statistic in self.figures().items()
            if name in _BY_CELLS
        }
        if self.proba is not None:
            if self.n_labels > 2:
                found["top_2_accuracy"] = {"majority": float(np.sort(shares)[-2:].sum())}
            found["log_loss"] = {"prior": float(-shares @ np.log(np.where(shares > 0, shares, 1)))}
        return found


def bootstrap(
    sums: Floats,
    groups: NDArray[Any],
    figures: dict[str, Statistic],
    *,
    n_draws: int = 2000,
    seed: int = 0,
) -> dict[str, Figure]:
    """Return figures with percentile intervals, resampling whole groups.

    Each interval is shifted by the draws' bias, the difference of their mean
    from the figure itself.

    Parameters
    ----------
    sums : ndarray of shape (n_photos, n_sums), float
        What adds up over photos.
    groups : ndarray of shape (n_photos,)
        Photos of one group are drawn together: they are not independent.
    figures : dict of callable
        Each from summed `sums` (n_draws, n_sums) to a figure (n_draws,); a
        draw without the photos that a figure needs gives nan and is left out.
    n_draws : int, default=2000
        Bootstrap draws.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    dict of Figure
        By name.

    Raises
    ------
    DataError
        No draw is asked for, or there is not one group for each photo.

    References
    ----------
    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 10
    (bias) and 13 (percentile intervals).
    """
    if n_draws < 1:
        raise DataError(f"n_draws={n_draws}: at least one draw is needed.")
    if len(groups) != len(sums):
        raise DataError(f"There are {len(groups)} groups for {len(sums)} photos.")
    _, of_photo = np.unique(groups, return_inverse=True)
    n_groups = int(of_photo.max()) + 1
    of_groups = np.zeros((n_groups, sums.shape[1]))
    np.add.at(of_groups, of_photo, sums)
    rng = np.random.default_rng(seed)
    drawn = []
    for start in range(0, n_draws, _DRAWS_A_BLOCK):
        block = min(_DRAWS_A_BLOCK, n_draws - start)
        chosen = rng.integers(0, n_groups, (block, n_groups))
        # each draw counts in a range of its own, so that one pass counts them all
        chosen += np.arange(block)[:, np.newaxis] * n_groups
        counts = np.bincount(chosen.ravel(), minlength=block * n_groups)
        drawn.append(counts.reshape(block, n_groups) @ of_groups)
    draws = np.concatenate(drawn)
    whole = of_groups.sum(axis=0, keepdims=True)
    # One group drawn again and again would look as if the figure were certain.
    draws = draws if n_groups > 1 else draws[:0]
    return {name: _figure(function, whole, draws) for name, function in figures.items()}


def _figure(function: Statistic, whole: Floats, draws: Floats) -> Figure:
    value = float(function(whole)[0])
    values = function(draws)
    values = values[np.isfinite(values)]
    if not len(values):
        return Figure(value, np.nan, np.nan)
    # Some figures, such as the calibration error, are larger in a draw than in all photos:
    # without that bias the interval could lie beside the value.
    low, high = np.percentile(values, [2.5, 97.5]) - (values.mean() - value)
    low, high = np.clip([low, high], min(values.min(), value), max(values.max(), value))
    return Figure(value, float(low), float(high))


def _confusion(sums: Floats, n_labels: int) -> Floats:
    return np.asarray(sums[:, : n_labels**2].reshape(-1, n_labels, n_labels))


def _accuracy(confusion: Floats) -> Floats:
    return np.asarray(np.trace(confusion, axis1=1, axis2=2) / confusion.sum(axis=(1, 2)))


def _recalls(confusion: Floats) -> Floats:
    """Return each label's recall, nan where no photo has it."""
    return _hits_of(confusion, confusion.sum(axis=2))


def _balanced_accuracy(confusion: Floats) -> Floats:
    return _mean_of_present(_recalls(confusion))


def _precisions(confusion: Floats) -> Floats:
    """Return each label's precision, nan where it is never predicted."""
    return _hits_of(confusion, confusion.sum(axis=1))


def _f1(confusion: Floats) -> Floats:
    """Return each label's F1 score, nan where no photo has it and none is said to."""
    both = confusion.sum(axis=1) + confusion.sum(axis=2)
    return _hits_of(confusion, both / 2)


def _hits_of(confusion: Floats, of: Floats) -> Floats:
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    return np.divide(hits, of, out=np.full_like(of, np.nan), where=of > 0)


def _share(confusion: Floats, label: int) -> Floats:
    actual = confusion.sum(axis=2)
    return np.asarray(actual[:, label] / actual.sum(axis=1))


def _mean_over_labels(confusion: Floats, values: Floats) -> Floats:
    """Return the mean over photos of what each label is worth."""
    actual = confusion.sum(axis=2)
    return np.asarray(actual @ values / actual.sum(axis=1))


def _of_photos(total: Floats, sums: Floats, n_labels: int) -> Floats:
    return np.asarray(total / sums[:, : n_labels**2].sum(axis=1))


def _mean_of_present(values: Floats) -> Floats:
    present = np.isfinite(values)
    return np.asarray(np.where(present, values, 0).sum(axis=1) / present.sum(axis=1))
