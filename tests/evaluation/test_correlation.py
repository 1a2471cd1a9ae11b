"""Rank correlation and its interval."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from emotag.errors import DataError
from emotag.evaluation.correlation import correlate_ranks


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2, max_size=60))
def test_the_value_is_scipys_also_with_ties(pairs):
    first, second = np.array(pairs, dtype=float).T
    figure = correlate_ranks(first, second, np.arange(len(pairs)), n_draws=1)
    if np.ptp(first) and np.ptp(second):
        assert figure.value == pytest.approx(spearmanr(first, second).statistic)
    else:
        assert np.isnan(figure.value)


def test_the_interval_is_that_of_drawing_photos_one_by_one():
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 15, 60)
    first = rng.integers(0, 20, 60) + groups
    second = first + rng.normal(0, 8, 60).round()
    figure = correlate_ranks(first, second, groups, n_draws=120, seed=7)
    names, of_photo = np.unique(groups, return_inverse=True)
    again = np.random.default_rng(7)
    values = []
    for size in (50, 50, 20):
        shares = np.full(len(names), 1 / len(names))
        for counts in again.multinomial(len(names), shares, size=size):
            drawn = np.repeat(np.arange(60), counts[of_photo])
            values.append(spearmanr(first[drawn], second[drawn]).statistic)
    assert [figure.low, figure.high] == pytest.approx(np.percentile(values, [2.5, 97.5]))
    assert figure.low < figure.value < figure.high


def test_dependent_photos_widen_the_interval():
    rng = np.random.default_rng(0)
    first = np.repeat(rng.normal(size=40), 5)
    second = np.repeat(rng.normal(size=40), 5)
    alone = correlate_ranks(first, second, np.arange(200))
    grouped = correlate_ranks(first, second, np.repeat(np.arange(40), 5))
    assert grouped.high - grouped.low > 1.8 * (alone.high - alone.low)


def test_one_group_says_nothing_of_the_interval():
    figure = correlate_ranks([1, 2, 3], [3, 2, 1], ["me"] * 3)
    assert figure.value == pytest.approx(-1)
    assert np.isnan([figure.low, figure.high]).all()


def test_lengths_that_differ_are_refused():
    with pytest.raises(DataError, match="There are 2 and 3 values in 2 groups"):
        correlate_ranks([1, 2], [1, 2, 3], ["a", "b"])


def test_a_seed_makes_it_repeatable():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 30))
    figures = [correlate_ranks(first, second, np.arange(30), seed=seed) for seed in (1, 1, 2)]
    assert figures[0] == figures[1] != figures[2]
