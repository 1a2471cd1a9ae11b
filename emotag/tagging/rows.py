"""What is said of one photo, and the columns in which it is said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import quote_from_bytes

from emotag.emotions import LabelSet

__all__ = ["Outcome", "Row", "RowTaker", "Status", "column_names", "path_text", "to_record"]

Status = Literal["tagged", "uncertain", "skipped", "failed"]

DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model says of one photo, before anything is chosen from it.

    Attributes
    ----------
    status : {'tagged', 'skipped', 'failed'}
        What became of it.
    note : str
        As a row's reason.
    emotion : tuple of float
        The probability of every label; empty if not tagged.
    positive : float or None
        The probability of positive sentiment.
    because : str or None
        As a row's.
    """

    status: Status
    note: str = ""
    emotion: tuple[float, ...] = ()
    positive: float | None = None
    because: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What is said of one photo.

    Attributes
    ----------
    path : str
        As typed, joined.
    status : {'tagged', 'uncertain', 'skipped', 'failed'}
        What became of it.
    reason : str
        Why it was skipped or failed; of a tagged photo, what is odd about its file.
    emotion : str
        The most probable label, or empty; of an uncertain photo it is empty.
    confidence : float or None
        The calibrated probability of the most probable label.
    sentiment : str
        ``'positive'``, ``'negative'``, or empty where it is not known.
    p_positive : float or None
        The probability of positive sentiment.
    probabilities : tuple of float
        Of every label, in the order of the model's label set; empty if not tagged.
    model : str
        The model's name.
    top : str or None
        The most probable labels with their probabilities; None unless asked for.
    because : str or None
        What in the photo stands for the emotion; None unless it was asked for.
    """

    path: str
    status: Status
    reason: str = ""
    emotion: str = ""
    confidence: float | None = None
    sentiment: str = ""
    p_positive: float | None = None
    probabilities: tuple[float, ...] = ()
    model: str = ""
    top: str | None = None
    because: str | None = None


class RowTaker(Protocol):
    """Takes rows one after the other, as they come."""

    def write(self, row: Row) -> None:
        """Take one row."""
        ...


def column_names(labels: LabelSet, extra: Sequence[str] = ()) -> list[str]:
    """Return the columns of every output, in order; those that were asked for come last.

    A label that is itself called ``positive`` shares its column with the sentiment.

    Examples
    --------
    >>> from emotag.emotions import FIVE
    >>> column_names(FIVE)[-3:]
    ['p_fear', 'p_sadness', 'model']
    """
    fixed = ["path", "status", "reason", "emotion", "confidence", "sentiment", "p_positive"]
    numbers = [f"p_{name}" for name in labels.names]
    return list(dict.fromkeys([*fixed, *numbers, "model", *extra]))


def to_record(row: Row, labels: LabelSet, extra: Sequence[str] = ()) -> dict[str, Any]:
    """Return a row by column, numbers rounded, None where there is nothing to say."""
    probabilities = row.probabilities or (None,) * len(labels)
    record: dict[str, Any] = dict.fromkeys(column_names(labels, extra))
    for name in extra:
        record[name] = getattr(row, name) or None
    for name, probability in zip(labels.names, probabilities, strict=True):
        record[f"p_{name}"] = _rounded(probability)
    if row.p_positive is not None:
        record["p_positive"] = _rounded(row.p_positive)
    return record | {
        "path": path_text(row.path),
        "status": row.status,
        "reason": path_text(row.reason) or None,
        "emotion": row.emotion or None,
        "confidence": _rounded(row.confidence),
        "sentiment": row.sentiment or None,
        "model": row.model,
    }


def path_text(path: str) -> str:
    r"""Return a path as valid text: bytes that are not UTF-8 are percent-escaped.

    Examples
    --------
    >>> path_text("caf\udce9 100%.jpg")
    'caf%E9 100%.jpg'
    """
    if path.isprintable():
        return path
    return "".join(
        quote_from_bytes(bytes([ord(mark) - 0xDC00])) if "\udc80" <= mark <= "\udcff" else mark
        for mark in path
    )


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, DECIMALS)
