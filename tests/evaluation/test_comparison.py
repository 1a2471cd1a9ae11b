from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests

from emotag.emotions import FIVE
from emotag.errors import DataError
from emotag.evaluation.comparison import compare_all, holm, mcnemar
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.report import report_of
from emotag.evaluation.sentences import conclude


def model(name, right, groups=None):
    """Return what a model says that is right on some photos of love, and else says fear."""
    right = np.asarray(right, dtype=bool)
    n = len(right)
    own = np.arange(n) if groups is None else np.asarray(groups)
    return Predictions(
        model=name,
        labels=FIVE,
        actual=np.full(n, "love"),
        predicted=np.where(right, "love", "fear"),
        proba=None,
        groups=own.astype(str),
        paths=np.array([f"{index}.jpg" for index in range(n)]),
    )


def pair(both, only_first, only_second, neither, groups=None):
    """Return two models with these counts of photos."""
    counts = [both, only_first, only_second, neither]
    first = np.repeat([True, True, False, False], counts)
    second = np.repeat([True, False, True, False], counts)
    return model("first", first, groups), model("second", second, groups)


class TestMcNemar:
    @settings(max_examples=60, deadline=None)
    @given(*[st.integers(0, 60)] * 4)
    def test_agrees_with_statsmodels(self, both, only_first, only_second, neither):
        if both + only_first + only_second + neither == 0:
            return
        found = mcnemar(*pair(both, only_first, only_second, neither), n_draws=2)
        assert (found.n_only_first, found.n_only_second) == (only_first, only_second)
        assert found.exact == (only_first + only_second < 25)
        if not found.exact and only_first == only_second:
            # statsmodels' correction makes a difference of none at all
            assert (found.statistic, found.p_value) == (0, 1)
            return
        theirs = their_mcnemar(
            [[both, only_first], [only_second, neither]], exact=found.exact, correction=True
        )
        assert found.statistic == pytest.approx(theirs.statistic)
        assert found.p_value == pytest.approx(theirs.pvalue)

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 200), st.integers(0, 200))
    def test_by_groups_of_one_it_is_the_exact_test(self, only_first, only_second):
        found = mcnemar(*pair(1, only_first, only_second, 0), n_draws=2)
        n = only_first + only_second
        expected = binomtest(only_first, n, 0.5).pvalue if n else 1
        assert found.p_grouped == pytest.approx(expected)
        assert found.p_holm == found.p_grouped

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.integers(-3, 3), min_size=1, max_size=10))
    def test_by_groups_it_counts_every_way_that_coins_may_fall(self, gains):
        steps = np.array(gains)
        first = np.concatenate([np.repeat([gain > 0], abs(gain)) for gain in gains] + [[True]])
        groups = np.concatenate(
            [np.repeat([i], abs(gain)) for i, gain in enumerate(gains)] + [[99]]
        )
        second = ~first
        second[-1] = True
        found = mcnemar(model("a", first, groups), model("b", second, groups), n_draws=2)
        signs = 1 - 2 * ((np.arange(2 ** len(steps))[:, None] >> np.arange(len(steps))) & 1)
        expected = (abs(signs @ steps) >= abs(steps.sum())).mean()
        assert found.p_grouped == pytest.approx(expected)

    def test_the_difference_is_that_of_the_accuracies_with_an_interval(self):
        first, second = pair(100, 60, 20, 20)
        found = mcnemar(first, second)
        accuracies = [
            report_of(one, n_draws=2).metrics["accuracy"].value for one in (first, second)
        ]
        assert found.difference.value == pytest.approx(accuracies[0] - accuracies[1])
        assert 0.1 < found.difference.low < 0.2 < found.difference.high < 0.3
        back = mcnemar(second, first).difference
        assert back.value == pytest.approx(-found.difference.value)
        assert back.low == pytest.approx(-found.difference.high, abs=0.01)

    def test_copies_of_a_photo_say_no_more_than_one(self):
        """Each of 20 photos 50 times: McNemar's test believes them, the test by groups does not."""
        once = mcnemar(*pair(8, 8, 4, 0))
        groups = np.repeat(np.arange(20), 50)
        copies = mcnemar(*pair(400, 400, 200, 0, groups))
        assert copies.p_value < 1e-6
        assert copies.p_grouped == pytest.approx(once.p_grouped)
        assert copies.difference.low == pytest.approx(once.difference.low)
        assert copies.n_groups == 20

    def test_is_right_about_as_often_as_it_says_where_photos_come_in_groups(self):
        """Two models as good, each with its own luck on each group: 5 % of p below 0.05."""
        rng = np.random.default_rng(0)
        groups = np.repeat(np.arange(60), 8)
        naive = grouped = outside = 0
        for seed in range(300):
            first, second = (rng.random(480) < rng.beta(1, 1, 60)[groups] for _ in range(2))
            found = mcnemar(
                model("a", first, groups), model("b", second, groups), n_draws=200, seed=seed
            )
            naive += found.p_value < 0.05
            grouped += found.p_grouped < 0.05
            outside += not found.difference.low <= 0 <= found.difference.high
        assert naive / 300 > 0.15
        assert 0.02 <= grouped / 300 <= 0.08
        assert 0.02 <= outside / 300 <= 0.09

    def test_takes_many_photos(self):
        rng = np.random.default_rng(0)
        groups = rng.integers(0, 5000, 50_000)
        first, second = (rng.random(50_000) < 0.5 for _ in range(2))
        found = mcnemar(model("a", first, groups), model("b", second, groups), n_draws=2)
        assert 0 < found.p_grouped < 1

    def test_one_group_says_nothing(self):
        found = mcnemar(*pair(5, 30, 0, 5, np.zeros(40)))
        assert found.p_grouped == 1
        assert found.difference.to_dict() == {"value": 0.75, "low": None, "high": None}

    def test_json_holds_plain_values(self):
        assert mcnemar(*pair(5, 1, 0, 5), n_draws=50).to_dict() == {
            "first": "first",
            "second": "second",
            "n_photos": 11,
            "n_groups": 11,
            "n_only_first": 1,
            "n_only_second": 0,
            "statistic": 0.0,
            "p_value": 1.0,
            "exact": True,
            "p_grouped": 1.0,
            "p_holm": 1.0,
            "difference": mcnemar(*pair(5, 1, 0, 5), n_draws=50).difference.to_dict(),
        }

    def test_another_number_of_photos_is_refused(self):
        with pytest.raises(DataError) as caught:
            mcnemar(model("a", [1, 0, 1]), model("b", [1, 0]))
        assert str(caught.value) == (
            "a and b were judged on 3 and 2 photos; judge both on the same ones to compare them."
        )
        nothing = model("a", [])
        with pytest.raises(DataError, match="on 0 and 0 photos"):
            mcnemar(nothing, nothing)

    @pytest.mark.parametrize(
        ("part", "what", "value"), [("paths", "photo", "x.jpg"), ("actual", "label", "fear")]
    )
    def test_other_photos_or_labels_are_refused(self, part, what, value):
        first, second = pair(1, 1, 1, 1)
        other = getattr(second, part).copy()
        was = str(other[2])
        other[2] = value
        with pytest.raises(DataError) as caught:
            mcnemar(first, replace(second, **{part: other}))
        assert str(caught.value) == (
            f"first and second were not judged on the same photos in the same order: the {what} "
            f"of entry 3 is {was!r} for one, {value!r} for the other, and 1 of 4 differ."
        )

    def test_other_groups_are_refused(self):
        first, second = pair(1, 1, 1, 1)
        with pytest.raises(DataError, match="the group of entry 1 is '0' for one, '5' for"):
            mcnemar(first, replace(second, groups=np.array(["5", "1", "2", "3"])))


