"""What a model said of labelled photos, and what is true of them."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emotag.emotions import LabelSet
from emotag.errors import DataError

__all__ = ["Predictions"]

Floats = NDArray[np.float64]
Strings = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Predictions:
    """One model's word on labelled photos, a row a photo.

    Attributes
    ----------
    model : str
        Its name.
    labels : LabelSet
        Order and sentiment of the labels.
    actual : ndarray of str, shape (n_photos,)
        The labels.
    predicted : ndarray of str, shape (n_photos,)
        What the model says; the most probable label where there are probabilities.
    proba : ndarray of shape (n_photos, n_labels), float64, or None
        Calibrated, in the order of `labels`.
    groups : ndarray of str, shape (n_photos,)
        Photos of one group are not independent.
    paths : ndarray of str, shape (n_photos,)
        The photos; empty text where it is not photos that were judged.
    p_positive : ndarray of shape (n_photos,), float64, or None
        The probability of positive sentiment, where the model learnt it separately.
    sentiments : ndarray of str, shape (n_photos,)
        ``'positive'`` or ``'negative'`` where the data says so beside the label; or empty.
    kinds : ndarray of str, shape (n_photos,)
        Whether a label is ``'depicted'`` or ``'evoked'``, where the data says so; or empty.
    """

    model: str
    labels: LabelSet
    actual: Strings
    predicted: Strings
    proba: Floats | None
    groups: Strings
    paths: Strings
    p_positive: Floats | None = None
    sentiments: Strings = field(default_factory=lambda: np.array([], dtype=np.str_))
    kinds: Strings = field(default_factory=lambda: np.array([], dtype=np.str_))

    def __post_init__(self) -> None:
        n = len(self.actual)
        for name in ("sentiments", "kinds"):
            if not len(getattr(self, name)):
                object.__setattr__(self, name, np.full(n, "", dtype=np.str_))
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, np.ndarray) and len(value) != n:
                raise DataError(f"{entry.name} has {len(value)} entries for {n} photos.")

    def __len__(self) -> int:
        return len(self.actual)

    @property
    def confidence(self) -> Floats | None:
        """How probable the model holds what it says, shape (n_photos,)."""
        return None if self.proba is None else self.proba.max(axis=1)

    def take(self, choice: NDArray[Any]) -> Self:
        """Return the photos of a boolean mask or of indices."""
        parts = {
            entry.name: value[choice] if isinstance(value, np.ndarray) else value
            for entry in fields(self)
            for value in [getattr(self, entry.name)]
        }
        return type(self)(**parts)
