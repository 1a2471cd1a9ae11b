"""A linear classifier on features, fused with what is known of the labels beforehand."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from emotag.errors import DataError, ModelError

__all__ = ["CONCEPT_LABELS", "CalibratedFusion", "PriorFusion"]

Array = NDArray[np.float64]

CONCEPT_LABELS = (
    "love",
    "happiness",
    "violence",
    "fear",
    "sadness",
    "positive",
    "negative",
)
"""The columns of `ConceptScores` with the tables that come with emotag."""


class PriorFusion(ClassifierMixin, BaseEstimator):
    """Multinomial logistic regression whose logits begin from a prior.

    The last columns of X are a prior: scores of labels that do not come from
    the labelled photos, such as those of `ConceptScores`. The logit of a label
    is ``coef @ standardised features + intercept + weight * its prior``, and
    coef and intercept are fitted with the prior in place, so that they learn
    what it does not say. This is a log-linear fusion of the two.

    Parameters
    ----------
    labels : sequence, default=CONCEPT_LABELS
        What the last columns stand for. A class that is not among them has
        a prior of nothing.
    weight : float, default=1.0
        Of the prior.
    C : float, default=1e-3
        Inverse strength of the regularisation, as in
        `sklearn.linear_model.LogisticRegression`.
    class_weight : dict or 'balanced', optional
        Weights by class.
    max_iter : int, default=500
        Of the solver, L-BFGS.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (n_classes, n_features)
        Of the features before the prior's columns, as they are given.
    intercept_ : ndarray of shape (n_classes,)
        Sums to zero.
    prior_columns_ : ndarray of shape (n_classes,), int
        The column of each class's prior; -1 where there is none.
    n_features_in_ : int
        Columns of X, those of the prior included.
    n_iter_ : int
        Of the solver.

    See Also
    --------
    emotag.ConceptScores : A prior for the five emotions and for sentiment.

    References
    ----------
    G. E. Hinton, "Training products of experts by minimizing contrastive
    divergence", Neural Computation 14, 2002, for multiplying probabilities,
    which is adding logits.

    Examples
    --------
    >>> import numpy as np
    >>> from emotag.models.fusion import PriorFusion
    >>> X = np.array([[-1.0, 0.0, 0.5], [1.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [2.0, 1.0, 0.0]])
    >>> fusion = PriorFusion(labels=("fear", "love"), C=1.0)
    >>> fusion.fit(X, ["fear", "love", "fear", "love"]).predict([[0.0, 0.0, 3.0]])
    array(['love'], dtype='<U4')
    """

    def __init__(
        self,
        labels: Sequence[Any] = CONCEPT_LABELS,
        *,
        weight: float = 1.0,
        C: float = 1e-3,
        class_weight: dict[Any, float] | str | None = None,
        max_iter: int = 500,
    ) -> None:
        self.labels = labels
        self.weight = weight
        self.C = C
        self.class_weight = class_weight
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Fit coefficients to what the prior leaves open.

        Parameters
        ----------
        X : array-like of shape (n_photos, n_features + n_labels)
            Features, then the prior.
        y : array-like of shape (n_photos,)
            Labels.
        sample_weight : array-like of shape (n_photos,), optional
            How much each photo counts.

        Returns
        -------
        self

        Raises
        ------
        ModelError
            A parameter makes no sense.
        DataError
            There is one class only, X has fewer columns than the prior, or
            there is a prior of none of the classes.
        """
        self._check()
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(
                f"There is one class only, {self.classes_[0]!r}; at least two are needed."
            )
        if X.shape[1] < len(self.labels):
            raise DataError(
                f"X has {X.shape[1]} columns, fewer than the {len(self.labels)} of the prior."
            )
        self.prior_columns_ = self._find_columns()
        weights = (
            weights * compute_class_weight(self.class_weight, classes=self.classes_, y=y)[codes]
        )
        features, offset = self._split(X)
        mean, spread = _scales(features, weights)
        coef, intercept, self.n_iter_ = _fit_with_offset(
            (features - mean) / spread, codes, weights, offset, self.C, self.max_iter
        )
        self.coef_ = coef / spread
        self.intercept_ = intercept - self.coef_ @ mean
        return self

    def decision_function(self, X: ArrayLike) -> Array:
        """Return the logits, shape (n_photos, n_classes), or (n_photos,) for two classes.

        Parameters
        ----------
        X : array-like of shape (n_photos, n_features + n_labels)
            Features, then the prior.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probabilities of the classes, shape (n_photos, n_classes).

        Parameters
        ----------
        X : array-like of shape (n_photos, n_features + n_labels)
            Features, then the prior.
        """
        return np.asarray(softmax(self._logits(X), axis=1))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable class of each photo, shape (n_photos,).

        Parameters
        ----------
        X : array-like of shape (n_photos, n_features + n_labels)
            Features, then the prior.
        """
        logits = self._logits(X)
        return np.asarray(self.classes_[logits.argmax(axis=1)])

    def affine(self) -> tuple[Array, Array]:
        """Return weight and bias of the map from rows of X to logits.

        Returns
        -------
        weight : ndarray of shape (n_classes, n_columns)
        bias : ndarray of shape (n_classes,)
        """
        check_is_fitted(self)
        prior = np.zeros((len(self.classes_), len(self.labels)))
        for row, column in enumerate(self.prior_columns_.tolist()):
            if column >= 0:
                prior[row, column] = self.weight
        return np.concatenate([self.coef_, prior], axis=1), self.intercept_

    def _check(self) -> None:
        # a grid may hold numpy's numbers, or anything else
        given: dict[str, Any] = self.get_params(deep=False)
        weight, C, max_iter = given["weight"], given["C"], given["max_iter"]
        if not isinstance(weight, Real) or not np.isfinite(float(weight)):
            raise ModelError(f"weight={self.weight!r} must be a number.")
        if not isinstance(C, Real) or not float(C) > 0:
            raise ModelError(f"C={self.C!r} must be a number above 0.")
        if not isinstance(max_iter, Integral) or max_iter < 1:
            raise ModelError(f"max_iter={self.max_iter!r} must be a whole number above 0.")

    def _find_columns(self) -> NDArray[np.intp]:
        """Return the column of each class's prior; -1 where there is none."""
        names, given = list(self.labels), self.classes_.tolist()
        columns = np.array([names.index(name) if name in names else -1 for name in given])
        if names and (columns < 0).all():
            raise DataError(
                f"None of the classes {', '.join(map(str, given))} has a prior, which there is of "
                f"{', '.join(map(str, names))}. Use a model without one, or rename the classes."
            )
        return columns

    def _split(self, X: Array) -> tuple[Array, Array]:
        """Return the features, and the weighted prior with a column a class."""
        n_features = X.shape[1] - len(self.labels)
        prior = np.column_stack([X[:, n_features:], np.zeros(len(X))])
        return X[:, :n_features], self.weight * prior[:, self.prior_columns_]

    def _logits(self, X: ArrayLike) -> Array:
        check_is_fitted(self)
        rows: Any = validate_data(self, X, dtype=np.float64, reset=False)
        features, offset = self._split(rows)
        return np.asarray(features @ self.coef_.T + self.intercept_ + offset)


class CalibratedFusion(CalibratedClassifierCV):
    """scikit-learn's calibration of a `PriorFusion`, whose prior follows the classes.

    For a temperature, `sklearn.calibration.CalibratedClassifierCV` replaces
    labels that are text by their numbers before it fits the estimator. A
    prior goes by the name of a label, so it would be lost; here its labels
    are numbered alike.

    Parameters
    ----------
    estimator : PriorFusion
        What is calibrated.
    method, cv, n_jobs, ensemble : object
        As in `sklearn.calibration.CalibratedClassifierCV`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    calibrated_classifiers_ : list
        The fitted estimators with their calibrations.

    Examples
    --------
    >>> import numpy as np
    >>> from emotag.models.fusion import CalibratedFusion, PriorFusion
    >>> X = np.array([[-1.0, 0.0, 0.5], [1.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [2.0, 1.0, 0.0]])
    >>> fusion = PriorFusion(labels=("fear", "love"), C=1.0)
    >>> model = CalibratedFusion(fusion, method="temperature", cv=2, ensemble=False)
    >>> model.fit(X, ["fear", "love", "fear", "love"]).predict([[0.0, 0.0, 3.0]])
    array(['love'], dtype='<U4')
    """

    estimator: Any

    def fit(
        self, X: Any, y: Any, sample_weight: ArrayLike | None = None, **fit_params: Any
    ) -> Self:
        """Fit the estimator and the calibration.

        Parameters
        ----------
        X : array-like of shape (n_photos, n_features + n_labels)
            Features, then the prior.
        y : array-like of shape (n_photos,)
            Labels.
        sample_weight : array-like of shape (n_photos,), optional
            How much each photo counts.
        **fit_params : object
            For the estimator's ``fit``.

        Returns
        -------
        self

        Raises
        ------
        ModelError
            The estimator is no `PriorFusion`.
        """
        usual = self.estimator
        if not isinstance(usual, PriorFusion):
            raise ModelError(f"CalibratedFusion calibrates a PriorFusion, not {usual!r}.")
        names = np.unique(np.asarray(y))
        if self.method == "temperature" and names.dtype.kind in "OU":
            numbers = {name: number for number, name in enumerate(names.tolist())}
            labels = [numbers.get(label, label) for label in usual.labels]
            self.estimator = clone(usual).set_params(labels=labels)
        try:
            super().fit(X, y, sample_weight, **fit_params)
        finally:
            self.estimator = usual
        return self


def _scales(features: Array, weights: Array) -> tuple[Array, Array]:
    """Return weighted mean and deviation of each feature; 1 for one that never varies."""
    shares = weights / weights.sum()
    mean = shares @ features
    deviation = np.sqrt(shares @ (features - mean) ** 2)
    return mean, np.where(deviation > 1e-12 * (1 + np.abs(mean)), deviation, 1.0)


def _fit_with_offset(
    features: Array, codes: NDArray[np.intp], weights: Array, offset: Array, C: float, max_iter: int
) -> tuple[Array, Array, int]:
    """Minimise ``C * sum(weights * log loss) + |coef|² / 2``."""
    n_classes, n_features = offset.shape[1], features.shape[1]
    if not n_features:
        return np.zeros((n_classes, 0)), np.zeros(n_classes), 0
    actual = np.eye(n_classes)[codes]
    weighted = weights[:, np.newaxis]

    def loss(flat: Array) -> tuple[float, Array]:
        coef = flat[:-n_classes].reshape(n_classes, n_features)
        log_proba = log_softmax(features @ coef.T + flat[-n_classes:] + offset, axis=1)
        error = weighted * (np.exp(log_proba) - actual)
        value = -C * float((weighted * actual * log_proba).sum()) + float((coef**2).sum()) / 2
        slope = [(C * (error.T @ features) + coef).ravel(), C * error.sum(axis=0)]
        return value, np.concatenate(slope)

    start = np.zeros(n_classes * (n_features + 1))
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iter, "ftol": 1e-14, "gtol": 1e-8},
    )
    coef = found.x[:-n_classes].reshape(n_classes, n_features)
    intercept = found.x[-n_classes:]
    return coef, intercept - intercept.mean(), int(found.nit)
