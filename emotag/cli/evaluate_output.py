"""What ``emotag evaluate`` and ``emotag compare`` print, and how they name things."""

import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.table import Table

from emotag import __version__
from emotag.cli.console import notes, results, safe
from emotag.cli.tag_output import photos_text
from emotag.errors import DataError
from emotag.evaluation.composing import PAGE
from emotag.evaluation.findings import About, Evaluation

__all__ = ["about", "parse_map", "print_evaluation", "report_folder"]

_SHOWN = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "sentiment_accuracy": "sentiment, folded",
    "trained_sentiment_accuracy": "sentiment, trained",
    "majority_baseline": "always the most frequent",
}


def about(title: str, folders: Sequence[str], split: str, notes: Sequence[str] = ()) -> About:
    """Return how an evaluation was made."""
    return About(
        title=title,
        data=", ".join(os.path.basename(os.path.abspath(folder)) for folder in folders),
        split=split,
        date=datetime.now(UTC).date().isoformat(),
        version=__version__,
        command=shlex.join(["emotag", *sys.argv[1:]]),
        folders=folders,
        notes=notes,
    )


def parse_map(mapped: Iterable[str]) -> dict[str, str]:
    """Return what labels are called, of ``LABEL=NAME`` each.

    Raises
    ------
    DataError
        One has another form.
    """
    names = {}
    for text in mapped:
        label, equals, name = (part.strip() for part in text.partition("="))
        if not (label and equals and name):
            raise DataError(f"--map takes LABEL=NAME, such as joy=happiness, not {text!r}.")
        names[label] = name
    return names


def report_folder(out: str | None, name: str) -> str:
    """Return where a report goes."""
    return out or os.path.join("reports", name)


def print_evaluation(evaluation: Evaluation, folder: str, *, quiet: bool) -> None:
    """Print the figures of each model, what may be concluded, and where the report is."""
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for report in evaluation.reports:
        table.add_column(safe(report.predictions.model), justify="right", no_wrap=True)
    for name, title in _SHOWN.items():
        if name in evaluation.reports[0].metrics:
            table.add_row(title, *(str(report.metrics[name]) for report in evaluation.reports))
    results.print(table)
    for sentence in evaluation.sentences():
        results.print(safe(sentence))
    if evaluation.unreadable:
        count = photos_text(len(evaluation.unreadable))
        notes.print(f"{count} could not be read; unreadable.csv says why.", style="yellow")
    if not quiet:
        notes.print(f"The report is {safe(os.path.join(folder, PAGE))}")
