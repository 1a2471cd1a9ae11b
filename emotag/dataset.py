"""Labelled photos: folders and manifests become X, y, groups and splits."""

import csv
import hashlib
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from emotag.emotions import LabelSet
from emotag.errors import DataError, PhotoError, PhotosNotFoundError
from emotag.grouping import DisjointSets
from emotag.photos.finding import find_photos
from emotag.photos.opening import hash_photo

__all__ = ["MANIFEST", "Dataset", "load_dataset", "load_photos", "split_dataset"]

MANIFEST = "photos.csv"

TEST_SHARE = 0.25
"""The paper's: 75 % of the photos to learn from, 25 % to judge with."""

_TRAIN_SPLITS = ("train", "val")
_SPLITS = (*_TRAIN_SPLITS, "test")
KINDS = ("depicted", "evoked")
"""Whether a photo shows an emotion, or stirs it in whoever looks. (Figure 2 of the paper.)"""

_NAMED = 3
_NO_LABEL = "No photo has a label, so there is nothing to fit on."

Strings = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled photos, one entry a photo in every array.

    Attributes
    ----------
    paths : ndarray of str, shape (n_photos,)
        The photos: X.
    labels : ndarray of str, shape (n_photos,)
        The emotions: y. Empty where there is none.
    sentiments : ndarray of str, shape (n_photos,)
        ``'positive'``, ``'negative'``, or empty.
    groups : ndarray of str, shape (n_photos,)
        Photos of one group never stand on both sides of a split. Photos with
        the same bytes are one group, whatever the manifest says.
    splits : ndarray of str, shape (n_photos,)
        ``'train'``, ``'val'``, ``'test'``, or empty.
    sources : ndarray of str, shape (n_photos,)
        Where each photo comes from, or empty.
    digests : ndarray of str, shape (n_photos,)
        SHA-256 of each file; of one that cannot be read, its path.
    kinds : ndarray of str, shape (n_photos,)
        Whether a label is ``'depicted'`` or ``'evoked'``, or empty.
    """

    paths: Strings
    labels: Strings
    sentiments: Strings
    groups: Strings
    splits: Strings
    sources: Strings
    digests: Strings
    kinds: Strings = field(default_factory=lambda: np.array([], dtype=np.str_))

    def __post_init__(self) -> None:
        if len(self.kinds) != len(self.paths):
            object.__setattr__(self, "kinds", np.full(len(self.paths), "", dtype=np.str_))

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, choice: NDArray[Any]) -> Self:
        """Return the photos of a boolean mask or of indices."""
        return type(self)(
            **{column.name: getattr(self, column.name)[choice] for column in fields(self)}
        )

    def at(self, paths: Sequence[str]) -> Self:
        """Return the photos of some paths, in the order of these."""
        places = {path: index for index, path in enumerate(self.paths.tolist())}
        return self.take(np.array([places[path] for path in paths], dtype=np.intp))

    @property
    def labelled(self) -> Self:
        """The photos that have a label."""
        return self.take(self.labels != "")

    def relabelled(self, names: Mapping[str, str]) -> Self:
        """Return the photos with some labels called otherwise."""
        called = [names.get(label, label) for label in self.labels.tolist()]
        return replace(self, labels=np.array(called, dtype=np.str_))

    def for_sentiment(self, said: Mapping[str, Any] | None = None) -> Self:
        """Return the photos whose sentiment is known, with it as their label.

        What the manifest says counts; where it says nothing, the label is folded.

        Parameters
        ----------
        said : mapping, optional
            What a label file says of how labels fold.

        Raises
        ------
        DataError
            No photo has a sentiment.
        """
        names = set(self.counts)
        labels = LabelSet.from_names(names, said) if len(names) > 1 else None
        known = {name: labels.sentiment(name) or "" for name in names} if labels else {}
        folded = np.array([known.get(name, "") for name in self.labels.tolist()], dtype=np.str_)
        sentiments = np.where(self.sentiments != "", self.sentiments, folded)
        if not (sentiments != "").any():
            raise DataError(
                "No photo has a sentiment: neither a column sentiment of the manifest nor the "
                "labels say it. A label file says how labels fold."
            )
        return replace(self, labels=sentiments, sentiments=sentiments)

    @property
    def counts(self) -> dict[str, int]:
        """How many photos each label has, by label."""
        return dict(sorted(Counter(self.labels[self.labels != ""].tolist()).items()))

    def fingerprint(self) -> str:
        """Return a SHA-256 over the photos' contents, labels and splits, in any order."""
        columns = (self.digests.tolist(), self.labels.tolist(), self.splits.tolist())
        lines = sorted("\0".join(entry) for entry in zip(*columns, strict=True))
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def load_photos(
    data: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
) -> tuple[Strings, Strings, Strings]:
    """Load labelled photos as scikit-learn takes them.

    Parameters
    ----------
    data : path-like or iterable of path-like
        Folders of ``LABEL/photo.jpg``, or with a manifest ``photos.csv``.

    Returns
    -------
    X : ndarray of str, shape (n_photos,)
        Paths.
    y : ndarray of str, shape (n_photos,)
        Labels.
    groups : ndarray of str, shape (n_photos,)
        For `sklearn.model_selection.StratifiedGroupKFold` and the like.

    Raises
    ------
    DataError, PhotosNotFoundError
        There is nothing to learn from; the message says why.

    Examples
    --------
    >>> import os, sklearn
    >>> folder = os.path.join(os.path.dirname(sklearn.__file__), "datasets")
    >>> X, y, groups = load_photos(folder)
    >>> y.tolist()
    ['images', 'images']
    """
    folders = [data] if isinstance(data, str | os.PathLike) else list(data)
    dataset = load_dataset([os.fspath(folder) for folder in folders]).labelled
    if not len(dataset):
        raise DataError(_NO_LABEL)
    return dataset.paths, dataset.labels, dataset.groups


