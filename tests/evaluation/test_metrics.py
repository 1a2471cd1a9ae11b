import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    recall_score,
    top_k_accuracy_score,
)

from emotag.errors import DataError
from emotag.evaluation.metrics import Figure, Outcomes, bootstrap


def drawn(seed, n_photos=60, n_labels=4):
    """Return what a classifier, right more often than not, may have said."""
    rng = np.random.default_rng(seed)
    actual = rng.integers(0, n_labels, n_photos)
    scores = rng.normal(size=(n_photos, n_labels))
    scores[np.arange(n_photos), actual] += 1
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return Outcomes(actual, proba.argmax(axis=1), n_labels, proba)


def values(outcomes):
    whole = outcomes.sums().sum(axis=0, keepdims=True)
    return {name: float(figure(whole)[0]) for name, figure in outcomes.figures().items()}


def expected_calibration_error(outcomes, bins=10):
    """Guo et al. (2017), equation 3, written out."""
    confidence = outcomes.proba.max(axis=1)
    right = outcomes.predicted == outcomes.actual
    total = 0.0
    for index in range(bins):
        inside = (confidence >= index / bins) & (confidence < (index + 1) / bins)
        if index == bins - 1:
            inside |= confidence == 1
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(2, 6))
def test_figures_agree_with_scikit_learn(seed, n_photos, n_labels):
    outcomes = drawn(seed, n_photos, n_labels)
    actual, predicted = outcomes.actual, outcomes.predicted
    found = values(outcomes)
    met = np.unique(actual)
    columns = np.arange(n_labels)
    # a label that no photo has counts neither here nor there
    balanced = recall_score(actual, predicted, labels=met, average="macro", zero_division=0)
    assert found["accuracy"] == pytest.approx(accuracy_score(actual, predicted))
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    assert found["macro_f1"] == pytest.approx(f1_score(actual, predicted, average="macro"))
    assert found["majority_baseline"] == pytest.approx(np.bincount(actual).max() / n_photos)
    assert found["log_loss"] == pytest.approx(log_loss(actual, outcomes.proba, labels=columns))
    assert found["calibration_error"] == pytest.approx(expected_calibration_error(outcomes))
    np.testing.assert_array_equal(
        outcomes.confusion(), confusion_matrix(actual, predicted, labels=columns)
    )


def test_balanced_accuracy_is_scikit_learns():
    outcomes = drawn(7, n_photos=300)
    expected = balanced_accuracy_score(outcomes.actual, outcomes.predicted)
    assert values(outcomes)["balanced_accuracy"] == pytest.approx(expected)


def test_recalls_agree_with_scikit_learn():
    outcomes = drawn(3, n_photos=200)
    whole = outcomes.sums().sum(axis=0, keepdims=True)
    found = [float(outcomes.recall(label)(whole)[0]) for label in range(4)]
    assert found == pytest.approx(recall_score(outcomes.actual, outcomes.predicted, average=None))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(2, 6))
def test_figures_of_each_label_agree_with_scikit_learn(seed, n_photos, n_labels):
    outcomes = drawn(seed, n_photos, n_labels)
    whole = outcomes.sums().sum(axis=0, keepdims=True)
    *expected, _ = precision_recall_fscore_support(
        outcomes.actual, outcomes.predicted, labels=np.arange(n_labels), zero_division=np.nan
    )
    for measure, of_labels in zip(("precision", "recall", "f1"), expected, strict=True):
        found = [float(getattr(outcomes, measure)(label)(whole)[0]) for label in range(n_labels)]
        np.testing.assert_allclose(found, of_labels)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(3, 6))
def test_top_2_accuracy_is_scikit_learns(seed, n_photos, n_labels):
    outcomes = drawn(seed, n_photos, n_labels)
    expected = top_k_accuracy_score(
        outcomes.actual, outcomes.proba, k=2, labels=np.arange(n_labels)
    )
    assert values(outcomes)["top_2_accuracy"] == pytest.approx(expected)


def test_top_2_accuracy_counts_what_is_predicted_also_among_equals():
    """As where another label than the first of equals was predicted."""
    outcomes = Outcomes(np.array([2, 0, 1]), np.array([2, 2, 2]), 3, np.full((3, 3), 1 / 3))
    found = values(outcomes)
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["top_2_accuracy"] == pytest.approx(2 / 3)


def test_of_two_labels_there_is_no_top_2():
    assert "top_2_accuracy" not in values(drawn(0, n_labels=2))


def test_calibration_error_is_torchmetrics():
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    for seed in range(20):
        outcomes = drawn(seed, n_photos=5 + 20 * seed)
        theirs = multiclass_calibration_error(
            torch.tensor(outcomes.proba), torch.tensor(outcomes.actual), num_classes=4, n_bins=10
        )
        assert values(outcomes)["calibration_error"] == pytest.approx(float(theirs), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 80), st.integers(3, 6))
