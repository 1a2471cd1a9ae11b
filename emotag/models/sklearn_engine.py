"""A bundle run by scikit-learn: for features that no network gives."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from emotag.bundle.engine import Scores
from emotag.bundle.folder import Bundle
from emotag.errors import BundleError, PhotoError
from emotag.models.descriptions import extractors_of
from emotag.models.estimators import ESTIMATOR_FILES
from emotag.models.loading import load_model
from emotag.photos.decoding import MAX_PIXELS, check_photo

__all__ = ["SklearnEngine", "open_sklearn"]


class SklearnEngine:
    """Runs the scikit-learn estimators of a bundle: paths in, probabilities out.

    Parameters
    ----------
    bundle : Bundle
        Opened.

    Raises
    ------
    BundleError
        It holds no estimators of scikit-learn, or they are refused.
    """

    def __init__(self, bundle: Bundle) -> None:
        if ESTIMATOR_FILES["emotion"] not in bundle.config.files:
            instead = "; leave --engine out" if bundle.config.has_network else ""
            raise BundleError(
                f"The model {bundle.folder} has no {ESTIMATOR_FILES['emotion']} for scikit-learn "
                f"to run{instead}."
            )
        self._labels = bundle.config.label_set
        self._emotion = _ready(load_model(bundle.folder))
        self._sentiment = (
            load_model(bundle.folder, "sentiment").named_steps["classify"]
            if bundle.config.learnt_sentiment
            else None
        )

    def score_paths(
        self, paths: Sequence[str], *, max_pixels: int = MAX_PIXELS
    ) -> list[Scores | PhotoError]:
        """Return what is said of each photo; one that cannot be read is its error.

        Parameters
        ----------
        paths : sequence of str
            The photos.
        max_pixels : int, default=MAX_PIXELS
            A photo of more pixels is skipped.
        """
        notes: dict[str, str] = {}
        failures: dict[str, PhotoError] = {}
        for path in paths:
            try:
                notes[path] = check_photo(path, max_pixels=max_pixels)
            except PhotoError as error:
                failures[path] = error
        features = self._emotion.named_steps["features"]
        for part in extractors_of(features):
            failures |= {error.path: error for error in part.extract(list(notes)).failures}
        scores = self._score_sound(
            [path for path in notes if path not in failures], notes, failures
        )
        return [failures.get(path) or scores[path] for path in paths]

    def _score_sound(
        self, paths: Sequence[str], notes: dict[str, str], failures: dict[str, PhotoError]
    ) -> dict[str, Scores]:
        """Return what is said of photos; one that has gone since it was read is a failure."""
        left = list(paths)
        while left:
            try:
                return dict(zip(left, self._score(left, notes), strict=True))
            except PhotoError as error:
                left.remove(error.path)
                failures[error.path] = error
        return {}

    def _score(self, paths: Sequence[str], notes: dict[str, str]) -> list[Scores]:
        features = self._emotion.named_steps["features"].transform(np.array(paths))
        classifier = self._emotion.named_steps["classify"]
        emotion = _probabilities(classifier, features, self._labels.names)
        positive = self._positive(emotion, features)
        return [
            Scores(row, sure, None, notes[path])
            for row, sure, path in zip(emotion.tolist(), positive, paths, strict=True)
        ]

    def _positive(
        self, emotion: NDArray[np.floating[Any]], features: NDArray[Any]
    ) -> Sequence[float | None]:
        if self._sentiment is not None:
            learnt = _probabilities(self._sentiment, features, ("negative", "positive"))
            return list(learnt[:, 1].tolist())
        if not self._labels.folds:
            return [None] * len(emotion)
        return list(self._labels.fold(emotion).tolist())


def open_sklearn(bundle: Bundle, threads: int, n_seen: int) -> SklearnEngine:  # noqa: ARG001
    """Return the engine that runs a bundle with scikit-learn, a photo a thread.

    Raises
    ------
    BundleError
        It shall say what it sees, which only a network can.
    """
    if n_seen:
        raise BundleError("--explain goes with --engine onnx or torch only.")
    return SklearnEngine(bundle)


def _ready(model: Any) -> Pipeline:
    """Let the features be computed by the thread that asks."""
    one_thread = {name: 1 for name in model.get_params() if name.endswith("__n_jobs")}
    of_features = {name: 1 for name in one_thread if name.startswith("features__")}
    return model.set_params(**of_features)


def _probabilities(
    classifier: Any, features: NDArray[Any], labels: Sequence[str]
) -> NDArray[np.floating[Any]]:
    """Return the probabilities in the order of the labels."""
    columns = [classifier.classes_.tolist().index(label) for label in labels]
    return np.asarray(classifier.predict_proba(features))[:, columns]
