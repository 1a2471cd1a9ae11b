"""All that an evaluation found, and what may be concluded of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from emotag.errors import PhotoError
from emotag.evaluation.comparison import Comparison, compare_all
from emotag.evaluation.leaks import Leak, LeakCount, describe_leaks
from emotag.evaluation.learning import Point, describe_curve
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.report import Report
from emotag.evaluation.sentences import conclude
from emotag.evaluation.shortcuts import Shortcuts, describe_shortcuts

__all__ = ["CURVE_METRIC", "About", "Evaluation"]

CURVE_METRIC = "accuracy"
"""What a learning curve shows."""


@dataclass(frozen=True)
class About:
    """What an evaluation was made of, and how.

    Attributes
    ----------
    title, data, split : str
        What was judged, on which photos, and how they were parted.
    date, version, command : str
        When, by which emotag, and what was typed.
    folders : sequence of str
        Of the photos; their manifests say who made them.
    notes : sequence of str
        What must be known to read the figures.
    """

    title: str
    data: str
    split: str
    date: str = ""
    version: str = ""
    command: str = ""
    folders: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Evaluation:
    """All that was found.

    Attributes
    ----------
    about : About
        How it was made.
    reports : sequence of Report
        One a model, all on the same photos.
    leaks, leak_counts : sequence
        Photos that are on both sides of a split.
    shortcuts : Shortcuts or None
        What colour and size explain.
    curve : sequence of Point
        By how many photos were learnt from.
    curve_model : str
        Whose curve it is.
    unreadable : sequence of PhotoError
        Photos that were not judged.
    """

    about: About
    reports: Sequence[Report]
    leaks: Sequence[Leak] = ()
    leak_counts: Sequence[LeakCount] = ()
    shortcuts: Shortcuts | None = None
    curve: Sequence[Point] = ()
    curve_model: str = ""
    unreadable: Sequence[PhotoError] = ()

    @cached_property
    def comparisons(self) -> Sequence[Comparison]:
        """Each two models."""
        return compare_all(self.predictions)

    @cached_property
    def conclusions(self) -> Sequence[str]:
        """What may be concluded of the models."""
        return conclude(self.comparisons, self.predictions)

    @property
    def predictions(self) -> list[Predictions]:
        """What each model says."""
        return [report.predictions for report in self.reports]

    def sentences(self) -> list[str]:
        """Return what may be concluded, and what must be known beside it."""
        found = [*self.conclusions, *self.about.notes]
        found += describe_leaks(self.leak_counts)
        if self.shortcuts is not None:
            found += describe_shortcuts(self.shortcuts)
        if self.curve:
            found.append(describe_curve(self.curve, metric=CURVE_METRIC))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold. A single model's figures stand at the top."""
        whole: dict[str, Any] = {
            "title": self.about.title,
            "data": self.about.data,
            "split": self.about.split,
            "date": self.about.date,
            "version": self.about.version,
            "command": self.about.command,
            "sentences": self.sentences(),
            "notes": list(self.about.notes),
            "n_unreadable": len(self.unreadable),
            # null where no one has looked
            "leaks": [asdict(count) for count in self.leak_counts] or None,
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "learning_curve": [
                {"share": p.share, "n_photos": p.n_photos, CURVE_METRIC: p.metric.to_dict()}
                for p in self.curve
            ],
            "shortcuts": _plain_shortcuts(self.shortcuts),
        }
        if len(self.reports) == 1:
            return whole | {"model": self.predictions[0].model} | self.reports[0].to_dict()
        return whole | {"models": {r.predictions.model: r.to_dict() for r in self.reports}}


def _plain_shortcuts(shortcuts: Shortcuts | None) -> dict[str, Any] | None:
    if shortcuts is None:
        return None
    return {
        "model": shortcuts.model,
        "explained": [
            {
                "cue": one.cue,
                "target": one.target,
                "chance": one.chance,
                "balanced_accuracy": one.figure.to_dict(),
            }
            for one in shortcuts.explained
        ],
        "correlations": [
            {"cue": one.cue, "spearman": one.figure.to_dict()} for one in shortcuts.correlations
        ],
    }
