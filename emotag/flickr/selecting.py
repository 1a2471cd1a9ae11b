"""Which of the photos that were found make the set."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from emotag.flickr.ledger import Candidate

__all__ = ["Selection", "select_photos"]


@dataclass
class Selection:
    """The photos of the set, and why others are not among them.

    Attributes
    ----------
    chosen : dict of str to list of str
        Ids by label, in order.
    passed : dict of str to Counter
        How many were passed over, by label and reason; of those that would have been taken.
    """

    chosen: dict[str, list[str]] = field(default_factory=dict)
    passed: dict[str, Counter[str]] = field(default_factory=dict)


def select_photos(
    candidates: Mapping[str, Sequence[Candidate]],
    *,
    counts: Mapping[str, int],
    per_owner: int,
    overlap: str,
    excluded: Collection[tuple[str, str]] = (),
) -> Selection:
    """Choose photos, the labels in turn, each in its order.

    The same candidates give the same photos, and photos that could not be
    fetched the same as if they had never been found, whenever that came out.

    Parameters
    ----------
    candidates : mapping of str to sequence of Candidate
        By label, in the order in which they are to be taken.
    counts : mapping of str to int
        How many of each label.
    per_owner : int
        How many of one owner, over all labels.
    overlap : {'drop', 'first', 'keep'}
        Whether a photo that stands under two labels is left out, belongs to the
        first of them, or to both.
    excluded : collection of (label, id)
        What could not be fetched.

    Examples
    --------
    >>> found = {"love": [Candidate("1", "ann"), Candidate("2", "bob")],
    ...          "fear": [Candidate("2", "bob"), Candidate("3", "eve")]}
    >>> select_photos(
    ...     found, counts={"love": 2, "fear": 2}, per_owner=20, overlap="drop"
    ... ).chosen
    {'love': ['1'], 'fear': ['3']}
    """
    homes = _homes(candidates)
    owners: Counter[str] = Counter()
    result = Selection(
        {label: [] for label in candidates}, {label: Counter() for label in candidates}
    )
    for turn in zip_longest(*candidates.values()):
        for label, photo in zip(candidates, turn, strict=True):
            if photo is None or len(result.chosen[label]) == counts[label]:
                continue
            reason = _objection(label, photo, homes[photo.id], overlap, excluded)
            if not reason and owners[photo.owner] >= per_owner:
                reason = "one owner's share is full"
            if reason:
                result.passed[label][reason] += 1
                continue
            result.chosen[label].append(photo.id)
            owners[photo.owner] += 1
    return result


def _homes(candidates: Mapping[str, Sequence[Candidate]]) -> dict[str, list[str]]:
    """Return the labels under which each photo was found, in their order."""
    homes: dict[str, list[str]] = {}
    for label, photos in candidates.items():
        for photo in photos:
            homes.setdefault(photo.id, []).append(label)
    return homes


def _objection(
    label: str,
    photo: Candidate,
    homes: Sequence[str],
    overlap: str,
    excluded: Collection[tuple[str, str]],
) -> str:
    if (label, photo.id) in excluded:
        return "not to be had"
    if len(homes) > 1 and (overlap == "drop" or (overlap == "first" and homes[0] != label)):
        return "found under another label, too"
    return ""
