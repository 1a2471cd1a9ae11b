"""The whole collection: search, choose, fetch, until every label has its photos or runs out."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from emotag.errors import FetchError
from emotag.flickr.downloading import Address, Downloader, Unavailable, addresses, photo_file
from emotag.flickr.ledger import Fetched, FetchLedger
from emotag.flickr.request import FetchRequest
from emotag.flickr.searching import Searcher, search_label
from emotag.flickr.selecting import Selection, select_photos
from emotag.flickr.transport import Stopped, Unanswered
from emotag.parallel.threads import map_tasks
from emotag.storage import remove_partials

__all__ = ["Collector", "Outcome", "Task", "Watcher", "fetch_all"]

# More is looked for at first than is wanted, since some photos are passed over.
_RESERVE = 0.1
# And where photos are lacking, more than are lacking.
_AGAIN = 2
# So many pictures in a row do not fail by themselves.
_HOPELESS = 16


class Task(NamedTuple):
    """A picture to fetch: under which label and id, and its addresses, the best first."""

    label: str
    id: str
    addresses: Sequence[Address]


class Outcome(NamedTuple):
    """What became of a picture: it was ``fetched``, is ``gone``, or ``failed`` this time."""

    task: Task
    state: str
    fetched: Fetched | None = None
    reason: str = ""


class Watcher(Protocol):
    """Whoever shows how far a collection is."""

    def searched(self, label: str, found: int) -> None:
        """Tell how many photos of a label were found so far."""
        ...

    def planned(self, label: str, wanted: int, have: int) -> None:
        """Tell how many pictures of a label there shall be, and how many there are."""
        ...

    def came(self, outcome: Outcome) -> None:
        """Tell what became of a picture."""
        ...


def fetch_all(downloader: Downloader, tasks: Iterable[Task], *, threads: int) -> Iterator[Outcome]:
    """Fetch pictures on several threads, and yield what became of each, in order.

    A picture that cannot be had is a value; a disk that cannot be written ends it, and
    a server that asks to come back much later.

    Raises
    ------
    StorageError
        A picture cannot be written.
    FetchError
        The server asks for a longer wait than is worth it.
    """

    def fetch(task: Task) -> Outcome:
        try:
            return Outcome(
                task, "fetched", downloader(task.addresses, photo_file(task.label, task.id))
            )
        except Unavailable as error:
            return Outcome(task, "gone", reason=str(error))
        except Stopped:
            raise
        except FetchError as error:
            if isinstance(error, Unanswered) and error.seconds is not None:
                # the server asks everyone to come back much later
                raise
            return Outcome(task, "failed", reason=str(error))

    return map_tasks(fetch, tasks, jobs=threads)


@dataclass
class Collector:
    """Fills a folder by a request.

    Attributes
    ----------
    folder : str
        Of the data.
    request : FetchRequest
        What to collect.
    ledger : FetchLedger
        Says what is done, also by earlier runs.
    searcher : Searcher
        Asks the service.
    downloader : Downloader
        Fetches pictures.
    watcher : Watcher
        Is told how far it is.
    forgotten : collection of str
        Ids that are never taken.
    threads : int, default=8
        That fetch pictures.
    """

    folder: str
    request: FetchRequest
    ledger: FetchLedger
    searcher: Searcher
    downloader: Downloader
    watcher: Watcher
    forgotten: Collection[str] = field(default=())
    threads: int = 8

    def collect(self) -> Selection:
        """Search, choose and fetch until every label has its photos or runs out.

        Photos are chosen anew whenever pictures turn out not to be had, and
        more are searched for only once all that were chosen have been tried. So
        the set follows from what the service says alone, however often the
        collection was stopped.

        Returns
        -------
        Selection
            The photos of the set, whose pictures are all there.
        """
        self._check_files()
        for label, count in self.request.counts.items():
            first = int(count * (1 + _RESERVE)) + 1
            self.ledger.want(label, max(first, self.ledger.wanted(label)))
        while True:
            for label in self.request.queries:
                self._search(label)
            selection = self._fetch_chosen()
            short = self._short(selection)
            if not short:
                break
            for label, lacking in short.items():
                self.ledger.want(label, self.ledger.found(label) + _AGAIN * lacking)
        self._remove_others(selection)
        return selection

    def _check_files(self) -> None:
        """Try again what failed, and what is not there any more; tidy up after a kill."""
        for label in self.request.queries:
            remove_partials(os.path.join(self.folder, label))
        self.ledger.retry_failed()
        for (label, photo), fetched in self.ledger.fetched().items():
            path = self._path(label, photo)
            if not os.path.isfile(path) or os.path.getsize(path) != fetched.size:
                self.ledger.forget_state(label, photo)

    def _search(self, label: str) -> None:
        search_label(
            self.searcher,
            self.ledger,
            self.request,
            label,
            forgotten=self.forgotten,
            tell=lambda: self.watcher.searched(label, self.ledger.found(label)),
        )
        self.watcher.searched(label, self.ledger.found(label))

    def _fetch_chosen(self) -> Selection:
        """Fetch what is chosen, choosing anew until all of it is there."""
        while True:
            states = self.ledger.states()
            selection = self._select({key for key, state in states.items() if state != "fetched"})
            missing = [key for key in _in_turn(selection) if key not in states]
            for label, photos in selection.chosen.items():
                have = sum((label, photo) in states for photo in photos)
                self.watcher.planned(label, self.request.counts[label], have)
            if not missing:
                return selection
            tasks = (self._task(label, photo) for label, photo in missing)
            in_a_row = 0
            for outcome in fetch_all(self.downloader, tasks, threads=self.threads):
                self._note(outcome)
                in_a_row = in_a_row + 1 if outcome.state == "failed" else 0
                if in_a_row == _HOPELESS:
                    raise FetchError(
                        f"{in_a_row} pictures in a row could not be fetched, the last one since "
                        f"{outcome.reason.removesuffix('.')}. The same command goes on from there."
                    )

    def _select(self, excluded: Collection[tuple[str, str]]) -> Selection:
        return select_photos(
            {label: self.ledger.candidates(label) for label in self.request.queries},
            counts=self.request.counts,
            per_owner=self.request.per_owner,
            overlap=self.request.overlap,
            excluded=excluded,
        )

    def _task(self, label: str, photo: str) -> Task:
        record = self.ledger.record(label, photo)
        return Task(label, photo, addresses(record, self.request.size))

    def _note(self, outcome: Outcome) -> None:
        label, photo, _ = outcome.task
        if outcome.fetched:
            self.ledger.note_fetched(label, photo, outcome.fetched)
        else:
            self.ledger.note(label, photo, outcome.state, outcome.reason)
        self.watcher.came(outcome)

    def _short(self, selection: Selection) -> dict[str, int]:
        """Return how many photos are lacking, by label, where there may be more."""
        lacking = {
            label: self.request.counts[label] - len(photos)
            for label, photos in selection.chosen.items()
            if not self.ledger.is_exhausted(label)
        }
        return {label: count for label, count in lacking.items() if count}

    def _remove_others(self, selection: Selection) -> None:
        """Remove pictures that were chosen before more was known."""
        chosen = set(_in_turn(selection))
        for label, photo in self.ledger.fetched():
            if (label, photo) not in chosen:
                with suppress(FileNotFoundError):
                    os.remove(self._path(label, photo))
                self.ledger.forget_state(label, photo)
        self._remove_unnoted(chosen)

    def _remove_unnoted(self, chosen: Collection[tuple[str, str]]) -> None:
        """Remove pictures of found photos that came just before a kill, and were chosen no more."""
        for label in self.request.queries:
            folder = os.path.join(self.folder, label)
            for photo in self.ledger.candidates(label) if os.path.isdir(folder) else ():
                if (label, photo.id) not in chosen:
                    with suppress(FileNotFoundError):
                        os.remove(self._path(label, photo.id))

    def _path(self, label: str, photo: str) -> str:
        return os.path.join(self.folder, *photo_file(label, photo).split("/"))


def _in_turn(selection: Selection) -> Iterator[tuple[str, str]]:
    """Yield the chosen photos, one of each label in turn, so that all labels grow alike."""
    longest = max(map(len, selection.chosen.values()), default=0)
    for index in range(longest):
        for label, photos in selection.chosen.items():
            if index < len(photos):
                yield label, photos[index]
