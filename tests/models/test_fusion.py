"""PriorFusion: logistic regression from a prior, by scikit-learn's own rules."""

from typing import Any

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils import compute_sample_weight
from sklearn.utils.estimator_checks import parametrize_with_checks

from emotag.errors import DataError, ModelError
from emotag.features.ratings import read_ratings
from emotag.models.fusion import CONCEPT_LABELS, CalibratedFusion, PriorFusion

X, Y = load_iris(return_X_y=True)
NAMES = np.array(["awe", "fear", "love"])[Y]
RNG = np.random.default_rng(0)
PRIOR = RNG.normal(size=(len(X), 2))
BOTH = np.column_stack([X, PRIOR])


@parametrize_with_checks([PriorFusion(labels=(), C=1.0)])
def test_scikit_learns_whole_list_of_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("C", [1e-3, 1.0])
@pytest.mark.parametrize("weights", [None, "balanced"])
def test_without_a_prior_it_is_scikit_learns(C: float, weights: str | None) -> None:
    some, names = X[20:], NAMES[20:]
    counts = compute_sample_weight(weights, names)
    scaled = StandardScaler().fit(some, sample_weight=counts).transform(some)
    expected = LogisticRegression(C=C, class_weight=weights, tol=1e-8, max_iter=1000)
    expected.fit(scaled, names)
    found = PriorFusion(labels=(), C=C, class_weight=weights).fit(some, names)
    np.testing.assert_allclose(found.predict_proba(some), expected.predict_proba(scaled), atol=1e-4)


def test_the_labels_of_the_tables_are_known() -> None:
    for table in ("imagenet", "places365"):
        assert read_ratings(table).labels == CONCEPT_LABELS


def test_the_prior_alone() -> None:
    fusion = PriorFusion(labels=("love", "fear"), weight=2.0).fit(PRIOR, NAMES)
    logits = np.column_stack([np.zeros(len(X)), 2 * PRIOR[:, 1], 2 * PRIOR[:, 0]])
    np.testing.assert_allclose(fusion.predict_proba(PRIOR), softmax(logits, axis=1))
    assert fusion.coef_.shape == (3, 0)


def test_the_prior_is_in_place_while_it_learns() -> None:
    # a prior that says it all leaves nothing to learn
    told = 20.0 * np.eye(3)[Y]
    labels = ("awe", "fear", "love")
    sure = PriorFusion(labels=labels, C=1.0).fit(np.column_stack([X, told]), NAMES)
    plain = PriorFusion(labels=(), C=1.0).fit(X, NAMES)
    assert np.abs(sure.coef_).max() < 0.01 * np.abs(plain.coef_).max()
    without = PriorFusion(labels=labels, weight=0.0, C=1.0).fit(np.column_stack([X, told]), NAMES)
    np.testing.assert_allclose(without.coef_, plain.coef_, atol=1e-4)


def test_the_affine_map_gives_the_logits() -> None:
    fusion = PriorFusion(labels=("love", "fear"), weight=1.5, C=0.1).fit(BOTH, NAMES)
    weight, bias = fusion.affine()
    np.testing.assert_allclose(BOTH @ weight.T + bias, fusion.decision_function(BOTH))
    assert fusion.prior_columns_.tolist() == [-1, 1, 0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": 0}, "C=0 must be a number above 0."),
        ({"C": "1"}, "C='1' must be a number above 0."),
        ({"weight": float("nan")}, "weight=nan must be a number."),
        ({"max_iter": 0}, "max_iter=0 must be a whole number above 0."),
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        PriorFusion(labels=(), **parameters).fit(X, NAMES)
    assert str(caught.value) == message


def test_data_that_makes_no_sense() -> None:
    with pytest.raises(DataError) as caught:
        PriorFusion().fit(X, NAMES)
    assert str(caught.value) == "X has 4 columns, fewer than the 7 of the prior."
    with pytest.raises(DataError, match="There is one class only"):
        PriorFusion(labels=()).fit(X, ["love"] * len(X))


@pytest.mark.parametrize("names", [NAMES, np.where(NAMES == "awe", "fear", NAMES)])
def test_a_calibration_leaves_the_prior_in_place(names: Any) -> None:
    fusion = PriorFusion(labels=("love", "fear"), C=0.1)
    calibrated = CalibratedFusion(fusion, method="temperature", cv=3, ensemble=False)
    calibrated.fit(BOTH, names)
    plain = clone(fusion).fit(BOTH, names)
    inside = calibrated.calibrated_classifiers_[0]
    assert calibrated.classes_.tolist() == plain.classes_.tolist()
    np.testing.assert_array_equal(inside.estimator.prior_columns_, plain.prior_columns_)
    logits = plain.decision_function(BOTH)
    if logits.ndim == 1:
        # as scikit-learn takes a single score
        logits = np.column_stack([-logits, logits])
    expected = softmax(inside.calibrators[0].beta_ * logits, axis=1)
    np.testing.assert_allclose(calibrated.predict_proba(BOTH), expected, atol=1e-6)
    assert calibrated.estimator is fusion
    assert fusion.labels == ("love", "fear")


def test_a_calibration_of_something_else() -> None:
    with pytest.raises(ModelError, match="CalibratedFusion calibrates a PriorFusion, not Logistic"):
        CalibratedFusion(LogisticRegression(), method="temperature").fit(X, NAMES)


def test_classes_of_which_there_is_no_prior() -> None:
    with pytest.raises(DataError) as caught:
        PriorFusion(labels=("love", "fear")).fit(BOTH, Y)
    assert str(caught.value) == (
        "None of the classes 0, 1, 2 has a prior, which there is of love, fear. Use a model "
        "without one, or rename the classes."
    )
