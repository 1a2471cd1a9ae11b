"""LateFusion: a classifier a channel, and one over their scores, by scikit-learn's own rules."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from emotag.errors import DataError, ModelError
from emotag.models.late_fusion import LateFusion, _group_folds

RNG = np.random.default_rng(0)
CODES = np.repeat([0, 1, 2], 40)
NAMES = np.array(["awe", "fear", "love"])[CODES]
# each channel tells one of the labels from the others
FIRST = RNG.normal(size=(120, 3)) + 2.0 * (CODES == 0)[:, np.newaxis]
SECOND = RNG.normal(size=(120, 2)) + 2.0 * (CODES == 1)[:, np.newaxis]
SEEN = RNG.normal(size=(120, 4))
X = np.column_stack([FIRST, SECOND])
WITH_CONTENT = np.column_stack([X, SEEN])


@parametrize_with_checks([LateFusion(cv=2, random_state=0)])
def test_scikit_learns_whole_list_of_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_without_content_it_is_scikit_learns_stacking() -> None:
    head = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000, tol=1e-3)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    stacking = StackingClassifier(
        [("all", make_pipeline(StandardScaler(), head))],
        make_pipeline(StandardScaler(), clone(head)),
        cv=folds,
        stack_method="decision_function",
    )
    ours = LateFusion(C=0.1, final_C=0.1, random_state=0).fit(X, NAMES)
    expected = stacking.fit(X, NAMES).predict_proba(X)
    np.testing.assert_allclose(ours.predict_proba(X), expected, atol=1e-6)


def test_the_same_seed_gives_the_same_fusion_of_much_content() -> None:
    # of so many columns, principal components are found by drawing
    wide = np.column_stack([X, RNG.normal(size=(120, 1000))])
    first, second = (
        LateFusion((3, 2), content=1000, random_state=0).fit(wide, NAMES).predict_proba(wide)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("seed", range(12))
def test_folds_of_groups_leave_every_class_to_learn_from(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes, groups = rng.integers(0, 3, 30), rng.integers(0, 4, 30)
    columns = rng.normal(size=(30, 3))
    folds = _group_folds(codes, groups, 4, random_state=seed)
    assert sorted(np.concatenate([judged for _, judged in folds]).tolist()) == list(range(30))
    for learnt, judged in folds:
        assert set(codes[learnt]) == {0, 1, 2}
        assert not set(groups[learnt]) & set(groups[judged])
    fusion = LateFusion(random_state=seed).fit(columns, NAMES[codes * 40], groups=groups)
    assert fusion.predict_proba(columns).shape == (30, 3)


def test_groups_that_cannot_be_parted_are_refused() -> None:
    # each class has two groups, but of any two parts one lacks a class
    codes = np.array([0, 0, 1, 1, 2, 2, 0, 1, 2])
    groups = np.array([0, 1, 1, 2, 2, 0, 0, 1, 2])
    with pytest.raises(DataError, match="cannot be parted in two"):
        LateFusion(random_state=0).fit(RNG.normal(size=(9, 2)), NAMES[codes * 40], groups=groups)


def test_channels_say_more_together_than_each_alone() -> None:
    def score(fusion: LateFusion, columns: NDArray[np.float64]) -> float:
        return float(cross_val_score(fusion, columns, NAMES, cv=4).mean())

    together = score(LateFusion((3, 2), random_state=0), X)
    assert together > score(LateFusion(random_state=0), FIRST) + 0.1
    assert together > score(LateFusion(random_state=0), SECOND) + 0.1


def test_what_is_seen_says_which_channel_to_trust() -> None:
    # what the first channel says is turned round where the content is negative
    side = np.where(RNG.random(400) < 0.7, 1.0, -1.0)
    told = np.where(RNG.random(400) < 0.5, 1.0, -1.0)
    labels = np.where(side * told > 0, "love", "fear")
    columns = np.column_stack([told + RNG.normal(0, 0.3, 400), side + RNG.normal(0, 0.3, 400)])
    with_content = LateFusion((1,), content=1, C=1.0, final_C=1.0, random_state=0)
    assert cross_val_score(with_content, columns, labels, cv=4).mean() > 0.9
    without = LateFusion((2,), C=1.0, final_C=1.0, random_state=0)
    assert cross_val_score(without, columns, labels, cv=4).mean() < 0.8


def test_a_channel_learnt_by_heart_does_not_mislead() -> None:
    # 200 columns of noise tell 120 photos apart, but not others
    noise = np.random.default_rng(1).normal(size=(120, 200))
    fusion = LateFusion((200, 3, 2), C=10.0, random_state=0).fit(np.column_stack([noise, X]), NAMES)
    weights = np.abs(fusion.final_[-1].coef_).reshape(3, 3, 3).mean(axis=(0, 2))
    assert weights[0] < weights[1]
    assert weights[0] < weights[2]


def test_groups_stay_together() -> None:
    # a photo and its copies: told apart by heart, unless all are in one fold
    some = np.random.default_rng(2).normal(size=(30, 40))
    labels = np.array(["fear", "love"])[np.arange(30) % 2]
    copies, names = np.repeat(some, 4, axis=0), np.repeat(labels, 4)
    groups = np.repeat(range(30), 4)
    kept = LateFusion(C=10.0, random_state=0).fit(copies, names, groups=groups)
    torn = LateFusion(C=10.0, random_state=0).fit(copies, names)
    assert abs(kept.final_[-1].coef_).max() < abs(torn.final_[-1].coef_).max() / 2


def test_groups_of_other_photos() -> None:
    with pytest.raises(DataError, match="groups has the shape"):
        LateFusion().fit(X, NAMES, groups=CODES[1:])


def test_it_can_be_calibrated_with_groups() -> None:
    fusion = LateFusion((3, 2), content=4, random_state=0)
    folds = list(StratifiedKFold(5).split(WITH_CONTENT, NAMES))
    model = CalibratedClassifierCV(fusion, method="temperature", ensemble=False, cv=folds)
    model.fit(WITH_CONTENT, NAMES, groups=np.arange(120))
    proba = model.predict_proba(WITH_CONTENT)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert model.score(WITH_CONTENT, NAMES) > 0.7


def test_a_seed_makes_it_repeatable() -> None:
    one, two = (LateFusion((3, 2), content=4, random_state=7) for _ in range(2))
    expected = one.fit(WITH_CONTENT, NAMES).decision_function(WITH_CONTENT)
    found = two.fit(WITH_CONTENT, NAMES).decision_function(WITH_CONTENT)
    np.testing.assert_array_equal(expected, found)


@pytest.mark.parametrize("weights", [{"awe": 1.0, "fear": 1.0, "love": 50.0}])
def test_class_weights_by_label(weights: dict[str, float]) -> None:
    plain = LateFusion((3, 2), class_weight=None, random_state=0).fit(X, NAMES)
    loving = LateFusion((3, 2), class_weight=weights, random_state=0).fit(X, NAMES)
    assert (loving.predict(X) == "love").sum() > (plain.predict(X) == "love").sum()


@pytest.mark.parametrize(
    ("fusion", "error", "words"),
    [
        (LateFusion((3, 3)), DataError, r"X has 5 columns, but channels=\(3, 3\) and content=0"),
        (LateFusion((5,), content=1), DataError, "make 6"),
        (LateFusion(content=5), DataError, "leaves none"),
        (LateFusion((3, 0)), ModelError, r"channels=\(3, 0\)"),
        (LateFusion("ab"), ModelError, "channels='ab'"),
        (LateFusion(content=-1), ModelError, "content=-1"),
        (LateFusion(n_content=0), ModelError, "n_content=0"),
        (LateFusion(cv=1), ModelError, "cv=1"),
        (LateFusion(C=0), ModelError, "C=0"),
        (LateFusion(C=True), ModelError, "C=True"),
        (LateFusion(class_weight={"awe": -1}), ModelError, "class_weight of 'awe' is -1"),
        (LateFusion(class_weight={"awe": "x"}), ModelError, "class_weight of 'awe' is 'x'"),
        (LateFusion(class_weight=np.ones(2)), ModelError, "choose from None, 'balanced'"),
        (LateFusion(final_C="1"), ModelError, "final_C='1'"),
        (LateFusion(class_weight="equal"), ModelError, "class_weight='equal'; choose from None"),
        (LateFusion(class_weight={"joy": 1}), ModelError, "class_weight has 'joy'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    fusion: LateFusion, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        fusion.fit(X, NAMES)


def test_fewer_folds_for_a_class_of_few_photos() -> None:
    few = np.r_[0:43]
    assert set(LateFusion(random_state=0).fit(X[few], NAMES[few]).predict(X[few])) == {
        "awe",
        "fear",
    }
    with pytest.raises(DataError, match="'fear' has one photo, or one group of photos"):
        LateFusion().fit(X[:41], NAMES[:41])
    with pytest.raises(DataError, match="'awe' has one photo, or one group of photos"):
        LateFusion().fit(X, NAMES, groups=CODES)


def test_content_of_which_little_varies() -> None:
    # twelve photos, each twice, whose content has two dimensions
    rng = np.random.default_rng(0)
    some = np.column_stack(
        [rng.normal(size=(12, 3)), rng.normal(size=(12, 2)) @ rng.normal(size=(2, 50))]
    )
    twice, names = np.tile(some, (2, 1)), np.tile(["fear", "love"], 12)
    fusion = LateFusion((3,), content=50, random_state=0)
    fusion.fit(twice, names, groups=np.tile(np.arange(12), 2))
    other = np.column_stack([rng.normal(size=(9, 3)), rng.normal(size=(9, 50))])
    assert np.abs(fusion.decision_function(other)).max() < 50
    assert fusion.content_[-1].n_components_ == 2
    plain = np.column_stack([some[:, :3], np.ones((12, 50))])
    assert LateFusion((3,), content=50).fit(plain, names[:12]).content_ is None
