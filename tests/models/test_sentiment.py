"""Sentiment two ways, and one search over both families of models."""

from pathlib import Path

import numpy as np
import pytest
from sklearn import set_config
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from emotag import (
    EKMAN6,
    FIVE,
    CNNFeatures,
    FineTunedCNN,
    LabelSet,
    SentimentClassifier,
    fold_sentiment,
    load_model,
    save_model,
    tag_photos,
)
from emotag.backbones.backbone import Backbone
from emotag.errors import DataError, LabelError
from emotag.models.sentiment import fold_labels
from tests.models.conftest import Photos

GROUPS = np.repeat(np.arange(20), 2)


def svm() -> Pipeline:
    return make_pipeline(
        CNNFeatures("tiny"), StandardScaler(), OneVsRestClassifier(LinearSVC(C=0.1))
    )


def tuned(**parameters: object) -> FineTunedCNN:
    quick = {"lr": 0.02, "head_lr": 0.3, "max_epochs": 3, "batch_size": 8, "random_state": 0}
    return FineTunedCNN("tiny", **(quick | parameters))  # type: ignore[arg-type]


def test_labels_fold() -> None:
    assert fold_labels(["surprise", "anger"], EKMAN6).tolist() == ["positive", "negative"]
    with pytest.raises(LabelError) as caught:
        fold_labels(["sun"], LabelSet(["sun", "rain"]))
    assert str(caught.value) == "The sentiment of 'sun' is not known; say it in a label file."
    with pytest.raises(LabelError, match="Unknown label 'joy'"):
        fold_labels(["joy"])


def test_probabilities_fold_in_either_order() -> None:
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(5), 8)
    folded = fold_sentiment(proba)
    np.testing.assert_allclose(folded[:, 1], proba[:, 0] + proba[:, 1])
    np.testing.assert_allclose(folded.sum(axis=1), 1)
    classes = sorted(FIVE.names)
    ordered = proba[:, [FIVE.index(name) for name in classes]]
    np.testing.assert_allclose(fold_sentiment(ordered, classes=classes), folded)
    with pytest.raises(LabelError) as caught:
        fold_sentiment(proba, classes=["fear", "love"])
    assert str(caught.value) == (
        "Probabilities of shape (8, 5) do not fit the 2 classes fear, love."
    )


def test_trained_on_folded_labels(photos: Photos, tiny: Backbone) -> None:
    model = SentimentClassifier(svm()).fit(photos.X, photos.y)
    assert model.classes_.tolist() == ["negative", "positive"]
    direct = svm().fit(photos.X, photos.sentiments)
    assert model.predict(photos.X).tolist() == direct.predict(photos.X).tolist()
    np.testing.assert_allclose(
        model.decision_function(photos.X), direct.decision_function(photos.X)
    )
    assert not hasattr(model, "predict_proba")
    assert model.score(photos.X, photos.y) == accuracy_score(
        photos.sentiments, model.predict(photos.X)
    )
    assert clone(model).get_params()["estimator__standardscaler__with_mean"] is True


def test_a_tuned_network_and_its_groups(photos: Photos, tiny: Backbone) -> None:
    model = SentimentClassifier(tuned(validation_fraction=0.3))
    model.fit(photos.X, photos.y, groups=GROUPS)
    assert model.predict_proba(photos.X).shape == (len(photos.X), 2)


def test_it_is_saved_by_its_estimator(photos: Photos, tiny: Backbone, tmp_path: Path) -> None:
    inner = make_pipeline(CNNFeatures("tiny"), StandardScaler(), LogisticRegression())
    model = SentimentClassifier(inner).fit(photos.X, photos.y)
    save_model(model, tmp_path / "mood", photos=photos.X[:4].tolist())
    rows = list(tag_photos(photos.X.tolist(), str(tmp_path / "mood")))
    assert [row.emotion for row in rows] == model.predict(photos.X).tolist()
    assert [row.sentiment for row in rows] == [row.emotion for row in rows]
    loaded = load_model(tmp_path / "mood")
    np.testing.assert_allclose(loaded.predict_proba(photos.X), model.predict_proba(photos.X))


def test_one_sentiment_alone(photos: Photos, tiny: Backbone) -> None:
    with pytest.raises(DataError, match="All photos are positive; a model needs both"):
        SentimentClassifier(svm()).fit(photos.X[:4], ["love", "happiness"] * 2)


def test_one_search_over_both_families(photos: Photos, tiny: Backbone) -> None:
    grid = [
        {"classify": [svm()], "classify__onevsrestclassifier__estimator__C": [0.01, 1.0]},
        {"classify": [tuned(validation_fraction=None)], "classify__head_lr": [0.1, 0.3]},
    ]
    search = GridSearchCV(
        Pipeline([("classify", svm())]), grid, cv=StratifiedGroupKFold(2), error_score="raise"
    )
    search.fit(photos.X, photos.y, groups=GROUPS)
    results = search.cv_results_
    assert len(results["params"]) == 4
    assert (results["mean_test_score"] > 0.4).all()
    assert search.best_estimator_.predict(photos.X).shape == photos.y.shape


def test_groups_by_metadata_routing(photos: Photos, tiny: Backbone) -> None:
    set_config(enable_metadata_routing=True)
    try:
        model = tuned(validation_fraction=0.3).set_fit_request(groups=True, sample_weight=False)
        scores = cross_val_score(
            model, photos.X, photos.y, cv=GroupKFold(2), params={"groups": GROUPS}
        )
    finally:
        set_config(enable_metadata_routing=False)
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
