"""Several models fitted and judged on the same splits."""

import hashlib
import json
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from emotag import __version__
from emotag.dataset import Dataset
from emotag.emotions import SENTIMENTS, LabelSet
from emotag.errors import DataError, WorkersError
from emotag.evaluation.learning import SHARES, Point, learning_curve, nested_shares
from emotag.evaluation.predicting import predict
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.splits import Split
from emotag.parallel.workers import has_workers, map_on_workers
from emotag.storage import cache_folder, replace_file

__all__ = ["Fitter", "Fold", "curve_of", "judge_all", "judge_folds", "kept_folder"]

Fitter = Callable[[str, Dataset, int], Any]
"""Fits a model by its name to photos, with a seed; can be pickled."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One model to be fitted on one split.

    Attributes
    ----------
    model : str
        Its name.
    split : Split
        What to learn from and what to judge with.
    dataset : Dataset
        All photos.
    labels : LabelSet
        Of all photos.
    fit : Fitter
        Fits the model.
    seed : int
        Of the fit.
    both_ways : bool
        Whether sentiment is also learnt by a fit of its own.
    network : str
        What tells the network that it stands on from another of the same name.
    """

    model: str
    split: Split
    dataset: Dataset
    labels: LabelSet
    fit: Fitter
    seed: int
    both_ways: bool = True
    network: str = ""

    def __call__(self) -> Predictions:
        """Return what the model says of the photos it has not learnt from.

        A fold that was judged before is not fitted again.
        """
        path = self._path()
        test = self.dataset.take(self.split.test)
        if (kept := _read(path)) is not None:
            return self._with(test, kept)
        train = self.dataset.take(self.split.train)
        estimator = self.fit(self.model, train, self.seed)
        said = predict(
            estimator,
            test.paths,
            test.labels,
            test.groups,
            model=self.model,
            label_set=self.labels,
            sentiment_estimator=self._fit_sentiment(train),
        )
        said = replace(said, sentiments=test.sentiments, kinds=test.kinds)
        _write(path, said)
        return said

    def _fit_sentiment(self, train: Dataset) -> Any:
        """Return the model fitted to sentiments, to be judged beside the folded emotions."""
        is_folded = self.labels.folds and len(self.labels) > len(SENTIMENTS)
        if not self.both_ways or not is_folded:
            return None
        folded = train.for_sentiment()
        return self.fit(self.model, folded.take(folded.labels != ""), self.seed)

    def _with(self, test: Dataset, kept: "_Kept") -> Predictions:
        return Predictions(
            model=self.model,
            labels=self.labels,
            actual=test.labels,
            predicted=kept.predicted,
            proba=kept.proba,
            groups=test.groups,
            paths=test.paths,
            p_positive=kept.p_positive,
            sentiments=test.sentiments,
            kinds=test.kinds,
        )

    def _path(self) -> str:
        """Return where the fold is kept: named by all that it follows from."""
        parts = [
            __version__,
            self.model,
            self.seed,
            self.labels.names,
            self.dataset.digests[self.split.train].tolist(),
            self.dataset.labels[self.split.train].tolist(),
            self.dataset.sentiments[self.split.train].tolist(),
            self.dataset.groups[self.split.train].tolist(),
            self.dataset.digests[self.split.test].tolist(),
            *(() if self.both_ways else ("one way",)),
            *((self.network,) if self.network else ()),
        ]
        # how it is fitted, such as for how many epochs, is in the pickle
        key = hashlib.sha256(json.dumps(parts).encode() + pickle.dumps(self.fit)).hexdigest()[:24]
        return os.path.join(kept_folder(), f"{key}.npz")


class _Kept(NamedTuple):
    predicted: Any
    proba: Any
    p_positive: Any


def kept_folder() -> str:
    """Return the folder in the cache where judged folds are kept."""
    return os.path.join(cache_folder(), "folds")


def judge_folds(
    folds: Sequence[Fold],
    *,
    run: Callable[[Sequence[Fold]], Sequence[Predictions]],
) -> dict[str, Predictions]:
    """Fit and judge models, and put together what each says of the photos of all its splits.

    Parameters
    ----------
    folds : sequence of Fold
        Each model with each split.
    run : callable
        Runs them, and returns what each says.

    Returns
    -------
    dict of str to Predictions
        By model, in the order of the folds; photos in the order of the splits.
    """
    by_model: dict[str, list[Predictions]] = {}
    for fold, said in zip(folds, run(folds), strict=True):
        by_model.setdefault(fold.model, []).append(said)
    return {model: _concatenate(parts) for model, parts in by_model.items()}


