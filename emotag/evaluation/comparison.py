"""Models judged on the same photos, compared two by two."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import convolve
from scipy.stats import binom, chi2

from emotag.errors import DataError
from emotag.evaluation.metrics import Figure, bootstrap
from emotag.evaluation.predictions import Predictions

__all__ = ["Comparison", "compare_all", "holm", "mcnemar"]

Floats = NDArray[np.float64]

_FEW = 25
"""With fewer photos that one model alone gets right, chi-square is not near enough."""


@dataclass(frozen=True)
class Comparison:
    """Two models on the same photos.

    Attributes
    ----------
    first, second : str
        Their names.
    n_photos, n_groups : int
        How many photos both were judged on, in how many independent groups.
    n_only_first, n_only_second : int
        Photos that one of them alone gets right.
    statistic, p_value : float
        McNemar's test, which takes every photo for independent. The statistic
        is chi-square, or where `exact` the smaller of the two counts.
    exact : bool
        Whether `p_value` is from the binomial distribution, as it is where few
        photos tell the models apart.
    p_grouped : float
        The exact test that takes the groups for independent, not their photos:
        how often a difference as large comes about if in each group a coin
        says which model is which. Where each photo is its own group, this is
        McNemar's exact test.
    p_holm : float
        `p_grouped`, corrected for the number of comparisons made.
    difference : Figure
        Of the accuracies, first less second, with its 95 % interval.
    """

    first: str
    second: str
    n_photos: int
    n_groups: int
    n_only_first: int
    n_only_second: int
    statistic: float
    p_value: float
    exact: bool
    p_grouped: float
    p_holm: float
    difference: Figure

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return self.__dict__ | {"difference": self.difference.to_dict()}


def mcnemar(
    first: Predictions, second: Predictions, *, n_draws: int = 2000, seed: int = 0
) -> Comparison:
    """Compare how often two models are right on the same photos.

    Parameters
    ----------
    first, second : Predictions
        Of the same photos, in the same order.
    n_draws : int, default=2000
        Bootstrap draws for the interval of the difference.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    Comparison
        Its `p_holm` is not corrected: one comparison needs no correction.

    Raises
    ------
    DataError
        They are of different photos, labels or groups, or of none.

    References
    ----------
    McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12, 1947. Edwards, "Note on the
    'correction for continuity' in testing the significance of the difference
    between correlated proportions", Psychometrika 13, 1948. For the test by
    groups: Fisher, "The Design of Experiments", 1935, section 21.

    Examples
    --------
    >>> from emotag.emotions import LabelSet
    >>> labels = LabelSet(["sun", "rain"])
    >>> actual, owners = np.array(["sun"] * 8), np.array([*"abcdefgh"])
    >>> def says(model, predicted):
    ...     return Predictions(model, labels, actual, np.array(predicted), None, owners, owners)
    >>> found = mcnemar(says("a", ["sun"] * 8), says("b", ["rain"] * 6 + ["sun"] * 2))
    >>> found.n_only_first, found.n_only_second, found.p_value
    (6, 0, 0.03125)
    """
    _refuse_different(first, second)
    right = [one.predicted == one.actual for one in (first, second)]
    gains = right[0].astype(np.float64) - right[1]
    only_first, only_second = int((gains > 0).sum()), int((gains < 0).sum())
    statistic, p_value, exact = _test(only_first, only_second)
    p_grouped = _test_groups(gains, first.groups)
    difference = bootstrap(
        np.column_stack([gains, np.ones_like(gains)]),
        first.groups,
        {"difference": lambda sums: np.asarray(sums[:, 0] / sums[:, 1])},
        n_draws=n_draws,
        seed=seed,
    )["difference"]
    return Comparison(
        first=first.model,
        second=second.model,
        n_photos=len(first),
        n_groups=len(np.unique(first.groups)),
        n_only_first=only_first,
        n_only_second=only_second,
        statistic=statistic,
        p_value=p_value,
        exact=exact,
        p_grouped=p_grouped,
        p_holm=p_grouped,
        difference=difference,
    )


def compare_all(
    predictions: Sequence[Predictions], *, n_draws: int = 2000, seed: int = 0
) -> list[Comparison]:
    """Compare each model with each other, corrected for how many comparisons that makes.

    Parameters
    ----------
    predictions : sequence of Predictions
        Of the same photos, in the same order, each of another model.
    n_draws : int, default=2000
        Bootstrap draws for the intervals of the differences.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    list of Comparison
        In the order of the models: first and second, first and third, …

    Raises
    ------
    DataError
        They are of different photos, labels or groups, or two have one name.
    """
    doubled = [name for name, n in Counter(one.model for one in predictions).items() if n > 1]
    if doubled:
        raise DataError(f"Two models are named {doubled[0]}; give each a name of its own.")
    found = [
        mcnemar(first, second, n_draws=n_draws, seed=seed)
        for first, second in combinations(predictions, 2)
    ]
    corrected = holm([one.p_grouped for one in found]).tolist()
    return [replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]


def holm(p_values: ArrayLike) -> Floats:
    """Correct p-values for being many, so that few are small by luck alone.

    Parameters
    ----------
    p_values : array-like of float, shape (n_tests,)
        Each from a test of its own.

    Returns
    -------
    ndarray of float, shape (n_tests,)
        The corrected ones: the chance that any at all is below a level by
        luck is at most that level.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure",
    Scandinavian Journal of Statistics 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given)
    raised = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    corrected = np.empty_like(given)
    corrected[order] = np.minimum(raised, 1)
    return corrected


