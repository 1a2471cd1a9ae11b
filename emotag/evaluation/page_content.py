"""What a report page shows, as plain values that the page is made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan

from emotag.evaluation.credits import Credit
from emotag.evaluation.metrics import Figure
from emotag.evaluation.tables import AccuracyRow, Cell, Hits, ModelRow

__all__ = [
    "Drawing",
    "Grid",
    "Matrix",
    "ModelPart",
    "ReportContent",
    "Section",
    "Table",
    "TableRow",
    "Unreadable",
    "Value",
    "accuracy_table",
    "score_table",
]

Value = str | int | float | Figure | None
Grid = Sequence[Sequence[Cell]]

_ELSEWHERE = "other data"


@dataclass(frozen=True)
class TableRow:
    """A row of a table.

    Attributes
    ----------
    cells : sequence of str, int, float, Figure or None
        The first names the row.
    mark : str
        What sets the row apart from others, in a word or two.
    """

    cells: Sequence[Value]
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """A table that the reader may sort by any of its columns."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[TableRow]
    note: str = ""


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Attributes
    ----------
    svg : str
        An SVG file as text. It is shown as a picture: nothing in it can run or load.
    caption : str
        Stands under it.
    alt : str
        What it shows, for those who do not see it.
    """

    svg: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix.

    Attributes
    ----------
    caption : str
        Stands above it.
    cells : sequence of sequence of Cell
        Rows actual, columns predicted, as `photos_by_cell` gives them.
    """

    caption: str
    cells: Grid


@dataclass(frozen=True)
class ModelPart:
    """What is shown of one model.

    Attributes
    ----------
    name, about : str
        The model, and a few words on it.
    matrices : sequence of Matrix
        Of emotions and of sentiment.
    hits : sequence of Hits
        Table 1, as `surest_hits` gives it.
    mistakes : sequence of sequence of Cell
        Table 2, rows predicted, columns actual, as `surest_mistakes` gives it.
    """

    name: str
    about: str = ""
    matrices: Sequence[Matrix] = ()
    hits: Sequence[Hits] = ()
    mistakes: Grid = ()


@dataclass(frozen=True)
class Section:
    """A part of the report: sentences, then figures, then tables."""

    title: str
    sentences: Sequence[str] = ()
    drawings: Sequence[Drawing] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Unreadable:
    """A photo that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ReportContent:
    """All that a report shows, in plain values. What is empty is left out.

    Attributes
    ----------
    title, subtitle : str
        Any text, as everywhere here.
    date, version, command : str
        When, by which emotag and how it was made.
    summary : sequence of str
        What may be concluded, a sentence each.
    scores : sequence of Table
        The models' figures.
    drawings : sequence of Drawing
        Figures on all models.
    sections : sequence of Section
        What else was found, in this order: beside the literature, shortcuts, leaks.
    models : sequence of ModelPart
        Matrices and photos of each.
    unreadable : sequence of Unreadable
        The first 500 are listed.
    notes : sequence of str
        What must be known to read the report.
    credits : mapping of str to Credit
        By path: who made a photo.
    """

    title: str
    subtitle: str = ""
    date: str = ""
    version: str = ""
    command: str = ""
    summary: Sequence[str] = ()
    scores: Sequence[Table] = ()
    drawings: Sequence[Drawing] = ()
    sections: Sequence[Section] = ()
    models: Sequence[ModelPart] = ()
    unreadable: Sequence[Unreadable] = ()
    notes: Sequence[str] = ()
    credits: Mapping[str, Credit] = field(default_factory=dict)


def score_table(caption: str, rows: Iterable[ModelRow], columns: Mapping[str, str]) -> Table:
    """Return the table of models and their figures.

    Parameters
    ----------
    caption : str
        Stands above it.
    rows : iterable of ModelRow
        One a model.
    columns : mapping of str to str
        The metrics to show, and how each column is called.

    Examples
    --------
    >>> row = ModelRow("lite0", 9, 9, {"accuracy": {"value": 0.4, "low": 0.3, "high": 0.5}})
    >>> score_table("Models", [row], {"accuracy": "Accuracy"}).rows[0].cells
    ('lite0', 9, Figure(value=0.4, low=0.3, high=0.5))
    """
    return Table(
        caption,
        ("Model", "Photos", *columns.values()),
        tuple(
            TableRow(
                (row.model, row.n_photos, *(_figure(row.metrics.get(name)) for name in columns))
            )
            for row in rows
        ),
        "Under each figure its 95 % interval: where it would lie if other photos had been drawn.",
    )


def accuracy_table(caption: str, rows: Iterable[AccuracyRow]) -> Table:
    """Return Table 3 or 4: our rows beside those that others measured on other data.

    Parameters
    ----------
    caption : str
        Stands above it.
    rows : iterable of AccuracyRow
        Theirs are marked.
    """
    return Table(
        caption,
        ("System", "Photos of", "Accuracy", "Measured by", "To be known"),
        tuple(
            TableRow(
                (
                    row.system,
                    row.data,
                    _figure({"value": row.value, "low": row.low, "high": row.high}),
                    row.source,
                    row.note,
                ),
                "" if row.is_ours else _ELSEWHERE,
            )
            for row in rows
        ),
        f"Rows marked “{_ELSEWHERE}” were measured by others on other photos, some with other "
        "labels and more or fewer of them: they say what has been reached elsewhere, not which "
        "system is better. Under our figures is the 95 % interval, under theirs the range of "
        "several variants.",
    )


def _figure(metric: Mapping[str, float | None] | None) -> Figure | None:
    if metric is None or metric["value"] is None:
        return None
    low, high = metric["low"], metric["high"]
    if low is None or high is None:
        low = high = nan
    return Figure(metric["value"], low, high)
