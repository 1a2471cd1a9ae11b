"""BagOfWords: local descriptors counted by words, by scikit-learn's own rules."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from emotag.errors import DataError, ModelError
from emotag.models.bag import BagOfWords

RNG = np.random.default_rng(0)


def test_names_of_the_words() -> None:
    bag = BagOfWords(size=2, n_words=2, random_state=0)
    bag.set_output(transform="default").fit([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    assert bag.get_feature_names_out().tolist() == ["bagofwords0", "bagofwords1"]


@parametrize_with_checks([BagOfWords(size=1, n_words=5, random_state=0)])
def test_scikit_learns_whole_list_of_checks(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


def test_each_descriptor_counts_for_the_nearest_word() -> None:
    X = RNG.normal(size=(10, 6 * 3))
    bag = BagOfWords(size=3, n_words=4, random_state=0).fit(X)
    found = bag.transform(X)
    for row, photo in zip(found, X, strict=True):
        expected = np.zeros(4)
        for descriptor in photo.reshape(6, 3):
            scaled = (descriptor - bag.mean_) / bag.scale_
            expected[np.argmin([np.linalg.norm(scaled - word) for word in bag.words_])] += 1 / 6
        np.testing.assert_allclose(row, expected)


def test_the_order_of_descriptors_does_not_matter() -> None:
    X = RNG.normal(size=(5, 8, 2))
    bag = BagOfWords(size=2, n_words=3, random_state=0).fit(X.reshape(5, -1))
    turned = X[:, RNG.permutation(8)].reshape(5, -1)
    np.testing.assert_allclose(bag.transform(turned), bag.transform(X.reshape(5, -1)))


def test_fewer_words_than_asked_for_where_descriptors_are_few() -> None:
    X = np.tile([0.0, 1.0], (4, 3))
    bag = BagOfWords(size=2, n_words=50, random_state=0).fit(X)
    np.testing.assert_allclose(bag.transform(X), np.ones((4, 1)))


def test_what_makes_no_sense_is_refused() -> None:
    X = np.zeros((2, 4))
    with pytest.raises(DataError, match="4 columns, which are no whole number of descriptors"):
        BagOfWords(size=3).fit(X)
    with pytest.raises(ModelError, match="n_words=0"):
        BagOfWords(size=2, n_words=0).fit(X)
    with pytest.raises(ModelError, match="size=True"):
        BagOfWords(size=True).fit(X)
