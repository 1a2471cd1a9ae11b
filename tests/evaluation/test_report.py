import json
import math

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from emotag.emotions import FIVE, LabelSet
from emotag.errors import DataError, LabelError
from emotag.evaluation.report import evaluate, judge


@pytest.fixture(scope="module")
def photos():
    """Features of 300 photos of three of the five emotions, and those emotions."""
    rng = np.random.default_rng(0)
    y = rng.choice(["love", "fear", "violence"], 300, p=[0.5, 0.3, 0.2])
    centres = {"love": (0, 0), "fear": (1.5, 0), "violence": (0, 1.5)}
    X = np.array([centres[label] for label in y]) + rng.normal(size=(300, 2))
    return X[:150], y[:150], X[150:], y[150:]


def assert_is_json(report):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    assert json.loads(report.to_json(), parse_constant=refuse) == report.to_dict()


def test_a_pipeline_is_judged_as_scikit_learn_judges_it(photos):
    X, y, X_test, y_test = photos
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    report = evaluate(model, X_test, y_test)
    assert report.n_photos == report.n_groups == 150
    assert report.labels == ("love", "violence", "fear")
    predicted = model.predict(X_test)
    assert report.metrics["accuracy"].value == pytest.approx(accuracy_score(y_test, predicted))
    loss = log_loss(y_test, model.predict_proba(X_test), labels=model.classes_)
    assert report.metrics["log_loss"].value == pytest.approx(loss)
    np.testing.assert_array_equal(
        report.confusion, confusion_matrix(y_test, predicted, labels=report.labels)
    )
    positive = model.predict_proba(X_test)[:, model.classes_.tolist().index("love")]
    right = (positive >= 0.5) == (y_test == "love")
    assert report.metrics["sentiment_accuracy"].value == pytest.approx(right.mean())
    assert report.metrics["sentiment_majority_baseline"].value == pytest.approx(
        max((y_test == "love").mean(), (y_test != "love").mean())
    )
    assert set(report.recalls) == {"love", "violence", "fear"}
    assert_is_json(report)


def test_a_grid_search_is_judged_too(photos):
    X, y, X_test, y_test = photos
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}).fit(X, y)
    report = evaluate(search, X_test, y_test)
    assert report.metrics["accuracy"].value == pytest.approx(search.score(X_test, y_test))


def test_always_the_majority_scores_its_baseline(photos):
    X, y, X_test, y_test = photos
    report = evaluate(DummyClassifier().fit(X, y), X_test, y_test)
    assert report.metrics["accuracy"] == report.metrics["majority_baseline"]
    assert report.metrics["balanced_accuracy"].value == pytest.approx(1 / 3)
    assert report.recalls["love"].value == 1
    assert report.recalls["fear"].value == 0


def test_a_classifier_without_probabilities(photos):
    X, y, X_test, y_test = photos
    model = Perceptron().fit(X, y)
    report = evaluate(model, X_test, y_test)
    assert report.metrics["accuracy"].value == pytest.approx(model.score(X_test, y_test))
    assert "log_loss" not in report.metrics
    assert "calibration_error" not in report.metrics
    positive = model.predict(X_test) == "love"
    assert report.metrics["sentiment_accuracy"].value == pytest.approx(
        (positive == (y_test == "love")).mean()
    )
    assert_is_json(report)


def test_of_equal_probabilities_the_one_that_predict_takes_counts(photos):
    X, y, X_test, y_test = photos
    model = KNeighborsClassifier(2).fit(X, y)
    proba = model.predict_proba(X_test)
    assert (proba == 0.5).any(), "there should be ties"
    report = evaluate(model, X_test, y_test, label_set=FIVE)
    assert report.metrics["accuracy"].value == pytest.approx(model.score(X_test, y_test))


def test_labels_that_no_photo_has_do_not_count(photos):
    X, y, X_test, y_test = photos
    model = LogisticRegression().fit(X, y)
    two = y_test != "violence"
    report = evaluate(model, X_test[two], y_test[two])
    assert set(report.recalls) == {"love", "fear"}
    mean = np.mean([figure.value for figure in report.recalls.values()])
    assert report.metrics["balanced_accuracy"].value == pytest.approx(mean)
    assert report.confusion.sum(axis=1)[report.labels.index("violence")] == 0
    assert_is_json(report)


def test_labels_may_be_numbers():
    X = [[0.0], [1.0], [2.0]] * 5
    report = evaluate(LogisticRegression().fit(X, [0, 1, 2] * 5), X, [0, 1, 2] * 5)
    assert report.labels == ("0", "1", "2")
    assert "sentiment_accuracy" not in report.metrics
    assert_is_json(report)


