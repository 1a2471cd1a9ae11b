"""The ways to part labelled photos into those to learn from and those to judge with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit

from emotag.dataset import TEST_SHARE, Dataset, split_dataset
from emotag.errors import DataError, unknown_name

__all__ = ["SPLIT_KINDS", "Split", "choose_kind", "describe_kind", "make_splits"]

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Split:
    """The photos to learn from and the photos to judge with.

    Attributes
    ----------
    name : str
        Such as ``'paper'``, ``'fold 2'`` or ``'source flickr'``.
    train, test : ndarray of int
        Positions in the data set, ascending. No photo is in both.
    """

    name: str
    train: Indices
    test: Indices


def make_splits(dataset: Dataset, kind: str, *, folds: int = 5, seed: int = 0) -> list[Split]:
    """Split labelled photos in one of several ways.

    ========= ==============================================================
    kind      what it is
    ========= ==============================================================
    given     the manifest's: ``train`` and ``val`` against ``test``
    group     a quarter held out: stratified, and no group on both sides
    paper     the paper's: a quarter drawn at random [1]_. Stratified, but
              groups are torn apart, so that photos of one owner stand on
              both sides and the figures come out too good.
    folds     each photo judged once, in `folds` parts: stratified, by group
    sources   for each source, learn from the others and judge with it.
              Photos of the others that share a group with it are left out.
              A source need not have every label.
    ========= ==============================================================

    Parameters
    ----------
    dataset : Dataset
        All photos labelled.
    kind : str
        A name from the table.
    folds : int, default=5
        How many parts there are for ``'folds'``.
    seed : int, default=0
        Chooses the parts where they are drawn.

    Returns
    -------
    list of Split
        One, but for folds and sources. Every label is learnt in each.

    Raises
    ------
    DataError
        The photos cannot be split so: a label would be missing on one side, or
        the manifest does not say what is needed.

    References
    ----------
    .. [1] Gajarla, V. & Gupta, A. (2015). Emotion Detection and Sentiment
       Analysis of Images. Georgia Institute of Technology.

    Examples
    --------
    >>> import numpy as np
    >>> def column(*values):
    ...     return np.repeat(np.array(values, dtype=np.str_), 10)
    >>> names = np.array([f"{index}.jpg" for index in range(20)])
    >>> dataset = Dataset(
    ...     paths=names,
    ...     labels=column("love", "fear"),
    ...     sentiments=column("positive", "negative"),
    ...     groups=names,
    ...     splits=column("", ""),
    ...     sources=column("", ""),
    ...     digests=names,
    ... )
    >>> [(split.name, len(split.test)) for split in make_splits(dataset, "folds", folds=2)]
    [('fold 1', 10), ('fold 2', 10)]
    """
    if kind not in _MAKERS:
        raise DataError(unknown_name("split", kind, _MAKERS))
    if len(dataset.counts) < 2:
        raise DataError(
            f"The photos have {len(dataset.counts)} label, and at least two are needed "
            "to tell apart."
        )
    return _MAKERS[kind](dataset, folds, seed)


def _given(dataset: Dataset, _: int, seed: int) -> list[Split]:
    if not (dataset.splits != "").any():
        raise DataError(
            "The manifest gives no split: no photo has train, val or test in its column split. "
            "Choose another split, such as group."
        )
    return [_parted("given", dataset, dataset, seed)]


def _group(dataset: Dataset, _: int, seed: int) -> list[Split]:
    # what a manifest says of splits is not asked here
    unsplit = replace(dataset, splits=np.full(len(dataset), "", dtype=np.str_))
    split = _parted("group", dataset, unsplit, seed)
    _refuse_missing(dataset, split, both=True)
    return [split]


def _parted(name: str, dataset: Dataset, source: Dataset, seed: int) -> Split:
    """Return what `split_dataset` makes, as positions."""
    _, test = split_dataset(source, seed=seed)
    return _split(name, np.isin(dataset.paths, test.paths))


def _paper(dataset: Dataset, _: int, seed: int) -> list[Split]:
    for label, count in dataset.counts.items():
        if count < 2:
            raise DataError(
                f"The label {label!r} has one photo, which cannot be both learnt from and "
                "judged with; collect more of it, or leave it out."
            )
    # the splitter takes no part that is smaller than there are labels
    n_test = max(len(dataset.counts), round(TEST_SHARE * len(dataset)))
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=n_test, random_state=seed)
    _, index = next(splitter.split(dataset.paths, dataset.labels))
    split = _split("paper", _mask(len(dataset), index))
    _refuse_missing(dataset, split, both=True)
    return [split]


def _folds(dataset: Dataset, folds: int, seed: int) -> list[Split]:
    whole: object = folds
    if isinstance(whole, bool) or not isinstance(whole, Integral) or folds < 2:
        raise DataError(f"folds={folds!r} must be a whole number of at least 2.")
    for label in dataset.counts:
        _refuse_few_groups(dataset, label, folds)
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    parts = splitter.split(dataset.paths, dataset.labels, dataset.groups)
    splits = [
        _split(f"fold {number}", _mask(len(dataset), index))
        for number, (_, index) in enumerate(parts, 1)
    ]
    for split in splits:
        _refuse_missing(dataset, split, both=True)
    return splits


def _refuse_few_groups(dataset: Dataset, label: str, folds: int) -> None:
    groups = len(set(dataset.groups[dataset.labels == label].tolist()))
    if groups >= folds:
        return
    advice = "collect more of it, or leave it out"
    if groups > 1:
        advice = f"ask for at most {groups} folds, {advice}"
    raise DataError(
        f"The label {label!r} has {dataset.counts[label]} photos in {groups} independent "
        f"group{'s' if groups > 1 else ''}, so that one of {folds} folds would have none of it; "
        f"{advice}."
    )


def _sources(dataset: Dataset, _folds: int, _seed: int) -> list[Split]:
    unknown = dataset.paths[dataset.sources == ""]
    if len(unknown):
        raise DataError(
            f"{len(unknown)} labelled photos have no source, the first of them {unknown[0]}; "
            "fill the column source of the manifest, or choose another split."
        )
    names = sorted(set(dataset.sources.tolist()))
    if len(names) < 2:
        raise DataError(
            f"All photos come from the source {names[0]!r}; at least two are needed to leave "
            "one out."
        )
    splits = []
    for name in names:
        test = dataset.sources == name
        shared = np.isin(dataset.groups, dataset.groups[test])
        split = Split(f"source {name}", np.flatnonzero(~test & ~shared), np.flatnonzero(test))
        _refuse_missing(dataset, split, both=False)
        splits.append(split)
    return splits


def _refuse_missing(dataset: Dataset, split: Split, *, both: bool) -> None:
    """Refuse a split whose training, or either of whose sides, lacks a label."""
    sides = [("learn from", split.train), ("judge with", split.test)]
    for purpose, index in sides if both else sides[:1]:
        missing = _missing(dataset.counts, dataset.labels[index].tolist())
        if missing:
            raise DataError(
                f"The split {split.name!r} has no photo of {', '.join(missing)} to {purpose}; "
                "collect photos of it that are independent, leave it out, or split otherwise."
            )


def _missing(wanted: Iterable[str], found: list[str]) -> list[str]:
    return sorted(set(wanted) - set(found))


def _mask(size: int, index: Indices) -> NDArray[np.bool_]:
    mask = np.zeros(size, dtype=np.bool_)
    mask[index] = True
    return mask


def _split(name: str, test: NDArray[np.bool_]) -> Split:
    return Split(name, np.flatnonzero(~test), np.flatnonzero(test))


_MAKERS: dict[str, Callable[[Dataset, int, int], list[Split]]] = {
    "given": _given,
    "group": _group,
    "paper": _paper,
    "folds": _folds,
    "sources": _sources,
}

SPLIT_KINDS = tuple(_MAKERS)
"""The names of the ways to split."""

_IN_WORDS = {
    "given": "the split that the manifest gives",
    "group": "a quarter held out, by group",
    "paper": "a quarter at random, as in the paper: owners stand on both sides",
    "folds": "each photo judged once, in parts by group",
    "sources": "each source judged by what was learnt from the others",
}


def describe_kind(kind: str) -> str:
    """Return in words how photos are split."""
    return _IN_WORDS[kind]


def choose_kind(dataset: Dataset, asked: str | None, folds: int | None) -> str:
    """Return how to split, if no one has said: as the manifest does, or else by group.

    Raises
    ------
    DataError
        There is no such split, or `folds` goes with another.
    """
    if asked is not None and asked not in _MAKERS:
        raise DataError(unknown_name("split", asked, _MAKERS))
    if folds is not None and asked not in (None, "folds"):
        raise DataError(f"--folds does not go with --split {asked}.")
    if folds is not None:
        return "folds"
    if asked is not None:
        return asked
    return "given" if (dataset.splits == "test").any() else "group"