class TestCompareAll:
    def models(self):
        rng = np.random.default_rng(0)
        return [
            model(name, rng.random(300) < chance)
            for name, chance in (("a", 0.5), ("b", 0.55), ("c", 0.7), ("d", 0.7))
        ]

    def test_every_two_are_compared_and_corrected_as_statsmodels_does(self):
        found = compare_all(self.models(), n_draws=50)
        names = ["ab", "ac", "ad", "bc", "bd", "cd"]
        assert [one.first + one.second for one in found] == names
        expected = multipletests([one.p_grouped for one in found], method="holm")[1]
        assert [one.p_holm for one in found] == pytest.approx(expected)
        assert any(one.p_holm > one.p_grouped for one in found)

    def test_each_is_mcnemars_but_for_the_correction(self):
        first, second, *_ = self.models()
        assert compare_all([first, second]) == [mcnemar(first, second)]

    def test_of_one_model_there_is_nothing_to_compare(self):
        assert compare_all(self.models()[:1]) == []

    def test_two_of_one_name_are_refused(self):
        same = model("svm", [True])
        with pytest.raises(DataError, match="Two models are named svm; give each a name"):
            compare_all([same, same])

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 10**6), st.integers(1, 20))
    def test_holm_is_statsmodels(self, seed, n_tests):
        # small ones, equal ones, nought and one among them
        p_values = np.random.default_rng(seed).integers(0, 101, n_tests) ** 2 / 10_000
        # it collects garbage each time, which takes a second among as many objects as here
        with patch("gc.collect"):
            expected = multipletests(p_values, method="holm")[1]
        np.testing.assert_allclose(holm(p_values), expected)

    def test_holm_of_nothing_is_nothing(self):
        assert holm([]).tolist() == []


