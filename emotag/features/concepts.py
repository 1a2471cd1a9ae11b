"""What a photo shows, as a network's own classes name it, read as what it stands for."""

import os
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from emotag.backbones.registry import find_backbone
from emotag.errors import ModelError
from emotag.features.cnn import CNNFeatures
from emotag.features.extraction import TakesPaths, check_paths
from emotag.features.ratings import Ratings, read_ratings

__all__ = ["ConceptScores"]

LOGITS = "logits"


class ConceptScores(TakesPaths, TransformerMixin, BaseEstimator):
    """How strongly the things in a photo stand for each emotion and sentiment.

    A network's own classifier says with what probability p a photo shows each
    of its classes, and a table rates from 0 to 1 how strongly each class
    stands for each label. A label's score is ``log(epsilon + p @ rating /
    mean)``, with the mean of ``p @ rating`` over the photos of `fit`, then
    centred and scaled on these. Their labels are not used.

    Parameters
    ----------
    backbone : str, default='lite0'
        A network with a layer ``logits``.
    ratings : str, optional
        The table, as `emotag.features.ratings.read_ratings` takes it; by
        default that of the backbone's classes.
    softness : float, default=2.0
        The temperature of the network's own probabilities.
    epsilon : float, default=0.1
        What keeps the logarithm from nothing.
    weights, device, batch_size, cache, n_jobs : object
        As in `CNNFeatures`.

    Attributes
    ----------
    labels_ : tuple of str
        What the columns stand for.
    mean_ : ndarray of shape (n_labels,)
        Of ``p @ rating``.
    centre_, spread_ : ndarray of shape (n_labels,)
        Mean and deviation of the scores before they are centred and scaled.
    ratings_ : Ratings
        The table.

    See Also
    --------
    CNNFeatures : Features of the same network, to be fused with by `FeatureUnion`.

    Notes
    -----
    The tables that come with emotag are means of two independent ratings of
    every class by language models, by the protocol in ``docs/ratings``.

    Examples
    --------
    >>> import os, sklearn
    >>> from emotag import ConceptScores
    >>> folder = os.path.join(os.path.dirname(sklearn.__file__), "datasets", "images")
    >>> X = [os.path.join(folder, name) for name in ("china.jpg", "flower.jpg")]
    >>> ConceptScores("lite0").fit_transform(X).shape
    (2, 7)
    """

    def __init__(
        self,
        backbone: str = "lite0",
        *,
        ratings: str | None = None,
        softness: float = 2.0,
        epsilon: float = 0.1,
        weights: str | os.PathLike[str] | None = None,
        device: str = "auto",
        batch_size: int | None = None,
        cache: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.backbone = backbone
        self.ratings = ratings
        self.softness = softness
        self.epsilon = epsilon
        self.weights = weights
        self.device = device
        self.batch_size = batch_size
        self.cache = cache
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: ARG002
        """Learn how high each label scores on photos at large.

        Parameters
        ----------
        X : array-like of str, shape (n_photos,)
            Paths of photos.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ModelError
            A parameter makes no sense, or the table does not fit the network.
        PhotoError
            A photo cannot be read.
        """
        paths = check_paths(X)
        for name in ("softness", "epsilon"):
            value = getattr(self, name)
            # numpy's numbers, as of a grid, are welcome too
            if not isinstance(value, Real) or not 0 < float(value) < float("inf"):
                raise ModelError(f"{name}={value!r} must be a number above 0.")
        self._read_table()
        return self._learn(self.extractor().transform(paths))

    def fit_logits(self, logits: ArrayLike) -> Self:
        """Do as `fit` does, from logits that were computed before.

        Parameters
        ----------
        logits : array-like of shape (n_photos, n_classes)
            As `extractor` gives them.

        Returns
        -------
        self

        Raises
        ------
        ModelError
            The table does not fit the network.
        """
        self._read_table()
        return self._learn(logits)

    def _learn(self, logits: ArrayLike) -> Self:
        expected = self._expected(logits)
        # a label for which no class stands has a score of nothing, not a division by it
        self.mean_ = np.maximum(expected.mean(axis=0), np.finfo(np.float32).tiny)
        scores = self._log(expected)
        self.centre_ = scores.mean(axis=0)
        deviation = scores.std(axis=0)
        self.spread_ = np.where(deviation > 0, deviation, 1.0)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the scores of photos.

        Parameters
        ----------
        X : array-like of str, shape (n_photos,)
            Paths of photos.

        Returns
        -------
        ndarray of shape (n_photos, n_labels), float32
            Columns in the order of `labels_`.

        Raises
        ------
        PhotoError
            A photo cannot be read.
        """
        check_is_fitted(self)
        return self.score_logits(self.extractor().transform(check_paths(X)))

    def score_logits(self, logits: ArrayLike) -> NDArray[np.float32]:
        """Return the scores of photos whose logits were computed before.

        Parameters
        ----------
        logits : array-like of shape (n_photos, n_classes)
            As `extractor` gives them.

        Returns
        -------
        ndarray of shape (n_photos, n_labels), float32
            As `transform` gives it.
        """
        check_is_fitted(self)
        scores = (self._log(self._expected(logits)) - self.centre_) / self.spread_
        return np.asarray(scores, dtype=np.float32)

    def extractor(self) -> CNNFeatures:
        """Return what computes the logits of the network's own classes.

        Returns
        -------
        CNNFeatures
            Of the layer ``logits``.
        """
        return CNNFeatures(
            self.backbone,
            layer=LOGITS,
            weights=self.weights,
            device=self.device,
            batch_size=self.batch_size,
            cache=self.cache,
            n_jobs=self.n_jobs,
        )

    def get_feature_names_out(
        self,
        input_features: Any = None,  # noqa: ARG002
    ) -> NDArray[np.object_]:
        """Return a name for each column.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str objects, shape (n_labels,)
            Such as ``'concept_fear'``.
        """
        check_is_fitted(self)
        return np.array([f"concept_{label}" for label in self.labels_], dtype=object)

    def _read_ratings(self) -> Ratings:
        backbone = find_backbone(self.backbone, self.weights)
        n_classes = backbone.layers[backbone.choose_layer(LOGITS)]
        table = self.ratings or backbone.classes
        if not table:
            raise ModelError(
                f"No ratings are known for the classes of {self.backbone!r}; "
                "name a table: ratings='FILE.csv'."
            )
        ratings = read_ratings(table)
        if len(ratings.names) != n_classes:
            raise ModelError(
                f"The ratings {table} are of {len(ratings.names)} classes, and "
                f"{self.backbone!r} tells {n_classes} apart."
            )
        return ratings

    def _read_table(self) -> None:
        self.ratings_ = self._read_ratings()
        self.labels_ = self.ratings_.labels

    def _expected(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Return the mean rating of what each photo shows."""
        shown = softmax(np.asarray(logits, dtype=np.float64) / self.softness, axis=1)
        return np.asarray(shown @ self.ratings_.values)

    def _log(self, expected: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.log(self.epsilon + expected / self.mean_))
