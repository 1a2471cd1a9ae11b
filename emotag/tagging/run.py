"""The engine loop: photos in, one row for each out, in order."""

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emotag.bundle.config import BundleConfig
from emotag.bundle.engine import Probabilities
from emotag.bundle.finding import find_bundle
from emotag.bundle.folder import Bundle, open_bundle
from emotag.errors import PhotoError, PhotosNotFoundError, SkippedPhoto
from emotag.parallel import map_chunks, usable_cores
from emotag.photos.archives import is_archive_name
from emotag.photos.decoding import MAX_PIXELS, DecodedPhoto, decode_photo
from emotag.photos.finding import Findings, find_photos
from emotag.photos.formats import ENDINGS
from emotag.photos.places import read_ahead, suitable_jobs
from emotag.tagging.explaining import Explainer, open_explainer
from emotag.tagging.ledger import Ledger, identify
from emotag.tagging.rows import Outcome, Row

__all__ = ["CHUNK", "Engine", "find_some", "open_engine", "tag_found", "tag_photos"]

# The emotions' probabilities, that of positive sentiment, and those of what is seen.
_Scores: TypeAlias = tuple[list[float], float | None, NDArray[np.floating[Any]] | None]

CHUNK = 8
"""Photos that one thread decodes and runs at a time."""


class Engine(Protocol):
    """Whatever turns pixels into probabilities; called from several threads at once."""

    def __call__(self, pixels: NDArray[np.uint8]) -> Probabilities:
        """Return the probabilities for pixels of shape (n, size, size, 3), uint8."""
        ...


def tag_photos(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    model: str | None = None,
    *,
    jobs: int | None = None,
    exclude: Sequence[str] = (),
    max_pixels: int = MAX_PIXELS,
    explain: bool = False,
    min_confidence: float = 0.0,
    top: int = 0,
) -> list[Row]:
    """Tag photos with the emotion they depict and its sentiment.

    Parameters
    ----------
    paths : path-like or iterable of path-like
        Photos, folders of photos, archives, URLs, or glob patterns.
    model : str, optional
        A saved model: its folder, or its name under ``./models``; by default
        the one that ships with emotag.
    jobs : int, optional
        Threads; by default one a core.
    exclude : sequence of str, default=()
        Patterns of names and paths to leave out.
    max_pixels : int, default=MAX_PIXELS
        Photos of more pixels are skipped.
    explain : bool, default=False
        Whether each row says what in the photo stands for its emotion.
    min_confidence : float, default=0.0
        Photos whose most probable label has less are ``'uncertain'``.
    top : int, default=0
        How many of the most probable labels each row names beside its own.

    Returns
    -------
    list of Row
        One for each photo, in natural order; also for those that were
        skipped or failed, with the reason.

    Raises
    ------
    PhotosNotFoundError
        A path does not exist, or there is no photo under any.
    PlaceError
        An archive is damaged, or a server could not be asked.
    BundleError
        The model is refused.

    Examples
    --------
    >>> import os, sklearn
    >>> from emotag import tag_photos
    >>> folder = os.path.join(os.path.dirname(sklearn.__file__), "datasets", "images")
    >>> [row.status for row in tag_photos(folder)]
    ['tagged', 'tagged']
    """
    typed = [paths] if isinstance(paths, str | bytes | os.PathLike) else list(paths)
    photos = find_some(typed, exclude).photos
    bundle = open_bundle(find_bundle(model))
    explainer = open_explainer(bundle) if explain else None
    engine = open_engine(bundle, n_photos=len(photos), explainer=explainer)
    rows = tag_found(
        photos,
        engine,
        bundle.config,
        jobs=jobs,
        max_pixels=max_pixels,
        explainer=explainer,
        min_confidence=min_confidence,
        top=top,
    )
    return list(rows)


def find_some(paths: Sequence[str | os.PathLike[str]], exclude: Sequence[str] = ()) -> Findings:
    """Find the photos under some paths, of which there must be one at least.

    Raises
    ------
    PhotosNotFoundError
        A path does not exist, or there is no photo; the message says what was there instead.
    """
    found = find_photos(paths, exclude)
    if found.photos:
        return found
    others = found.others.total()
    seen = f", but {others} other {'file' if others == 1 else 'files'}" if others else ""
    left = " that --exclude does not leave out" if exclude else ""
    if any(is_archive_name(f"a{ending}") for ending in found.others):
        seen += "; an archive is searched where it is named itself"
    unlisted = "".join(f" {folder} could not be searched: {why}." for folder, why in found.unlisted)
    raise PhotosNotFoundError(
        f"There is no photo in {', '.join(str(path) for path in paths)}{left}{seen}.{unlisted} "
        f"emotag reads {', '.join(dict.fromkeys(ENDINGS.values()))}."
    )


def open_engine(bundle: Bundle, *, n_photos: int, explainer: Explainer | None = None) -> Engine:
    """Return a bundle's ONNX engine, with the threads that suit the number of photos."""
    n_seen = len(explainer.ratings.names) if explainer else 0
    # Many photos: each thread of ours runs its own chunk. Few: the network gets the cores.
    threads = 1 if n_photos > CHUNK else usable_cores()
    return bundle.engine(threads=threads, n_seen=n_seen)


