"""Ways to split labelled photos, and what is refused."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotag.dataset import Dataset, split_dataset
from emotag.errors import DataError
from emotag.evaluation.splits import SPLIT_KINDS, Split, make_splits


def make_dataset(labels, groups=None, splits=None, sources=None):
    """Return a data set of photos that need not exist."""
    count = len(labels)
    return Dataset(
        paths=np.array([f"{index}.jpg" for index in range(count)], dtype=np.str_),
        labels=np.array(labels, dtype=np.str_),
        sentiments=np.array([""] * count, dtype=np.str_),
        groups=np.array(groups or [f"g{index}" for index in range(count)], dtype=np.str_),
        splits=np.array(splits or [""] * count, dtype=np.str_),
        sources=np.array(sources or [""] * count, dtype=np.str_),
        digests=np.array([f"d{index}" for index in range(count)], dtype=np.str_),
    )


def of_owners(n_photos=200, photos_an_owner=4):
    """Two labels, three to one, a few photos an owner."""
    labels = ["love" if index % 16 < 12 else "fear" for index in range(n_photos)]
    return make_dataset(labels, [f"owner {index // photos_an_owner}" for index in range(n_photos)])


def groups_on_both_sides(dataset, split):
    return set(dataset.groups[split.train]) & set(dataset.groups[split.test])


def assert_sound(dataset, split):
    assert not set(split.train.tolist()) & set(split.test.tolist())
    assert np.array_equal(split.train, np.sort(split.train))
    assert np.array_equal(split.test, np.sort(split.test))
    assert set(dataset.labels[split.train]) == set(dataset.counts)


def test_the_manifests_split_is_taken_as_it_is():
    dataset = make_dataset(["love", "fear"] * 4, splits=["train", "train", "test", "val"] * 2)
    (split,) = make_splits(dataset, "given")
    assert split.name == "given"
    assert split.test.tolist() == [2, 6]
    assert split.train.tolist() == [0, 1, 3, 4, 5, 7]


def test_a_manifest_without_split_is_said_so():
    with pytest.raises(DataError, match="no photo has train, val or test in its column split"):
        make_splits(of_owners(), "given")


def test_what_a_manifest_says_of_splits_is_not_asked_for_the_others():
    dataset = of_owners()
    given_too = make_dataset(
        dataset.labels.tolist(), dataset.groups.tolist(), ["train", "train", "train", "test"] * 50
    )
    for kind in ("group", "paper", "folds"):
        for ours, plain in zip(
            make_splits(given_too, kind), make_splits(dataset, kind), strict=True
        ):
            assert np.array_equal(ours.test, plain.test)


def test_by_group_is_what_fit_holds_out():
    dataset = of_owners()
    (split,) = make_splits(dataset, "group", seed=3)
    _, test = split_dataset(dataset, seed=3)
    assert dataset.paths[split.test].tolist() == test.paths.tolist()
    assert not groups_on_both_sides(dataset, split)
    assert_sound(dataset, split)
    assert len(split.train) + len(split.test) == len(dataset)


def test_the_papers_split_is_stratified_and_tears_groups_apart():
    dataset = of_owners()
    (split,) = make_splits(dataset, "paper")
    assert split.name == "paper"
    assert len(split.test) == 50
    assert (dataset.labels[split.test] == "fear").mean() == pytest.approx(0.24, abs=0.02)
    assert groups_on_both_sides(dataset, split)
    assert_sound(dataset, split)


def test_folds_judge_each_photo_once_and_keep_groups_together():
    dataset = of_owners()
    splits = make_splits(dataset, "folds", folds=4)
    assert [split.name for split in splits] == ["fold 1", "fold 2", "fold 3", "fold 4"]
    assert sorted(np.concatenate([split.test for split in splits])) == list(range(200))
    for split in splits:
        assert_sound(dataset, split)
        assert not groups_on_both_sides(dataset, split)
        assert len(split.train) + len(split.test) == 200


def test_each_source_is_left_out_once_and_so_is_what_it_shares_a_group_with():
    dataset = make_dataset(
        ["love", "fear", "love", "love", "fear", "love"],
        groups=["a", "b", "c", "d", "e", "c"],
        sources=["web", "web", "web", "flickr", "flickr", "flickr"],
    )
    first, second = make_splits(dataset, "sources")
    assert (first.name, second.name) == ("source flickr", "source web")
    assert first.test.tolist() == [3, 4, 5]
    assert first.train.tolist() == [0, 1]
    assert second.test.tolist() == [0, 1, 2]
    assert second.train.tolist() == [3, 4]


def test_a_source_need_not_have_every_label():
    dataset = make_dataset(
        ["love", "fear", "love", "love", "fear"], sources=["web", "web", "web", "couples", "news"]
    )
    couples = next(s for s in make_splits(dataset, "sources") if s.name == "source couples")
    assert dataset.labels[couples.test].tolist() == ["love"]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["web"] * 4, "All photos come from the source 'web'; at least two"),
        (["web", "", "web", ""], "2 labelled photos have no source, the first of them 1.jpg"),
        (
            ["web", "news"] * 2,
            "The split 'source news' has no photo of fear to learn from; collect photos",
        ),
    ],
)
def test_sources_that_cannot_be_left_out_are_refused(sources, message):
    with pytest.raises(DataError, match=message):
        make_splits(make_dataset(["love", "fear"] * 2, sources=sources), "sources")


def test_too_many_folds_for_a_label_say_how_many_would_do():
    dataset = make_dataset(["love"] * 20 + ["fear"] * 6, [f"g{i}" for i in range(20)] + ["a"] * 6)
    with pytest.raises(DataError) as caught:
        make_splits(dataset, "folds")
    assert str(caught.value) == (
        "The label 'fear' has 6 photos in 1 independent group, so that one of 5 folds would have "
        "none of it; collect more of it, or leave it out."
    )
    groups = [f"g{i}" for i in range(20)] + list("aabbcc")
    with pytest.raises(DataError, match="none of it; ask for at most 3 folds, collect more of it"):
        make_splits(make_dataset(dataset.labels.tolist(), groups), "folds")


def test_a_fold_that_lacks_a_label_all_the_same_is_refused():
    # one owner has all of both labels but a few: the fold of that owner takes whatever it takes
    labels = ["love", "fear"] * 30 + ["love"] * 4 + ["fear"] * 4
    groups = ["prolific"] * 60 + [f"g{index}" for index in range(8)]
    with pytest.raises(DataError, match=re.escape("has no photo of")):
        make_splits(make_dataset(labels, groups), "folds", folds=5)


@pytest.mark.parametrize("folds", [1, 0, -2, 2.5, True, "5"])
def test_a_number_of_folds_that_makes_no_sense_is_refused(folds):
    with pytest.raises(DataError, match="must be a whole number of at least 2"):
        make_splits(of_owners(), "folds", folds=folds)


def test_a_label_of_one_photo_cannot_be_split_as_in_the_paper():
    with pytest.raises(DataError, match="The label 'fear' has one photo"):
        make_splits(make_dataset(["love"] * 20 + ["fear"]), "paper")


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(DataError) as caught:
        make_splits(of_owners(), "fold")
    assert str(caught.value) == (
        "Unknown split 'fold'; choose from given, group, paper, folds, sources. "
        "Did you mean 'folds'?"
    )
    assert SPLIT_KINDS == ("given", "group", "paper", "folds", "sources")


@pytest.mark.parametrize("kind", SPLIT_KINDS)
def test_one_label_is_nothing_to_tell_apart(kind):
    with pytest.raises(DataError, match="The photos have 1 label, and at least two"):
        make_splits(make_dataset(["love"] * 20), kind)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["love", "fear", "sadness"]),
            st.integers(0, 20),
            st.sampled_from(["web", "flickr"]),
        ),
        min_size=2,
        max_size=80,
    ),
    st.sampled_from(["group", "paper", "folds", "sources"]),
    st.integers(0, 3),
)
def test_any_photos_are_split_soundly_or_refused(rows, kind, seed):
    dataset = make_dataset(
        [label for label, _, _ in rows],
        [f"g{group}" for _, group, _ in rows],
        sources=[source for _, _, source in rows],
    )
    try:
        splits = make_splits(dataset, kind, folds=3, seed=seed)
    except DataError:
        return
    again = make_splits(dataset, kind, folds=3, seed=seed)
    for split, same in zip(splits, again, strict=True):
        assert isinstance(split, Split)
        assert np.array_equal(split.test, same.test)
        assert_sound(dataset, split)
        assert len(split.test)
        if kind != "paper":
            assert not groups_on_both_sides(dataset, split)
        if kind != "sources":
            assert set(dataset.labels[split.test]) == set(dataset.counts)


def test_the_labelled_photos_at_hand_can_be_split_in_every_way(shared_data):
    from emotag.dataset import load_dataset

    dataset = load_dataset([str(shared_data)]).labelled
    for kind in SPLIT_KINDS:
        for split in make_splits(dataset, kind):
            assert_sound(dataset, split)
            assert bool(groups_on_both_sides(dataset, split)) == (kind == "paper")
