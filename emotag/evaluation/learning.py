"""Whether more photos would help: a figure by how many were learnt from."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotag.dataset import Dataset
from emotag.emotions import LabelSet
from emotag.errors import DataError, unknown_name
from emotag.evaluation.metrics import Figure, Outcomes, bootstrap
from emotag.evaluation.predicting import predict
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.splits import Split

__all__ = ["SHARES", "Point", "describe_curve", "learning_curve", "nested_shares"]

SHARES = (0.1, 0.25, 0.5, 1.0)
"""Of the photos to learn from; the shares that are tried unless others are named."""

Floats = NDArray[np.float64]
Fit = Callable[[Any, NDArray[np.str_], NDArray[np.str_], NDArray[np.str_]], Any]


@dataclass(frozen=True)
class Point:
    """What a model comes to that learnt from a share of the photos.

    Attributes
    ----------
    share : float
        That was asked for, of 0 to 1. Groups are kept whole, so that the
        photos may be some more.
    n_photos : int
        That it learnt from.
    metric : Figure
        On the photos to judge with, which are the same for every point.
    gain : Figure or None
        The difference from the point before, on the same photos; None for the
        first point.
    """

    share: float
    n_photos: int
    metric: Figure
    gain: Figure | None = None


def learning_curve(
    make_estimator: Callable[[], Any],
    dataset: Dataset,
    split: Split,
    *,
    shares: Sequence[float] = SHARES,
    metric: str = "accuracy",
    label_set: LabelSet | None = None,
    fit: Fit | None = None,
    n_draws: int = 2000,
    seed: int = 0,
) -> list[Point]:
    """Fit a model on growing shares of the training photos, and judge each on the same ones.

    The intervals say what other photos to judge with would have changed, not
    what other photos to learn from would have.

    Parameters
    ----------
    make_estimator : callable
        Returns an unfitted classifier, for each point anew.
    dataset : Dataset
        All photos labelled.
    split : Split
        Positions in it: the shares are of ``split.train``.
    shares : sequence of float, default=SHARES
        Ascending, above 0 and at most 1. Each share holds the one before.
    metric : str, default="accuracy"
        Any that `Outcomes.figures` names.
    label_set : LabelSet, optional
        Order of the labels; by default `LabelSet.from_names`.
    fit : callable, optional
        Takes an estimator, photos, labels and groups, and fits it; by default
        its ``fit`` is called with photos and labels.
    n_draws : int, default=2000
        Bootstrap draws of whole groups.
    seed : int, default=0
        Of the draws, and of which groups are in a share.

    Returns
    -------
    list of Point
        One for each share.

    Raises
    ------
    DataError
        The shares make no sense, a label would be missing in one, or the
        metric is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> names = np.array([f"{index}.jpg" for index in range(40)])
    >>> labels = np.array(["love", "love", "love", "fear"] * 10)
    >>> dataset = Dataset(names, labels, names, names, names, names, digests=names)
    >>> split = Split("given", train=np.arange(20), test=np.arange(20, 40))
    >>> for point in learning_curve(DummyClassifier, dataset, split, shares=[0.5, 1]):
    ...     print(point.n_photos, point.metric.value, point.gain and point.gain.value)
    11 0.75 None
    20 0.75 0.0
    """
    fit = fit or _plain_fit
    train, test = dataset.take(split.train), dataset.take(split.test)
    points: list[Point] = []
    before: Predictions | None = None
    for share, chosen in zip(shares, nested_shares(train, shares, seed=seed), strict=True):
        part = train.take(chosen)
        estimator = make_estimator()
        fit(estimator, part.paths, part.labels, part.groups)
        now = predict(estimator, test.paths, test.labels, test.groups, label_set=label_set)
        figure, gain = _compare(now, before, metric, n_draws, seed)
        points.append(Point(float(share), len(part), figure, gain))
        before = now
    return points


def _plain_fit(
    estimator: Any, X: NDArray[np.str_], y: NDArray[np.str_], _groups: NDArray[np.str_]
) -> None:
    estimator.fit(X, y)


def nested_shares(
    dataset: Dataset, shares: Sequence[float], *, seed: int = 0
) -> list[NDArray[np.intp]]:
    """Draw shares of labelled photos, each within the next, groups whole, every label in each.

    Of each label the groups are put in random order, and taken until the share
    is reached; a group of several labels counts for the rarest of them.

    Parameters
    ----------
    dataset : Dataset
        All photos labelled.
    shares : sequence of float
        Ascending, above 0 and at most 1.
    seed : int, default=0
        Chooses the order.

    Returns
    -------
    list of ndarray of int
        Positions, ascending, one array a share.

    Raises
    ------
    DataError
        The shares make no sense, or a label is missing in one.
    """
    if not len(shares) or any(not 0 < share <= 1 for share in shares):
        raise DataError(f"shares={list(shares)!r} must be numbers above 0 and at most 1.")
    if list(shares) != sorted(set(shares)):
        raise DataError(f"shares={list(shares)!r} must ascend.")
    begins = _beginnings(dataset, np.random.default_rng(seed))
    chosen = [np.flatnonzero(begins < share) for share in shares]
    missing = sorted(set(dataset.counts) - set(dataset.labels[chosen[0]].tolist()))
    if missing:
        raise DataError(
            f"A share of {shares[0]:g} of {len(dataset)} photos has none of "
            f"{', '.join(missing)}; begin with a larger share."
        )
    return chosen


def _beginnings(dataset: Dataset, rng: np.random.Generator) -> Floats:
    """Return for each photo the share of its label's photos that are drawn before its group."""
    counts = Counter(dataset.labels.tolist())
    members: dict[str, list[int]] = {}
    for position, group in enumerate(dataset.groups.tolist()):
        members.setdefault(group, []).append(position)
    of_label: dict[str, list[list[int]]] = {label: [] for label in sorted(counts)}
    for _, positions in sorted(members.items()):
        labels = dataset.labels[positions].tolist()
        rarest = min(labels, key=lambda label: (counts[label], label))
        of_label[rarest].append(positions)
    begins = np.zeros(len(dataset))
    for groups in of_label.values():
        total, drawn = sum(map(len, groups)), 0
        for place in rng.permutation(len(groups)).tolist():
            begins[groups[place]] = drawn / total
            drawn += len(groups[place])
    return begins


