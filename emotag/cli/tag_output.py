"""Where the rows of ``emotag tag`` go, and the summary under them."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from emotag.cli.console import notes, progress_bar, results, safe
from emotag.emotions import LabelSet
from emotag.errors import StorageError
from emotag.photos.finding import Findings
from emotag.storage import replace_file
from emotag.tagging.rows import Row
from emotag.tagging.summary import Summary
from emotag.tagging.writers import CsvWriter, RowWriter, choose_writer, open_writer

__all__ = ["check_target", "print_summary", "write_rows"]

STDOUT = "-"

_SHOWN_REFUSALS = 10
_SHOWN_ENDINGS = 5
_BAR = 30
_STYLES = {"positive": "green", "negative": "magenta"}


def check_target(output: str | None) -> None:
    """Refuse at once a file that could not be written in the end.

    Raises
    ------
    StorageError
        Its ending means nothing, its folder does not exist, or it is a folder.
    """
    if output is None or output == STDOUT:
        return
    choose_writer(output)
    folder = os.path.dirname(output) or "."
    if not os.path.isdir(folder):
        raise StorageError(f"{output} cannot be written: there is no folder {folder}.")
    if not os.access(folder, os.W_OK):
        raise StorageError(f"{output} cannot be written: no permission for the folder {folder}.")
    if os.path.isdir(output):
        raise StorageError(f"{output} cannot be written: it is a folder.")


def write_rows(
    rows: Iterable[Row], total: int, labels: LabelSet, output: str | None, *, quiet: bool
) -> Summary:
    """Write rows as they come, and show how far they are.

    Parameters
    ----------
    rows : iterable of Row
        One for each photo.
    total : int
        How many there will be.
    labels : LabelSet
        The model's.
    output : str or None
        A file, ``-``, or None for stdout: lines for a person, CSV for a pipe.
    quiet : bool
        No progress.

    Returns
    -------
    Summary
        Of all rows.
    """
    summary = Summary()
    with (
        _open_sink(labels, output) as sink,
        progress_bar("Tagging", total, quiet=quiet) as advance,
    ):
        try:
            for row in rows:
                sink.write(row)
                summary.add(row)
                advance()
        except KeyboardInterrupt:
            _say_stopped(summary.total, total, output)
            raise
    return summary


def print_summary(summary: Summary, found: Findings, output: str | None, seconds: float) -> None:
    """Print to stderr what a person wants to know of a run."""
    _print_counts(summary, found, seconds)
    if summary.statuses["tagged"]:
        _print_shares(summary)
        _print_extremes(summary)
    _print_refusals(summary, found)
    if output is None and results.is_terminal:
        notes.print("To keep the tags: emotag tag … -o tags.csv (or .jsonl, .parquet)", style="dim")
    elif output is not None and output != STDOUT:
        notes.print(f"Written to {safe(output)}.", markup=False, soft_wrap=True)


class _Lines:
    """Rows as lines for a person, above the progress bar if both are on one terminal."""

    def __init__(self, labels: LabelSet) -> None:
        self._console: Console = notes if notes.is_terminal else results
        self._width = max(len("skipped"), *map(len, labels.names))

    def write(self, row: Row) -> None:
        """Print one row."""
        line = _person_line(row, self._width)
        self._console.print(line, soft_wrap=True)

    def finish(self) -> None:
        """Do nothing: every line is printed already."""


@contextmanager
def _open_sink(labels: LabelSet, output: str | None) -> Iterator[RowWriter | _Lines]:
    if output is None and results.is_terminal:
        yield _Lines(labels)
    elif output is None or output == STDOUT:
        with open_writer(sys.stdout.buffer, labels, CsvWriter) as writer:
            yield writer
    else:
        with (
            replace_file(output) as file,
            open_writer(file, labels, choose_writer(output)) as writer,
        ):
            yield writer


def _person_line(row: Row, width: int) -> Text:
    if row.status != "tagged":
        return Text.assemble(
            (f"{row.status:{width}}", "yellow"), f"  {safe(row.path)}  ", (safe(row.reason), "dim")
        )
    return Text.assemble(
        (f"{row.emotion:{width}}", "bold"),
        f"  {row.confidence:.2f}  ",
        (f"{row.sentiment or '-':8}", _STYLES.get(row.sentiment, "")),
        f"  {safe(row.path)}",
        (f"  ({safe(row.reason)})" if row.reason else "", "dim"),
    )


def _say_stopped(done: int, total: int, output: str | None) -> None:
    kept = f" {safe(output)} was not written." if output not in (None, STDOUT) and output else ""
    notes.print(
        f"Stopped after {done} of {total} photos.{kept} The same command starts anew; "
        "no photo was changed.",
        markup=False,
        soft_wrap=True,
    )


def _print_counts(summary: Summary, found: Findings, seconds: float) -> None:
    statuses = ", ".join(
        f"{summary.statuses[status]} {status}"
        for status in ("tagged", "skipped", "failed")
        if summary.statuses[status] or status == "tagged"
    )
    rate = summary.total / max(seconds, 1e-9)
    notes.print(f"\n{_photos(summary.total)} in {seconds:.1f} s ({rate:.0f}/s): {statuses}.")
    if found.others:
        common = found.others.most_common(_SHOWN_ENDINGS)
        endings = ", ".join(
            f"{count} {safe(ending) or 'without an ending'}" for ending, count in common
        )
        more = ", …" if len(found.others) > _SHOWN_ENDINGS else ""
        notes.print(f"Left aside, no photos: {endings}{more}.", markup=False)
    if found.hidden:
        notes.print(f"Left aside, hidden: {found.hidden}.")


def _print_shares(summary: Summary) -> None:
    tagged = summary.statuses["tagged"]
    notes.print()
    for counts in (summary.emotions, summary.sentiments):
        for name, count in counts.most_common():
            bar = "█" * max(1, round(_BAR * count / tagged))
            line = f"  {safe(name):12} {count:7}  {count / tagged:4.0%}  "
            notes.print(Text.assemble(line, (bar, _STYLES.get(name, "cyan"))))
        if counts is summary.emotions and summary.sentiments:
            notes.print()


def _print_extremes(summary: Summary) -> None:
    if summary.statuses["tagged"] < 2 * len(summary.surest):
        return
    for title, rows in (("Surest", summary.surest), ("Least sure", summary.least_sure)):
        notes.print(f"\n{title}:")
        for row in rows:
            line = f"  {row.confidence:.2f}  {row.emotion:12} {safe(row.path)}"
            notes.print(line, markup=False, soft_wrap=True)


def _print_refusals(summary: Summary, found: Findings) -> None:
    refused = summary.statuses["skipped"] + summary.statuses["failed"]
    if refused:
        notes.print("\nNot tagged:", style="yellow")
    for row in summary.refusals[:_SHOWN_REFUSALS]:
        line = f"  {row.status:8} {safe(row.path)}: {safe(row.reason)}"
        notes.print(line, markup=False, soft_wrap=True)
    if refused > _SHOWN_REFUSALS:
        notes.print(f"  … and {refused - _SHOWN_REFUSALS} more; -o FILE lists them all.")
    for folder, reason in found.unlisted:
        line = f"  {safe(folder)} could not be searched: {reason}"
        notes.print(line, style="yellow", markup=False, soft_wrap=True)
    notes.print()


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count} photos"