def test_baselines_are_what_a_dummy_classifier_scores(seed, n_photos, n_labels):
    outcomes = drawn(seed, n_photos, n_labels)
    y, X = outcomes.actual, np.zeros((n_photos, 1))
    found, baselines = values(outcomes), outcomes.baselines()
    dummy = DummyClassifier().fit(X, y)
    always, proba = dummy.predict(X), dummy.predict_proba(X)
    assert found["majority_baseline"] == pytest.approx(accuracy_score(y, always))
    # scikit-learn's refuses a single label
    loss = log_loss(y, proba, labels=dummy.classes_) if len(dummy.classes_) > 1 else 0
    assert found["prior_log_loss"] == pytest.approx(loss)
    assert baselines["accuracy"]["majority"] == pytest.approx(accuracy_score(y, always))
    assert baselines["balanced_accuracy"]["majority"] == pytest.approx(1 / len(dummy.classes_))
    macro = f1_score(y, always, average="macro", zero_division=0)
    assert baselines["macro_f1"]["majority"] == pytest.approx(macro)
    assert baselines["log_loss"]["prior"] == pytest.approx(found["prior_log_loss"])
    two = np.isin(y, np.argsort(outcomes.shares())[-2:]).mean()
    assert baselines["top_2_accuracy"]["majority"] == pytest.approx(two)


def test_guessing_by_the_shares_scores_the_prior_on_average():
    outcomes = drawn(1, n_photos=50)
    y, X = outcomes.actual, np.zeros((50, 1))
    guesses = [
        DummyClassifier(strategy="stratified", random_state=seed).fit(X, y).predict(X)
        for seed in range(400)
    ]
    prior = {name: of["prior"] for name, of in outcomes.baselines().items() if "prior" in of}
    found = np.mean([accuracy_score(y, guess) for guess in guesses])
    balanced = np.mean([balanced_accuracy_score(y, guess) for guess in guesses])
    assert found == pytest.approx(prior["accuracy"], abs=0.01)
    assert balanced == pytest.approx(prior["balanced_accuracy"], abs=0.01)
    assert values(outcomes)["prior_accuracy"] == pytest.approx(prior["accuracy"])


def test_without_probabilities_there_is_neither_loss_nor_calibration():
    outcomes = Outcomes(np.array([0, 1]), np.array([0, 0]), 2)
    assert set(values(outcomes)) == {
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "majority_baseline",
        "prior_accuracy",
    }
    assert set(outcomes.baselines()) == {"accuracy", "balanced_accuracy", "macro_f1"}


def test_a_certain_mistake_costs_much_but_not_infinity():
    outcomes = Outcomes(np.array([0]), np.array([1]), 2, np.array([[0.0, 1.0]]))
    assert values(outcomes)["log_loss"] == pytest.approx(-np.log(1e-15))
    assert values(outcomes)["calibration_error"] == 1


