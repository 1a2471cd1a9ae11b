"""What may be concluded from models' figures, in plain sentences."""

import math
from collections.abc import Sequence

import numpy as np

from emotag.evaluation.comparison import Comparison
from emotag.evaluation.metrics import Figure, Outcomes, bootstrap
from emotag.evaluation.predictions import Predictions

__all__ = ["conclude"]

_LEVEL = 0.05
# With fewer, a bootstrap over groups finds too little variety.
_ENOUGH_GROUPS = 30


def conclude(
    comparisons: Sequence[Comparison],
    predictions: Sequence[Predictions],
    *,
    n_draws: int = 2000,
    seed: int = 0,
) -> list[str]:
    """Say what may be concluded, and what may not.

    One model is said to be better than another where both the interval of the
    difference and the test corrected for many comparisons say so.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Of the models; none where there is one model only.
    predictions : sequence of Predictions
        What each model said.
    n_draws : int, default=2000
        Bootstrap draws.
    seed : int, default=0
        Of the draws; the intervals are those of `report_of` with the same two.

    Returns
    -------
    list of str
        A sentence on each model, the one that is right most often first, then
        one on each comparison, then the reservations.

    Examples
    --------
    >>> from emotag.emotions import LabelSet
    >>> labels, actual = LabelSet(["sun", "rain"]), np.array(["sun", "rain"] * 50)
    >>> photos = np.arange(100).astype(str)
    >>> coin = Predictions("coin", labels, actual, np.repeat(actual[:2], 50), None, photos, photos)
    >>> print(conclude([], [coin])[0])
    coin is not shown to be better than always saying sun: it is right on 0.50 (0.41 to 0.60) of \
these 100 photos, and always saying sun is right on 0.50.
    """
    judged = [(one, *_against_majority(one, n_draws, seed)) for one in predictions]
    judged.sort(key=lambda entry: -entry[1].value)
    return [
        *(_on_model(*entry) for entry in judged),
        *(_on_comparison(one) for one in comparisons),
        *_reservations(comparisons, predictions),
    ]


def _against_majority(
    predictions: Predictions, n_draws: int, seed: int
) -> tuple[Figure, float, str]:
    """Return the accuracy, and that of always saying the most frequent label, with the label."""
    outcomes = Outcomes.of(predictions)
    statistics = {"accuracy": outcomes.figures()["accuracy"]}
    found = bootstrap(outcomes.sums(), predictions.groups, statistics, n_draws=n_draws, seed=seed)
    shares = outcomes.shares()
    return found["accuracy"], float(shares.max()), predictions.labels.names[int(shares.argmax())]


def _on_model(predictions: Predictions, accuracy: Figure, baseline: float, majority: str) -> str:
    model, photos = predictions.model, _these(len(predictions))
    right = f"right on {_with_interval(accuracy)} of {photos}"
    always = f"always saying {majority} is right on {baseline:.2f}"
    if not math.isfinite(accuracy.low) or accuracy.low <= baseline <= accuracy.high:
        return (
            f"{model} is not shown to be better than always saying {majority}: "
            f"it is {right}, and {always}."
        )
    if accuracy.high < baseline:
        return f"{model} is worse than always saying {majority}: it is {right}, but {always}."
    return f"{model} is {right}; {always}."


def _on_comparison(comparison: Comparison) -> str:
    first, second = comparison.first, comparison.second
    difference, p = comparison.difference, _in_words(comparison.p_holm)
    photos = _these(comparison.n_photos)
    if comparison.n_only_first == comparison.n_only_second == 0:
        return f"{first} and {second} are right on the very same of {photos}."
    if comparison.p_holm >= _LEVEL or not _leaves_out_nought(difference):
        return f"{first} and {second} cannot be told apart on {photos} ({p})."
    if difference.value < 0:
        first, second = second, first
        difference = Figure(-difference.value, -difference.high, -difference.low)
    return f"{first} is better than {second} by {_with_interval(difference, p)}."


def _these(n_photos: int) -> str:
    return f"these {n_photos:,} photos" if n_photos != 1 else "this 1 photo"


def _leaves_out_nought(difference: Figure) -> bool:
    # false for nan: one group gives no interval, and nothing can be said
    return difference.low > 0 or difference.high < 0


def _reservations(
    comparisons: Sequence[Comparison], predictions: Sequence[Predictions]
) -> list[str]:
    said = []
    if len(comparisons) > 1:
        said.append(
            f"Each p is corrected for the {len(comparisons)} comparisons made, and takes "
            "photos of one group, such as one owner's, together."
        )
    groups = min((len(np.unique(one.groups)) for one in predictions), default=_ENOUGH_GROUPS)
    if groups == 1:
        said.append(
            "All photos are of one group, so that no interval and no test can say anything."
        )
    elif groups < _ENOUGH_GROUPS:
        said.append(f"These are few photos ({groups} independent): the true intervals are wider.")
    return said


def _with_interval(figure: Figure, more: str = "") -> str:
    """Return a figure and its interval, with a third digit where two would say nought."""
    known = math.isfinite(figure.low)
    parts = (figure.value, figure.low, figure.high) if known else (figure.value,)
    digits = 3 if any(0 < abs(part) < 0.005 for part in parts) else 2
    value, *ends = (f"{part:.{digits}f}" for part in parts)
    inside = ", ".join(part for part in (" to ".join(ends), more) if part)
    return f"{value} ({inside})" if inside else value


def _in_words(p: float) -> str:
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.095 else f"p = {p:.2f}"
