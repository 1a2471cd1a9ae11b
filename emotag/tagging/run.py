"""The loop: photos in, one row for each out, in order."""

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from emotag.bundle.config import BundleConfig
from emotag.bundle.finding import find_bundle
from emotag.bundle.folder import open_bundle, open_onnx
from emotag.errors import PhotosNotFoundError
from emotag.parallel.threads import chunked
from emotag.photos.archives import is_archive_name
from emotag.photos.decoding import MAX_PIXELS
from emotag.photos.finding import Findings, find_photos
from emotag.photos.formats import ENDINGS
from emotag.photos.places import state_of
from emotag.tagging.judging import Crew, Opener, gather_crew
from emotag.tagging.ledger import Ledger
from emotag.tagging.rows import Outcome, Row

__all__ = ["find_some", "tag_found", "tag_photos"]


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
    opener: Opener = open_onnx,
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
        Threads; by default one a core. Within ``joblib.parallel_config`` with a backend of
        processes or machines, its workers do it instead.
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
    opener : callable, optional
        Opens what runs the model: by default onnxruntime. Of a model without a
        network, ``emotag.models.engines.engine_opener("sklearn")``.

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
    crew = gather_crew(
        bundle, photos=photos, jobs=jobs, opener=opener, explain=explain, max_pixels=max_pixels
    )
    return list(tag_found(photos, crew, bundle.config, min_confidence=min_confidence, top=top))


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


def tag_found(
    photos: Sequence[str],
    crew: Crew,
    config: BundleConfig,
    *,
    min_confidence: float = 0.0,
    top: int = 0,
    ledger: Ledger | None = None,
) -> Generator[Row]:
    """Yield one row for each photo, in order.

    Parameters
    ----------
    photos : sequence of str
        The files.
    crew : Crew
        Who judges them.
    config : BundleConfig
        Of the bundle that they are judged by.
    min_confidence : float, default=0.0
        Photos whose most probable label has less are ``'uncertain'``.
    top : int, default=0
        How many of the most probable labels each row names beside its own.
    ledger : Ledger, optional
        Photos that it knows, and that have not changed, are not read again.
    """
    for path, outcome in _judge_unknown(photos, crew, ledger):
        yield _say(path, outcome, config, min_confidence, top)
    if ledger is not None:
        ledger.finish()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done for a chunk of photos.

    Attributes
    ----------
    photos : sequence of str
        All of them.
    known : dict
        What the ledger says of those that have not changed since.
    identities : dict
        Of the others, before they are read.
    """

    photos: Sequence[str]
    known: dict[str, Outcome]
    identities: dict[str, str | None]


def _judge_unknown(
    photos: Sequence[str], crew: Crew, ledger: Ledger | None
) -> Iterator[tuple[str, Outcome]]:
    """Yield what is said of each photo, by the ledger or by the crew."""
    plans: deque[_Plan] = deque()

    def unknown() -> Iterator[list[str]]:
        for chunk in chunked(photos, crew.size):
            plan = _plan(chunk, ledger)
            plans.append(plan)
            yield list(plan.identities)

    for outcomes in crew.judge(unknown()):
        plan = plans.popleft()
        new = dict(zip(plan.identities, outcomes, strict=True))
        for path in plan.photos:
            if ledger is not None:
                _note(ledger, path, new.get(path), plan)
            yield path, plan.known.get(path) or new[path]


def _plan(photos: Sequence[str], ledger: Ledger | None) -> _Plan:
    if ledger is None:
        return _Plan(photos, {}, dict.fromkeys(photos))
    entries = ledger.known(photos)
    identities = {path: state_of(path) for path in photos}
    known = {
        path: entry.outcome for path, entry in entries.items() if entry.identity == identities[path]
    }
    return _Plan(photos, known, {path: identities[path] for path in photos if path not in known})


def _note(ledger: Ledger, path: str, outcome: Outcome | None, plan: _Plan) -> None:
    if outcome is None:
        ledger.seen(path)
    # what failed may be read the next time
    elif outcome.status != "failed":
        ledger.keep(path, plan.identities[path] or "", outcome)


def _say(path: str, outcome: Outcome, config: BundleConfig, min_confidence: float, top: int) -> Row:
    """Return the row of a photo."""
    if outcome.status != "tagged":
        return Row(path, outcome.status, outcome.note, model=config.name)
    names, emotion, positive = config.label_set.names, outcome.emotion, outcome.positive
    order = sorted(range(len(emotion)), key=emotion.__getitem__, reverse=True)
    best = order[0]
    is_sure = emotion[best] >= min_confidence
    sentiment = "" if positive is None else ("positive" if positive >= 0.5 else "negative")
    return Row(
        path,
        "tagged" if is_sure else "uncertain",
        outcome.note,
        emotion=names[best] if is_sure else "",
        confidence=emotion[best],
        sentiment=sentiment if is_sure else "",
        p_positive=positive,
        probabilities=emotion,
        model=config.name,
        top="; ".join(f"{names[index]} {emotion[index]:.2f}" for index in order[:top]) or None,
        because=outcome.because if is_sure else None,
    )