def _compare(
    now: Predictions, before: Predictions | None, metric: str, n_draws: int, seed: int
) -> tuple[Figure, Figure | None]:
    """Return a model's figure, and how much better it is than another on the same photos."""
    outcomes = Outcomes.of(now)
    figures = outcomes.figures()
    if metric not in figures:
        raise DataError(unknown_name("metric", metric, figures))
    sums, measure = outcomes.sums(), figures[metric]
    wanted = {"value": measure}
    if before is not None:
        # both in each draw, since the photos are the same: the difference is surer so
        width, measure_before = sums.shape[1], Outcomes.of(before).figures()[metric]
        sums = np.column_stack([sums, Outcomes.of(before).sums()])
        wanted = {
            "value": lambda drawn: measure(drawn[:, :width]),
            "gain": lambda drawn: measure(drawn[:, :width]) - measure_before(drawn[:, width:]),
        }
    found = bootstrap(sums, now.groups, wanted, n_draws=n_draws, seed=seed)
    return found["value"], found.get("gain")


def describe_curve(points: Sequence[Point], *, metric: str = "accuracy") -> str:
    """Say in words whether more photos would help.

    Parameters
    ----------
    points : sequence of Point
        As `learning_curve` returns them, the higher the better.
    metric : str, default="accuracy"
        What was measured.

    Examples
    --------
    >>> points = [
    ...     Point(0.5, 500, Figure(0.35, 0.32, 0.38)),
    ...     Point(1.0, 1000, Figure(0.39, 0.36, 0.42), Figure(0.04, 0.01, 0.07)),
    ... ]
    >>> print(describe_curve(points))
    From 500 to 1,000 photos accuracy went from 0.35 to 0.39 (by 0.04 [0.01, 0.07]), \
so more photos would probably help.
    """
    if len(points) < 2 or points[-1].gain is None:
        return "Whether more photos would help was not measured."
    before, last, gain = points[-2], points[-1], points[-1].gain
    went = (
        f"From {before.n_photos:,} to {last.n_photos:,} photos {metric.replace('_', ' ')} went "
        f"from {before.metric.value:.2f} to {last.metric.value:.2f}"
    )
    if not np.isfinite(gain.low):
        return f"{went}, on photos of one group, from which nothing follows."
    difference = f"(by {gain.value:.2f} [{gain.low:.2f}, {gain.high:.2f}])"
    if gain.low > 0:
        return f"{went} {difference}, so more photos would probably help."
    if gain.high < 0:
        return f"{went} {difference}: it got worse, so more photos like these would not help."
    return f"{went} {difference}, so it cannot be told whether more photos would help."