class TestConclude:
    def test_models_that_cannot_be_told_apart(self):
        both = pair(400, 50, 45, 505)
        *_, last = conclude(compare_all(both), both)
        assert last == "first and second cannot be told apart on these 1,000 photos (p = 0.68)."

    @pytest.mark.parametrize(("more", "less"), [(0, 1), (1, 0)])
    def test_a_model_that_is_better(self, more, less):
        both = pair(400, 50 + 100 * less, 50 + 100 * more, 400)
        *_, last = conclude(compare_all(both), both)
        better, worse = ("second", "first") if more else ("first", "second")
        assert last == f"{better} is better than {worse} by 0.10 (0.07 to 0.13, p < 0.001)."

    def test_a_small_difference_is_not_rounded_to_nought(self):
        both = pair(1500, 16, 2, 482)
        *_, last = conclude(compare_all(both), both)
        assert last == "first is better than second by 0.007 (0.003 to 0.011, p = 0.001)."

    def test_models_that_are_right_on_the_same_photos(self):
        both = pair(500, 0, 0, 500)
        *_, last = conclude(compare_all(both), both)
        assert last == "first and second are right on the very same of these 1,000 photos."

    def test_a_difference_that_does_not_stand_the_correction_is_not_claimed(self):
        a, b = pair(400, 62, 40, 498)
        others = [model(f"m{i}", np.arange(1000) < 400 + i) for i in range(5)]
        alone = mcnemar(a, b)
        assert alone.p_holm < 0.05
        comparisons = compare_all([a, b, *others], n_draws=200)
        said = conclude(comparisons, [a, b])
        assert any(one.startswith("first and second cannot be told apart") for one in said)
        assert said[-1].startswith("Each p is corrected for the 21 comparisons made")

    def test_each_model_is_set_beside_always_saying_the_most_frequent(self):
        actual = np.repeat(["love", "fear"], [600, 400])
        photos = np.arange(1000).astype(str)

        def says(name, predicted):
            return Predictions(name, FIVE, actual, np.array(predicted), None, photos, photos)

        good = says("good", np.repeat(["love", "fear", "love"], [600, 300, 100]))
        lazy = says("lazy", np.full(1000, "love"))
        bad = says("bad", np.full(1000, "fear"))
        assert conclude([], [bad, lazy, good]) == [
            "good is right on 0.90 (0.88 to 0.92) of these 1,000 photos; "
            "always saying love is right on 0.60.",
            "lazy is not shown to be better than always saying love: it is right on "
            "0.60 (0.57 to 0.63) of these 1,000 photos, and always saying love is right on 0.60.",
            "bad is worse than always saying love: it is right on 0.40 (0.37 to 0.43) "
            "of these 1,000 photos, but always saying love is right on 0.60.",
        ]

    def test_the_interval_is_the_reports(self):
        one, _ = pair(50, 20, 20, 30)
        one = replace(one, actual=np.repeat(["love", "fear", "sadness"], 40))
        figure = report_of(one, seed=3).metrics["accuracy"]
        said = conclude([], [one], seed=3)[0]
        assert f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})" in said

    def test_few_photos_are_said_to_be_few(self):
        one = model("one", np.ones(12))
        assert conclude([], [one])[-1] == (
            "These are few photos (12 independent): the true intervals are wider."
        )

    def test_one_group_has_no_interval_to_conclude_from(self):
        both = pair(5, 30, 0, 5, np.zeros(40))
        said = conclude(compare_all(both), both)
        assert "not shown to be better" in said[0]
        assert said[2] == "first and second cannot be told apart on these 40 photos (p = 1.00)."
        assert not any("nan" in one for one in said)

    def test_of_nothing_nothing_is_said(self):
        assert conclude([], []) == []
