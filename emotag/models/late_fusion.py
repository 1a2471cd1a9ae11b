"""One classifier for each kind of feature, and one over what they say."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from emotag.errors import DataError, ModelError
from emotag.models.finetuning.checks import check_class_weight

__all__ = ["LateFusion"]

Array = NDArray[np.float64]

# Neighbouring cells of a saliency map say nearly the same, so that the last digits of the
# coefficients take most of the time; scores differ by hundredths.
_TOLERANCE = 1e-3

# How often folds of groups are drawn before there are to be fewer of them.
_DRAWS = 10

# Of a component's variance, beside the first one's.
_LEAST_SHARE = 1e-6


class LateFusion(ClassifierMixin, BaseEstimator):
    """A linear classifier a channel, then a linear classifier over their scores.

    The columns of X are channels, side by side: colour, texture, and so on. The
    first classifiers learn from one channel each. The last one learns from their
    scores of photos that they have not learnt from (out of fold), so that it is
    not misled by a channel that is learnt by heart. With `content`, the last
    columns of X say what is in a photo, and the last classifier also has each
    product of a score with what is in it: how far a channel is to be trusted may
    depend on that ("Fusion x Content").

    The paper leaves open, as far as we know, how the first scores were had, and
    multiplies with the scores of classifiers of 20 kinds of objects. Ours come out of
    fold, and we take as many principal components of what a network sees.

    Parameters
    ----------
    channels : sequence of int, default=()
        How many columns each channel has, in their order in X. By default all
        columns before the content are one channel.
    content : int, default=0
        How many columns after the channels say what is in a photo.
    n_content : int, default=20
        Into how many principal components the content is condensed.
    C : float, default=0.01
        Inverse strength of the regularisation of the first classifiers.
    final_C : float, default=0.01
        That of the last one.
    cv : int, default=5
        Folds for the scores that the last classifier learns from; fewer where a
        class has fewer independent photos.
    class_weight : dict or 'balanced', default='balanced'
        Weights by class, of all classifiers.
    random_state : int, optional
        Chooses the folds, and what the condensing of much content draws.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    estimators_ : list of Pipeline
        Of the channels, in their order.
    content_ : Pipeline or None
        Condenses the content; None where there is none, or none that varies.
    final_ : Pipeline
        Over the scores.
    n_features_in_ : int
        Columns of X.

    References
    ----------
    Karayev et al., "Recognizing Image Style", BMVC 2014 (arXiv:1311.3715), for the
    channels and the fusion.

    Wolpert, "Stacked Generalization", Neural Networks 5, 1992, for the scores out
    of fold.

    Examples
    --------
    >>> import numpy as np
    >>> from emotag.models.late_fusion import LateFusion
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["fear", "love"], 20)
    >>> X = rng.normal(size=(40, 5)) + 3 * (y == "love")[:, np.newaxis]
    >>> LateFusion(channels=(3, 2), random_state=0).fit(X, y).predict(X[[0, -1]])
    array(['fear', 'love'], dtype='<U4')
    """

    def __init__(
        self,
        channels: Sequence[int] = (),
        *,
        content: int = 0,
        n_content: int = 20,
        C: float = 0.01,
        final_C: float = 0.01,
        cv: int = 5,
        class_weight: dict[Any, float] | str | None = "balanced",
        random_state: int | None = None,
    ) -> None:
        self.channels = channels
        self.content = content
        self.n_content = n_content
        self.C = C
        self.final_C = final_C
        self.cv = cv
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: ArrayLike | None = None) -> Self:
        """Fit the classifiers of the channels, and the one over their scores.

        Parameters
        ----------
        X : array-like of shape (n_photos, n_columns)
            The channels, then the content.
        y : array-like of shape (n_photos,)
            Labels.
        groups : array-like of shape (n_photos,), optional
            Photos of one group are never in two folds.

        Returns
        -------
        self

        Raises
        ------
        ModelError
            A parameter makes no sense.
        DataError
            X has other columns than the channels, there is one class only, or a class
            has fewer than two independent photos; or `groups` are not of the photos.
        """
        self._check()
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self._refuse_other_columns(X)
        self.classes_, codes = np.unique(y, return_inverse=True)
        check_class_weight(self.class_weight, self.classes_.tolist())
        folds = self._folds(X, codes, groups)
        blocks = self._blocks()
        scores = [
            cross_val_predict(
                self._linear(self.C), X[:, block], codes, cv=folds, method="decision_function"
            )
            for block in blocks
        ]
        self.estimators_ = [self._linear(self.C).fit(X[:, block], codes) for block in blocks]
        self.content_ = self._condense(X)
        self.final_ = self._linear(self.final_C).fit(self._cross(scores, X), codes)
        return self

    def decision_function(self, X: ArrayLike) -> Array:
        """Return the last classifier's logits, shape (n_photos, n_classes), or (n_photos,) for two.

        Parameters
        ----------
        X : array-like of shape (n_photos, n_columns)
            As in `fit`.
        """
        features = self._final_features(X)
        return np.asarray(self.final_.decision_function(features))

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probabilities of the classes, shape (n_photos, n_classes).

        Parameters
        ----------
        X : array-like of shape (n_photos, n_columns)
            As in `fit`.
        """
        features = self._final_features(X)
        return np.asarray(self.final_.predict_proba(features))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each photo, shape (n_photos,).

        Parameters
        ----------
        X : array-like of shape (n_photos, n_columns)
            As in `fit`.
        """
        features = self._final_features(X)
        return np.asarray(self.classes_[self.final_.predict(features)])

    def _final_features(self, X: ArrayLike) -> Array:
        check_is_fitted(self)
        checked = validate_data(self, X, dtype=np.float64, reset=False)
        blocks = zip(self.estimators_, self._blocks(), strict=True)
        scores = [estimator.decision_function(checked[:, block]) for estimator, block in blocks]
        return self._cross(scores, checked)

    def _cross(self, scores: Sequence[Array], X: Array) -> Array:
        """Return the scores, and with content also that and all products of the two."""
        said = np.column_stack(scores)
        if self.content_ is None:
            return said
        seen = self.content_.transform(X[:, X.shape[1] - self.content :])
        products = said[:, :, np.newaxis] * seen[:, np.newaxis, :]
        return np.column_stack([said, seen, products.reshape(len(X), -1)])

    def _condense(self, X: Array) -> Pipeline | None:
        if not self.content:
            return None
        seen = X[:, X.shape[1] - self.content :]
        size = min(self.n_content, self.content, len(X) - 1)
        scaler = StandardScaler().fit(seen)
        scaled = scaler.transform(seen)
        if not scaled.any():
            return None
        pca = PCA(size, whiten=True, random_state=self.random_state).fit(scaled)
        # what is left once all that varies is said is rounding, which whitening would blow up
        varies = pca.explained_variance_ > _LEAST_SHARE * pca.explained_variance_[0]
        if not varies.all():
            n_varying = int(varies.sum())
            pca = PCA(n_varying, whiten=True, random_state=self.random_state).fit(scaled)
        return make_pipeline(scaler, pca)

    def _linear(self, C: float) -> Pipeline:
        head = LogisticRegression(C=C, class_weight=self._weights(), max_iter=2000, tol=_TOLERANCE)
        return make_pipeline(StandardScaler(), head)

    def _weights(self) -> dict[int, float] | str | None:
        """Return the class weights by number, as the labels are encoded."""
        if not isinstance(self.class_weight, dict):
            return self.class_weight
        names = self.classes_.tolist()
        return {names.index(label): weight for label, weight in self.class_weight.items()}

    def _blocks(self) -> list[slice]:
        sizes = tuple(self.channels) or (self.n_features_in_ - self.content,)
        ends = np.cumsum(sizes).tolist()
        return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]

    def _folds(
        self, X: Array, codes: NDArray[np.intp], groups: ArrayLike | None
    ) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        if len(self.classes_) < 2:
            raise DataError(
                f"There is one class only, {self.classes_.tolist()[0]!r}; at least two are needed."
            )
        together = np.arange(len(codes)) if groups is None else _encoded(groups)
        if together.shape != codes.shape:
            raise DataError(f"groups has the shape {together.shape}, not one for each photo.")
        independent = [len(np.unique(together[codes == code])) for code in range(codes.max() + 1)]
        least = int(np.argmin(independent))
        if independent[least] < 2:
            raise DataError(
                f"The class {self.classes_.tolist()[least]!r} has one photo, or one group of "
                "photos; the fusion needs two that are independent. Add photos of it."
            )
        n_folds = min(self.cv, independent[least])
        if groups is None:
            splitter = StratifiedKFold(n_folds, shuffle=True, random_state=self.random_state)
            return list(splitter.split(X, codes))
        return _group_folds(codes, together, n_folds, self.random_state)

    def _refuse_other_columns(self, X: Array) -> None:
        expected = sum(self.channels) + self.content
        if self.channels and X.shape[1] != expected:
            raise DataError(
                f"X has {X.shape[1]} columns, but channels={tuple(self.channels)!r} and "
                f"content={self.content} make {expected}."
            )
        if X.shape[1] <= self.content:
            raise DataError(
                f"X has {X.shape[1]} columns, which content={self.content} leaves none of."
            )

    def _check(self) -> None:
        sizes: Any = self.channels
        if not isinstance(sizes, list | tuple) or not all(_is_whole(size, 1) for size in sizes):
            raise ModelError(f"channels={sizes!r} must be numbers of columns, each above 0.")
        for name, least in (("content", 0), ("n_content", 1), ("cv", 2)):
            if not _is_whole(getattr(self, name), least):
                raise ModelError(
                    f"{name}={getattr(self, name)!r} must be a whole number from {least} on."
                )
        for name in ("C", "final_C"):
            value: Any = getattr(self, name)
            is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not is_number or not value > 0:
                raise ModelError(f"{name}={value!r} must be a number above 0.")


def _encoded(groups: ArrayLike) -> NDArray[np.intp]:
    """Return groups as numbers."""
    try:
        return np.unique(np.asarray(groups), return_inverse=True)[1]
    except TypeError as error:
        raise DataError(f"The groups are of several kinds: {error}.") from error


def _group_folds(
    codes: NDArray[np.intp], groups: NDArray[np.intp], n_folds: int, random_state: int | None
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return folds that part no group, and leave photos of every class to learn from.

    Where a draw leaves none of a class, another is made, and then one of fewer folds.
    """
    n_classes = len(np.unique(codes))
    seeds = [random_state, *np.random.default_rng(random_state).integers(2**31, size=_DRAWS - 1)]
    for count in range(n_folds, 1, -1):
        for seed in seeds:
            splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
            folds = list(splitter.split(codes, codes, groups))
            if all(len(np.unique(codes[learnt])) == n_classes for learnt, _ in folds):
                return folds
    raise DataError(
        "The groups cannot be parted in two so that photos of every class are on both sides. Add "
        "photos of other groups."
    )


def _is_whole(value: Any, least: int) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= least