def load_dataset(
    folders: Sequence[str],
    *,
    label_column: str = "label",
    group_column: str = "group",
    split_column: str = "split",
) -> Dataset:
    """Load one or several folders of labelled photos.

    Parameters
    ----------
    folders : sequence of str
        Each with a manifest ``photos.csv``, or else with one folder a label.
    label_column, group_column, split_column : str
        The manifest's columns. The last two may be missing from it.

    Returns
    -------
    Dataset
        With the photos that have no label, too.

    Raises
    ------
    PhotosNotFoundError
        A folder does not exist or holds no photo.
    DataError
        A manifest is damaged, or does not fit its folder.
    """
    columns = _Columns(label_column, group_column, split_column)
    rows = [row for folder in folders for row in _load_folder(folder, columns)]
    seen = Counter(os.path.realpath(row.path) for row in rows)
    doubled = [row.path for row in rows if seen[os.path.realpath(row.path)] > 1]
    if doubled:
        raise DataError(f"{doubled[0]} was given twice; name each folder once.")
    table = {
        column.name: [getattr(row, column.name) for row in rows] for column in fields(_Labelled)
    }
    digests = [_digest(path) for path in table["path"]]
    groups = _join_identical(digests, table["group"])
    return Dataset(
        paths=np.array(table["path"], dtype=np.str_),
        labels=np.array(table["label"], dtype=np.str_),
        sentiments=np.array(table["sentiment"], dtype=np.str_),
        groups=np.array(groups, dtype=np.str_),
        splits=np.array(table["split"], dtype=np.str_),
        sources=np.array(table["source"], dtype=np.str_),
        digests=np.array(digests, dtype=np.str_),
        kinds=np.array(table["kind"], dtype=np.str_),
    )


