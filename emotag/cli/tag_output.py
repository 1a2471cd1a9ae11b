"""Where the rows of ``emotag tag`` go, and the summary under them."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from rich.cells import cell_len
from rich.text import Text

from emotag.cli.console import (
    notes,
    person_reads_notes,
    person_reads_results,
    progress_bar,
    rate,
    results,
    safe,
)
from emotag.emotions import LabelSet
from emotag.errors import EmotagError, StorageError
from emotag.photos.finding import Findings
from emotag.remote.filesystems import is_remote
from emotag.remote.writing import check_writable, replace_object
from emotag.storage import is_special, replace_file, replace_folder
from emotag.tagging.parquet import ParquetFolderWriter, holds_only_parts, names_parts_folder
from emotag.tagging.rows import Row, RowTaker
from emotag.tagging.summary import Summary
from emotag.tagging.writers import CsvWriter, FinishedWriter, choose_writer, finishing, open_writer

__all__ = [
    "STDOUT",
    "check_folder",
    "check_target",
    "output_file",
    "photos_text",
    "print_merge_hint",
    "print_summary",
    "tell_no_ledger",
    "write_rows",
]

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
        It is a folder, its ending means nothing, or its own folder or bucket
        does not exist or may not be written to.
    """
    if output is None or output == STDOUT:
        return
    if is_remote(output):
        if output.endswith("/"):
            raise StorageError(
                f"{output} cannot be written: a folder of files is written to a disk only. "
                "Leave out the slash to write one file."
            )
        choose_writer(output)
        check_writable(output)
        return
    if names_parts_folder(output):
        _refuse_other_files(output)
        output = os.path.abspath(output)
    elif os.path.isdir(output):
        raise StorageError(f"{output} cannot be written: it is a folder.")
    choose_writer(output)
    if os.path.isdir(output) or not is_special(output):
        check_folder(output)


def check_folder(path: str) -> None:
    """Refuse at once a file whose folder does not exist or may not be written to."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise StorageError(f"{path} cannot be written: there is no folder {folder}.")
    if not os.access(folder, os.W_OK):
        raise StorageError(f"{path} cannot be written: no permission for the folder {folder}.")


def _refuse_other_files(folder: str) -> None:
    plain = folder.rstrip("/" + os.sep)
    if not os.path.lexists(plain):
        return
    if os.path.islink(plain) or not os.path.isdir(plain):
        raise StorageError(f"{folder} cannot be written: {plain} is there, and is no folder.")
    if not holds_only_parts(folder):
        raise StorageError(
            f"{folder} cannot be written: it holds other files than parts of Parquet, which would "
            "be lost; choose another name."
        )


def output_file(output: str | None) -> str | None:
    """Return the file that tags go to; None if they go to no file that stays."""
    if output is None or output == STDOUT:
        return None
    return None if is_special(output) and not names_parts_folder(output) else output


def tell_no_ledger(reason: str) -> None:
    """Tell a person that a run cannot go on from another one."""
    notes.print(
        f"What is done cannot be noted, so a later run starts from the beginning: {safe(reason)}",
        style="yellow",
    )


def write_rows(
    rows: Iterable[Row],
    total: int,
    labels: LabelSet,
    output: str | None,
    *,
    quiet: bool,
    fresh: bool = False,
    extra: Sequence[str] = (),
    also: Sequence[RowTaker] = (),
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
    fresh : bool, default=False
        Whether the run forgets what earlier ones did.
    extra : sequence of str, default=()
        Columns that were asked for, such as ``because``.
    also : sequence of RowTaker, default=()
        Whatever else takes the rows as they come, such as a writer of sidecars.

    Returns
    -------
    Summary
        Of all rows.
    """
    summary = Summary()
    # a bar would come between rows that go to the same terminal
    no_bar = quiet or (output == STDOUT and person_reads_results())
    with (
        _open_sink(labels, output, extra) as sink,
        progress_bar("Tagging", total, quiet=no_bar) as advance,
    ):
        try:
            for row in rows:
                sink.write(row)
                for taker in also:
                    taker.write(row)
                summary.add(row)
                advance()
        except KeyboardInterrupt as error:
            changed = sum(_changed_photos(taker) for taker in also)
            raise KeyboardInterrupt(
                _stopped(summary.total, total, output, changed, fresh=fresh)
            ) from error
    return summary


def print_summary(
    summary: Summary, found: Findings, output: str | None, seconds: float, *, kept: bool = False
) -> None:
    """Print to stderr what a person wants to know of a run; and how to keep it, unless it is."""
    _print_counts(summary, found, seconds)
    if summary.statuses["tagged"]:
        _print_shares(summary)
        _print_extremes(summary)
    _print_refusals(summary, found)
    if output is None and not kept and person_reads_results():
        notes.print(
            "To keep the tags: emotag tag … -o tags.csv (or .jsonl, .parquet), or --xmp",
            style="dim",
        )
    elif output is not None and output != STDOUT:
        notes.print(f"Written to {safe(output)}.")


def print_merge_hint(output: str | None) -> None:
    """Print to stderr what to do when all shards are done."""
    notes.print(f"When all shards are done: emotag merge {safe(str(output))}")


class _Lines:
    """Rows as lines for a person, above the progress bar if both are on one terminal."""

    def __init__(self, labels: LabelSet) -> None:
        self._console = notes if person_reads_notes() else results
        self._width = max(len("skipped"), *(cell_len(safe(name)) for name in labels.names))

    def write(self, row: Row) -> None:
        """Print one row."""
        self._console.print(_person_line(row, self._width))

    def finish(self) -> None:
        """Do nothing: every line is printed already."""


