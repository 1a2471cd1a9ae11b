"""scikit-learn's rules, check by check, for every estimator on paths of photos.

Each check has the name that it has in `sklearn.utils.estimator_checks`. Those that ask
about parameters alone are scikit-learn's own functions. The others do there what makes
sense of numbers only, so they are written anew here for paths. What is left out, and why:

- sparse matrices, other memory orders, array libraries, complex numbers, missing values
  and numbers of features (`check_n_features_in`, `check_fit2d_1feature` …): X is paths;
- `check_sample_weight_equivalence`: what is drawn at random goes by the number of photos;
- regressors, clusterers, outliers, `partial_fit`: nothing here is or has one.

Estimators of numbers pass `check_estimator` itself; see `test_fusion`.
"""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

from emotag import (
    GIST,
    CNNFeatures,
    ConceptScores,
    FineTunedCNN,
    LabHistogram,
    ProgressiveCNN,
    SentimentClassifier,
    ZeroShotCLIP,
)
from emotag.backbones.backbone import Backbone
from emotag.errors import EmotagError
from tests.models.conftest import Photos

METHODS = ("predict", "predict_proba", "decision_function", "transform")


def linear() -> Pipeline:
    return make_pipeline(CNNFeatures("tiny"), StandardScaler(), LogisticRegression(C=0.1))


def svm() -> Pipeline:
    head = OneVsRestClassifier(LinearSVC(C=0.1, random_state=0))
    return make_pipeline(CNNFeatures("tiny"), StandardScaler(), head)


def tuned() -> FineTunedCNN:
    return FineTunedCNN("tiny", lr=0.02, head_lr=0.3, max_epochs=6, batch_size=8, random_state=0)


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "CNNFeatures": lambda: CNNFeatures("tiny"),
    "ConceptScores": lambda: ConceptScores("lite0"),
    "linear": linear,
    "svm": svm,
    "lab": lambda: make_pipeline(LabHistogram(), StandardScaler(), LogisticRegression(C=0.1)),
    "FineTunedCNN": tuned,
    "SentimentClassifier-svm": lambda: SentimentClassifier(svm()),
    "SentimentClassifier-tuned": lambda: SentimentClassifier(tuned()),
}
CLASSIFIERS = [name for name in ESTIMATORS if name not in ("CNNFeatures", "ConceptScores")]
TRANSFORMERS = ["CNNFeatures", "ConceptScores"]
SENTIMENTS = [name for name in CLASSIFIERS if name.startswith("Sentiment")]
WEIGHED = ["FineTunedCNN", "SentimentClassifier-tuned"]
OWN = [
    CNNFeatures(),
    ConceptScores(),
    FineTunedCNN(),
    GIST(),
    ProgressiveCNN(),
    SentimentClassifier(LogisticRegression()),
    ZeroShotCLIP(),
]

# CNNFeatures learns nothing, and says so by its tag `requires_fit`
LEARNING = [name for name in ESTIMATORS if name != "CNNFeatures"]

every_estimator = pytest.mark.parametrize("name", ESTIMATORS)
every_classifier = pytest.mark.parametrize("name", CLASSIFIERS)
every_transformer = pytest.mark.parametrize("name", TRANSFORMERS)
every_learning = pytest.mark.parametrize("name", LEARNING)
every_weighed = pytest.mark.parametrize("name", WEIGHED)

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture(scope="module")
def fitted(tiny: Backbone, photos: Photos) -> Callable[[str], Any]:
    """Return a fitted estimator by its name; each is fitted once."""
    known: dict[str, Any] = {}

    def fit(name: str) -> Any:
        if name not in known:
            known[name] = ESTIMATORS[name]().fit(photos.X, photos.y)
        return known[name]

    return fit


