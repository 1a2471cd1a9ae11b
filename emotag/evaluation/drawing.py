"""How every figure is drawn and saved, by matplotlib, which is imported here only.

No figure depends on the user's matplotlib settings, on a display or on the
date: the same numbers give the same file.
"""

import io
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from emotag.errors import DataError
from emotag.evaluation.metrics import Figure
from emotag.pages.escaping import visible
from emotag.storage import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

__all__ = [
    "GREY",
    "INK",
    "LIGHT",
    "draw_baselines",
    "draw_points",
    "draw_rows",
    "look",
    "make_panels",
    "name_above",
    "save_figure",
    "shown",
    "svg_of",
]

# Dark blue and grey differ in lightness, also in print and to the colour-blind.
INK = "#1a4e8a"
GREY = "#6b6b6b"
LIGHT = "#c9d6e6"

_LOOK = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.constrained_layout.use": True,
    # text stays text, so that it can be searched, read out and copied
    "svg.fonttype": "none",
    # ids would be random otherwise
    "svg.hashsalt": "emotag",
}

_PNG_DOTS_PER_INCH = 200
_LONGEST_NAME = 29
# A legend stands above a panel, where there is some more place.
_LONGEST_IN_LEGEND = 34
_DASHES = ("--", ":", "-.")


def save_figure(figure: "Drawing", folder: str, name: str) -> tuple[str, str]:
    """Write a figure as SVG and as PNG.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    folder : str
        Where to; it must exist.
    name : str
        Of the files, without ending.

    Returns
    -------
    svg, png : str
        The files.

    Raises
    ------
    StorageError
        They cannot be written.
    """
    svg, png = (os.path.join(folder, f"{name}.{kind}") for kind in ("svg", "png"))
    for path, content in ((svg, svg_of(figure).encode()), (png, _render(figure, "png"))):
        with replace_file(path) as file:
            file.write(content)
    return svg, png


def svg_of(figure: "Drawing") -> str:
    """Return a figure as SVG, its text as text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    """
    return _render(figure, "svg").decode()


def _render(figure: "Drawing", kind: str) -> bytes:
    # no date and no program, so that the same figure is the same file
    metadata = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}[kind]
    content = io.BytesIO()
    with look(), warnings.catch_warnings():
        # a script that the font lacks is still in the SVG, where the browser has the font
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(
            content, format=kind, dpi=_PNG_DOTS_PER_INCH, facecolor="white", metadata=metadata
        )
    return content.getvalue()


@contextmanager
def look() -> Iterator[None]:
    """Draw in our look, whatever the user's settings are."""
    from matplotlib import style

    with style.context(["default", _LOOK]):
        yield


def make_panels(
    count: int,
    width: float,
    height: float,
    *,
    columns: int = 3,
    ratios: Sequence[float] | None = None,
) -> "tuple[Drawing, list[Axes]]":
    """Return a figure of panels.

    Parameters
    ----------
    count : int
        How many.
    width, height : float
        Of each, in inches.
    columns : int, default=3
        So many beside each other at most.
    ratios : sequence of float, optional
        How the height is shared among the rows of panels; by default evenly.

    Raises
    ------
    DataError
        There would be none.
    """
    # imported here: it takes a good part of a second
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Drawing

    if not count:
        raise DataError("There is nothing to draw: no model was judged.")
    across = min(columns, count)
    down = -(-count // across)
    figure = Drawing(figsize=(width * across, height * down))
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(down, across, height_ratios=ratios)
    return figure, [
        figure.add_subplot(grid[index // across, index % across]) for index in range(count)
    ]


def draw_rows(axes: "Axes", named: Sequence[tuple[str, Figure]]) -> None:
    """Draw a row a figure: its name, the point and its interval, and all in digits.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    named : sequence of (str, Figure)
        From the top, names as `shown` returns them.
    """
    places = np.arange(len(named), dtype=np.float64)
    figures = [figure for _, figure in named]
    draw_points(axes, places.tolist(), figures, upright=False)
    axes.set_yticks(places, [name for name, _ in named], parse_math=False)
    axes.set_ylim(len(named) - 0.5, -0.5)
    for place, figure in enumerate(figures):
        # beside the panel, where no point can be
        axes.annotate(
            str(figure), (1.02, place), xycoords=axes.get_yaxis_transform(), va="center", size=9
        )
    axes.grid(axis="x", color="#e4e4e4")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=6)


def draw_baselines(axes: "Axes", baselines: Mapping[str, float], *, upright: bool = True) -> None:
    """Draw a line through the panel for each baseline, named in a legend above it.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    baselines : mapping of str to float
        By name.
    upright : bool, default=True
        Whether lines go from top to bottom, or from left to right.
    """
    draw = axes.axvline if upright else axes.axhline
    for number, (name, value) in enumerate(baselines.items()):
        label = f"{shown(name, _LONGEST_IN_LEGEND)}: {value:.3f}"
        dashes = _DASHES[number % len(_DASHES)]
        draw(value, color=GREY, linestyle=dashes, linewidth=1.3, label=label, zorder=1)
    if baselines:
        name_above(axes)


def name_above(axes: "Axes") -> None:
    """Name above a panel what was drawn in it with a label.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    """
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    legend = axes.legend(frameon=False, markerscale=0.6, **place)
    for text in legend.get_texts():
        text.set_parse_math(False)


def shown(text: str, longest: int = _LONGEST_NAME) -> str:
    """Return text as it may stand beside a panel: on one line, and not too long.

    Parameters
    ----------
    text : str
        A name.
    longest : int
        So many characters at most.

    Examples
    --------
    >>> shown("a name that would leave no place for what it names")
    'a name that would leave no p…'
    """
    safe = visible(text)
    return safe if len(safe) <= longest else f"{safe[: longest - 1]}…"


def draw_points(
    axes: "Axes",
    places: Sequence[float],
    figures: Sequence[Figure],
    *,
    upright: bool = True,
    line: str = "",
) -> None:
    """Draw figures as points with their intervals; without one there is a point only.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    places : sequence of float
        Where on the other axis.
    figures : sequence of Figure
        One a place.
    upright : bool, default=True
        Whether the values go upwards, or to the right.
    line : str, default=""
        What joins the points, as matplotlib writes it.
    """
    values = np.array([figure.value for figure in figures])
    ends = np.array([[figure.low for figure in figures], [figure.high for figure in figures]])
    lengths = np.nan_to_num(np.abs(ends - values))
    options: dict[str, Any] = {"linestyle": line, "linewidth": 1.4, "capsize": 3, "zorder": 3}
    options |= {"color": INK, "marker": "o", "markersize": 5}
    if upright:
        axes.errorbar(places, values, yerr=lengths, **options)
    else:
        axes.errorbar(values, places, xerr=lengths, **options)
