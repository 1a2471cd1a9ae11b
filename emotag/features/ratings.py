"""Tables of how strongly each class of a network stands for each emotion; no torch."""

import csv
import io
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotag.errors import ModelError

__all__ = [
    "CONCEPTS",
    "STRONGEST",
    "Ratings",
    "format_ratings",
    "parse_ratings",
    "read_ratings",
]

STRONGEST = 3.0
"""The rating that stands for strong; 0 stands for none."""

CONCEPTS = "concepts.csv"
"""The file of a bundle with the ratings of its backbone's classes."""

_OWN = {"imagenet": "imagenet.csv", "places365": "places365.csv"}
_FIRST_COLUMNS = ["index", "name"]


@dataclass(frozen=True)
class Ratings:
    """How strongly each class stands for each label.

    Attributes
    ----------
    names : tuple of str
        Of the classes, in the order of the network's output.
    labels : tuple of str
        What they were rated for.
    values : ndarray of shape (n_classes, n_labels), float
        From 0, not at all, to 1, strongly.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    values: NDArray[np.float64]


def read_ratings(table: str) -> Ratings:
    """Read a table of ratings.

    Parameters
    ----------
    table : str
        ``'imagenet'`` or ``'places365'``, which come with emotag, or the path
        of a CSV file with the columns ``index``, ``name`` and one a label,
        with ratings from 0 to 3.

    Raises
    ------
    ModelError
        There is no such table, or it is no table of ratings; the message says
        in which line.

    Examples
    --------
    >>> ratings = read_ratings("imagenet")
    >>> ratings.labels
    ('love', 'happiness', 'violence', 'fear', 'sadness', 'positive', 'negative')
    >>> shark = ratings.names.index("great white shark")
    >>> float(ratings.values[shark, ratings.labels.index("fear")])
    1.0
    """
    if not isinstance(table, str | os.PathLike):
        raise ModelError(
            f"ratings={table!r} must be one of {', '.join(_OWN)}, or the path of a CSV file."
        )
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tables")
    path = os.path.join(own, _OWN[table]) if table in _OWN else table
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise ModelError(
            f"The ratings {table} cannot be read: {error.strerror}; choose from {', '.join(_OWN)}, "
            "or name a CSV file."
        ) from error
    return parse_ratings(content, name=table)


def parse_ratings(content: bytes, name: str = CONCEPTS) -> Ratings:
    """Return the ratings in the content of a CSV file.

    Parameters
    ----------
    content : bytes
        Of the file.
    name : str
        What messages call it.

    Raises
    ------
    ModelError
        It is no table of ratings; the message says in which line.
    """
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ModelError(f"{name} is no table of ratings: {error}") from error
    if len(rows) < 2 or rows[0][:2] != _FIRST_COLUMNS or len(rows[0]) < 3:
        raise ModelError(f"{name} has no columns index, name and one for each label.")
    values = [_row(name, number, row, len(rows[0])) for number, row in enumerate(rows[1:])]
    return Ratings(
        names=tuple(row[1] for row in rows[1:]),
        labels=tuple(rows[0][2:]),
        values=np.array(values) / STRONGEST,
    )


def format_ratings(ratings: Ratings) -> bytes:
    """Return ratings as the content of a CSV file, which `parse_ratings` reads back."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*_FIRST_COLUMNS, *ratings.labels])
    for index, (name, values) in enumerate(zip(ratings.names, ratings.values, strict=True)):
        writer.writerow([index, name, *(round(value * STRONGEST, 6) for value in values.tolist())])
    return file.getvalue().encode()


def _row(table: str, number: int, row: list[str], width: int) -> list[float]:
    try:
        ratings = [float(cell) for cell in row[2:]]
        sound = len(row) == width and int(row[0]) == number
    except (ValueError, IndexError):
        sound = False
    if not sound or not all(0 <= rating <= STRONGEST for rating in ratings):
        raise ModelError(
            f"{table}, line {number + 2}: expected the index {number}, a name and "
            f"{width - 2} ratings from 0 to {STRONGEST:g}."
        )
    return ratings
