import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from emotag.emotions import FIVE, LabelSet
from emotag.errors import DataError, LabelError
from emotag.evaluation.predicting import predict
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.report import evaluate, judge, report_of
from emotag.models.sentiment import SentimentClassifier


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


def test_every_figure_stands_in_the_json_by_its_name(photos):
    X, y, X_test, y_test = photos
    report = evaluate(LogisticRegression().fit(X, y), X_test, y_test, n_draws=50)
    content = json.loads(report.to_json())
    assert list(content["metrics"]) == [
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "majority_baseline",
        "prior_accuracy",
        "top_2_accuracy",
        "log_loss",
        "prior_log_loss",
        "calibration_error",
        "sentiment_accuracy",
        "sentiment_balanced_accuracy",
        "sentiment_majority_baseline",
    ]
    for figure in content["metrics"].values():
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert content["counts"] == {name: int((y_test == name).sum()) for name in report.labels}
    assert list(content["per_label"]["fear"]) == ["precision", "recall", "f1"]
    assert content["per_label"]["fear"]["recall"] == content["recalls"]["fear"]
    assert content["baselines"]["sentiment_balanced_accuracy"] == {"majority": 0.5, "prior": 0.5}
    assert "predictions" not in content


def test_figures_of_each_label_are_scikit_learns(photos):
    X, y, X_test, y_test = photos
    model = LogisticRegression().fit(X, y)
    report = evaluate(model, X_test, y_test, n_draws=50)
    for name, of in report.per_label.items():
        said, true = model.predict(X_test) == name, y_test == name
        assert of["precision"].value == pytest.approx(precision_score(true, said))
        assert of["recall"].value == pytest.approx(recall_score(true, said))
        assert of["f1"].value == pytest.approx(f1_score(true, said))
        assert of["f1"].low < of["f1"].value < of["f1"].high


def test_a_label_never_predicted_has_no_precision(photos):
    X, y, X_test, y_test = photos
    report = evaluate(DummyClassifier().fit(X, y), X_test, y_test, n_draws=50)
    content = report.to_dict()["per_label"]["fear"]
    assert content["precision"] == {"value": None, "low": None, "high": None}
    assert content["recall"]["value"] == content["f1"]["value"] == 0


class TestSentiment:
    def test_learnt_separately_is_judged_beside_the_folded(self, photos):
        X, y, X_test, y_test = photos
        trained = SentimentClassifier(LogisticRegression()).fit(X, y)
        emotions = LogisticRegression().fit(X, y)
        report = evaluate(emotions, X_test, y_test, sentiment_estimator=trained, n_draws=50)
        found = {name: figure.value for name, figure in report.metrics.items()}
        said = trained.predict(X_test) == "positive"
        true = y_test == "love"
        assert found["trained_sentiment_accuracy"] == pytest.approx((said == true).mean())
        assert found["trained_sentiment_balanced_accuracy"] == pytest.approx(
            balanced_accuracy_score(true, said)
        )
        assert found["trained_sentiment_majority_baseline"] == found["sentiment_majority_baseline"]
        assert found["sentiment_accuracy"] == pytest.approx(
            (((emotions.predict_proba(X_test)[:, 1]) >= 0.5) == true).mean()
        )

    def test_without_probabilities(self, photos):
        X, y, X_test, y_test = photos
        trained = SentimentClassifier(Perceptron()).fit(X, y)
        report = evaluate(
            Perceptron().fit(X, y), X_test, y_test, sentiment_estimator=trained, n_draws=50
        )
        right = (trained.predict(X_test) == "positive") == (y_test == "love")
        assert report.metrics["trained_sentiment_accuracy"].value == pytest.approx(right.mean())

    def test_a_classifier_of_something_else_is_refused(self, photos):
        X, y, X_test, y_test = photos
        model = DummyClassifier().fit(X, y)
        with pytest.raises(DataError) as caught:
            evaluate(model, X_test, y_test, sentiment_estimator=model)
        assert str(caught.value) == (
            "A classifier of sentiment knows negative and positive, not fear, love, violence."
        )

    def test_what_the_data_says_counts_before_the_label(self):
        """A photo of love may be said to be negative."""
        report = report_of(said(sentiments=["negative", "", "", "positive"]), n_draws=10)
        assert report.metrics["accuracy"].value == 1
        assert report.metrics["sentiment_accuracy"].value == 0.5

    def test_photos_whose_sentiment_is_not_known_are_left_out(self):
        weather = LabelSet(["love", "fear"])
        some = said(
            labels=weather,
            sentiments=["positive", "", "", "negative"],
            p_positive=np.array([0.9, 0.9, 0.1, 0.9]),
        )
        report = report_of(some, n_draws=10)
        assert report.metrics["trained_sentiment_accuracy"].value == 0.5
        assert "sentiment_accuracy" not in report.metrics
        unknown = report_of(replace(some, sentiments=np.full(4, "")), n_draws=10)
        assert "trained_sentiment_accuracy" not in unknown.metrics