def tag_found(
    photos: Sequence[str],
    engine: Engine,
    config: BundleConfig,
    *,
    jobs: int | None = None,
    max_pixels: int = MAX_PIXELS,
    explainer: Explainer | None = None,
    min_confidence: float = 0.0,
    top: int = 0,
    ledger: Ledger | None = None,
) -> Generator[Row]:
    """Yield one row for each photo, in order.

    Parameters
    ----------
    photos : sequence of str
        The files.
    engine : Engine
        Turns pixels into probabilities.
    config : BundleConfig
        The labels and the preprocessing that the engine was made for.
    jobs : int, optional
        Threads; by default one a core.
    max_pixels : int, default=MAX_PIXELS
        Photos of more pixels are skipped.
    explainer : Explainer, optional
        Says why; the engine must then say what is seen.
    min_confidence : float, default=0.0
        Photos whose most probable label has less are ``'uncertain'``.
    top : int, default=0
        How many of the most probable labels each row names beside its own.
    ledger : Ledger, optional
        Photos that it knows, and that have not changed, are not read again.
    """
    tag = partial(
        _tag_chunk,
        engine=engine,
        config=config,
        max_pixels=max_pixels,
        explainer=explainer,
        ledger=ledger,
    )
    jobs = suitable_jobs(photos, jobs, usable_cores())
    for results in map_chunks(tag, photos, size=CHUNK, jobs=jobs):
        for result in results:
            if ledger is not None:
                _note(ledger, result)
            yield _say(result.path, result.outcome, config, min_confidence, top)
    if ledger is not None:
        ledger.finish()


@dataclass(frozen=True, slots=True)
class _Result:
    path: str
    outcome: Outcome
    # of the file before it was read; None where it was not
    identity: str | None


def _note(ledger: Ledger, result: _Result) -> None:
    if result.identity is None:
        ledger.seen(result.path)
    # what failed may be read the next time
    elif result.outcome.status != "failed":
        ledger.keep(result.path, result.identity, result.outcome)


def _tag_chunk(
    photos: Sequence[str],
    engine: Engine,
    config: BundleConfig,
    max_pixels: int,
    explainer: Explainer | None,
    ledger: Ledger | None,
) -> list[_Result]:
    known = {} if ledger is None else ledger.known(photos)
    identities = {} if ledger is None else {path: identify(path) for path in photos}
    done = {
        path: entry.outcome for path, entry in known.items() if entry.identity == identities[path]
    }
    undone = [path for path in photos if path not in done]
    with read_ahead(undone):
        decoded = {path: _decode(path, config, max_pixels) for path in undone}
    sound = [photo.pixels for photo in decoded.values() if isinstance(photo, DecodedPhoto)]
    scores = _score_rows(engine(np.stack(sound))) if sound else iter(())
    new = {
        path: _judge(photo, next(scores), config, explainer)
        if isinstance(photo, DecodedPhoto)
        else _refused(photo)
        for path, photo in decoded.items()
    }
    return [
        _Result(path, done[path], None)
        if path in done
        else _Result(path, new[path], identities.get(path) or "")
        for path in photos
    ]


def _decode(path: str, config: BundleConfig, max_pixels: int) -> DecodedPhoto | PhotoError:
    try:
        return decode_photo(path, config.preprocess, max_pixels=max_pixels)
    except PhotoError as error:
        return error


def _score_rows(scores: Probabilities) -> Iterator[_Scores]:
    nothing = [None] * len(scores.emotion)
    positive = nothing if scores.positive is None else scores.positive.tolist()
    seen = nothing if scores.seen is None else scores.seen
    return zip(scores.emotion.tolist(), positive, seen, strict=True)


def _judge(
    photo: DecodedPhoto, scores: _Scores, config: BundleConfig, explainer: Explainer | None
) -> Outcome:
    emotion, positive, seen = scores
    because = None
    if explainer is not None and seen is not None:
        best = max(range(len(emotion)), key=emotion.__getitem__)
        because = explainer.explain(config.label_set.names[best], seen)
    return Outcome("tagged", photo.note, tuple(emotion), positive, because)


def _refused(error: PhotoError) -> Outcome:
    return Outcome("skipped" if isinstance(error, SkippedPhoto) else "failed", error.reason)


def _say(path: str, outcome: Outcome, config: BundleConfig, min_confidence: float, top: int) -> Row:
    """Return the row of a photo."""
    row = Row(path, outcome.status, outcome.note, model=config.name)
    if outcome.status != "tagged":
        return row
    names, emotion, positive = config.label_set.names, outcome.emotion, outcome.positive
    order = sorted(range(len(emotion)), key=emotion.__getitem__, reverse=True)
    best = order[0]
    row = replace(
        row,
        status="uncertain",
        confidence=emotion[best],
        p_positive=positive,
        probabilities=emotion,
        top="; ".join(f"{names[index]} {emotion[index]:.2f}" for index in order[:top]) or None,
    )
    if emotion[best] < min_confidence:
        return row
    return replace(
        row,
        status="tagged",
        emotion=names[best],
        sentiment="" if positive is None else ("positive" if positive >= 0.5 else "negative"),
        because=outcome.because,
    )
