"""Sentiment two ways: learnt from folded labels, or folded from emotions' probabilities."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from emotag.emotions import FIVE, LabelSet
from emotag.errors import DataError, LabelError
from emotag.models.estimators import SENTIMENT_LABELS

__all__ = ["SentimentClassifier", "fold_labels", "fold_sentiment"]


def fold_labels(y: ArrayLike, label_set: LabelSet = FIVE) -> NDArray[np.str_]:
    """Return the sentiment of each label; sentiments stay what they are.

    Parameters
    ----------
    y : array-like of str, shape (n_photos,)
        Labels of the set, or ``'negative'`` and ``'positive'``.
    label_set : LabelSet, default=FIVE
        Says how labels fold.

    Returns
    -------
    ndarray of str, shape (n_photos,)
        ``'negative'`` and ``'positive'``.

    Raises
    ------
    LabelError
        A label is not in the set, or has no sentiment.
    DataError
        There are none, or they are not one-dimensional.

    Examples
    --------
    >>> fold_labels(["love", "fear", "negative"])
    array(['positive', 'negative', 'negative'], dtype='<U8')
    """
    given = np.asarray(y)
    if given.ndim != 1 or not len(given):
        raise DataError(
            f"y has the shape {given.shape}; it must be one-dimensional, a label for each photo."
        )
    names = given.astype(np.str_)
    folded = {}
    for name in np.unique(names).tolist():
        sentiment = name if name in SENTIMENT_LABELS else label_set.sentiment(name)
        if sentiment is None:
            raise LabelError(f"The sentiment of {name!r} is not known; say it in a label file.")
        folded[name] = sentiment
    return np.array([folded[name] for name in names.tolist()], dtype="<U8")


def fold_sentiment(
    proba: ArrayLike, label_set: LabelSet = FIVE, *, classes: Sequence[str] | None = None
) -> NDArray[np.floating[Any]]:
    """Fold emotions' probabilities into those of the sentiments.

    Parameters
    ----------
    proba : array-like of shape (n_photos, n_labels)
        Of the emotions.
    label_set : LabelSet, default=FIVE
        Says how labels fold.
    classes : sequence of str, optional
        The labels of the columns, such as an estimator's ``classes_``, which
        scikit-learn sorts; by default the columns stand in the order of the set.

    Returns
    -------
    ndarray of shape (n_photos, 2), float
        Of negative and positive: the sums over the labels of each.

    Raises
    ------
    LabelError
        The columns are not those of the labels, or the set does not fold.

    Examples
    --------
    >>> classes = ["fear", "happiness", "love", "sadness", "violence"]
    >>> fold_sentiment([[0.125, 0.5, 0.25, 0.125, 0.0]], classes=classes)
    array([[0.25, 0.75]])
    """
    given = np.asarray(proba)
    if classes is not None:
        names = [str(name) for name in classes]
        label_set = label_set.subset(names)
        if given.ndim != 2 or given.shape[1] != len(names):
            raise LabelError(
                f"Probabilities of shape {given.shape} do not fit the {len(names)} classes "
                f"{', '.join(names)}."
            )
        given = given[:, [names.index(name) for name in label_set.names]]
    positive = label_set.fold(given)
    negative = given.sum(axis=1) - positive
    return np.column_stack([negative, positive])


def _has_proba(classifier: "SentimentClassifier") -> bool:
    return hasattr(getattr(classifier, "estimator_", classifier.estimator), "predict_proba")


def _has_scores(classifier: "SentimentClassifier") -> bool:
    return hasattr(getattr(classifier, "estimator_", classifier.estimator), "decision_function")


class SentimentClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """A classifier of sentiment that learns from emotions, folded before it learns.

    The other way is `fold_sentiment`: learn emotions, and fold what is
    predicted. The paper leaves open which of the two it took.

    `score` takes emotions or sentiments. Scikit-learn's other scorers compare
    `y` with what is predicted as it stands, so fold it first, by
    `emotag.models.sentiment.fold_labels`.

    Parameters
    ----------
    estimator : estimator
        Any classifier of two labels, such as ``make_model('svm')`` or a
        `FineTunedCNN`.
    label_set : LabelSet, optional
        Says how labels fold; by default `emotag.FIVE`.

    Attributes
    ----------
    classes_ : ndarray of str, shape (2,)
        ``'negative'`` and ``'positive'``.
    estimator_ : estimator
        Fitted on the sentiments.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from emotag import SentimentClassifier
    >>> X, y = [[-1.0], [-2.0], [1.0], [2.0]], ["fear", "sadness", "love", "happiness"]
    >>> SentimentClassifier(LogisticRegression()).fit(X, y).predict([[-3.0], [3.0]])
    array(['negative', 'positive'], dtype='<U8')
    """

    def __init__(self, estimator: Any, label_set: LabelSet | None = None) -> None:
        self.estimator = estimator
        self.label_set = label_set

    def fit(self, X: ArrayLike, y: ArrayLike, **fit_params: Any) -> Self:
        """Fit the estimator on the sentiments.

        Parameters
        ----------
        X : array-like of shape (n_photos, ...)
            What the estimator takes.
        y : array-like of str, shape (n_photos,)
            Emotions, or sentiments.
        **fit_params : object
            For the estimator's ``fit``, such as ``groups`` of a `FineTunedCNN`.

        Returns
        -------
        self

        Raises
        ------
        LabelError
            A label has no sentiment.
        DataError
            All labels are of one sentiment.
        """
        folded = fold_labels(y, self.label_set or FIVE)
        if len(np.unique(folded)) < 2:
            raise DataError(
                f"All photos are {folded[0]}; a model needs both sentiments to tell them apart."
            )
        self.estimator_ = clone(self.estimator).fit(X, folded, **fit_params)
        self.classes_ = self.estimator_.classes_
        if hasattr(self.estimator_, "n_features_in_"):
            self.n_features_in_ = self.estimator_.n_features_in_
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.str_]:
        """Return ``'negative'`` or ``'positive'`` for each photo.

        Parameters
        ----------
        X : array-like of shape (n_photos, ...)
            What the estimator takes.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X))

    @available_if(_has_proba)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return the probabilities of negative and positive, shape (n_photos, 2).

        Parameters
        ----------
        X : array-like of shape (n_photos, ...)
            What the estimator takes.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X))

    @available_if(_has_scores)  # type: ignore[untyped-decorator]
    def decision_function(self, X: ArrayLike) -> NDArray[np.floating[Any]]:
        """Return the scores of positive, shape (n_photos,).

        Parameters
        ----------
        X : array-like of shape (n_photos, ...)
            What the estimator takes.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.decision_function(X))

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy on emotions or sentiments.

        Parameters
        ----------
        X : array-like of shape (n_photos, ...)
            What the estimator takes.
        y : array-like of str, shape (n_photos,)
            Emotions, or sentiments.
        sample_weight : array-like of shape (n_photos,), optional
            How much each photo counts.
        """
        folded = fold_labels(y, self.label_set or FIVE)
        return float(super().score(X, folded, sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = self.estimator.__sklearn_tags__()
        tags.input_tags = inner.input_tags
        tags.classifier_tags.multi_class = False
        return tags