def split_dataset(dataset: Dataset, *, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Split labelled photos into those to fit on and those to judge with.

    The splits of a manifest are taken where every labelled photo has one
    (``train`` and ``val`` to fit on, ``test`` to judge with). Else a quarter
    is held out: stratified, seeded, and no group on both sides.

    Parameters
    ----------
    dataset : Dataset
        All photos labelled.
    seed : int, default=0
        Chooses the quarter.

    Returns
    -------
    train, test : Dataset
        Every label of `test` is in `train`.

    Raises
    ------
    DataError
        Too few labels, photos or groups, or a group on both sides.
    """
    _refuse_few(dataset)
    given = dataset.splits != ""
    if given.any():
        if not given.all():
            raise DataError(
                f"{int((~given).sum())} labelled photos have no split while others have one, "
                f"the first of them {dataset.paths[~given][0]}; give every photo one or none."
            )
        train, test = dataset.splits != "test", dataset.splits == "test"
        _refuse_straddling(dataset)
    else:
        train, test = _held_out(dataset, seed)
    parts = dataset.take(train), dataset.take(test)
    _refuse_unbalanced(*parts)
    return parts


@dataclass(frozen=True)
class _Columns:
    label: str
    group: str
    split: str


_USUAL_COLUMNS = _Columns("label", "group", "split")


@dataclass(frozen=True)
class _Labelled:
    path: str
    label: str
    sentiment: str
    group: str
    split: str
    source: str
    kind: str


def _load_folder(folder: str, columns: _Columns) -> list[_Labelled]:
    if not os.path.isdir(folder):
        reason = "is not a folder" if os.path.exists(folder) else "does not exist"
        raise PhotosNotFoundError(
            f"{folder} {reason}; emotag fits on folders of LABEL/photo.jpg, "
            f"with or without a {MANIFEST}."
        )
    manifest = os.path.join(folder, MANIFEST)
    if os.path.lexists(manifest):
        # anything else than a file would be waited for, or passed over
        if not os.path.isfile(manifest):
            raise DataError(f"{manifest} is not a file, or a broken link.")
        rows = _read_manifest(folder, columns)
    else:
        _refuse_any_column(folder, columns)
        rows = _read_labels(folder)
    if not rows:
        raise PhotosNotFoundError(
            f"{folder} holds no labelled photo; emotag expects {folder}/LABEL/photo.jpg "
            f"or a {MANIFEST} with the columns file and {columns.label}."
        )
    return rows


def _refuse_any_column(folder: str, columns: _Columns) -> None:
    """Refuse columns that were asked for where there is no manifest to have them."""
    asked = set(astuple(columns)) - set(astuple(_USUAL_COLUMNS))
    if asked:
        names = ", ".join(map(repr, sorted(asked)))
        raise DataError(f"{folder} has no {MANIFEST}, so it has no column {names}.")


def _read_labels(folder: str) -> list[_Labelled]:
    """Take the name of each folder directly below as the label of the photos in it."""
    rows = []
    for path in _photos_in(folder):
        label, _, rest = os.path.relpath(path, folder).partition(os.sep)
        # a photo that lies in no label's folder has no label
        rows.append(_Labelled(path, label if rest else "", "", "", "", "", ""))
    return rows if any(row.label for row in rows) else []


def _photos_in(folder: str) -> list[str]:
    """Return a folder's photos, of which none may be passed over unseen."""
    found = find_photos([folder])
    if found.unlisted:
        unlisted, reason = found.unlisted[0]
        raise DataError(f"{unlisted} could not be searched: {reason}.")
    return found.photos


def _read_manifest(folder: str, columns: _Columns) -> list[_Labelled]:
    manifest = os.path.join(folder, MANIFEST)
    # A cell may hold more than the csv module's 128 KiB, such as a photo's tags.
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with open(manifest, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _refuse_columns(manifest, reader.fieldnames or (), columns)
            records = [(reader.line_num, record) for record in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{manifest} cannot be read: {reason}.") from error
    rows = [_manifest_row(folder, line, record, columns) for line, record in records]
    _refuse_mismatch(folder, rows)
    return rows


def _manifest_row(folder: str, line: int, record: dict[str, Any], columns: _Columns) -> _Labelled:
    place = f"{os.path.join(folder, MANIFEST)}, line {line}"
    if None in record or None in record.values():
        raise DataError(f"{place}: the row has more or fewer cells than the header.")
    split = record.get(columns.split, "").strip()
    if split not in ("", *_SPLITS):
        raise DataError(f"{place}: unknown split {split!r}; choose from {', '.join(_SPLITS)}.")
    sentiment = record.get("sentiment", "").strip()
    return _Labelled(
        path=os.path.join(folder, _inside(record["file"], place)),
        label=record[columns.label].strip(),
        sentiment=sentiment if sentiment in ("positive", "negative") else "",
        group=record.get(columns.group, "").strip(),
        split=split,
        source=record.get("source", "").strip(),
        kind=_kind(record.get("kind", ""), place),
    )


def _kind(said: str, place: str) -> str:
    kind = said.strip().casefold()
    if kind not in ("", *KINDS):
        raise DataError(f"{place}: unknown kind {said!r}; choose from {', '.join(KINDS)}.")
    return kind


def _inside(file: str, place: str) -> str:
    """Return a manifest's path if it stays inside its folder, on any system."""
    parts = file.replace("\\", "/").split("/")
    if not file or "\0" in file or not parts[0] or ".." in parts or ":" in parts[0]:
        raise DataError(f"{place}: {file!r} is not a path inside the folder of the manifest.")
    return os.path.join(*file.split("/"))


def _refuse_columns(manifest: str, names: Iterable[str], columns: _Columns) -> None:
    found = list(names)
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise DataError(f"{manifest} has the column {twice[0]!r} twice.")
    for column in ("file", columns.label):
        if column not in found:
            raise DataError(
                f"{manifest} has no column {column!r}; it has {', '.join(found) or 'none'}. "
                "--label-column names another for the labels."
            )
    for column, usual in ((columns.group, "group"), (columns.split, "split")):
        if column != usual and column not in found:
            raise DataError(f"{manifest} has no column {column!r}; it has {', '.join(found)}.")


def _refuse_mismatch(folder: str, rows: Sequence[_Labelled]) -> None:
    """Refuse rows without a photo, photos named twice, and photos without a row."""
    manifest = os.path.join(folder, MANIFEST)
    named = Counter(os.path.normpath(row.path) for row in rows)
    absent = [row.path for row in rows if not os.path.isfile(row.path)]
    if absent:
        raise DataError(f"{manifest} names photos that are not there: {_some(absent)}.")
    twice = [path for path, count in named.items() if count > 1]
    if twice:
        raise DataError(f"{manifest} names photos more than once: {_some(twice)}.")
    unnamed = [path for path in _photos_in(folder) if os.path.normpath(path) not in named]
    if unnamed:
        raise DataError(
            f"{manifest} does not name photos that are there: {_some(unnamed)}. "
            "Add a row for each, with an empty label to leave it out, or move them away."
        )


def _join_identical(digests: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Return groups such that photos with the same bytes, or of one group, are together."""
    joined = DisjointSets()
    for digest, group in zip(digests, groups, strict=True):
        if group:
            joined.union(digest, f"group {group}")
    return [joined.find(digest) for digest in digests]


def _digest(path: str) -> str:
    try:
        return hash_photo(path).hex()
    except PhotoError:
        # Such a photo is reported when it is decoded.
        return f"unreadable {path}"


def _held_out(dataset: Dataset, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    # imported here: reading a manifest should not wait for scikit-learn
    from sklearn.model_selection import StratifiedGroupKFold

    folds = round(1 / TEST_SHARE)
    for label in dataset.counts:
        groups = len(set(dataset.groups[dataset.labels == label]))
        if groups < folds:
            raise DataError(
                f"The label {label!r} has {groups} photos that are independent of each other, "
                f"and {folds} are needed to hold a part out."
            )
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    _, index = next(splitter.split(dataset.paths, dataset.labels, dataset.groups))
    test = np.zeros(len(dataset), dtype=np.bool_)
    test[index] = True
    return ~test, test


def _refuse_few(dataset: Dataset) -> None:
    if not len(dataset):
        raise DataError(_NO_LABEL)
    if len(dataset.counts) < 2:
        raise DataError(
            f"All photos have the label {next(iter(dataset.counts))!r}; "
            "a model needs at least two to tell apart."
        )


def _refuse_straddling(dataset: Dataset) -> None:
    sides = defaultdict(set)
    for group, split in zip(dataset.groups.tolist(), dataset.splits.tolist(), strict=True):
        sides[group].add(split == "test")
    straddling = [group for group, found in sides.items() if len(found) > 1]
    if straddling:
        members = dataset.paths[dataset.groups == straddling[0]].tolist()
        raise DataError(
            f"Photos of one group, or with the same content, stand both in the test split and "
            f"outside it: {_some(members)} ({len(straddling)} such groups). "
            "The test would not be honest; mend the column split."
        )


def _refuse_unbalanced(train: Dataset, test: Dataset) -> None:
    if not len(train) or not len(test):
        side = "test" if len(train) else "train"
        raise DataError(f"No labelled photo is in the {side} split.")
    missing = sorted(set(test.counts) - set(train.counts))
    if missing:
        raise DataError(f"The labels {', '.join(missing)} are in the test split only.")


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more
