"""What scikit-learn learnt on features, as a torch module that gives the same probabilities."""

from dataclasses import dataclass
from functools import reduce
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import LinearSVC
from torch import nn

from emotag.errors import ModelError
from emotag.models.fusion import PriorFusion

__all__ = ["UnitLength", "make_head", "to_torch"]

Array = NDArray[np.float64]


class UnitLength(nn.Module):
    """Scales each vector to Euclidean length one, as scikit-learn's Normalizer does."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the scaled vectors.

        Parameters
        ----------
        features : tensor of shape (n_photos, n_features), float32
        """
        length: torch.Tensor = features.norm(dim=1, keepdim=True)
        return features / length.clamp_min(1e-12)


def to_torch(classifier: Any, labels: tuple[str, ...]) -> nn.Sequential:
    """Return a fitted classifier as a torch module from features to logits.

    Parameters
    ----------
    classifier : estimator
        Fitted; built of StandardScaler, Normalizer, PCA, LogisticRegression,
        LinearSVC, OneVsRestClassifier of the latter, PriorFusion, and a
        temperature-scaled CalibratedClassifierCV.
    labels : tuple of str
        The order of the logits.

    Returns
    -------
    torch.nn.Sequential
        From (n_photos, n_features), float32, to (n_photos, n_labels):
        their softmax is what ``predict_proba`` returns.

    Raises
    ------
    ModelError
        Another estimator is in it, or other labels.
    """
    parts = [_convert(step) for step in _steps(classifier)]
    classes: list[str] = list(getattr(classifier, "classes_", ()))
    if sorted(classes) != sorted(labels):
        raise ModelError(f"A classifier of {classes} cannot be exported for {list(labels)}.")
    ordered = _Affine.selecting([classes.index(label) for label in labels], len(classes))
    unit_length = any(part is None for part in parts[:1])
    if any(part is None for part in parts[1:]):
        raise ModelError("Normalizer can be exported as the first step only.")
    affine = reduce(_Affine.then, [part for part in parts if part is not None] + [ordered])
    head = make_head(affine.weight.shape[1], len(labels), unit_length=unit_length)
    linear = head[-1]
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(affine.weight))
        linear.bias.copy_(torch.from_numpy(affine.bias))
    return head


def make_head(n_features: int, n_labels: int, *, unit_length: bool) -> nn.Sequential:
    """Return the module that `to_torch` fills: a linear layer, after `UnitLength` if asked for."""
    linear = nn.Linear(n_features, n_labels)
    head = nn.Sequential(UnitLength(), linear) if unit_length else nn.Sequential(linear)
    return head.requires_grad_(False)


@dataclass(frozen=True)
class _Affine:
    """A map from vectors v to ``weight @ v + bias``."""

    weight: Array
    bias: Array

    def then(self, after: Self) -> "_Affine":
        return _Affine(after.weight @ self.weight, after.weight @ self.bias + after.bias)

    @classmethod
    def selecting(cls, rows: list[int], size: int) -> Self:
        return cls(np.eye(size)[rows], np.zeros(len(rows)))


def _steps(estimator: Any) -> list[Any]:
    """Return an estimator's steps in order, with a temperature as an affine map of the logits."""
    if isinstance(estimator, Pipeline):
        return [part for _, step in estimator.steps for part in _steps(step)]
    if isinstance(estimator, CalibratedClassifierCV):
        if estimator.method != "temperature" or len(estimator.calibrated_classifiers_) != 1:
            raise ModelError(
                "Only a calibration with method='temperature' and ensemble=False can be exported."
            )
        fitted = estimator.calibrated_classifiers_[0]
        # scikit-learn scales the logits (-x, x) of a binary score x, whose own are half of it.
        size = len(estimator.classes_)
        factor = float(fitted.calibrators[0].beta_) * (2.0 if size == 2 else 1.0)
        return [*_steps(fitted.estimator), _Affine(factor * np.eye(size), np.zeros(size))]
    return [estimator]


def _convert(step: Any) -> _Affine | None:
    """Return a step as an affine map; None stands for scaling to unit length."""
    if isinstance(step, Normalizer) and step.norm == "l2":
        return None
    if isinstance(step, StandardScaler):
        return _standardise(step)
    if isinstance(step, PCA):
        return _project(step)
    if isinstance(step, LogisticRegression):
        return _logits(step)
    if isinstance(step, PriorFusion):
        return _Affine(*step.affine())
    if isinstance(step, LinearSVC):
        return _logits(step)
    if isinstance(step, OneVsRestClassifier):
        return _one_vs_rest(step)
    if isinstance(step, _Affine):
        return step
    raise ModelError(f"{type(step).__name__} cannot be exported.")


def _standardise(scaler: StandardScaler) -> _Affine:
    # with_mean=False still leaves a mean_, which is not subtracted
    scale = scaler.scale_ if scaler.with_std else np.ones(scaler.n_features_in_)
    mean = scaler.mean_ if scaler.with_mean else np.zeros(scaler.n_features_in_)
    return _Affine(np.diag(1 / scale), -mean / scale)


def _project(pca: PCA) -> _Affine:
    weight = pca.components_
    if pca.whiten:
        deviation = np.sqrt(pca.explained_variance_)
        # the bound below which scikit-learn takes a component for constant
        lowest = np.finfo(deviation.dtype).eps
        weight = weight / np.maximum(deviation, lowest)[:, np.newaxis]
    return _Affine(weight, -weight @ pca.mean_)


def _one_vs_rest(classifier: OneVsRestClassifier) -> _Affine:
    """Return the scores of one linear machine a class as logits."""
    machines = classifier.estimators_
    if not all(isinstance(machine, LinearSVC) for machine in machines):
        raise ModelError("OneVsRestClassifier can be exported of LinearSVC only.")
    weight = np.concatenate([machine.coef_ for machine in machines])
    bias = np.concatenate([np.atleast_1d(machine.intercept_) for machine in machines])
    return _as_logits(weight, bias, len(classifier.classes_))


def _logits(classifier: LogisticRegression | LinearSVC) -> _Affine:
    weight, bias = classifier.coef_, np.atleast_1d(classifier.intercept_)
    return _as_logits(weight, bias, len(classifier.classes_))


def _as_logits(weight: Array, bias: Array, n_classes: int) -> _Affine:
    if n_classes == 2:
        # One score x for two classes: the softmax of (-x/2, x/2) is its sigmoid.
        return _Affine(np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2)
    return _Affine(weight, bias)
