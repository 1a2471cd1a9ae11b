"""How far ``emotag fetch`` is: per label on a terminal, in plain lines in a log."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from emotag.cli.console import notes, person_reads_notes, rate, safe
from emotag.flickr.collecting import Outcome

__all__ = ["FetchProgress", "fetch_progress"]

_LOG_SECONDS = 30.0


@dataclass
class FetchProgress:
    """Is told what happens, and shows it; a `Watcher`.

    Attributes
    ----------
    bars : Progress or None
        A bar a label; None for plain lines.
    quota : callable
        Returns how many calls of the API are left, or None.
    is_silent : bool
        Whether nothing is shown.
    skipped : dict of str to Counter
        Why pictures could not be fetched, by label.
    came_count : int
        How many pictures came.
    """

    bars: Progress | None
    quota: Callable[[], int | None]
    is_silent: bool = False
    skipped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    came_count: int = 0
    _tasks: dict[str, int] = field(default_factory=dict)
    _have: Counter[str] = field(default_factory=Counter)
    _wanted: dict[str, int] = field(default_factory=dict)
    _found: dict[str, int] = field(default_factory=dict)
    _all: int | None = None
    _calls_left: int | None = None
    _asked: float = float("-inf")
    _began: float = field(default_factory=time.monotonic)
    _said: float = field(default_factory=time.monotonic)

    def searched(self, label: str, found: int) -> None:
        """Tell how many photos of a label were found so far."""
        self._found[label] = found
        self._show(label)

    def planned(self, label: str, wanted: int, have: int) -> None:
        """Tell how many pictures of a label there shall be, and how many there are."""
        self._wanted[label], self._have[label] = wanted, have
        self._show(label)

    def came(self, outcome: Outcome) -> None:
        """Tell what became of a picture."""
        label = outcome.task.label
        if outcome.fetched:
            self._have[label] += 1
            self.came_count += 1
        else:
            self.skipped[label][outcome.reason] += 1
        self._show(label)

    def _show(self, label: str) -> None:
        if self.is_silent:
            return
        if self.bars is None:
            self._log()
            return
        if self._all is None:
            self._all = self.bars.add_task("all", total=None, said="")
        if label not in self._tasks:
            self._tasks[label] = self.bars.add_task(safe(label), total=None, said="")
        self.bars.update(
            TaskID(self._tasks[label]),
            completed=self._have[label],
            total=self._wanted.get(label),
            said=self._describe(label),
        )
        self.bars.update(
            TaskID(self._all),
            completed=self._have.total(),
            total=sum(self._wanted.values()) or None,
            said=self._describe_all(),
        )

    def _log(self) -> None:
        if time.monotonic() - self._said < _LOG_SECONDS:
            return
        self._said = time.monotonic()
        for label in self._found or self._wanted:
            wanted = f" of {self._wanted[label]}" if label in self._wanted else ""
            notes.print(f"{safe(label)}: {self._have[label]}{wanted}{self._describe(label)}")
        notes.print(f"all: {self._describe_all()}{self._time_left()}")

    def _time_left(self) -> str:
        left = sum(self._wanted.values()) - self._have.total()
        spent = time.monotonic() - self._began
        if not self.came_count or left <= 0:
            return ""
        return f", about {left * spent / self.came_count / 60:,.0f} min left"

    def _describe(self, label: str) -> str:
        parts = [f"{self._found[label]} found"] if label in self._found else []
        if skipped := self.skipped[label]:
            reason, _ = skipped.most_common(1)[0]
            parts.append(f"{skipped.total()} skipped ({safe(reason)})")
        return ", ".join(["", *parts]) if self.bars is None else ", ".join(parts)

    def _describe_all(self) -> str:
        speed = rate(self.came_count / max(time.monotonic() - self._began, 1e-9))
        # asked for no more often than a person can read
        if time.monotonic() - self._asked > 1.0:
            self._calls_left, self._asked = self.quota(), time.monotonic()
        calls = "" if self._calls_left is None else f", {self._calls_left:,} calls left this hour"
        return f"{speed}{calls}"


@contextmanager
def fetch_progress(
    quota: Callable[[], int | None] = lambda: None, *, quiet: bool = False
) -> Iterator[FetchProgress]:
    """Show how far a collection is while the body runs."""
    if quiet or not person_reads_notes():
        yield FetchProgress(None, quota, is_silent=quiet)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[said]}"),
    )
    with Progress(*columns, console=notes, transient=True) as bars:
        yield FetchProgress(bars, quota)
