"""Some photos decoded and judged, in whatever thread or process it happens."""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeAlias

from emotag.bundle.config import BundleConfig
from emotag.bundle.engine import Engine, Scores, score_paths
from emotag.bundle.folder import Bundle, open_bundle, open_onnx
from emotag.errors import BundleError, PhotoError, SkippedPhoto
from emotag.parallel.threads import map_tasks, usable_cores
from emotag.parallel.workers import has_workers, map_on_workers
from emotag.photos.decoding import MAX_PIXELS
from emotag.photos.places import absolute_path, read_ahead, suitable_jobs
from emotag.tagging.explaining import Explainer, open_explainer
from emotag.tagging.rows import Outcome

__all__ = ["CHUNK", "Crew", "Judge", "Opener", "Worker", "gather_crew"]

CHUNK = 8
"""Photos that one thread decodes and runs at a time."""

# Of many photos, more: switching between decoding and running costs something, while
# what is left for one thread at the end does not count.
_MANY = 2000
_CHUNK_OF_MANY = 16

# On a worker each chunk costs a message there and back, and a GPU wants many photos at once.
_LARGE_CHUNK = 32


Opener: TypeAlias = Callable[[Bundle, int, int], Engine]
"""Opens the engine of a bundle, for that many threads and classes to be seen; can be pickled."""


@dataclass(frozen=True)
class Judge:
    """All that it takes to say something of photos.

    Attributes
    ----------
    engine : Engine
        Runs the bundle.
    config : BundleConfig
        The labels and the preprocessing that the engine was made for.
    explainer : Explainer or None
        Says why; the engine must then say what is seen.
    max_pixels : int
        Photos of more are skipped.
    """

    engine: Engine
    config: BundleConfig
    explainer: Explainer | None = None
    max_pixels: int = MAX_PIXELS

    def __call__(self, photos: Sequence[str]) -> list[Outcome]:
        """Return what is to be said of each photo."""
        with read_ahead(photos):
            scores = score_paths(
                self.engine, photos, self.config.preprocess, max_pixels=self.max_pixels
            )
        return [
            _refused(said) if isinstance(said, PhotoError) else self._judge(said) for said in scores
        ]

    def _judge(self, said: Scores) -> Outcome:
        emotion, positive, seen, note = said
        because = None
        if self.explainer is not None and seen is not None:
            best = max(range(len(emotion)), key=emotion.__getitem__)
            because = self.explainer.explain(self.config.label_set.names[best], seen)
        return Outcome("tagged", note, tuple(emotion), positive, because)


class Crew(NamedTuple):
    """Who judges photos: threads of this process, or workers elsewhere.

    Attributes
    ----------
    size : int
        Photos a chunk.
    judge : callable
        Takes chunks, gives what is said of the photos of each, in order.
    """

    size: int
    judge: Callable[[Iterable[Sequence[str]]], Iterator[list[Outcome]]]


def gather_crew(
    bundle: Bundle,
    *,
    photos: Sequence[str],
    jobs: int | None = None,
    opener: Opener = open_onnx,
    explain: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> Crew:
    """Return who judges photos by a bundle.

    Workers, if ``joblib.parallel_config`` names a backend of processes or machines; else
    threads.

    Parameters
    ----------
    bundle : Bundle
        Opened.
    photos : sequence of str
        What will be judged.
    jobs : int, optional
        Threads; by default one a core.
    opener : callable
        Opens the engine.
    explain : bool, default=False
        Whether it is said what in a photo stands for its emotion.
    max_pixels : int
        Photos of more are skipped.

    Raises
    ------
    BundleError
        The bundle cannot be run, or cannot explain.
    """
    # Many photos: each thread of ours runs its own chunk. Few: the network gets the cores.
    threads = 1 if len(photos) > CHUNK else usable_cores()
    # opened here also for workers, so that a model that is refused is refused at once
    judge = _open_judge(bundle, opener, threads, explain=explain, max_pixels=max_pixels)
    if not has_workers():
        size = _LARGE_CHUNK if opener is not open_onnx else _size_of_chunk(len(photos))
        jobs = suitable_jobs(photos, jobs, usable_cores())
        return Crew(size, lambda chunks: map_tasks(judge, chunks, jobs=jobs))
    worker = Worker(
        os.path.abspath(bundle.folder), _checksum(bundle.config), opener, explain, max_pixels
    )
    return Crew(_LARGE_CHUNK, partial(_judge_elsewhere, worker))


def _size_of_chunk(n_photos: int) -> int:
    return CHUNK if n_photos < _MANY else _CHUNK_OF_MANY


def _judge_elsewhere(worker: "Worker", chunks: Iterable[Sequence[str]]) -> Iterator[list[Outcome]]:
    # a worker may stand in another folder
    absolute = ([absolute_path(path) for path in chunk] for chunk in chunks)
    return map_on_workers(worker, absolute, lost=_lost)


def _lost(path: str) -> Outcome:  # noqa: ARG001
    return Outcome("failed", "reading it ends the process: a decoder crashes, or memory runs out")


def _open_judge(
    bundle: Bundle, opener: Opener, threads: int, *, explain: bool, max_pixels: int
) -> Judge:
    explainer = open_explainer(bundle) if explain else None
    n_seen = len(explainer.ratings.names) if explainer else 0
    return Judge(opener(bundle, threads, n_seen), bundle.config, explainer, max_pixels)


@dataclass(frozen=True)
class Worker:
    """Judges photos in another process or on another machine, where the bundle lies too.

    The bundle is opened once a process.

    Attributes
    ----------
    folder : str
        Of the bundle; absolute.
    checksum : str
        Of its config.
    opener : callable
        Opens its engine.
    explain : bool
        Whether it says why.
    max_pixels : int
        Photos of more are skipped.
    """

    folder: str
    checksum: str
    opener: Opener
    explain: bool
    max_pixels: int

    def __call__(self, photos: Sequence[str]) -> list[Outcome]:
        """Return what is to be said of photos, by their absolute paths.

        Raises
        ------
        BundleError
            The bundle is not there, or is another one than where the run was started.
        """
        with _OPENING:
            judge = _OPENED.get(self)
            if judge is None:
                judge = _OPENED[self] = self._open()
        return judge(photos)

    def _open(self) -> Judge:
        bundle = open_bundle(self.folder)
        if _checksum(bundle.config) != self.checksum:
            raise BundleError(
                f"The model {self.folder} is another one on a worker than where the run was "
                "started; copy it there."
            )
        return _open_judge(bundle, self.opener, 1, explain=self.explain, max_pixels=self.max_pixels)


# A process that serves several runs keeps the model of each: few, and small beside the data.
_OPENED: dict[Worker, Judge] = {}
_OPENING = threading.Lock()


def _checksum(config: BundleConfig) -> str:
    return hashlib.sha256(json.dumps(config.to_dict(), sort_keys=True).encode()).hexdigest()


def _refused(error: PhotoError) -> Outcome:
    return Outcome("skipped" if isinstance(error, SkippedPhoto) else "failed", error.reason)