def outputs(estimator: Any, X: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return what each method that an estimator has says of photos."""
    return {name: getattr(estimator, name)(X) for name in METHODS if hasattr(estimator, name)}


def assert_same(
    found: dict[str, np.ndarray[Any, Any]], expected: dict[str, np.ndarray[Any, Any]]
) -> None:
    assert found.keys() == expected.keys() != set()
    for method, values in expected.items():
        if values.dtype.kind in "fc":
            np.testing.assert_allclose(found[method], values, rtol=1e-4, atol=1e-5)
        else:
            np.testing.assert_array_equal(found[method], values)


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_do_not_raise_errors_in_init_or_set_params,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
        estimator_checks.check_estimator_tags_renamed,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_mixin_order,
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_set_params,
        estimator_checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
@pytest.mark.parametrize("estimator", OWN, ids=lambda estimator: type(estimator).__name__)
def test_scikit_learns_own(estimator: Any, check: Callable[[str, Any], None]) -> None:
    check(type(estimator).__name__, clone(estimator))


@every_estimator
def test_check_estimators_fit_returns_self(name: str, photos: Photos) -> None:
    estimator = ESTIMATORS[name]()
    assert estimator.fit(photos.X, photos.y) is estimator


@every_learning
def test_check_fit_check_is_fitted(name: str, fitted: Callable[[str], Any]) -> None:
    with pytest.raises(NotFittedError):
        check_is_fitted(ESTIMATORS[name]())
    check_is_fitted(fitted(name))


@every_learning
def test_check_estimators_unfitted(name: str, photos: Photos) -> None:
    unfitted = ESTIMATORS[name]()
    asked = [method for method in METHODS if hasattr(unfitted, method)]
    assert asked
    for method in asked:
        with pytest.raises(NotFittedError):
            getattr(unfitted, method)(photos.X)


@pytest.mark.parametrize("name", ["CNNFeatures", "ConceptScores", "FineTunedCNN", *SENTIMENTS])
def test_check_estimators_overwrite_params(name: str, photos: Photos) -> None:
    estimator = ESTIMATORS[name]()
    before = copy.deepcopy(estimator.get_params(deep=False))
    kept = {key: id(value) for key, value in estimator.get_params(deep=False).items()}
    estimator.fit(photos.X, photos.y)
    after = estimator.get_params(deep=False)
    assert {key: id(value) for key, value in after.items()} == kept
    assert repr(after) == repr(before)


@every_estimator
def test_check_dont_overwrite_parameters(name: str, photos: Photos) -> None:
    estimator = ESTIMATORS[name]()
    before = set(vars(estimator))
    estimator.fit(photos.X, photos.y)
    added = set(vars(estimator)) - before
    assert all(attribute.endswith("_") or attribute.startswith("_") for attribute in added)


@every_estimator
def test_check_fit_idempotent(name: str, photos: Photos, fitted: Callable[[str], Any]) -> None:
    before = outputs(fitted(name), photos.X)
    again = copy.deepcopy(fitted(name)).fit(photos.X, photos.y)
    assert_same(outputs(again, photos.X), before)


@every_estimator
def test_check_dict_unchanged(name: str, photos: Photos, fitted: Callable[[str], Any]) -> None:
    estimator = fitted(name)
    before = {key: id(value) for key, value in vars(estimator).items()}
    outputs(estimator, photos.X[:3])
    assert {key: id(value) for key, value in vars(estimator).items()} == before


@every_estimator
def test_check_methods_subset_invariance(
    name: str, photos: Photos, fitted: Callable[[str], Any]
) -> None:
    some = photos.X[:6]
    together = outputs(fitted(name), some)
    alone = [outputs(fitted(name), some[i : i + 1]) for i in range(len(some))]
    joined = {method: np.concatenate([one[method] for one in alone]) for method in alone[0]}
    assert_same(joined, together)


@every_estimator
def test_check_methods_sample_order_invariance(
    name: str, photos: Photos, fitted: Callable[[str], Any]
) -> None:
    order = np.random.default_rng(0).permutation(len(photos.X))
    straight = outputs(fitted(name), photos.X)
    mixed = outputs(fitted(name), photos.X[order])
    assert_same(mixed, {method: values[order] for method, values in straight.items()})


@every_estimator
def test_check_estimators_pickle(name: str, photos: Photos, fitted: Callable[[str], Any]) -> None:
    copied = pickle.loads(pickle.dumps(fitted(name)))
    assert_same(outputs(copied, photos.X), outputs(fitted(name), photos.X))


@every_estimator
@pytest.mark.parametrize(
    "as_given",
    [list, tuple, pd.Series, lambda X: X.astype(object), lambda X: [Path(path) for path in X]],
    ids=["list", "tuple", "Series", "object", "Path"],
)
def test_check_dtype_object(
    name: str, as_given: Callable[[Any], Any], photos: Photos, fitted: Callable[[str], Any]
) -> None:
    some = photos.X[::8]
    assert_same(outputs(fitted(name), as_given(some)), outputs(fitted(name), some))
    assert ESTIMATORS[name]().fit(as_given(photos.X), list(photos.y))


@every_estimator
def test_check_estimators_empty_data_messages(name: str, fitted: Callable[[str], Any]) -> None:
    if name != "CNNFeatures":
        with pytest.raises(ValueError, match=r"X is empty|y has the shape \(0,\)"):
            ESTIMATORS[name]().fit([], [])
    for method in METHODS:
        if hasattr(fitted(name), method):
            with pytest.raises(ValueError, match="X is empty: there is no photo in it"):
                getattr(fitted(name), method)([])


@every_estimator
def test_check_fit2d_predict1d(name: str, photos: Photos, fitted: Callable[[str], Any]) -> None:
    """Paths are one-dimensional: a table of them is refused, and so is a single path."""
    with pytest.raises(EmotagError):
        ESTIMATORS[name]().fit(np.column_stack([photos.X, photos.X]), photos.y)
    for method in METHODS:
        if hasattr(fitted(name), method):
            with pytest.raises(EmotagError):
                getattr(fitted(name), method)(photos.X[0])
            with pytest.raises(EmotagError):
                getattr(fitted(name), method)(np.zeros((3, 4)))


@every_classifier
def test_check_consistent_length(name: str, photos: Photos) -> None:
    with pytest.raises(ValueError, match=r"inconsistent|but y has 39 values"):
        ESTIMATORS[name]().fit(photos.X, photos.y[:-1])


@every_transformer
def test_check_transformer_general(name: str, photos: Photos, fitted: Callable[[str], Any]) -> None:
    found = ESTIMATORS[name]().fit_transform(photos.X, photos.y)
    np.testing.assert_allclose(found, fitted(name).transform(photos.X), atol=1e-5)
    assert found.dtype == np.float32
    assert found.shape == (len(photos.X), len(fitted(name).get_feature_names_out()))


@every_transformer
def test_check_set_output_transform(name: str, photos: Photos) -> None:
    estimator = ESTIMATORS[name]().set_output(transform="pandas").fit(photos.X)
    frame = estimator.transform(photos.X[:2])
    assert list(frame.columns) == list(estimator.get_feature_names_out())


@every_classifier
def test_check_requires_y_none(name: str, photos: Photos) -> None:
    with pytest.raises((ValueError, TypeError), match=r"y|label"):
        ESTIMATORS[name]().fit(photos.X, None)


@every_classifier
def test_check_classifiers_train(name: str, photos: Photos, fitted: Callable[[str], Any]) -> None:
    model, y = fitted(name), photos.sentiments if name in SENTIMENTS else photos.y
    assert is_classifier(model)
    assert model.predict(photos.X).shape == y.shape
    assert model.score(photos.X, y) > 0.7
    if hasattr(model, "predict_proba"):
        proba = model.predict_proba(photos.X)
        assert proba.shape == (len(y), len(model.classes_))
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], model.predict(photos.X))


@every_classifier
def test_check_decision_proba_consistency(
    name: str, photos: Photos, fitted: Callable[[str], Any]
) -> None:
    model = fitted(name)
    scores = model.decision_function(photos.X)
    if scores.ndim == 1:
        np.testing.assert_array_equal(
            model.classes_[(scores > 0).astype(int)], model.predict(photos.X)
        )
        return
    np.testing.assert_array_equal(model.classes_[scores.argmax(axis=1)], model.predict(photos.X))


@every_classifier
def test_check_classifiers_classes(name: str, photos: Photos, fitted: Callable[[str], Any]) -> None:
    expected = np.unique(photos.sentiments if name in SENTIMENTS else photos.y)
    np.testing.assert_array_equal(fitted(name).classes_, expected)
    assert set(fitted(name).predict(photos.X)) <= set(expected)
    if name in SENTIMENTS:
        return
    for labels in (np.array([3, 1, 2, 0]), np.array([False, True, True, False])):
        y = labels[np.unique(photos.y, return_inverse=True)[1]]
        model = ESTIMATORS[name]().fit(photos.X, y)
        np.testing.assert_array_equal(model.classes_, np.unique(y))
        assert model.predict(photos.X).dtype == y.dtype


# what heads of scikit-learn's own say of labels alone is scikit-learn's
OWN_CLASSIFIERS = [name for name in CLASSIFIERS if name not in ("linear", "svm")]


@pytest.mark.parametrize("name", OWN_CLASSIFIERS)
def test_check_classifiers_one_label(name: str, photos: Photos) -> None:
    with pytest.raises(ValueError, match=r"one label|one class|All photos are"):
        ESTIMATORS[name]().fit(photos.X[:5], ["love"] * 5)


@pytest.mark.parametrize("name", OWN_CLASSIFIERS)
def test_check_classifiers_regression_target(name: str, photos: Photos) -> None:
    with pytest.raises(ValueError, match=r"ontinuous|no sentiment|Unknown label"):
        ESTIMATORS[name]().fit(photos.X, np.linspace(0.1, 1.7, len(photos.X)))


@pytest.mark.parametrize("name", OWN_CLASSIFIERS)
def test_check_supervised_y_no_nan(name: str, photos: Photos) -> None:
    y = photos.y.astype(object)
    y[3] = np.nan
    with pytest.raises(ValueError, match=r"\S"):
        ESTIMATORS[name]().fit(photos.X, y)


@pytest.mark.parametrize("name", OWN_CLASSIFIERS)
def test_check_supervised_y_2d(name: str, photos: Photos) -> None:
    y = np.column_stack([photos.y, photos.y])
    with pytest.raises(ValueError, match=r"\S"):
        ESTIMATORS[name]().fit(photos.X, y)


@pytest.mark.parametrize("name", ["linear", "svm", "FineTunedCNN"])
def test_check_pipeline_consistency(
    name: str, photos: Photos, fitted: Callable[[str], Any]
) -> None:
    piped = Pipeline([("model", ESTIMATORS[name]())]).fit(photos.X, photos.y)
    assert_same(outputs(piped, photos.X), outputs(fitted(name), photos.X))


def test_check_non_transformer_estimators_n_iter(fitted: Callable[[str], Any]) -> None:
    assert fitted("FineTunedCNN").n_iter_ >= 1


def test_check_class_weight_classifiers(photos: Photos) -> None:
    wanted = {"love": 1000.0, "fear": 0.001, "happiness": 0.001, "sadness": 0.001}
    model = tuned().set_params(class_weight=wanted, lr=0, validation_fraction=None, max_epochs=20)
    found = model.fit(photos.X, photos.y).predict(photos.X)
    assert (found == "love").mean() > 0.87


@every_weighed
@pytest.mark.parametrize("as_given", [list, np.asarray, pd.Series])
def test_check_sample_weights(
    name: str, as_given: Callable[[Any], Any], photos: Photos, fitted: Callable[[str], Any]
) -> None:
    """Lists, arrays and series alike, and left as they were."""
    weights = as_given([2.0] * len(photos.X))
    model = ESTIMATORS[name]().fit(photos.X, photos.y, sample_weight=weights)
    assert list(weights) == [2.0] * len(photos.X)
    # all photos the same weight is as none
    assert_same(outputs(model, photos.X), outputs(fitted(name), photos.X))


@every_weighed
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda n: np.ones((n, 2)), r"sample_weight"),
        (lambda n: np.ones(n - 1), r"sample_weight"),
        (np.zeros, r"weight"),
        (lambda n: np.full(n, np.nan), r"weight"),
        (lambda n: -np.ones(n), r"weight"),
    ],
    ids=["2-D", "short", "zero", "NaN", "negative"],
)
def test_check_sample_weights_shape_and_values(
    name: str, value: Callable[[int], Any], message: str, photos: Photos
) -> None:
    with pytest.raises(ValueError, match=message):
        ESTIMATORS[name]().fit(photos.X, photos.y, sample_weight=value(len(photos.X)))
