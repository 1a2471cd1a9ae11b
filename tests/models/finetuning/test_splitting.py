"""The held-out part: every label its share, no group in part."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from emotag.errors import DataError
from emotag.models.finetuning.splitting import hold_out


@given(
    counts=st.lists(st.integers(10, 60), min_size=2, max_size=6),
    fraction=st.sampled_from([0.1, 0.2, 0.25, 0.5]),
    seed=st.integers(0, 1000),
)
def test_each_label_gives_its_share(counts: list[int], fraction: float, seed: int) -> None:
    classes = np.repeat(np.arange(len(counts)), counts)
    train, held = hold_out(classes, np.arange(len(classes)), fraction, seed)
    assert sorted([*train.tolist(), *held.tolist()]) == list(range(len(classes)))
    for label, count in enumerate(counts):
        assert abs((classes[held] == label).sum() - fraction * count) <= 0.5


@given(
    labels=st.lists(st.integers(0, 2), min_size=30, max_size=80),
    sizes=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_groups_stay_together(labels: list[int], sizes: int, seed: int) -> None:
    classes = np.unique(labels, return_inverse=True)[1]
    assume(np.bincount(classes).min() > 8)
    groups = np.random.default_rng(seed).permutation(np.arange(len(classes)) // sizes)
    groups = np.unique(groups, return_inverse=True)[1]
    train, held = hold_out(classes, groups, 0.2, seed)
    assert not set(groups[train]) & set(groups[held])
    # no label is lost to training
    assert set(classes[train]) == set(classes)
    assert 0 < len(held) < 0.5 * len(classes)


def test_near_the_share_in_groups_as_well() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 5, 1000)
    groups = np.arange(1000) // 4
    _, held = hold_out(classes, groups, 0.1, 0)
    shares = np.bincount(classes[held], minlength=5) / np.bincount(classes)
    assert (np.abs(shares - 0.1) < 0.05).all()


def test_the_seed_chooses() -> None:
    classes, groups = np.repeat([0, 1], 50), np.arange(100)
    chosen = [hold_out(classes, groups, 0.2, seed)[1].tolist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_nothing_is_held_out() -> None:
    train, held = hold_out(np.array([0, 1]), np.array([0, 1]), 0.0, 0)
    assert (train.tolist(), held.tolist()) == ([0, 1], [])


@pytest.mark.parametrize(
    ("classes", "groups"),
    [([0, 0, 1, 1], [0, 1, 2, 3]), ([0] * 20 + [1] * 20, [0] * 20 + [1] * 20)],
)
def test_too_few(classes: list[int], groups: list[int]) -> None:
    with pytest.raises(DataError) as caught:
        hold_out(np.array(classes), np.array(groups), 0.1, 0)
    assert str(caught.value) == (
        f"validation_fraction=0.1 of {len(classes)} photos holds out none of any label; "
        "add photos, choose a larger fraction, or validation_fraction=None to train without."
    )
