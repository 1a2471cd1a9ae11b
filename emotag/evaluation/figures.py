"""The figures of a report: numbers in, a matplotlib figure out.

Each can be read without colours.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emotag.errors import DataError
from emotag.evaluation.drawing import (
    GREY,
    LIGHT,
    draw_baselines,
    draw_points,
    draw_rows,
    look,
    make_panels,
    name_above,
    shown,
)
from emotag.evaluation.matrices import Matrix, emotion_matrices, sentiment_matrices
from emotag.evaluation.metrics import Figure, bootstrap
from emotag.evaluation.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from emotag.evaluation.learning import Point
    from emotag.evaluation.report import Report
    from emotag.evaluation.shortcuts import Correlation, Shortcut, Shortcuts

__all__ = [
    "draw_accuracies",
    "draw_confusion",
    "draw_learning_curve",
    "draw_reliability",
    "draw_shortcuts",
]

Floats = NDArray[np.float64]

_BINS = 10


def draw_confusion(
    predictions_list: Sequence[Predictions], *, sentiment: bool = False
) -> "Drawing":
    """Draw confusion matrices, one panel a model.

    Rows are actual, columns predicted. Each cell has its share of the row in
    percent and, below, its number of photos.

    Parameters
    ----------
    predictions_list : sequence of Predictions
        One a model.
    sentiment : bool, default=False
        Whether to draw sentiment: folded from emotions, and a panel more of a
        model that learnt it separately. Photos without a sentiment are left out.

    Returns
    -------
    matplotlib.figure.Figure
        To be saved by `save_figure`.

    Raises
    ------
    DataError
        There is nothing to draw.

    Examples
    --------
    >>> from emotag.emotions import LabelSet
    >>> names = np.array(["love", "fear", "fear"])
    >>> said = Predictions("a model", LabelSet(["love", "fear"]), names, names, None, names, names)
    >>> len(draw_confusion([said]).axes)
    1
    """
    choose = sentiment_matrices if sentiment else emotion_matrices
    matrices = [entry for predictions in predictions_list for entry in choose(predictions)]
    longest = max((len(matrix.names) for matrix in matrices), default=0)
    # long names take their place beside and below the cells, not from them
    names = max((len(shown(name)) for matrix in matrices for name in matrix.names), default=0)
    beside = 0.08 * max(0, names - 10)
    width, height = (1.6 + 0.62 * longest + share * beside for share in (1.7, 0.7))
    across = 3 if longest <= 5 and width <= 5 else 2
    with look():
        figure, panels = make_panels(len(matrices), width, height, columns=across)
        for axes, matrix in zip(panels, matrices, strict=True):
            _draw_matrix(axes, matrix)
    return figure


def _draw_matrix(axes: "Axes", matrix: Matrix) -> None:
    counts = matrix.counts
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(totals, 1)[:, None]
    # one hue from light to dark, so that it is the same in grey
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(counts.shape):
        share = f"{100 * shares[row, column]:.0f} %" if totals[row] else "-"
        # where white has more contrast than black
        colour = "white" if shares[row, column] > 0.715 else "black"
        options: dict[str, Any] = {"ha": "center", "va": "center", "color": colour}
        axes.text(column, row - 0.1, share, size=10, **options)
        axes.text(column, row + 0.24, f"{counts[row, column]:,}", size=7.5, **options)
    _name_cells(axes, [shown(name) for name in matrix.names], totals.tolist())
    axes.set_title(shown(matrix.title), parse_math=False)


def _name_cells(axes: "Axes", names: Sequence[str], totals: Sequence[int]) -> None:
    places = range(len(names))
    turned: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(places, names, parse_math=False, **turned)
    rows = [f"{name}\n({total:,})" for name, total in zip(names, totals, strict=True)]
    axes.set_yticks(places, rows, parse_math=False)
    # white lines between cells
    between = np.arange(len(names) - 1) + 0.5
    axes.set_xticks(between, minor=True)
    axes.set_yticks(between, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="predicted", ylabel="actual (photos)")


def draw_reliability(
    predictions_list: Sequence[Predictions], *, n_draws: int = 1000, seed: int = 0
) -> "Drawing":
    """Draw how often a model is right by how confident it is, one panel a model.

    On the diagonal a model is as often right as it says. Intervals are 95 %,
    by bootstrap over groups; there is none where all photos of a bin are right,
    or all wrong. The bars below show how many photos there are.

    Parameters
    ----------
    predictions_list : sequence of Predictions
        One a model. One without probabilities has an empty panel that says so.
    n_draws : int, default=1000
        Bootstrap draws.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    matplotlib.figure.Figure
        To be saved by `save_figure`.

    Raises
    ------
    DataError
        There is nothing to draw.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, figure 1.
    """
    with look():
        figure, panels = make_panels(len(predictions_list), 3.3, 3.5)
        for axes, predictions in zip(panels, predictions_list, strict=True):
            axes.set_title(shown(predictions.model), parse_math=False)
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
            axes.set(xlabel="confidence", ylabel="share that is right")
            if predictions.confidence is None:
                axes.text(0.5, 0.5, "gives no probabilities", ha="center", color=GREY)
                continue
            _draw_bins(axes, predictions, predictions.confidence, n_draws, seed)
    return figure


def _draw_bins(
    axes: "Axes", predictions: Predictions, confidence: Floats, n_draws: int, seed: int
) -> None:
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    inside = np.eye(_BINS)[bins]
    right = inside * (predictions.actual == predictions.predicted)[:, None]
    counts = inside.sum(axis=0)
    used = np.flatnonzero(counts).tolist()
    shares = bootstrap(
        np.column_stack([inside, right]),
        predictions.groups,
        {str(index): _share_of_bin(index) for index in used},
        n_draws=n_draws,
        seed=seed,
    )
    centres = [float(confidence[bins == index].mean()) for index in used]
    # how many photos there are, at most a fifth of the height
    heights = 0.2 * counts / counts.max()
    axes.bar((np.arange(_BINS) + 0.5) / _BINS, heights, 0.9 / _BINS, color=LIGHT, zorder=0)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, zorder=1)
    draw_points(axes, centres, [_honest(shares[str(index)]) for index in used], line="-")


def _honest(share: Figure) -> Figure:
    """Return a share without the interval of no length that 0 and 1 have in every draw."""
    return Figure(share.value, np.nan, np.nan) if share.value in (0, 1) else share


def _share_of_bin(index: int) -> Any:
    def share(sums: Floats) -> Floats:
        photos, right = sums[:, index], sums[:, _BINS + index]
        empty: Floats = np.full(len(sums), np.nan)
        return np.asarray(np.divide(right, photos, out=empty, where=photos > 0))

    return share


def draw_accuracies(
    reports: Sequence["Report"],
    baselines: Mapping[str, float],
    *,
    metric: str = "accuracy",
) -> "Drawing":
    """Draw one figure of several models as points with intervals, best first.

    Parameters
    ----------
    reports : sequence of Report
        One a model.
    baselines : mapping of str to float
        What needs no model, by name; a line each.
    metric : str, default="accuracy"
        Which of the reports' metrics. A report without it is left out.

    Returns
    -------
    matplotlib.figure.Figure
        To be saved by `save_figure`.

    Raises
    ------
    DataError
        No report has the metric.
    """
    named = [
        (shown(report.predictions.model), report.metrics[metric])
        for report in reports
        if metric in report.metrics
    ]
    if not named:
        raise DataError(f"There is nothing to draw: no report has the metric {metric!r}.")
    # stable, so that equal models stay in order
    named.sort(key=lambda entry: -entry[1].value)
    with look():
        figure, (axes,) = make_panels(1, 6.4, 1.3 + 0.42 * len(named) + 0.2 * len(baselines))
        draw_rows(axes, named)
        draw_baselines(axes, baselines)
        axes.set_xlabel(_in_words(metric) + ", with 95 % interval")
    return figure


def draw_learning_curve(
    points: Sequence["Point"],
    baselines: Mapping[str, float] | None = None,
    *,
    metric: str = "balanced_accuracy",
) -> "Drawing":
    """Draw a figure by how many photos were learnt from.

    Parameters
    ----------
    points : sequence of Point
        Each a share of the training photos.
    baselines : mapping of str to float, optional
        What needs no model, by name; a line each.
    metric : str, default="balanced_accuracy"
        What the points measure.

    Returns
    -------
    matplotlib.figure.Figure
        To be saved by `save_figure`.

    Raises
    ------
    DataError
        There is nothing to draw.
    """
    if not points:
        raise DataError("There is nothing to draw: the learning curve has no points.")
    places = [float(point.n_photos) for point in points]
    with look():
        figure, (axes,) = make_panels(1, 5.2, 3.6)
        figures = [point.metric for point in points]
        draw_points(axes, places, figures, line="-")
        draw_baselines(axes, baselines or {}, upright=False)
        ticks = [f"{point.n_photos:,}\n{100 * point.share:.0f} %" for point in points]
        axes.set_xscale("log")
        axes.set_xticks(places, ticks)
        axes.set_xticks([], minor=True)
        axes.set(xlabel="training photos", ylabel=_in_words(metric))
        axes.grid(axis="y", color="#e4e4e4")
        axes.set_axisbelow(True)
    return figure


def draw_shortcuts(shortcuts: "Shortcuts") -> "Drawing":
    """Draw what colour alone and size alone explain, and what positive goes with.

    Parameters
    ----------
    shortcuts : Shortcuts
        Of one model.

    Returns
    -------
    matplotlib.figure.Figure
        A panel of the balanced accuracies of classifiers that see colour or
        size only, with a dash at chance, and one of the rank correlations.

    Raises
    ------
    DataError
        Nothing was measured.
    """
    explained = [entry for entry in shortcuts.explained if np.isfinite(entry.figure.value)]
    correlated = [entry for entry in shortcuts.correlations if np.isfinite(entry.figure.value)]
    rows = [count for count in (len(explained), len(correlated)) if count]
    if not rows:
        raise DataError("There is nothing to draw: no shortcut could be measured.")
    with look():
        height = 1.0 + 0.4 * sum(rows) / len(rows)
        figure, panels = make_panels(len(rows), 7, height, columns=1, ratios=rows)
        if explained:
            _draw_explained(panels[0], explained)
        if correlated:
            _draw_correlated(panels[-1], correlated)
        figure.suptitle(shown(shortcuts.model), parse_math=False, size=11)
    return figure


def _draw_explained(axes: "Axes", explained: Sequence["Shortcut"]) -> None:
    targets = {"label": "the label", "prediction": "what the model says"}
    draw_rows(
        axes, [(f"{entry.cue} finds {targets[entry.target]}", entry.figure) for entry in explained]
    )
    chances = [entry.chance for entry in explained]
    places = np.arange(len(explained))
    axes.plot(
        chances,
        places,
        color=GREY,
        linestyle="",
        marker="|",
        markersize=18,
        markeredgewidth=2,
        label="chance",
        zorder=1,
    )
    name_above(axes)
    axes.set_xlabel("balanced accuracy, with 95 % interval")


def _draw_correlated(axes: "Axes", correlated: Sequence["Correlation"]) -> None:
    draw_rows(axes, [(f"positive by {entry.cue}", entry.figure) for entry in correlated])
    axes.axvline(0, color=GREY, linestyle="--", linewidth=1.3, label="no correlation", zorder=1)
    name_above(axes)
    axes.set_xlabel("rank correlation, with 95 % interval")


def _in_words(metric: str) -> str:
    return metric.replace("_", " ")