def said(**parts):
    """Return what a model that is always right says of four photos."""
    actual = np.array(["love", "love", "fear", "fear"])
    usual = {
        "model": "mine",
        "labels": FIVE.subset(["love", "fear"]),
        "actual": actual,
        "predicted": actual,
        "proba": None,
        "groups": np.array(["1", "2", "3", "4"]),
        "paths": np.array(["a.jpg", "b.jpg", "c.jpg", "d.jpg"]),
    }
    arrays = {
        name: np.array(part) if isinstance(part, list) else part for name, part in parts.items()
    }
    return Predictions(**usual | arrays)


class TestReportOf:
    def test_depicted_and_evoked_are_judged_apart(self):
        predicted = ["love", "fear", "fear", "fear"]
        kinds = ["depicted", "evoked", "", "evoked"]
        report = report_of(said(predicted=predicted, kinds=kinds), n_draws=50)
        assert report.metrics["accuracy"].value == 0.75
        found = {kind: of["accuracy"].value for kind, of in report.by_kind.items()}
        assert found == {"depicted": 1, "evoked": 0.5}
        assert report.to_dict()["by_kind"]["evoked"]["accuracy"]["value"] == 0.5
        alone = report_of(report.predictions.take(np.array([1, 3])), n_draws=50)
        assert alone.metrics == report.by_kind["evoked"]
        assert_is_json(report)

    def test_is_what_evaluate_and_judge_return(self, photos):
        X, y, X_test, y_test = photos
        model = LogisticRegression().fit(X, y)
        report = evaluate(model, X_test, y_test, n_draws=50, seed=5)
        again = report_of(predict(model, X_test, y_test), n_draws=50, seed=5)
        assert again.to_dict() == report.to_dict()

    def test_refuses_no_photos_and_strange_labels(self):
        with pytest.raises(DataError, match="no photo to judge with"):
            report_of(said().take(np.array([], dtype=int)))
        with pytest.raises(LabelError, match="Unknown label 'joy'"):
            report_of(said(predicted=["joy", "love", "fear", "fear"]))


class TestPredict:
    def test_keeps_what_was_said_of_each_photo(self, photos):
        X, y, X_test, y_test = photos
        model = LogisticRegression().fit(X, y)
        found = predict(model, X_test, y_test, np.arange(150) // 2, model="ours")
        assert found.model == "ours"
        np.testing.assert_array_equal(found.actual, y_test)
        np.testing.assert_array_equal(found.predicted, model.predict(X_test))
        columns = [model.classes_.tolist().index(name) for name in found.labels.names]
        np.testing.assert_array_equal(found.proba, model.predict_proba(X_test)[:, columns])
        assert len(np.unique(found.groups)) == 75
        assert set(found.paths) == {""}
        assert found.p_positive is None

    @pytest.mark.parametrize("shape", [list, np.array, lambda paths: [Path(one) for one in paths]])
    def test_keeps_the_paths_of_photos(self, shape):
        paths, y = ["love.jpg", "fear.jpg"], ["love", "fear"]
        by_path = make_pipeline(
            FunctionTransformer(lambda X: np.array([[len(str(one))] for one in X])),
            DummyClassifier(),
        ).fit(paths, y)
        assert predict(by_path, shape(paths), y).paths.tolist() == paths


class TestPictures:
    def test_scikit_learns_display_holds_the_matrix(self, photos):
        X, y, X_test, y_test = photos
        report = evaluate(LogisticRegression().fit(X, y), X_test, y_test, n_draws=10)
        display = report.confusion_display()
        assert isinstance(display, ConfusionMatrixDisplay)
        np.testing.assert_array_equal(display.confusion_matrix, report.confusion)
        assert display.display_labels == list(report.labels)

    def test_figures_are_matplotlibs(self, photos):
        from matplotlib.figure import Figure

        X, y, X_test, y_test = photos
        report = evaluate(LogisticRegression().fit(X, y), X_test, y_test, n_draws=10)
        drawn = (
            report.figure_confusion(),
            report.figure_confusion(sentiment=True),
            report.figure_reliability(),
        )
        assert all(isinstance(one, Figure) for one in drawn)

    def test_the_page_says_the_figures_in_words(self, photos, tmp_path):
        X, y, X_test, y_test = photos
        report = evaluate(LogisticRegression().fit(X, y), X_test, y_test, n_draws=10)
        report.to_html(tmp_path / "report.html")
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert "LogisticRegression on 150 photos" in page
        assert f"{report.metrics['accuracy'].value:.2f}" in page
        assert "always saying love is right on" in page

    def test_the_page_shows_kinds_and_goes_without_probabilities(self, tmp_path):
        report = report_of(said(kinds=["depicted", "evoked", "", "evoked"]), n_draws=10)
        report.to_html(str(tmp_path / "report.html"))
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert "Depicted and evoked" in page


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
