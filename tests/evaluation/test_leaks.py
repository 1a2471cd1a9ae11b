"""Photos on both sides of a split."""

import os
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from emotag.dataset import load_dataset
from emotag.errors import DataError
from emotag.evaluation.appearance import measure_photos
from emotag.evaluation.leaks import Leak, LeakCount, count_leaks, describe_leaks, find_leaks
from emotag.evaluation.splits import Split
from emotag.likeness import FEATURELESS
from tests.conftest import draw_photo
from tests.evaluation.test_splits import make_dataset


def split_of(dataset, *test_names):
    test = np.isin([os.path.basename(path) for path in dataset.paths], test_names)
    return Split("mine", np.flatnonzero(~test), np.flatnonzero(test))


@pytest.fixture
def photos(tmp_path):
    """A photo, its copy, the same in another size and quality, others, and what has no likeness."""
    folder = tmp_path / "love"
    folder.mkdir()
    for seed in range(4):
        draw_photo(folder / f"{seed}.jpg", seed, (320, 240))
    shutil.copy(folder / "0.jpg", folder / "copy.jpg")
    with Image.open(folder / "1.jpg") as image:
        image.resize((200, 150)).save(folder / "small.jpg", quality=60)
    for name, side in (("white", 64), ("paper", 80)):
        Image.new("RGB", (side, side), "white").save(folder / f"{name}.png")
    for name in ("broken", "damaged"):
        (folder / f"{name}.jpg").write_bytes(b"\xff\xd8\xff\xe0" + name.encode())
    return load_dataset([str(tmp_path)])


def names_of(leaks):
    return [
        (leak.kind, os.path.basename(leak.train_path), os.path.basename(leak.test_path))
        for leak in leaks
    ]


def test_copies_and_near_copies_are_found_and_nothing_else(photos):
    split = split_of(photos, "copy.jpg", "small.jpg", "2.jpg", "paper.png", "damaged.jpg")
    leaks = find_leaks(photos, [split], measure_photos(photos.paths).hashes)
    assert sorted(names_of(leaks)) == [
        ("identical", "0.jpg", "copy.jpg"),
        ("near", "1.jpg", "small.jpg"),
    ]
    assert {leak.split for leak in leaks} == {"mine"}
    (count,) = count_leaks(photos, [split], leaks)
    # photos of the same bytes are of one group
    assert count == LeakCount("mine", n_test=5, n_identical=1, n_near=1, n_same_group=1)


def test_photos_on_the_same_side_do_not_leak(photos):
    split = split_of(photos, "0.jpg", "copy.jpg")
    assert find_leaks(photos, [split], measure_photos(photos.paths).hashes) == []


def test_each_split_has_its_own(photos):
    splits = [split_of(photos, "copy.jpg"), split_of(photos, "2.jpg")]
    splits[1] = Split("other", splits[1].train, splits[1].test)
    leaks = find_leaks(photos, splits, measure_photos(photos.paths).hashes)
    assert [leak.split for leak in leaks] == ["mine"]
    counts = count_leaks(photos, splits, leaks)
    assert [(count.split, count.n_identical) for count in counts] == [("mine", 1), ("other", 0)]


def brute_force(dataset, split, hashes, distance):
    found = []
    for test in split.test.tolist():
        bits = [
            ((hashes[train] ^ hashes[test]).bit_count(), train)
            for train in split.train.tolist()
            if FEATURELESS not in (hashes[train], hashes[test])
        ]
        if bits and min(bits)[0] <= distance:
            least, train = min(bits)
            found.append(Leak(split.name, "near", dataset.paths[train], dataset.paths[test], least))
    return found


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_the_nearest_is_found_as_by_comparing_one_by_one(data):
    n = data.draw(st.integers(1, 40))
    # few bits are in use, so that many hashes are near, some equal and some featureless
    hashes = data.draw(st.lists(st.integers(0, 255), min_size=n, max_size=n))
    sides = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    dataset = make_dataset(["love"] * n)
    split = Split("mine", np.flatnonzero(~sides), np.flatnonzero(sides))
    for distance in (0, 1, 3):
        leaks = find_leaks(dataset, [split], hashes, distance=distance)
        assert leaks == brute_force(dataset, split, hashes, distance)


def test_many_photos_take_several_blocks():
    rng = np.random.default_rng(0)
    hashes = rng.integers(1, 2**63, 900).astype(np.uint64)
    hashes[700:] = hashes[:200] ^ np.uint64(0b101)
    dataset = make_dataset(["love"] * 900)
    split = Split("mine", np.arange(300), np.arange(300, 900))
    leaks = find_leaks(dataset, [split], hashes)
    assert [(leak.train_path, leak.test_path, leak.distance) for leak in leaks] == [
        (f"{index}.jpg", f"{index + 700}.jpg", 2) for index in range(200)
    ]


def test_a_hash_is_needed_for_each_photo():
    with pytest.raises(DataError, match="There are 2 hashes for 3 photos"):
        find_leaks(make_dataset(["love"] * 3), [], [1, 2])


def test_words_say_how_many_and_what_to_do():
    sentences = describe_leaks(
        [
            LeakCount("paper", 1200, 1, 2, 1),
            LeakCount("group", 1200, 0, 1, 0),
            LeakCount("given", 1200, 0, 0, 0),
        ]
    )
    assert sentences == [
        "paper: of the 1,200 photos judged, 1 was learnt from as well, 2 look like one that was, "
        "1 shares a group with one that was, so the figures may be too good; give those that look "
        "alike one group and split by group.",
        "group: of the 1,200 photos judged, 1 looks like one that was, so the figures may be too "
        "good; give those that look alike one group.",
        "given: none of the 1,200 photos judged is known to look like one that was learnt from.",
    ]
