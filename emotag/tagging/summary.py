"""What a person wants to know of a run: how many of each, the surest, the failures."""

from collections import Counter
from dataclasses import dataclass, field
from heapq import nlargest, nsmallest

from emotag.tagging.rows import Row

__all__ = ["Summary"]

_KEPT = 3
_KEPT_REFUSALS = 1000


@dataclass
class Summary:
    """Counts and extremes of rows, kept as they pass.

    Attributes
    ----------
    statuses : Counter
        How many photos were tagged, uncertain, skipped and failed.
    emotions, sentiments : Counter
        How many photos have each.
    surest, least_sure : list of Row
        Three tagged photos each, the most extreme first.
    refusals : list of Row
        The photos that were skipped or failed, up to a thousand.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    emotions: Counter[str] = field(default_factory=Counter)
    sentiments: Counter[str] = field(default_factory=Counter)
    surest: list[Row] = field(default_factory=list)
    least_sure: list[Row] = field(default_factory=list)
    refusals: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Take one row into account."""
        self.statuses[row.status] += 1
        if row.status == "uncertain":
            return
        if row.status != "tagged":
            if len(self.refusals) < _KEPT_REFUSALS:
                self.refusals.append(row)
            return
        self.emotions[row.emotion] += 1
        if row.sentiment:
            self.sentiments[row.sentiment] += 1
        # most rows are neither
        if len(self.surest) < _KEPT or _confidence(row) > _confidence(self.surest[-1]):
            self.surest = nlargest(_KEPT, [*self.surest, row], key=_confidence)
        if len(self.least_sure) < _KEPT or _confidence(row) < _confidence(self.least_sure[-1]):
            self.least_sure = nsmallest(_KEPT, [*self.least_sure, row], key=_confidence)

    @property
    def total(self) -> int:
        """How many photos there were."""
        return self.statuses.total()


def _confidence(row: Row) -> float:
    return row.confidence or 0.0
