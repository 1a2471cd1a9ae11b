"""Photos to judge with that are, nearly or wholly, among those that are learnt from."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotag.dataset import Dataset
from emotag.errors import DataError
from emotag.evaluation.splits import Split
from emotag.likeness import FEATURELESS

__all__ = ["Leak", "LeakCount", "count_leaks", "describe_leaks", "find_leaks"]

Codes = NDArray[np.uint64]

# So many hashes are compared with all others at a time: 20 MB for 20,000 of them.
_BLOCK = 128


@dataclass(frozen=True)
class Leak:
    """A photo to judge with, and its like among those that are learnt from.

    Attributes
    ----------
    split : str
        The name of the split.
    kind : str
        ``'identical'``: the same bytes; ``'near'``: they look alike.
    train_path, test_path : str
        The two photos.
    distance : int
        By how many of 64 bits their perceptual hashes differ.
    """

    split: str
    kind: Literal["identical", "near"]
    train_path: str
    test_path: str
    distance: int = 0


@dataclass(frozen=True)
class LeakCount:
    """How many of a split's photos to judge with have their like among the others.

    Attributes
    ----------
    split : str
        The name of the split.
    n_test : int
        The photos to judge with.
    n_identical, n_near : int
        Of these, how many have a `Leak` of each kind.
    n_same_group : int
        How many share a group, such as their owner, with a photo that is learnt from.
    """

    split: str
    n_test: int
    n_identical: int
    n_near: int
    n_same_group: int


def find_leaks(
    dataset: Dataset, splits: Sequence[Split], hashes: ArrayLike, *, distance: int = 6
) -> list[Leak]:
    """Look for photos that stand on both sides of a split.

    Identical photos are found by the SHA-256 of their files, near ones by
    perceptual hashes (see `emotag.likeness`). Photos that were cropped, turned
    or mirrored are not found, nor photos of one colour.

    Parameters
    ----------
    dataset : Dataset
        The photos.
    splits : sequence of Split
        Positions in it.
    hashes : array-like of uint64, shape (n_photos,)
        Perceptual hashes; `FEATURELESS` for a photo that cannot be read.
    distance : int, default=6
        How many of the 64 bits of a near photo's hash may differ.

    Returns
    -------
    list of Leak
        At most one for each photo to judge with, in the order of the splits and
        of the photos: the identical photo, or else the nearest.

    Raises
    ------
    DataError
        There is not one hash for each photo.

    Examples
    --------
    >>> import numpy as np
    >>> names = np.array(["a.jpg", "b.jpg", "c.jpg"])
    >>> dataset = Dataset(names, names, names, names, names, names, digests=names)
    >>> split = Split("paper", train=np.array([0, 1]), test=np.array([2]))
    >>> for leak in find_leaks(dataset, [split], [0xFF00, 0xAAAA, 0xFF01]):
    ...     print(leak.kind, leak.train_path, leak.distance)
    near a.jpg 1
    """
    codes = np.asarray(hashes, dtype=np.uint64)
    if len(codes) != len(dataset):
        raise DataError(f"There are {len(codes)} hashes for {len(dataset)} photos.")
    return [leak for split in splits for leak in _leaks_of(dataset, split, codes, distance)]


def _leaks_of(dataset: Dataset, split: Split, codes: Codes, distance: int) -> list[Leak]:
    known = dict(zip(dataset.digests[split.train].tolist(), split.train.tolist(), strict=True))
    near = _nearest(codes, split, distance)
    leaks: list[Leak] = []
    for test in split.test.tolist():
        path = str(dataset.paths[test])
        same = known.get(str(dataset.digests[test]))
        if same is not None:
            leaks.append(Leak(split.name, "identical", str(dataset.paths[same]), path))
        elif test in near:
            train, bits = near[test]
            leaks.append(Leak(split.name, "near", str(dataset.paths[train]), path, bits))
    return leaks


def _nearest(codes: Codes, split: Split, distance: int) -> dict[int, tuple[int, int]]:
    """Return for each photo to judge with that has any the nearest other, and how near."""
    train = split.train[codes[split.train] != FEATURELESS]
    test = split.test[codes[split.test] != FEATURELESS]
    nearest: dict[int, tuple[int, int]] = {}
    if not len(train):
        return nearest
    for start in range(0, len(test), _BLOCK):
        block = test[start : start + _BLOCK]
        bits = np.bitwise_count(codes[block, np.newaxis] ^ codes[train])
        best = bits.argmin(axis=1)
        least = bits[np.arange(len(block)), best]
        for row in np.flatnonzero(least <= distance).tolist():
            nearest[int(block[row])] = int(train[best[row]]), int(least[row])
    return nearest


def count_leaks(
    dataset: Dataset, splits: Sequence[Split], leaks: Iterable[Leak]
) -> list[LeakCount]:
    """Count what `find_leaks` found, and shared groups, for each split.

    Parameters
    ----------
    dataset : Dataset
        The photos.
    splits : sequence of Split
        Positions in it.
    leaks : iterable of Leak
        What was found in them.

    Returns
    -------
    list of LeakCount
        In the order of the splits.
    """
    found = Counter((leak.split, leak.kind) for leak in leaks)
    return [
        LeakCount(
            split=split.name,
            n_test=len(split.test),
            n_identical=found[split.name, "identical"],
            n_near=found[split.name, "near"],
            n_same_group=int(
                np.isin(dataset.groups[split.test], dataset.groups[split.train]).sum()
            ),
        )
        for split in splits
    ]


def describe_leaks(counts: Iterable[LeakCount]) -> list[str]:
    """Say in words what leaks, one sentence a split, and what to do about it.

    Parameters
    ----------
    counts : iterable of LeakCount
        As `count_leaks` returns them.

    Examples
    --------
    >>> describe_leaks([LeakCount("fold 1", 200, 0, 0, 0)])
    ['fold 1: none of the 200 photos judged is known to look like one that was learnt from.']
    >>> for sentence in describe_leaks([LeakCount("paper", 200, 3, 1, 40)]):
    ...     print(sentence)
    paper: of the 200 photos judged, 3 were learnt from as well, 1 looks like one that was, \
40 share a group with one that was, so the figures may be too good; give those that look alike \
one group and split by group.
    """
    return [_describe(count) for count in counts]


def _describe(count: LeakCount) -> str:
    parts = [
        f"{n} {one if n == 1 else many}"
        for n, one, many in (
            (count.n_identical, "was learnt from as well", "were learnt from as well"),
            (count.n_near, "looks like one that was", "look like one that was"),
            (count.n_same_group, "shares a group with one that was", _SHARE),
        )
        if n
    ]
    if not parts:
        return (
            f"{count.split}: none of the {count.n_test:,} photos judged is known to look like "
            "one that was learnt from."
        )
    advice = ["give those that look alike one group"] if count.n_near else []
    if count.n_identical or count.n_same_group:
        advice.append("split by group")
    return (
        f"{count.split}: of the {count.n_test:,} photos judged, {', '.join(parts)}, so the "
        f"figures may be too good; {' and '.join(advice)}."
    )


_SHARE = "share a group with one that was"
