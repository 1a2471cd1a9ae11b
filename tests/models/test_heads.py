"""Heads: torch says what scikit-learn's predict_proba says, or the estimator is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from emotag.errors import ModelError
from emotag.models.heads import UnitLength, make_head, to_torch

RNG = np.random.default_rng(0)
N_FEATURES = 8
# Features as a network gives them: never negative, of uneven size.
CAUSES = RNG.normal(0, 1, (90, N_FEATURES))
X = (np.exp(CAUSES / 2) * np.geomspace(0.5, 5, N_FEATURES)).astype(np.float32)
NOISY = CAUSES + RNG.normal(0, 0.4, CAUSES.shape)
THREE = np.array(["fear", "joy", "love"])[NOISY[:, -3:].argmax(axis=1)]
TWO = np.where(NOISY[:, -1] > NOISY[:, -2], "positive", "negative")

LABELS = {"two": TWO, "three": THREE}
BEFORE: dict[str, list[Any]] = {
    "nothing": [],
    "scaler": [StandardScaler()],
    "scaler without mean": [StandardScaler(with_mean=False)],
    "scaler without deviation": [StandardScaler(with_std=False)],
    "scaler of nothing": [StandardScaler(with_mean=False, with_std=False)],
    "unit length": [Normalizer()],
    "unit length, scaler": [Normalizer(), StandardScaler()],
    "projection": [PCA(4)],
    "whitened projection": [PCA(4, whiten=True)],
    "everything": [Normalizer(), StandardScaler(), PCA(5, whiten=True), StandardScaler()],
    "nested": [make_pipeline(StandardScaler(), make_pipeline(PCA(3)))],
}


def calibrated(classifier: Any, **options: Any) -> CalibratedClassifierCV:
    options = {"method": "temperature", "ensemble": False, "cv": 3} | options
    return CalibratedClassifierCV(classifier, **options)


def probabilities(classifier: Any, labels: tuple[str, ...], features: Any = X) -> NDArray[Any]:
    """Return the softmax of the exported classifier."""
    logits = to_torch(classifier, labels)(torch.from_numpy(features))
    assert logits.dtype == torch.float32
    return torch.softmax(logits, dim=1).numpy()


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("before", BEFORE)
def test_probabilities_are_scikit_learns(before: str, labels: str, calibrate: bool) -> None:
    y = LABELS[labels]
    classifier: Any = make_pipeline(*BEFORE[before], LogisticRegression(max_iter=1000))
    if calibrate:
        classifier = calibrated(classifier)
    classifier.fit(X, y)
    expected = classifier.predict_proba(X)
    assert np.ptp(expected) > 0.3
    found = probabilities(classifier, tuple(classifier.classes_))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_temperature_may_stand_inside_the_pipeline() -> None:
    classifier = make_pipeline(StandardScaler(), calibrated(LogisticRegression())).fit(X, THREE)
    found = probabilities(classifier, tuple(classifier.classes_))
    np.testing.assert_allclose(found, classifier.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"fit_intercept": False},
        {"class_weight": "balanced"},
        {"solver": "newton-cg"},
        {"C": 1e-3},
        {"C": 1e3},
    ],
)
@pytest.mark.parametrize("labels", LABELS)
def test_options_of_logistic_regression(options: dict[str, Any], labels: str) -> None:
    classifier = LogisticRegression(max_iter=5000, **options).fit(X, LABELS[labels])
    found = probabilities(classifier, tuple(classifier.classes_))
    np.testing.assert_allclose(found, classifier.predict_proba(X), atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(order=st.permutations(["fear", "joy", "love"]), scale=st.floats(1e-3, 1e3))
def test_any_order_of_labels(order: list[str], scale: float) -> None:
    features = (X * scale).astype("f4")
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, THREE)
    expected = classifier.predict_proba(features)[
        :, [classifier.classes_.tolist().index(name) for name in order]
    ]
    np.testing.assert_allclose(
        probabilities(classifier, tuple(order), features), expected, atol=1e-4
    )


def test_two_labels_the_other_way_round() -> None:
    classifier = calibrated(LogisticRegression()).fit(X, TWO)
    found = probabilities(classifier, ("positive", "negative"))
    np.testing.assert_allclose(found[:, ::-1], classifier.predict_proba(X), atol=1e-5)


def test_a_photo_without_any_feature() -> None:
    classifier = make_pipeline(Normalizer(), LogisticRegression()).fit(X, THREE)
    nothing = np.zeros((1, N_FEATURES), dtype=np.float32)
    found = probabilities(classifier, tuple(classifier.classes_), nothing)
    np.testing.assert_allclose(found, classifier.predict_proba(nothing), atol=1e-5)


def test_a_constant_component_is_not_divided_by_zero() -> None:
    classifier = make_pipeline(PCA(whiten=True), LogisticRegression()).fit(X, THREE)
    # as some solvers give it for features of lower rank
    classifier[0].explained_variance_[-1] = 0.0
    classifier[0].components_[-1] = 0.0
    found = probabilities(classifier, tuple(classifier.classes_))
    np.testing.assert_allclose(found, classifier.predict_proba(X), atol=1e-5)


def test_heads_are_frozen_and_small() -> None:
    classifier = make_pipeline(StandardScaler(), PCA(4), LogisticRegression()).fit(X, THREE)
    head = to_torch(classifier, ("fear", "joy", "love"))
    # all steps became one layer
    assert {name: tuple(value.shape) for name, value in head.state_dict().items()} == {
        "0.weight": (3, N_FEATURES),
        "0.bias": (3,),
    }
    assert not any(parameter.requires_grad for parameter in head.parameters())
    empty = make_head(N_FEATURES, 3, unit_length=False)
    empty.load_state_dict(head.state_dict())
    assert isinstance(make_head(N_FEATURES, 3, unit_length=True)[0], UnitLength)


class Other(StandardScaler):
    """A class of someone else's."""


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        (RandomForestClassifier(3), "RandomForestClassifier cannot be exported."),
        (
            OneVsRestClassifier(LogisticRegression()),
            "OneVsRestClassifier can be exported of LinearSVC only.",
        ),
        (make_pipeline(TruncatedSVD(3), LogisticRegression()), "TruncatedSVD cannot be exported."),
        (
            make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
            "FunctionTransformer cannot be exported.",
        ),
        (make_pipeline(Normalizer("l1"), LogisticRegression()), "Normalizer cannot be exported."),
        (
            make_pipeline(StandardScaler(), Normalizer(), LogisticRegression()),
            "Normalizer can be exported as the first step only.",
        ),
        (calibrated(RandomForestClassifier(3)), "RandomForestClassifier cannot be exported."),
        (
            calibrated(LogisticRegression(), method="sigmoid"),
            "Only a calibration with method='temperature' and ensemble=False can be exported.",
        ),
        (
            calibrated(LogisticRegression(), ensemble=True),
            "Only a calibration with method='temperature' and ensemble=False can be exported.",
        ),
    ],
)
def test_what_cannot_be_exported(classifier: Any, message: str) -> None:
    classifier.fit(X, THREE)
    with pytest.raises(ModelError) as caught:
        to_torch(classifier, ("fear", "joy", "love"))
    assert str(caught.value) == message


def test_other_labels() -> None:
    classifier = LogisticRegression().fit(X, THREE)
    with pytest.raises(ModelError) as caught:
        to_torch(classifier, ("awe", "joy", "love"))
    assert str(caught.value).startswith("A classifier of [")
    assert str(caught.value).endswith("cannot be exported for ['awe', 'joy', 'love'].")


def test_subclasses_that_only_fit_otherwise() -> None:
    options = {"use_legacy_attributes": False, "l1_ratios": (0,), "scoring": "accuracy"}
    search = LogisticRegressionCV(Cs=3, cv=3, **options)
    classifier = Pipeline([("scale", Other()), ("classify", search)]).fit(X, THREE)
    found = probabilities(classifier, tuple(classifier.classes_))
    np.testing.assert_allclose(found, classifier.predict_proba(X), atol=1e-5)
