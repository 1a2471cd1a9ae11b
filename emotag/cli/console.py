"""Where the commands print: results to stdout, all else to stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from emotag.tagging.rows import path_text

__all__ = ["Advance", "notes", "progress_bar", "results", "safe"]

results = Console(highlight=False)
notes = Console(stderr=True, highlight=False)

_LOG_LINES = 10


def safe(text: str) -> str:
    r"""Return text that a terminal shows as text: control and direction marks are escaped.

    Examples
    --------
    >>> safe("a\x1b[31m.jpg")
    'a\\x1b[31m.jpg'
    """
    text = path_text(text)
    if text.isprintable():
        return text
    return "".join(
        mark if mark.isprintable() or mark == "\n" else mark.encode("unicode_escape").decode()
        for mark in text
    )


class Advance:
    """Counts what is done, on a bar or, where stderr is no terminal, in plain lines."""

    def __init__(self, what: str, total: int, bar: Progress | None) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._bar = bar
        self._task = None if bar is None else bar.add_task(what, total=total)

    def __call__(self, count: int = 1) -> None:
        """Count some more as done."""
        before = self._done * _LOG_LINES // max(self._total, 1)
        self._done += count
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, count)
        elif count and self._done * _LOG_LINES // max(self._total, 1) > before:
            notes.print(f"{self._what}: {self._done} of {self._total}", markup=False)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Return the photos a second."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f}/s", style="progress.data.speed")


@contextmanager
def progress_bar(what: str, total: int, *, quiet: bool = False) -> Iterator[Advance]:
    """Show how far a job is, with its rate and the time left, while the body runs."""
    if quiet:
        yield Advance(what, 0, _Silent())
    elif not notes.is_terminal:
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


class _Silent(Progress):
    """A bar that is never shown."""

    def __init__(self) -> None:
        super().__init__(console=notes, disable=True)


def stdout_is_terminal() -> bool:
    """Return whether a person reads stdout."""
    return sys.stdout.isatty()
