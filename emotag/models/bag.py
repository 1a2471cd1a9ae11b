"""Local descriptors of photos counted by the word of a codebook that each is nearest to."""

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils.validation import check_is_fitted, validate_data

from emotag.errors import DataError, ModelError

__all__ = ["BagOfWords"]

# Local descriptors that the codebook is made of: more make it no better, and take longer.
_MOST_DESCRIPTORS = 100_000


class BagOfWords(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The shares of a photo's local descriptors that are nearest to each word of a codebook.

    Parameters
    ----------
    size : int, default=8
        How many numbers a local descriptor has; a row of X holds several, side by side.
    n_words : int, default=200
        Words of the codebook.
    random_state : int, optional
        Chooses the first words.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (size,), float64
        By which descriptors are standardised.
    words_ : ndarray of shape (n_words, size), float64
        The codebook, of standardised descriptors; fewer words where descriptors are few.
    n_features_in_ : int
        Columns of X.

    References
    ----------
    Csurka et al., "Visual Categorization with Bags of Keypoints", ECCV Workshop on
    Statistical Learning in Computer Vision, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from emotag.models.bag import BagOfWords
    >>> X = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    >>> sorted(BagOfWords(size=2, n_words=2, random_state=0).fit_transform(X)[0].tolist())
    [0.5, 0.5]
    """

    def __init__(
        self, size: int = 8, *, n_words: int = 200, random_state: int | None = None
    ) -> None:
        self.size = size
        self.n_words = n_words
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Make the codebook.

        Parameters
        ----------
        X : array-like of shape (n_photos, n_descriptors * size)
            Local descriptors.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ModelError
            A parameter makes no sense.
        DataError
            The columns of X are no whole number of descriptors.
        """
        for name in ("size", "n_words"):
            value: Any = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise ModelError(f"{name}={value!r} must be a whole number above 0.")
        X = validate_data(self, X, dtype=np.float64)
        if X.shape[1] % self.size:
            raise DataError(
                f"X has {X.shape[1]} columns, which are no whole number of descriptors of "
                f"size={self.size}."
            )
        descriptors = X.reshape(-1, self.size)
        self.mean_, spread = descriptors.mean(axis=0), descriptors.std(axis=0)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        self.words_ = self._find_words((descriptors - self.mean_) / self.scale_)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the share of each word, shape (n_photos, n_words); a row sums to 1.

        Parameters
        ----------
        X : array-like of shape (n_photos, n_descriptors * size)
            Local descriptors.
        """
        check_is_fitted(self)
        checked = validate_data(self, X, dtype=np.float64, reset=False)
        shares = np.empty((len(checked), len(self.words_)))
        for row, photo in enumerate(checked):
            descriptors = (photo.reshape(-1, self.size) - self.mean_) / self.scale_
            nearest = self._nearest(descriptors)
            shares[row] = np.bincount(nearest, minlength=len(self.words_)) / len(descriptors)
        return shares

    @property
    def _n_features_out(self) -> int:
        return len(self.words_)

    def _find_words(self, descriptors: NDArray[np.float64]) -> NDArray[np.float64]:
        rng = np.random.default_rng(self.random_state)
        if len(descriptors) > _MOST_DESCRIPTORS:
            chosen = rng.choice(len(descriptors), _MOST_DESCRIPTORS, replace=False)
            descriptors = descriptors[np.sort(chosen)]
        distinct = len(np.unique(descriptors, axis=0))
        means = MiniBatchKMeans(
            min(self.n_words, distinct),
            batch_size=4096,
            n_init=3,
            random_state=int(rng.integers(2**31)),
        )
        return np.asarray(means.fit(descriptors).cluster_centers_, np.float64)

    def _nearest(self, descriptors: NDArray[np.float64]) -> NDArray[np.intp]:
        # |a - b|² less |a|², which is the same for all words
        distances = (self.words_**2).sum(axis=1) - 2 * descriptors @ self.words_.T
        return np.asarray(distances.argmin(axis=1))
