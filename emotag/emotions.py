"""Label sets, and how their emotions fold into sentiment."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotag.errors import LabelError, unknown_name

__all__ = ["EKMAN6", "FIVE", "KNOWN_SETS", "MIKELS8", "LabelSet"]

Sentiment = Literal["positive", "negative"]

SENTIMENTS: tuple[Sentiment, ...] = ("positive", "negative")


@dataclass(frozen=True)
class LabelSet:
    """An ordered set of emotions and how each folds into sentiment.

    Parameters
    ----------
    names : sequence of str
        The labels, at least two, in the order of every probability column.
    positive, negative : iterable of str, default=()
        The labels that fold into each sentiment. A set whose labels are all
        in one of the two, with both in use, folds; any other does not.

    Raises
    ------
    LabelError
        A label is empty, doubled, unknown, or in both sentiments.

    Examples
    --------
    >>> from emotag import LabelSet
    >>> weather = LabelSet(["sun", "rain"], positive=["sun"], negative=["rain"])
    >>> weather.sentiment("sun")
    'positive'
    >>> weather.fold([[0.25, 0.75]])
    array([0.25])
    """

    names: tuple[str, ...]
    positive: frozenset[str] = frozenset()
    negative: frozenset[str] = frozenset()

    def __init__(
        self,
        names: Sequence[str],
        positive: Iterable[str] = (),
        negative: Iterable[str] = (),
    ) -> None:
        # A frozen dataclass may only be filled this way.
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "positive", frozenset(positive))
        object.__setattr__(self, "negative", frozenset(negative))
        self._check()

    def _check(self) -> None:
        for name in self.names:
            if not isinstance(name, str) or not name.strip():
                raise LabelError(f"{name!r} is no label: labels are non-empty text.")
            if not name.isprintable():
                raise LabelError(f"{name!r} is no label: it holds characters that cannot be shown.")
        doubled = sorted(name for name, count in Counter(self.names).items() if count > 1)
        if doubled:
            raise LabelError(f"{_listed(doubled)} stands twice among {_listed(self.names)}.")
        if len(self.names) < 2:
            raise LabelError(f"A label set needs at least two labels, not {_listed(self.names)}.")
        for name in sorted((self.positive | self.negative) - set(self.names)):
            self.index(name)
        both = sorted(self.positive & self.negative)
        if both:
            raise LabelError(f"{_listed(both)} cannot be both positive and negative.")

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def index(self, name: str) -> int:
        """Return the column of a label.

        Parameters
        ----------
        name : str
            The label.

        Raises
        ------
        LabelError
            The label is not in the set; the message names the choices.
        """
        if name in self.names:
            return self.names.index(name)
        raise LabelError(unknown_name("label", name, self.names))

    @property
    def folds(self) -> bool:
        """Whether every label has a sentiment and both sentiments are in use."""
        every = self.positive | self.negative == set(self.names)
        return every and bool(self.positive) and bool(self.negative)

    def sentiment(self, name: str) -> Sentiment | None:
        """Return ``'positive'``, ``'negative'`` or None for a label.

        Parameters
        ----------
        name : str
            The label.

        Raises
        ------
        LabelError
            The label is not in the set.
        """
        self.index(name)
        if name in self.positive:
            return "positive"
        return "negative" if name in self.negative else None

    def fold(self, proba: ArrayLike) -> NDArray[np.floating[Any]]:
        """Fold emotions' probabilities into the probability of ``positive``.

        Parameters
        ----------
        proba : array-like of shape (n_photos, n_labels)
            Probabilities, columns in the order of `names`.

        Returns
        -------
        ndarray of shape (n_photos,), float
            The sum over the positive labels.

        Raises
        ------
        LabelError
            The set does not fold, or the number of columns is not that of the labels.
        """
        array = np.asarray(proba)
        if array.ndim != 2 or array.shape[1] != len(self):
            raise LabelError(
                f"Probabilities of shape {array.shape} do not fit {len(self)} labels "
                f"({_listed(self.names)})."
            )
        if not self.folds:
            raise LabelError(
                f"The sentiment of {_listed(self._unfolded())} is not known, so "
                "probabilities cannot be folded; say it in a label file."
            )
        columns = [self.names.index(name) for name in sorted(self.positive)]
        return np.asarray(array[:, columns].sum(axis=1))

    def _unfolded(self) -> list[str]:
        missing = [name for name in self.names if self.sentiment(name) is None]
        return missing or list(self.names)

    def subset(self, names: Iterable[str]) -> Self:
        """Return the set of some of the labels, in this set's order.

        Parameters
        ----------
        names : iterable of str
            The labels to keep.

        Raises
        ------
        LabelError
            A name is not in the set, or fewer than two are left.
        """
        wanted = {self.names[self.index(name)] for name in names}
        kept = [name for name in self.names if name in wanted]
        return type(self)(kept, self.positive & wanted, self.negative & wanted)

    @classmethod
    def from_names(cls, names: Iterable[str], labels: Mapping[str, Any] | None = None) -> Self:
        """Return the label set for the labels that a data set holds.

        Labels that all belong to `FIVE`, `MIKELS8` or `EKMAN6` keep that
        set's order and sentiments; others make a new set in alphabetical order.

        Parameters
        ----------
        names : iterable of str
            The labels found, in any order, repeated or not.
        labels : mapping, optional
            What a label file says (see `read_label_file`); it decides over the known sets.

        Raises
        ------
        LabelError
            Fewer than two labels, or the label file names others.
        """
        found = sorted(set(names))
        if labels is not None:
            return cls._from_file(found, labels)
        for known in KNOWN_SETS.values():
            if found and all(name in known for name in found):
                subset = known.subset(found)
                return cls(subset.names, subset.positive, subset.negative)
        return cls(found)

    @classmethod
    def _from_file(cls, found: Sequence[str], labels: Mapping[str, Any]) -> Self:
        order = labels.get("labels", found)
        missing = sorted(set(found) - set(order))
        if missing:
            raise LabelError(
                f"The photos are labelled {_listed(missing)}, which the label file does "
                f"not have; it has {_listed(order)}."
            )
        whole = cls(order, labels.get("positive", ()), labels.get("negative", ()))
        subset = whole.subset(found)
        return cls(subset.names, subset.positive, subset.negative)


FIVE = LabelSet(
    ["love", "happiness", "violence", "fear", "sadness"],
    positive=["love", "happiness"],
    negative=["violence", "fear", "sadness"],
)
"""The five emotions of Gajarla & Gupta (2015), and of this package by default."""

MIKELS8 = LabelSet(
    ["amusement", "awe", "contentment", "excitement", "anger", "disgust", "fear", "sadness"],
    positive=["amusement", "awe", "contentment", "excitement"],
    negative=["anger", "disgust", "fear", "sadness"],
)
"""The eight emotions of Mikels et al. (2005), on which FI (You et al. 2016) is labelled."""

EKMAN6 = LabelSet(
    ["joy", "surprise", "anger", "disgust", "fear", "sadness"],
    positive=["joy", "surprise"],
    negative=["anger", "disgust", "fear", "sadness"],
)
"""Ekman's six basic emotions. Surprise counts as positive, by common use and our choice."""