def judge_all(
    dataset: Dataset,
    splits: Sequence[Split],
    models: Sequence[str],
    fit: Fitter,
    *,
    seed: int = 0,
    both_ways: bool = True,
    networks: Mapping[str, str] | None = None,
    tell: Callable[[int], object] = lambda _: None,
) -> dict[str, Predictions]:
    """Fit and judge each model on each split, on workers if `joblib.parallel_config` names any.

    Parameters
    ----------
    dataset : Dataset
        All photos, each with a label.
    splits : sequence of Split
        The same for all models.
    models : sequence of str
        Their names.
    fit : Fitter
        Fits them.
    seed : int, default=0
        Of the fits.
    both_ways : bool, default=True
        Whether sentiment is also learnt by a fit of its own, beside being folded.
    networks : mapping of str to str, optional
        By model, what tells its network from another of the same name, as
        `emotag.evaluation.contestants.identify_networks` returns it.
    tell : callable
        Told of each fit that is done.

    Returns
    -------
    dict of str to Predictions
        By model.

    Raises
    ------
    WorkersError
        A fit ends the process that it runs in.
    """
    labels = LabelSet.from_names(dataset.labels.tolist())
    folds = [
        Fold(model, split, dataset, labels, fit, seed, both_ways, (networks or {}).get(model, ""))
        for model in models
        for split in splits
    ]

    def run(some: Sequence[Fold]) -> list[Predictions]:
        judged: list[Predictions] = []
        if not has_workers():
            for fold in some:
                judged.append(fold())
                tell(1)
            return judged
        for (said,) in map_on_workers(_run, ([fold] for fold in some), lost=_lost):
            judged.append(said)
            tell(1)
        return judged

    return judge_folds(folds, run=run)


def curve_of(model: str, dataset: Dataset, split: Split, fit: Any, *, seed: int = 0) -> list[Point]:
    """Return what a model scores by how many photos it learns from.

    Shares that hold too few photos of a label to fit on are left out.

    Parameters
    ----------
    model : str
        Its name.
    dataset : Dataset
        All photos.
    split : Split
        What to learn from, in growing shares, and what to judge with.
    fit : RecipeFitter
        Makes it.
    seed : int, default=0
        Of the fits.
    """
    from emotag.models.recipes import fit_model

    return learning_curve(
        lambda: fit.make(model, seed),
        dataset,
        split,
        shares=_large_enough(dataset.take(split.train), seed),
        label_set=LabelSet.from_names(dataset.labels.tolist()),
        fit=partial(fit_model, seed=seed),
        seed=seed,
    )


def _large_enough(train: Dataset, seed: int) -> list[float]:
    """Return the shares of a learning curve that hold photos enough to fit on."""
    from emotag.models.recipes import refuse_few

    found = []
    for share in SHARES[:-1]:
        with suppress(DataError):
            (chosen,) = nested_shares(train, [share], seed=seed)
            refuse_few(train.labels[chosen], train.groups[chosen])
            found.append(share)
    return [*found, SHARES[-1]]


def _run(folds: Sequence[Fold]) -> list[Predictions]:
    return [fold() for fold in folds]


def _lost(fold: Fold) -> Predictions:
    raise WorkersError(
        f"Fitting {fold.model} on {fold.split.name} ends its process: memory may not suffice. "
        "Fewer --jobs need less."
    )


def _concatenate(parts: Sequence[Predictions]) -> Predictions:
    first = parts[0]
    if len(parts) == 1:
        return first
    columns: Mapping[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("actual", "predicted", "groups", "paths", "sentiments", "kinds")
    }
    told: Mapping[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        if all(getattr(part, name) is not None for part in parts)
        else None
        for name in ("proba", "p_positive")
    }
    return Predictions(model=first.model, labels=first.labels, **columns, **told)


def _read(path: str) -> _Kept | None:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as kept:
            return _Kept(kept["predicted"], kept.get("proba"), kept.get("p_positive"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        # damaged: it is fitted again
        return None


def _write(path: str, said: Predictions) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    arrays: dict[str, Any] = {"predicted": said.predicted}
    if said.proba is not None:
        arrays["proba"] = said.proba
    if said.p_positive is not None:
        arrays["p_positive"] = said.p_positive
    with replace_file(path) as file:
        np.savez_compressed(file, **arrays)
