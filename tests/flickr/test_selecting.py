"""Which photos make the set, and that it does not hang on the order of events."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.flickr.ledger import Candidate
from emotag.flickr.selecting import Selection, select_photos

Found = dict[str, list[Candidate]]


@st.composite
def found_photos(draw: st.DrawFn) -> Found:
    """Draw labels with photos, some of them under several, each with one owner."""
    owners = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=30))
    photos = [Candidate(str(number), owner) for number, owner in enumerate(owners)]
    lists = st.lists(st.sampled_from(photos), unique=True, max_size=len(photos))
    return {label: draw(lists) for label in ("love", "fear", "sadness")}


def choose(found: Found, excluded: set[tuple[str, str]], overlap: str = "drop") -> Selection:
    return select_photos(
        found, counts=dict.fromkeys(found, 4), per_owner=3, overlap=overlap, excluded=excluded
    )


@given(found_photos(), st.sampled_from(["drop", "first", "keep"]))
def test_no_rule_is_broken(found: Found, overlap: str) -> None:
    chosen = choose(found, set(), overlap).chosen
    owners = {photo.id: photo.owner for photos in found.values() for photo in photos}
    homes = Counter(photo.id for photos in found.values() for photo in photos)
    shares = Counter(owners[photo] for photos in chosen.values() for photo in photos)
    assert max(shares.values(), default=0) <= 3
    for label, photos in chosen.items():
        assert len(photos) <= 4
        order = [photo.id for photo in found[label]]
        assert photos == sorted(photos, key=order.index)
        if overlap == "drop":
            assert all(homes[photo] == 1 for photo in photos)
    if overlap == "first":
        taken = [photo for photos in chosen.values() for photo in photos]
        assert len(taken) == len(set(taken))


@given(found_photos(), st.data())
def test_photos_that_are_not_to_be_had_are_as_if_never_found(
    found: Found, data: st.DataObject
) -> None:
    everything = [(label, photo.id) for label, photos in found.items() for photo in photos]
    bad = set(data.draw(st.lists(st.sampled_from(everything)))) if everything else set()
    order = random.Random(data.draw(st.integers(0, 100)))
    # tried in any order, with any stops in between, the choice made anew after each
    tried_and_bad: set[tuple[str, str]] = set()
    tried: set[tuple[str, str]] = set()
    while True:
        chosen = {
            (label, p) for label, ps in choose(found, tried_and_bad).chosen.items() for p in ps
        }
        if not chosen - tried:
            break
        some = order.sample(sorted(chosen - tried), k=order.randint(1, len(chosen - tried)))
        tried |= set(some)
        tried_and_bad |= set(some) & bad
    assert choose(found, tried_and_bad).chosen == choose(found, bad).chosen


@given(found_photos(), st.data())
def test_what_is_found_later_changes_no_earlier_choice(found: Found, data: st.DataObject) -> None:
    more = {
        label: photos + [Candidate(f"{label}{n}", "z") for n in range(data.draw(st.integers(0, 5)))]
        for label, photos in found.items()
    }
    before, after = choose(found, set()).chosen, choose(more, set()).chosen
    for label, photos in before.items():
        assert after[label][: len(photos)] == photos


def test_why_photos_are_passed_over() -> None:
    found = {
        "love": [
            Candidate("1", "a"),
            Candidate("2", "a"),
            Candidate("3", "b"),
            Candidate("4", "c"),
        ],
        "fear": [Candidate("3", "b"), Candidate("5", "a")],
    }
    selection = select_photos(
        found, counts=dict.fromkeys(found, 2), per_owner=1, overlap="drop", excluded={("fear", "5")}
    )
    assert selection.chosen == {"love": ["1", "4"], "fear": []}
    assert selection.passed == {
        "love": {"one owner's share is full": 1, "found under another label, too": 1},
        "fear": {"found under another label, too": 1, "not to be had": 1},
    }


@pytest.mark.parametrize(
    ("overlap", "chosen"),
    [
        ("drop", {"love": ["1"], "fear": ["3"]}),
        ("first", {"love": ["1", "2"], "fear": ["3"]}),
        ("keep", {"love": ["1", "2"], "fear": ["2", "3"]}),
    ],
)
def test_a_photo_under_two_labels(overlap: str, chosen: dict[str, list[str]]) -> None:
    found = {
        "love": [Candidate("1", "a"), Candidate("2", "b")],
        "fear": [Candidate("2", "b"), Candidate("3", "c")],
    }
    assert choose(found, set(), overlap).chosen == chosen
