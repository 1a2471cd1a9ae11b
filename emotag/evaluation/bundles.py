"""A saved model judged by what it would tag."""

from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

import numpy as np

from emotag.bundle.engine import Scores, score_paths
from emotag.bundle.folder import Bundle
from emotag.dataset import Dataset
from emotag.emotions import SENTIMENTS
from emotag.errors import DataError, PhotoError, unknown_name
from emotag.evaluation.predictions import Predictions
from emotag.models.engines import choose_engine, engine_opener
from emotag.parallel.threads import map_chunks

__all__ = ["Judged", "choose_judged", "fit_labels", "predict_bundle"]

_CHUNK = 8

_MAY_HAVE_LEARNT = (
    "If the model has learnt from some of these photos, or from some like them, the figures are "
    "too good; no one has looked for such photos."
)
_NO_LABEL = "No photo has a label, so there is nothing to judge with."


class Judged(NamedTuple):
    """What a model says of the photos that can be read, and the others.

    Attributes
    ----------
    predictions : Predictions
        Of the photos that can be read.
    unreadable : list of PhotoError
        The others.
    """

    predictions: Predictions
    unreadable: list[PhotoError]


def fit_labels(
    dataset: Dataset, known: Sequence[str], names: Mapping[str, str] | None = None
) -> Dataset:
    """Return photos whose labels a model knows.

    A model of sentiments judges what the labels fold into.

    Parameters
    ----------
    dataset : Dataset
        Labelled photos.
    known : sequence of str
        The model's labels.
    names : mapping of str to str, optional
        What labels of the photos are called by the model.

    Raises
    ------
    DataError
        Labels are left that the model does not know; the message offers to map them.
    """
    if absent := sorted(set(names or {}) - set(dataset.counts)):
        raise DataError(unknown_name("label to map", absent[0], list(dataset.counts)))
    called = dataset.relabelled(names or {}).labelled
    if set(known) == set(SENTIMENTS) and not set(called.counts) <= set(known):
        called = _folded(called)
    strange = [name for name in called.counts if name not in known]
    if strange:
        raise DataError(
            f"The photos are labelled {', '.join(strange)}, which the model does not know; it "
            f"knows {', '.join(known)}. To take one for another: "
            f"--map {strange[0]}={_likely(strange[0], known)}"
        )
    if not len(called):
        raise DataError(_NO_LABEL)
    return called


def _folded(dataset: Dataset) -> Dataset:
    """Return the photos whose sentiment is known, with it as their label."""
    try:
        folded = dataset.for_sentiment()
    except DataError as error:
        if not len(dataset):
            raise DataError(_NO_LABEL) from error
        labels = list(dataset.counts)
        raise DataError(
            f"The model tells positive from negative, and of the labels {', '.join(labels)} it is "
            f"not known which is which. To say it of each: --map {labels[0]}=positive"
        ) from error
    return folded.take(folded.labels != "")


def _likely(label: str, known: Sequence[str]) -> str:
    """Return the known label that is spelt most like another."""
    return max(known, key=lambda name: SequenceMatcher(None, label.casefold(), name).ratio())


def choose_judged(dataset: Dataset, *, everything: bool = False) -> tuple[Dataset, str, list[str]]:
    """Return the photos to judge with, which they are in words, and what to hold against that.

    Where a manifest has splits, a model may have learnt from the others than ``test``.
    """
    is_test = dataset.splits == "test"
    if everything or not is_test.any():
        return dataset, "all photos", [_MAY_HAVE_LEARNT]
    return dataset.take(is_test), "the split test", []


def predict_bundle(
    bundle: Bundle,
    dataset: Dataset,
    *,
    jobs: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Judged:
    """Return what a bundle says of labelled photos.

    Parameters
    ----------
    bundle : Bundle
        Opened.
    dataset : Dataset
        Photos whose labels it knows, as `fit_labels` gives them.
    jobs : int, optional
        Threads; by default one a core.
    progress : callable
        Told how many photos are done since the last call.

    Raises
    ------
    DataError
        No photo can be read.
    """
    # on few photos: the network is run by onnxruntime, which needs no torch
    opener = engine_opener(choose_engine("auto", 0, bundle.config))
    engine = opener(bundle, 1, 0)

    def judge(paths: Sequence[str]) -> list[Scores | PhotoError]:
        return score_paths(engine, paths, bundle.config.preprocess)

    outcomes: list[Scores | PhotoError] = []
    for chunk in map_chunks(judge, dataset.paths.tolist(), size=_CHUNK, jobs=jobs):
        outcomes += chunk
        progress(len(chunk))
    failed = [outcome for outcome in outcomes if isinstance(outcome, PhotoError)]
    read = dataset.take(np.array([not isinstance(o, PhotoError) for o in outcomes], dtype=bool))
    if not len(read):
        raise DataError(f"No photo can be read; the first: {failed[0]}.")
    said = [outcome for outcome in outcomes if not isinstance(outcome, PhotoError)]
    return Judged(_predictions(bundle, read, said), failed)


def _predictions(bundle: Bundle, dataset: Dataset, said: Sequence[Scores]) -> Predictions:
    labels = bundle.config.label_set
    proba = np.array([scores.emotion for scores in said], dtype=np.float64)
    learnt = bundle.config.learnt_sentiment
    return Predictions(
        model=bundle.config.name,
        labels=labels,
        actual=dataset.labels,
        predicted=np.array(labels.names, dtype=np.str_)[proba.argmax(axis=1)],
        proba=proba,
        groups=dataset.groups,
        paths=dataset.paths,
        p_positive=np.array([scores.positive for scores in said], float) if learnt else None,
        sentiments=dataset.sentiments,
        kinds=dataset.kinds,
    )
