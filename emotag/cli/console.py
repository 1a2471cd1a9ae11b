"""Where the commands print: results to stdout, all else to stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from emotag.pages.escaping import visible
from emotag.tagging.rows import path_text

__all__ = [
    "Advance",
    "download_bar",
    "notes",
    "person_reads_notes",
    "person_reads_results",
    "progress_bar",
    "rate",
    "results",
    "safe",
    "stage",
]

# Text is printed as it is: a path may well hold [red] or :smile:, and a line that is
# read from a log stays one line.
results = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
notes = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

_LOG_LINES = 10
# A job that is done sooner needs no lines in a log.
_LOG_SECONDS = 2.0


def safe(text: str) -> str:
    r"""Return text that a terminal shows as text: control and direction marks are escaped.

    Examples
    --------
    >>> safe("a\x1b[31m.jpg")
    'a\\x1b[31m.jpg'
    """
    return visible(path_text(text))


def person_reads_results() -> bool:
    """Return whether stdout is a terminal, and not a file, a pipe or closed."""
    # asked of the stream: rich would call a file a terminal where FORCE_COLOR is set
    return sys.stdout is not None and sys.stdout.isatty()


def person_reads_notes() -> bool:
    """Return whether stderr is a terminal that can show a bar."""
    return sys.stderr is not None and sys.stderr.isatty() and notes.is_interactive


def rate(speed: float) -> str:
    """Return how many a second as text.

    Examples
    --------
    >>> rate(123.4), rate(0.42)
    ('123/s', '0.4/s')
    """
    return f"{speed:.0f}/s" if speed >= 10 else f"{speed:.1f}/s"


class Advance:
    """Counts what is done, on a bar or, where stderr is no terminal, in plain lines."""

    def __init__(self, what: str, total: int, bar: Progress | None) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._tenths = 0
        self._said = time.monotonic()
        self._bar = bar
        self._task = None if bar is None else bar.add_task(what, total=total)

    def __call__(self, count: int = 1) -> None:
        """Count some more as done."""
        self._done += count
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, count)
        else:
            self._log()

    def _log(self) -> None:
        tenths = self._done * _LOG_LINES // max(self._total, 1)
        now = time.monotonic()
        if tenths > self._tenths and now - self._said >= _LOG_SECONDS:
            notes.print(f"{self._what}: {self._done} of {self._total}")
            self._tenths, self._said = tenths, now


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Return the photos a second."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else rate(speed), style="progress.data.speed")


@contextmanager
def progress_bar(what: str, total: int, *, quiet: bool = False) -> Iterator[Advance]:
    """Show how far a job is, with its rate and the time left, while the body runs."""
    if quiet:
        yield Advance(what, 0, Progress(console=notes, disable=True))
    elif not person_reads_notes():
        yield Advance(what, total, None)
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=notes, transient=True) as bar:
            yield Advance(what, total, bar)


@contextmanager
def download_bar(
    what: str, total: int | None, *, quiet: bool = False
) -> Iterator[Callable[[int, int | None], None]]:
    """Show how far a download is while the body runs; it is told bytes so far, and in all."""
    if quiet:
        yield lambda done, total: None  # noqa: ARG005
    elif not person_reads_notes():
        notes.print(f"{what}: fetching …")
        yield lambda done, total: None  # noqa: ARG005
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=notes, transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def stage(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Say what is going on while a step runs that cannot be counted."""
    if quiet:
        yield
    elif person_reads_notes():
        with notes.status(f"{what} …"):
            yield
    else:
        notes.print(f"{what} …")
        yield
