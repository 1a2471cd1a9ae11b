"""Emotions by their names alone: CLIP compares a photo with sentences."""

import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer

from emotag.backbones.clip_models import embed_texts
from emotag.emotions import FIVE
from emotag.errors import LabelError, ModelError
from emotag.features.cnn import CNNFeatures
from emotag.features.extraction import TakesPaths, check_paths

__all__ = ["PROMPTS", "ZeroShotCLIP"]

PROMPTS = (
    "a photo of {}",
    "a photo that depicts {}",
    "a photo that makes people feel {}",
)
"""The sentences of which a label's embedding is the mean; braces stand for the label."""

# The inverse temperature at which CLIP's own training stopped and was held.
_SCALE = 100.0


class ZeroShotCLIP(TakesPaths, ClassifierMixin, BaseEstimator):
    """A classifier that needs no labelled photos.

    A photo gets the label whose sentences are nearest to it, by the cosine of
    CLIP's embeddings. What `predict_proba` gives is the softmax of a hundred
    times the cosines, as CLIP was trained with: scores, which are not
    calibrated for emotions.

    Parameters
    ----------
    labels : sequence of str, optional
        What to tell apart; by default the five emotions of `emotag.FIVE`.
    prompts : sequence of str, optional
        Sentences with ``{}`` where the label goes; by default `PROMPTS`.
    model : str, default='ViT-B-32/laion2b_s34b_b79k'
        Architecture and weights, as ``open_clip.list_pretrained()`` has them.
    weights : path-like, optional
        A file with the weights; by default they come from the Hugging Face Hub.
    device : str, default='auto'
        As in `CNNFeatures`.

    Attributes
    ----------
    classes_ : ndarray of str, shape (n_labels,)
        The labels, in alphabetical order.
    pipeline_ : sklearn.pipeline.Pipeline
        The same classifier of ordinary parts, which `save_model` takes.

    Raises
    ------
    MissingExtraError
        open_clip is not installed; it comes with ``emotag[clip]``.

    References
    ----------
    Radford et al., "Learning Transferable Visual Models From Natural Language
    Supervision", ICML 2021.

    Examples
    --------
    >>> from emotag.models.zeroshot import ZeroShotCLIP
    >>> ZeroShotCLIP(["awe", "fear"]).labels
    ['awe', 'fear']
    """

    def __init__(
        self,
        labels: Sequence[str] | None = None,
        prompts: Sequence[str] | None = None,
        *,
        model: str = "ViT-B-32/laion2b_s34b_b79k",
        weights: str | os.PathLike[str] | None = None,
        device: str = "auto",
    ) -> None:
        self.labels = labels
        self.prompts = prompts
        self.model = model
        self.weights = weights
        self.device = device

    def fit(self, X: ArrayLike | None = None, y: Any = None) -> Self:  # noqa: ARG002
        """Embed the sentences; no photo is looked at.

        Parameters
        ----------
        X, y : ignored

        Returns
        -------
        self

        Raises
        ------
        LabelError
            There are fewer than two labels, or one stands twice.
        ModelError
            A prompt has no place for the label, or there is no such model.
        WeightsError
            The weights cannot be had.
        """
        if isinstance(self.labels, str):
            raise LabelError(f"labels={self.labels!r} must be a list of labels.")
        names = sorted(map(str, FIVE.names if self.labels is None else self.labels))
        if len(set(names)) < 2 or len(set(names)) < len(names):
            raise LabelError(f"labels={names}: at least two are needed, each once.")
        weights = None if self.weights is None else os.fspath(self.weights)
        embeddings = self._embed(names, weights)
        self.classes_ = np.array(names)
        self.pipeline_ = Pipeline(
            [
                (
                    "features",
                    CNNFeatures(f"clip:{self.model}", weights=weights, device=self.device),
                ),
                ("unit_length", Normalizer()),
                ("classify", _linear(self.classes_, _SCALE * embeddings.astype(np.float64))),
            ]
        )
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return the scores of photos.

        Parameters
        ----------
        X : array-like of str, shape (n_photos,)
            Paths of photos.

        Returns
        -------
        ndarray of shape (n_photos, n_labels), float
            They sum to one; columns in the order of `classes_`.
        """
        paths = check_paths(X)
        proba: NDArray[np.floating[Any]] = self._fitted().predict_proba(paths)
        return proba

    def predict(self, X: ArrayLike) -> NDArray[np.str_]:
        """Return the nearest label of each photo.

        Parameters
        ----------
        X : array-like of str, shape (n_photos,)
            Paths of photos.

        Returns
        -------
        ndarray of str, shape (n_photos,)
        """
        nearest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[nearest])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "pipeline_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags

    def _fitted(self) -> Pipeline:
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        return self.pipeline_

    def _embed(self, names: Sequence[str], weights: str | None) -> NDArray[np.float32]:
        """Return one embedding of length one for each label."""
        prompts = list(PROMPTS if self.prompts is None else self.prompts)
        plain = [prompt for prompt in prompts if "{}" not in prompt]
        if plain or not prompts:
            raise ModelError(
                f"prompts={prompts!r}: each needs {{}} where the label goes, as in {PROMPTS[0]!r}."
            )
        texts = [prompt.replace("{}", name) for name in names for prompt in prompts]
        embedded = embed_texts(self.model, texts, weights)
        means = embedded.reshape(len(names), len(prompts), -1).mean(axis=1)
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))


def _linear(classes: NDArray[np.str_], weight: NDArray[np.float64]) -> LogisticRegression:
    """Return a linear classifier with these logits, as if it had been fitted."""
    classifier = LogisticRegression()
    classifier.classes_ = classes
    if len(classes) == 2:
        # scikit-learn keeps one score for two classes
        weight = weight[1:] - weight[:1]
    classifier.coef_ = weight
    classifier.intercept_ = np.zeros(len(weight))
    classifier.n_features_in_ = weight.shape[1]
    classifier.n_iter_ = np.zeros(1, dtype=np.int32)
    return classifier