def test_a_label_set_gives_order_and_sentiment(photos):
    X, y, X_test, y_test = photos
    model = LogisticRegression().fit(X, y)
    labels = LabelSet(["violence", "love", "fear"], ["violence"], ["love", "fear"])
    report = evaluate(model, X_test, y_test, label_set=labels)
    assert report.labels == ("violence", "love", "fear")
    positive = model.predict_proba(X_test)[:, model.classes_.tolist().index("violence")]
    right = (positive >= 0.5) == (y_test == "violence")
    assert report.metrics["sentiment_accuracy"].value == pytest.approx(right.mean())


def test_a_label_set_may_hold_more_than_the_model_knows(photos):
    X, y, X_test, y_test = photos
    report = evaluate(DummyClassifier().fit(X, y), X_test, y_test, label_set=FIVE)
    assert report.labels == ("love", "violence", "fear")


def test_a_label_set_without_one_of_the_models_labels_is_refused(photos):
    X, y, X_test, y_test = photos
    with pytest.raises(LabelError, match="Unknown label 'violence'; choose from love, fear"):
        evaluate(
            DummyClassifier().fit(X, y),
            X_test,
            y_test,
            label_set=LabelSet(["love", "fear"]),
        )


def test_photos_of_a_label_that_the_model_does_not_know_are_refused(photos):
    X, y, X_test, _ = photos
    with pytest.raises(DataError) as caught:
        evaluate(DummyClassifier().fit(X, y), X_test[:2], ["joy", "love"])
    assert str(caught.value) == (
        "The photos are labelled joy, which the model does not know; it knows fear, love, violence."
    )


def test_no_photos_are_refused(photos):
    X, y, *_ = photos
    with pytest.raises(DataError, match="no photo to judge with"):
        evaluate(DummyClassifier().fit(X, y), np.empty((0, 2)), [])
    with pytest.raises(DataError, match="no photo to judge with"):
        judge(np.empty((0, 5)), [], label_set=FIVE)


def test_lengths_that_differ_are_refused(photos):
    X, y, X_test, y_test = photos
    model = DummyClassifier().fit(X, y)
    with pytest.raises(DataError, match="There are 150 labels for 149 photos"):
        evaluate(model, X_test[1:], y_test)
    with pytest.raises(DataError, match="There are 7 groups for 150 photos"):
        evaluate(model, X_test, y_test, np.arange(7))


def test_groups_widen_the_interval_and_are_counted(photos):
    X, y, X_test, y_test = photos
    model = LogisticRegression().fit(X, y)
    order = np.argsort(model.predict(X_test) == y_test)
    groups = np.empty(150, dtype=int)
    groups[order] = np.arange(150) // 5
    alone = evaluate(model, X_test, y_test).metrics["accuracy"]
    report = evaluate(model, X_test, y_test, groups)
    grouped = report.metrics["accuracy"]
    assert report.n_groups == 30
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


@pytest.mark.parametrize("groups", [None, ["me"]])
def test_a_single_photo_gives_valid_json_without_an_interval(groups):
    X, y = [[0.0], [1.0]], ["love", "fear"]
    report = evaluate(LogisticRegression().fit(X, y), X[:1], y[:1], groups)
    assert report.to_dict()["metrics"]["accuracy"] == {"value": 1.0, "low": None, "high": None}
    assert math.isnan(report.metrics["accuracy"].low)
    assert_is_json(report)


def test_a_seed_makes_a_report_repeatable(photos):
    X, y, X_test, y_test = photos
    model = LogisticRegression().fit(X, y)
    first, again = (evaluate(model, X_test, y_test, seed=3, n_draws=50) for _ in range(2))
    assert first.to_json() == again.to_json()
    assert first.to_json() != evaluate(model, X_test, y_test, seed=4, n_draws=50).to_json()


class TestJudge:
    def test_agrees_with_evaluate(self, photos):
        X, y, X_test, y_test = photos
        model = LogisticRegression().fit(X, y)
        labels = FIVE.subset(model.classes_)
        columns = [model.classes_.tolist().index(name) for name in labels.names]
        proba = model.predict_proba(X_test)[:, columns]
        report = judge(proba, y_test, label_set=labels)
        assert report.to_dict() == evaluate(model, X_test, y_test).to_dict()

    def test_refuses_probabilities_that_do_not_fit(self):
        with pytest.raises(DataError, match=r"shape \(2, 4\) do not fit 2 photos and 5 labels"):
            judge(np.full((2, 4), 0.25), ["love", "fear"], label_set=FIVE)
        with pytest.raises(DataError, match=r"shape \(1, 5\) do not fit 2 photos"):
            judge(np.full((1, 5), 0.2), ["love", "fear"], label_set=FIVE)

    def test_refuses_labels_that_are_not_in_the_set(self):
        with pytest.raises(LabelError, match="Unknown label 'joy'"):
            judge(np.full((1, 5), 0.2), ["joy"], label_set=FIVE)