@contextmanager
def _open_sink(
    labels: LabelSet, output: str | None, extra: Sequence[str]
) -> Iterator[FinishedWriter]:
    if output is None and person_reads_results():
        yield _Lines(labels)
    elif output is None or output == STDOUT:
        with (
            _open_stdout() as file,
            open_writer(file, labels, CsvWriter, extra) as writer,
        ):
            yield writer
    elif names_parts_folder(output):
        with (
            replace_folder(output, force=True) as folder,
            finishing(ParquetFolderWriter(folder, labels, extra)) as writer,
        ):
            yield writer
            # someone may have put something there meanwhile
            _refuse_other_files(output)
    else:
        replace = replace_object if is_remote(output) else replace_file
        with (
            replace(output) as file,
            open_writer(file, labels, choose_writer(output), extra) as writer,
        ):
            yield writer


@contextmanager
def _open_stdout() -> Iterator[IO[bytes]]:
    if sys.stdout is None:
        raise StorageError("stdout is closed, so the tags have no place to go; name one with -o.")
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except (BrokenPipeError, EmotagError):
        raise
    except OSError as error:
        raise StorageError(f"stdout cannot be written: {error.strerror}.") from error


def _person_line(row: Row, width: int) -> Text:
    said, style = (row.emotion, "bold") if row.status == "tagged" else (row.status, "yellow")
    confidence = "-" if row.confidence is None else f"{row.confidence:.2f}"
    return Text.assemble(
        (_padded(said, width), style),
        f"  {confidence:4}  ",
        (f"{row.sentiment or '-':8}", _STYLES.get(row.sentiment, "")),
        f"  {safe(row.path)}",
        (f"  {safe(row.top)}" if row.top else "", "cyan"),
        (f"  because {safe(row.because)}" if row.because else "", "cyan"),
        (f"  ({safe(row.reason)})" if row.reason else "", "dim"),
    )


def _padded(text: str, width: int) -> str:
    """Return text as wide as `width` columns of a terminal, where some signs take two."""
    shown = safe(text)
    return shown + " " * (width - cell_len(shown))


def _changed_photos(taker: RowTaker) -> int:
    # imported here: most runs change no photo
    from emotag.tagging.embedding import Embedder

    if not isinstance(taker, Embedder):
        return 0
    return taker.counts["written"] + taker.counts["cleared"]


def _stopped(done: int, total: int, output: str | None, changed: int, *, fresh: bool) -> str:
    kept, again = "", "The same command starts from the beginning."
    if output_file(output) is not None:
        again = f"The same command{' without --fresh' if fresh else ''} goes on from there."
        may_be_there = is_remote(str(output)) or os.path.lexists(str(output))
        state = "is as it was" if may_be_there else "was not written"
        kept = f" {output} {state}, and"
    photos = "no photo was changed"
    if changed:
        photos = f"tags were embedded into {photos_text(changed)}, each of which is whole"
    return f"Stopped after {done} of {total} photos;{kept} {photos}. {again}"


def _print_counts(summary: Summary, found: Findings, seconds: float) -> None:
    statuses = ", ".join(
        f"{summary.statuses[status]} {status}"
        for status in ("tagged", "uncertain", "skipped", "failed")
        if summary.statuses[status] or status == "tagged"
    )
    speed = rate(summary.total / max(seconds, 1e-9))
    notes.print(f"\n{photos_text(summary.total)} in {seconds:.1f} s ({speed}): {statuses}.")
    if found.others:
        common = found.others.most_common(_SHOWN_ENDINGS)
        endings = ", ".join(
            f"{count} {safe(ending) or 'without an ending'}" for ending, count in common
        )
        more = ", …" if len(found.others) > _SHOWN_ENDINGS else ""
        notes.print(f"Left aside, no photos: {endings}{more}.")
    if found.hidden:
        notes.print(f"Left aside, hidden: {found.hidden}.")


def _print_shares(summary: Summary) -> None:
    tagged = summary.statuses["tagged"]
    width = _name_width(summary)
    sign = "█" if notes.encoding.startswith("utf") else "#"
    for counts in (summary.emotions, summary.sentiments):
        if counts:
            notes.print()
        for name, count in counts.most_common():
            bar = sign * max(1, round(_BAR * count / tagged))
            line = f"  {_padded(name, width)} {count:7}  {count / tagged:4.0%}  "
            notes.print(Text.assemble(line, (bar, _STYLES.get(name, "cyan"))))


def _name_width(summary: Summary) -> int:
    return max(cell_len(safe(name)) for name in (*summary.emotions, *summary.sentiments))


def _print_extremes(summary: Summary) -> None:
    if summary.statuses["tagged"] < 2 * len(summary.surest):
        return
    width = _name_width(summary)
    for title, rows in (("Surest", summary.surest), ("Least sure", summary.least_sure)):
        notes.print(f"\n{title}:")
        for row in rows:
            notes.print(f"  {row.confidence:.2f}  {_padded(row.emotion, width)}  {safe(row.path)}")


def _print_refusals(summary: Summary, found: Findings) -> None:
    refused = summary.statuses["skipped"] + summary.statuses["failed"]
    if refused:
        notes.print("\nNot tagged:", style="yellow")
    for row in summary.refusals[:_SHOWN_REFUSALS]:
        notes.print(f"  {row.status:8} {safe(row.path)}: {safe(row.reason)}")
    if refused > _SHOWN_REFUSALS:
        notes.print(f"  … and {refused - _SHOWN_REFUSALS} more; -o FILE lists them all.")
    for folder, reason in found.unlisted:
        notes.print(f"  {safe(folder)} could not be searched: {reason}", style="yellow")
    notes.print()


def photos_text(count: int) -> str:
    """Return a number of photos in words."""
    return "1 photo" if count == 1 else f"{count} photos"