SENTIMENT = LabelSet(["positive", "negative"], positive=["positive"], negative=["negative"])
"""Sentiments as labels of their own, each of which folds into itself."""

KNOWN_SETS: dict[str, LabelSet] = {
    "five": FIVE,
    "mikels8": MIKELS8,
    "ekman6": EKMAN6,
    "sentiment": SENTIMENT,
}


def read_label_file(path: str) -> dict[str, Any]:
    """Read a label file: a small TOML file that says how labels fold.

    It may hold three lists of text: ``labels`` (their order), ``positive``
    and ``negative``.

    Parameters
    ----------
    path : str
        The file.

    Returns
    -------
    dict
        The lists that the file holds.

    Raises
    ------
    LabelError
        The file cannot be read, is no TOML, or holds anything else.
    """
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LabelError(f"The label file {path} cannot be read: {reason}.") from error
    for key, value in content.items():
        if key not in ("labels", "positive", "negative"):
            raise LabelError(
                f"{path}: {key!r} has no meaning; a label file holds the lists "
                "'labels', 'positive' and 'negative'."
            )
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise LabelError(f"{path}: {key!r} must be a list of labels in quotes.")
    if "labels" not in content:
        content["labels"] = [*content.get("positive", []), *content.get("negative", [])]
    return content


def _listed(names: Iterable[str]) -> str:
    return ", ".join(str(name) for name in names)
