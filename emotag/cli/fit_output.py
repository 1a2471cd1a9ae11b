"""What ``emotag fit`` prints."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from emotag.cli.console import notes, results, safe
from emotag.dataset import Dataset
from emotag.emotions import LabelSet
from emotag.errors import PhotoError
from emotag.evaluation.report import Report

if TYPE_CHECKING:
    from emotag.models.finetuning.callbacks import Epoch

__all__ = ["print_data", "print_epoch", "print_report", "print_saved"]

_SHOWN_FAILURES = 10
_FILE_WIDTH = 10_000
# With fewer, a bootstrap over groups finds too little variety.
_ENOUGH_GROUPS = 30

_NAMES = {
    "accuracy": "accuracy",
    "majority_baseline": "… of the majority label",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "sentiment_accuracy": "sentiment accuracy (folded)",
    "sentiment_majority_baseline": "… of the majority sentiment",
    "sentiment_balanced_accuracy": "sentiment balanced accuracy (folded)",
}


def print_data(
    loaded: Dataset,
    train: Dataset,
    test: Dataset,
    failures: Sequence[PhotoError],
    labels: LabelSet,
) -> None:
    """Print to stderr what is fitted on, what is judged with, and what is left out."""
    for failure in failures[:_SHOWN_FAILURES]:
        notes.print(f"left out: {safe(str(failure))}", style="yellow")
    if len(failures) > _SHOWN_FAILURES:
        notes.print(f"left out: {len(failures) - _SHOWN_FAILURES} more that cannot be read")
    unlabelled = len(loaded) - len(loaded.labelled)
    if unlabelled:
        notes.print(f"left out: {unlabelled} photos without a label")
    table = Table("label", "sentiment", "to fit on", "to judge with", box=None, header_style="dim")
    for column in table.columns[2:]:
        column.justify = "right"
    for name in labels.names:
        sentiment = labels.sentiment(name) or "-"
        counts = (str(part.counts.get(name, 0)) for part in (train, test))
        table.add_row(safe(name), sentiment, *counts)
    _print_table(notes, table)


def print_epoch(epoch: "Epoch") -> None:
    """Print to stderr how an epoch of fine-tuning went."""
    held_out = (
        ""
        if epoch.valid_loss is None or epoch.valid_score is None
        else f", held out {epoch.valid_loss:.3f} (accuracy {epoch.valid_score:.3f})"
    )
    second = ", of photos that it is sure of" if epoch.stage > 1 else ""
    left = f", at most {epoch.seconds_left / 60:.0f} min left" if epoch.seconds_left > 0 else ""
    notes.print(
        f"epoch {epoch.number} of {epoch.of}{second}: loss {epoch.train_loss:.3f}{held_out}, "
        f"{epoch.photos_per_second:.0f} photos/s{left}"
    )


def print_report(report: Report) -> None:
    """Print to stdout how the model did on the photos held out."""
    results.print(
        f"\nJudged on {report.n_photos} photos it has not seen "
        f"({report.n_groups} independent), with 95 % intervals:\n"
    )
    table = Table(box=None, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column()
    for name, title in _NAMES.items():
        if figure := report.metrics.get(name):
            table.add_row(title, f"{figure.value:.3f}", figure.interval)
    for name, figure in report.recalls.items():
        table.add_row(f"recall of {safe(name)}", f"{figure.value:.3f}", figure.interval)
    _print_table(results, table)
    if report.n_groups < _ENOUGH_GROUPS:
        results.print("\nThese are few photos: the true intervals are wider.")
    results.print("\nConfusion matrix (rows actual, columns predicted):\n")
    _print_table(results, _confusion_table(report))


def print_saved(folder: str, labels: LabelSet, *, refit: bool) -> None:
    """Print to stderr where the model is, and how to go on."""
    what = "fitted once more on all photos" if refit else "the one that was judged"
    notes.print(f"\nSaved to {safe(folder)} ({what}).")
    if not labels.folds:
        notes.print(
            "The sentiment of these labels is not known, so tags will have none; "
            '--label-file FILE.toml says it: positive = ["…"], negative = ["…"]'
        )
    notes.print(f"Tag with it: emotag tag --model {safe(folder)} ./photos")


def _confusion_table(report: Report) -> Table:
    table = Table("", *map(safe, report.labels), box=None, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    for index, name in enumerate(report.labels):
        row = report.confusion[index].tolist()
        cells = [Text(str(n), "bold" if i == index else "") for i, n in enumerate(row)]
        table.add_row(safe(name), *cells)
    return table


def _print_table(console: Console, table: Table) -> None:
    # a terminal has a width that names may be cut to, a file has none
    if not console.is_terminal:
        console = Console(file=console.file, width=_FILE_WIDTH, emoji=False, markup=False)
    console.print(table, soft_wrap=False)
