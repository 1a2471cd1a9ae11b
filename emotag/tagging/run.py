"""The engine loop: photos in, one row for each out, in order."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
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
from emotag.photos.decoding import MAX_PIXELS, DecodedPhoto, decode_photo
from emotag.photos.finding import Findings, find_photos
from emotag.photos.formats import ENDINGS
from emotag.tagging.explaining import Explainer, open_explainer
from emotag.tagging.rows import Row, Status

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
        Photos, folders of photos, or glob patterns.
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
    n_seen = len(explainer.ratings.names) if explainer else 0
    engine = open_engine(bundle, n_photos=len(photos), n_seen=n_seen)
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
    unlisted = "".join(f" {folder} could not be searched: {why}." for folder, why in found.unlisted)
    raise PhotosNotFoundError(
        f"There is no photo in {', '.join(str(path) for path in paths)}{left}{seen}.{unlisted} "
        f"emotag reads {', '.join(dict.fromkeys(ENDINGS.values()))}."
    )


def open_engine(bundle: Bundle, *, n_photos: int, n_seen: int = 0) -> Engine:
    """Return a bundle's ONNX engine, with the threads that suit the number of photos."""
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
    """
    say = partial(_say, config=config, explainer=explainer, min_confidence=min_confidence, top=top)
    tag = partial(_tag_chunk, engine=engine, config=config, max_pixels=max_pixels, say=say)
    for rows in map_chunks(tag, photos, size=CHUNK, jobs=jobs):
        yield from rows


def _tag_chunk(
    photos: Sequence[str],
    engine: Engine,
    config: BundleConfig,
    max_pixels: int,
    say: Callable[[str, DecodedPhoto, _Scores], Row],
) -> list[Row]:
    decoded = [_decode(path, config, max_pixels) for path in photos]
    sound = [photo.pixels for photo in decoded if isinstance(photo, DecodedPhoto)]
    scores = _score_rows(engine(np.stack(sound))) if sound else iter(())
    return [
        say(path, photo, next(scores))
        if isinstance(photo, DecodedPhoto)
        else _refused(photo, config)
        for path, photo in zip(photos, decoded, strict=True)
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


def _say(
    path: str,
    photo: DecodedPhoto,
    scores: _Scores,
    config: BundleConfig,
    explainer: Explainer | None,
    min_confidence: float,
    top: int,
) -> Row:
    """Return the row of a photo: tagged, or uncertain."""
    emotion, positive, seen = scores
    names = config.label_set.names
    order = sorted(range(len(emotion)), key=emotion.__getitem__, reverse=True)
    best = order[0]
    row = Row(
        path=path,
        status="uncertain",
        reason=photo.note,
        confidence=emotion[best],
        p_positive=positive,
        probabilities=tuple(emotion),
        model=config.name,
        top="; ".join(f"{names[index]} {emotion[index]:.2f}" for index in order[:top]) or None,
    )
    if emotion[best] < min_confidence:
        return row
    return replace(
        row,
        status="tagged",
        emotion=names[best],
        sentiment="" if positive is None else ("positive" if positive >= 0.5 else "negative"),
        because=explainer.explain(names[best], seen) if explainer and seen is not None else None,
    )


def _refused(error: PhotoError, config: BundleConfig) -> Row:
    status: Status = "skipped" if isinstance(error, SkippedPhoto) else "failed"
    return Row(path=error.path, status=status, reason=error.reason, model=config.name)