class TestBootstrap:
    def figures(self, outcomes, groups, **options):
        return bootstrap(outcomes.sums(), groups, outcomes.figures(), **options)

    def test_value_is_that_of_all_photos_and_lies_in_the_interval(self):
        outcomes = drawn(0, n_photos=200)
        for name, figure in self.figures(outcomes, np.arange(200)).items():
            assert figure.value == pytest.approx(values(outcomes)[name])
            assert figure.low < figure.value < figure.high

    def test_a_seed_makes_it_repeatable(self):
        outcomes = drawn(0)
        first, again, other = (
            self.figures(outcomes, np.arange(60), seed=seed) for seed in (1, 1, 2)
        )
        assert first == again
        assert first != other

    @pytest.mark.parametrize("n_draws", [1, 99, 100, 101, 250])
    def test_as_many_draws_are_made_as_asked_for(self, n_draws):
        """Also where they are no multiple of what is drawn at a time."""
        seen = []

        def figure(sums):
            seen.append(len(sums))
            return sums[:, 0]

        outcomes = drawn(0)
        bootstrap(outcomes.sums(), np.arange(60), {"figure": figure}, n_draws=n_draws)
        assert seen == [1, n_draws]

    def test_the_order_of_photos_does_not_matter(self):
        outcomes = drawn(0)
        groups = np.repeat(np.arange(20), 3)
        order = np.random.default_rng(0).permutation(60)
        shuffled = Outcomes(
            outcomes.actual[order], outcomes.predicted[order], 4, outcomes.proba[order]
        )
        for one, other in zip(
            self.figures(outcomes, groups).values(),
            self.figures(shuffled, groups[order]).values(),
            strict=True,
        ):
            assert one.to_dict() == other.to_dict()

    def test_groups_are_drawn_whole(self):
        """Forty copies of each photo tell no more than one of each."""
        outcomes = drawn(0, n_photos=25)
        copies = np.repeat(np.arange(25), 40)
        many = Outcomes(
            outcomes.actual[copies], outcomes.predicted[copies], 4, outcomes.proba[copies]
        )
        honest = self.figures(outcomes, np.arange(25))["accuracy"]
        assert self.figures(many, copies)["accuracy"].to_dict() == honest.to_dict()
        dishonest = self.figures(many, np.arange(1000))["accuracy"]
        assert dishonest.high - dishonest.low < (honest.high - honest.low) / 3

    def test_groups_may_be_text(self):
        outcomes = drawn(0)
        numbers = np.repeat(np.arange(20), 3)
        names = np.array([f"owner {number:02}" for number in numbers])
        assert self.figures(outcomes, numbers) == self.figures(outcomes, names)

    def test_one_group_gives_no_interval(self):
        figure = self.figures(drawn(0), np.zeros(60))["accuracy"]
        assert figure.to_dict() == {"value": pytest.approx(figure.value), "low": None, "high": None}
        assert str(figure) == f"{figure.value:.3f} -"

    def test_draws_without_a_label_are_left_out_of_its_recall(self):
        outcomes = Outcomes(np.array([0] * 19 + [1]), np.array([0] * 20), 2)
        recall = bootstrap(outcomes.sums(), np.arange(20), {"recall": outcomes.recall(1)})["recall"]
        assert (recall.value, recall.low, recall.high) == (0, 0, 0)

    def test_the_majority_baseline_is_one_label_and_not_the_luckiest_of_each_draw(self):
        actual = np.array([0, 1] * 50)
        outcomes = Outcomes(actual, actual, 2)
        figure = self.figures(outcomes, np.arange(100))["majority_baseline"]
        assert figure.value == 0.5
        assert figure.low < 0.42
        assert figure.high > 0.58

    @pytest.mark.parametrize("n_draws", [0, -1])
    def test_no_draws_are_refused(self, n_draws):
        with pytest.raises(DataError, match=f"n_draws={n_draws}: at least one draw is needed"):
            self.figures(drawn(0), np.arange(60), n_draws=n_draws)

    def test_another_number_of_groups_is_refused(self):
        with pytest.raises(DataError, match="There are 3 groups for 60 photos"):
            self.figures(drawn(0), np.arange(3))

    def test_intervals_cover_the_truth_as_often_as_they_say(self):
        """200 groups of unequal size, whose photos are right or wrong together: 95 %."""
        for name, share in coverage(repeats=300, n_draws=300).items():
            assert 0.92 <= share <= 0.98, name

    @pytest.mark.slow
    def test_intervals_cover_the_truth_over_2000_data_sets(self):
        for name, share in coverage(repeats=2000, n_draws=2000).items():
            assert 0.93 <= share <= 0.97, name


COVERED = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "top_2_accuracy",
    "log_loss",
    "majority_baseline",
    "recall",
    "precision",
)


def population(rng, n_groups):
    """Return what a classifier says of photos in groups that it finds easy or hard together."""
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 5, n_groups))
    n_photos = len(groups)
    actual = rng.choice(3, n_photos, p=[0.5, 0.3, 0.2])
    ease = rng.normal(1, 0.7, n_groups)[groups]
    scores = rng.normal(size=(n_photos, 3))
    scores[np.arange(n_photos), actual] += ease
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return Outcomes(actual, proba.argmax(axis=1), 3, proba), groups


def coverage(repeats, n_draws):
    """Return how often the intervals of 200 groups hold the figures of very many."""

    def statistics(outcomes):
        every = outcomes.figures() | {
            "recall": outcomes.recall(2),
            "precision": outcomes.precision(2),
        }
        return {name: every[name] for name in COVERED}

    rng = np.random.default_rng(0)
    everyone, _ = population(rng, 200_000)
    whole = everyone.sums().sum(axis=0, keepdims=True)
    truth = {name: float(of(whole)[0]) for name, of in statistics(everyone).items()}
    held = dict.fromkeys(COVERED, 0)
    for seed in range(repeats):
        outcomes, groups = population(rng, 200)
        figures = bootstrap(
            outcomes.sums(), groups, statistics(outcomes), n_draws=n_draws, seed=seed
        )
        for name, figure in figures.items():
            held[name] += figure.low <= truth[name] <= figure.high
    return {name: count / repeats for name, count in held.items()}


def test_a_figure_reads_well():
    figure = Figure(0.75, 0.7012345678, 0.8)
    assert str(figure) == "0.750 [0.701, 0.800]"
    assert figure.to_dict() == {"value": 0.75, "low": 0.701235, "high": 0.8}