def _test(only_first: int, only_second: int) -> tuple[float, float, bool]:
    """Return McNemar's statistic, its p-value, and whether that is exact."""
    fewer, n = min(only_first, only_second), only_first + only_second
    if n < _FEW:
        return float(fewer), min(1.0, 2 * float(binom.cdf(fewer, n, 0.5))), True
    # no less than nought: the correction must not make a difference of none at all
    statistic = max(0, abs(only_first - only_second) - 1) ** 2 / n
    return statistic, float(chi2.sf(statistic, 1)), False


def _test_groups(gains: Floats, groups: NDArray[np.str_]) -> float:
    """Return how often groups whose signs are drawn by a coin differ in sum as much."""
    _, of_photo = np.unique(groups, return_inverse=True)
    steps = np.abs(np.bincount(of_photo, weights=gains)).astype(np.intp)
    # chances[i]: that the steps so far sum to i less the half of what fits in it
    chances = np.ones(1)
    for step, count in zip(*np.unique(steps[steps > 0], return_counts=True), strict=True):
        alike = np.zeros(2 * step * count + 1)
        alike[:: 2 * step] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = convolve(chances, alike)
    whole = len(chances) // 2
    # sums of whole photos, so that a rounding error cannot leave the found one out
    as_far = np.abs(np.arange(-whole, whole + 1)) >= abs(round(float(gains.sum())))
    return float(np.clip(chances[as_far].sum(), 0, 1))


def _refuse_different(first: Predictions, second: Predictions) -> None:
    names = f"{first.model} and {second.model}"
    if not len(first) or len(first) != len(second):
        raise DataError(
            f"{names} were judged on {len(first)} and {len(second)} photos; "
            "judge both on the same ones to compare them."
        )
    for what, ours, theirs in (
        ("photo", first.paths, second.paths),
        ("label", first.actual, second.actual),
        ("group", first.groups, second.groups),
    ):
        other = np.flatnonzero(ours != theirs)
        if len(other):
            here = other[0]
            raise DataError(
                f"{names} were not judged on the same photos in the same order: the {what} of "
                f"entry {here + 1} is {str(ours[here])!r} for one, {str(theirs[here])!r} for the "
                f"other, and {len(other)} of {len(ours)} differ."
            )
