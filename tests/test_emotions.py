"""Label sets: what they hold, what they refuse, and how they fold."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.emotions import EKMAN6, FIVE, KNOWN_SETS, MIKELS8, LabelSet, read_label_file
from emotag.errors import LabelError

labels = st.text(min_size=1, max_size=8).filter(lambda text: text.strip() and text.isprintable())


@st.composite
def label_sets(draw: st.DrawFn) -> LabelSet:
    """Sets of which each label is positive, negative or neither."""
    names = draw(st.lists(labels, min_size=2, max_size=8, unique=True))
    signs = draw(st.lists(st.sampled_from("+-0"), min_size=len(names), max_size=len(names)))
    signed = list(zip(names, signs, strict=True))
    return LabelSet(
        names,
        positive=[name for name, sign in signed if sign == "+"],
        negative=[name for name, sign in signed if sign == "-"],
    )


def test_the_papers_five_emotions_stand_in_its_order() -> None:
    assert FIVE.names == ("love", "happiness", "violence", "fear", "sadness")
    assert [FIVE.sentiment(name) for name in FIVE.names] == ["positive"] * 2 + ["negative"] * 3


@pytest.mark.parametrize(("name", "size"), [("five", 5), ("mikels8", 8), ("ekman6", 6)])
def test_every_known_set_folds(name: str, size: int) -> None:
    label_set = KNOWN_SETS[name]
    assert len(label_set) == size
    assert label_set.folds
    assert label_set.fold(np.eye(size)).tolist() == [
        float(label_set.sentiment(label) == "positive") for label in label_set.names
    ]


def test_membership_and_position() -> None:
    assert "fear" in FIVE
    assert "joy" not in FIVE
    assert 3 not in FIVE
    assert [FIVE.index(name) for name in FIVE.names] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["love", ""], "'' is no label: labels are non-empty text."),
        (["love", "  "], "'  ' is no label: labels are non-empty text."),
        (
            ["love", "\x1b[31m"],
            "'\\x1b[31m' is no label: it holds characters that cannot be shown.",
        ),
        (["love", 3], "3 is no label: labels are non-empty text."),
        (["love", ["fear"]], "['fear'] is no label: labels are non-empty text."),
        (["love", "fear", "love"], "love stands twice among love, fear, love."),
        (["love"], "A label set needs at least two labels, not love."),
        ([], "A label set needs at least two labels, not ."),
    ],
)
def test_labels_that_make_no_set_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(LabelError) as caught:
        LabelSet(names)
    assert str(caught.value) == message


def test_an_unknown_label_is_refused_with_the_choices_and_the_nearest() -> None:
    with pytest.raises(LabelError) as caught:
        FIVE.index("hapiness")
    assert str(caught.value) == (
        "Unknown label 'hapiness'; choose from love, happiness, violence, fear, sadness. "
        "Did you mean 'happiness'?"
    )
    with pytest.raises(ValueError, match=r"^Unknown label 'zzz'; choose from [a-z, ]+\.$"):
        FIVE.sentiment("zzz")


def test_a_sentiment_that_names_an_unknown_label_is_refused() -> None:
    with pytest.raises(LabelError, match=r"^Unknown label 'moon'; choose from sun, rain\.$"):
        LabelSet(["sun", "rain"], positive=["moon"])
    with pytest.raises(LabelError, match=r"^rain cannot be both positive and negative\.$"):
        LabelSet(["sun", "rain"], positive=["sun", "rain"], negative=["rain"])


@pytest.mark.parametrize(
    ("positive", "negative", "unknown"),
    [([], [], "sun, rain"), (["sun"], [], "rain"), (["sun", "rain"], [], "sun, rain")],
)
def test_a_set_with_less_than_both_sentiments_does_not_fold(
    positive: list[str], negative: list[str], unknown: str
) -> None:
    label_set = LabelSet(["sun", "rain"], positive, negative)
    assert not label_set.folds
    with pytest.raises(LabelError) as caught:
        label_set.fold([[0.5, 0.5]])
    assert str(caught.value) == (
        f"The sentiment of {unknown} is not known, so probabilities cannot be folded; "
        "say it in a label file."
    )


def test_a_label_without_a_sentiment_has_none() -> None:
    label_set = LabelSet(["sun", "rain", "fog"], positive=["sun"], negative=["rain"])
    assert [label_set.sentiment(name) for name in label_set.names] == [
        "positive",
        "negative",
        None,
    ]


@pytest.mark.parametrize("proba", [[0.2] * 5, [[0.5, 0.5]], [[[0.2] * 5]], np.zeros((2, 6)), 1.0])
def test_probabilities_of_another_shape_are_refused(proba: object) -> None:
    shape = ", ".join(str(side) for side in np.shape(proba))
    with pytest.raises(LabelError, match=rf"shape \({shape},?\) do not fit 5 labels \(love, "):
        FIVE.fold(proba)  # type: ignore[arg-type]


@given(label_sets(), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_folding_sums_what_is_positive(label_set: LabelSet, rows: int, seed: int) -> None:
    proba = np.random.default_rng(seed).dirichlet(np.ones(len(label_set)), size=rows)
    if not label_set.folds:
        with pytest.raises(LabelError, match="cannot be folded"):
            label_set.fold(proba)
        return
    by_name = [
        sum(p for p, name in zip(row, label_set.names, strict=True) if name in label_set.positive)
        for row in proba
    ]
    folded = label_set.fold(proba)
    assert folded.shape == (rows,)
    np.testing.assert_allclose(folded, by_name, atol=1e-12)


def test_folding_keeps_the_precision_it_is_given() -> None:
    assert FIVE.fold(np.full((1, 5), 0.2, dtype=np.float32)).dtype == np.float32


@given(label_sets())
def test_a_set_is_a_value(label_set: LabelSet) -> None:
    again = pickle.loads(pickle.dumps(label_set))
    assert again == label_set == copy.deepcopy(label_set)
    assert hash(again) == hash(label_set)
    assert LabelSet(label_set.names[::-1]) != label_set


@given(label_sets(), st.data())
def test_a_subset_keeps_order_and_sentiments(label_set: LabelSet, data: st.DataObject) -> None:
    picked = data.draw(st.lists(st.sampled_from(label_set.names), unique=True))
    if len(picked) < 2:
        with pytest.raises(LabelError, match="at least two labels"):
            label_set.subset(picked)
        return
    subset = label_set.subset(picked)
    assert list(subset.names) == [name for name in label_set.names if name in picked]
    assert all(subset.sentiment(name) == label_set.sentiment(name) for name in picked)


def test_a_subset_of_unknown_labels_is_refused() -> None:
    with pytest.raises(LabelError, match="Unknown label 'joy'"):
        FIVE.subset(["love", "joy"])


@pytest.mark.parametrize("known", [FIVE, MIKELS8, EKMAN6])
def test_folders_named_like_a_known_set_get_its_order_and_sentiments(known: LabelSet) -> None:
    assert LabelSet.from_names(sorted(known.names) * 3) == known


def test_some_labels_of_a_known_set_keep_its_order() -> None:
    two = LabelSet.from_names(["sadness", "love"])
    assert two.names == ("love", "sadness")
    assert two.folds


def test_other_folders_make_a_set_of_their_own_in_alphabetical_order() -> None:
    label_set = LabelSet.from_names(["hugging", "fighting", "love", "hugging"])
    assert label_set.names == ("fighting", "hugging", "love")
    assert not label_set.folds


@pytest.mark.parametrize("names", [[], ["love"], ["moon", "moon"]])
def test_fewer_than_two_labels_are_refused(names: list[str]) -> None:
    with pytest.raises(LabelError, match="at least two labels"):
        LabelSet.from_names(names)


def write_labels(folder: Path, text: str) -> str:
    path = folder / "labels.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_label_file_decides_order_and_sentiments(tmp_path: Path) -> None:
    path = write_labels(
        tmp_path,
        'labels = ["love", "fear", "calm"]\npositive = ["love", "calm"]\nnegative = ["fear"]\n',
    )
    label_set = LabelSet.from_names(["calm", "fear"], read_label_file(path))
    assert label_set == LabelSet(["fear", "calm"], positive=["calm"], negative=["fear"])


def test_a_label_file_may_turn_a_known_set_round(tmp_path: Path) -> None:
    path = write_labels(tmp_path, 'positive = ["fear"]\nnegative = ["love"]\n')
    label_set = LabelSet.from_names(["love", "fear"], read_label_file(path))
    assert label_set.names == ("fear", "love")
    assert label_set.sentiment("fear") == "positive"


def test_a_label_file_without_sentiments_makes_a_set_that_does_not_fold(tmp_path: Path) -> None:
    path = write_labels(tmp_path, 'labels = ["rain", "sun"]')
    assert not LabelSet.from_names(["sun", "rain"], read_label_file(path)).folds


def test_photos_whose_label_the_file_does_not_have_are_refused(tmp_path: Path) -> None:
    path = write_labels(tmp_path, 'positive = ["sun"]\nnegative = ["rain"]')
    with pytest.raises(LabelError) as caught:
        LabelSet.from_names(["sun", "rain", "fog", "hail"], read_label_file(path))
    assert str(caught.value) == (
        "The photos are labelled fog, hail, which the label file does not have; it has sun, rain."
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('positiv = ["sun"]', "'positiv' has no meaning; a label file holds the lists"),
        ('positive = "sun"', "'positive' must be a list of labels in quotes."),
        ("labels = [1, 2]", "'labels' must be a list of labels in quotes."),
        ("[positive]\nsun = true", "'positive' must be a list of labels in quotes."),
        ("labels = [sun, rain]", "cannot be read: Invalid value"),
    ],
)
def test_a_label_file_that_says_something_else_is_refused_by_name(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write_labels(tmp_path, text)
    with pytest.raises(LabelError) as caught:
        read_label_file(path)
    assert path in str(caught.value)
    assert message in str(caught.value)


def test_a_label_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes('labels = ["Glück", "Leid"]'.encode("latin-1"))
    for path in (latin, tmp_path / "missing.toml", tmp_path):
        with pytest.raises(LabelError, match="cannot be read") as caught:
            read_label_file(str(path))
        assert str(path) in str(caught.value)


def test_a_label_file_may_hold_labels_of_any_script(tmp_path: Path) -> None:
    path = write_labels(tmp_path, 'positive = ["喜び", "Glück 🎉"]\nnegative = ["悲しみ"]')
    assert read_label_file(path)["labels"] == ["喜び", "Glück 🎉", "悲しみ"]


@given(label_sets())
def test_what_a_label_file_can_say_comes_back_whole(label_set: LabelSet) -> None:
    said = {
        "labels": list(label_set.names),
        "positive": sorted(label_set.positive),
        "negative": sorted(label_set.negative),
    }
    assert LabelSet.from_names(label_set.names, said) == label_set
