"""What colour alone and size alone explain."""

import numpy as np
import pytest

from emotag.dataset import load_dataset
from emotag.emotions import FIVE, LabelSet
from emotag.errors import DataError
from emotag.evaluation.appearance import COLOURS, SIZES, Appearance, measure_photos
from emotag.evaluation.metrics import Figure
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.shortcuts import (
    Correlation,
    Shortcut,
    Shortcuts,
    describe_shortcuts,
    measure_shortcuts,
)
from tests.evaluation.test_splits import make_dataset

TWO = LabelSet(["love", "fear"], positive=["love"], negative=["fear"])


def predictions_on(dataset, p_love, *, labels=TWO, model="svm", proba=True):
    both = np.column_stack([p_love, 1 - p_love])
    return Predictions(
        model=model,
        labels=labels,
        actual=dataset.labels,
        predicted=np.where(p_love >= 0.5, "love", "fear").astype(np.str_),
        proba=both if proba else None,
        groups=dataset.groups,
        paths=dataset.paths,
    )


def made_up(n=200, seed=0, colour=0.0, width=0.0):
    """Photos whose brightness and width follow the label as much as is asked for."""
    rng = np.random.default_rng(seed)
    labels = np.array(["love", "fear"] * (n // 2))
    sign = np.where(labels == "love", 1, -1)
    colours = rng.normal(size=(n, len(COLOURS)))
    colours[:, COLOURS.index("brightness")] += colour * sign
    sizes = np.exp(rng.normal(size=(n, len(SIZES))))
    sizes[:, SIZES.index("width")] *= np.exp(width * sign)
    dataset = make_dataset(labels.tolist(), [f"owner {index // 4}" for index in range(n)])
    return dataset, Appearance(np.arange(n, dtype=np.uint64), colours, sizes)


def by_name(shortcuts):
    return {(shortcut.cue, shortcut.target): shortcut for shortcut in shortcuts.explained}


def test_what_labels_follow_is_found_and_what_they_do_not_is_chance():
    dataset, appearance = made_up(colour=1.5)
    said = predictions_on(dataset, np.random.default_rng(2).uniform(size=len(dataset)))
    found = by_name(measure_shortcuts(dataset, said, appearance, n_draws=300))
    assert list(found) == [
        ("colour", "label"),
        ("size", "label"),
        ("colour", "prediction"),
        ("size", "prediction"),
    ]
    assert found["colour", "label"].is_above_chance
    assert found["colour", "label"].figure.value > 0.85
    for nothing in (("size", "label"), ("size", "prediction"), ("colour", "prediction")):
        assert found[nothing].figure.value == pytest.approx(0.5, abs=0.12)
        assert not found[nothing].is_above_chance
    assert {shortcut.chance for shortcut in found.values()} == {0.5}


def test_a_model_that_goes_by_size_is_found_out():
    dataset, appearance = made_up(width=0.2)
    wide = np.log(appearance.sizes[:, SIZES.index("width")]) > 0
    said = predictions_on(dataset, np.where(wide, 0.9, 0.1))
    found = by_name(measure_shortcuts(dataset, said, appearance, n_draws=100))
    assert found["size", "prediction"].figure.value > 0.9
    assert not found["colour", "prediction"].is_above_chance


def test_a_model_that_takes_bright_for_positive_is_found_out():
    dataset, appearance = made_up()
    brightness = appearance.colours[:, COLOURS.index("brightness")]
    said = predictions_on(dataset, 1 / (1 + np.exp(-brightness)))
    bright, saturated = measure_shortcuts(dataset, said, appearance, n_draws=300).correlations
    assert (bright.cue, saturated.cue) == ("brightness", "saturation")
    assert bright.figure.value == pytest.approx(1)
    assert saturated.figure.low < 0 < saturated.figure.high


def test_a_separately_learnt_sentiment_counts_over_the_folded_one():
    dataset, appearance = made_up()
    brightness = appearance.colours[:, COLOURS.index("brightness")]
    said = predictions_on(dataset, 1 / (1 + np.exp(-brightness)))
    other = Predictions(
        **{name: getattr(said, name) for name in ("model", "labels", "actual", "predicted")},
        **{name: getattr(said, name) for name in ("proba", "groups", "paths")},
        p_positive=1 / (1 + np.exp(brightness)),
    )
    bright, _ = measure_shortcuts(dataset, other, appearance, n_draws=50).correlations
    assert bright.figure.value == pytest.approx(-1)


@pytest.mark.parametrize(
    "options", [{"proba": False}, {"labels": LabelSet(["love", "fear"])}], ids=["none", "unfolded"]
)
def test_without_sentiment_there_is_no_correlation(options):
    dataset, appearance = made_up(n=40)
    said = predictions_on(dataset, np.linspace(0, 1, 40), **options)
    assert measure_shortcuts(dataset, said, appearance, n_draws=10).correlations == ()


def test_labels_in_too_few_groups_are_left_out():
    dataset, appearance = made_up(n=120, colour=1.5)
    labels = dataset.labels.astype("<U8")
    labels[:12] = "sadness"
    dataset = make_dataset(labels.tolist(), dataset.groups.tolist())
    always = np.full(120, 0.9)
    said = predictions_on(dataset, always, labels=FIVE, proba=False)
    found = by_name(measure_shortcuts(dataset, said, appearance, n_draws=50))
    # sadness has three groups, and the model only ever says love
    assert set(found) == {("colour", "label"), ("size", "label")}
    assert found["colour", "label"].chance == 0.5
    assert found["colour", "label"].n_photos == 108


def test_real_photos_that_colour_tells_apart(labelled_folder):
    (labelled_folder / "love" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    dataset = load_dataset([str(labelled_folder)])
    appearance = measure_photos(dataset.paths)
    judged = dataset.take(np.arange(len(dataset))[::2])
    said = predictions_on(judged, np.where(judged.labels == "love", 0.8, 0.2))
    shortcuts = measure_shortcuts(dataset, said, appearance, n_draws=50)
    found = by_name(shortcuts)
    assert shortcuts.n_unreadable == 1
    assert found["colour", "label"].figure.value == 1
    assert found["colour", "label"].n_photos == 24
    assert found["colour", "prediction"].figure.value == 1


def test_a_photo_that_is_not_in_the_data_is_refused():
    dataset, appearance = made_up(n=40)
    said = predictions_on(make_dataset(["love"] * 41), np.full(41, 0.5))
    with pytest.raises(DataError, match=r"40\.jpg is not in the data set"):
        measure_shortcuts(dataset, said, appearance)
    with pytest.raises(DataError, match="40 photos were measured of 41"):
        measure_shortcuts(make_dataset(["love"] * 41), said, appearance)


def test_sentences_say_what_is_sure_and_what_is_not():
    shortcuts = Shortcuts(
        "vgg16",
        (
            Shortcut("colour", "label", Figure(0.31, 0.28, 0.34), 0.2, 900),
            Shortcut("size", "prediction", Figure(0.22, 0.19, 0.25), 0.2, 900),
            Shortcut("size", "label", Figure(0.22, np.nan, np.nan), 0.2, 900),
        ),
        (
            Correlation("brightness", Figure(0.25, 0.2, 0.3)),
            Correlation("saturation", Figure(-0.15, -0.2, -0.1)),
        ),
        1200,
    )
    assert describe_shortcuts(shortcuts) == [
        "Colour alone finds 0.31 [0.28, 0.34] of each label; chance is 0.20.",
        "Size alone finds 0.22 [0.19, 0.25] of each answer that vgg16 gives, which may be chance: "
        "0.20.",
        "Size alone finds 0.22 of each label; chance is 0.20.",
        "vgg16 holds brighter photos for more positive: the rank correlation is 0.25 [0.20, 0.30].",
        "vgg16 holds paler photos for more positive: the rank correlation is -0.15 [-0.20, -0.10].",
        "1,200 photos that cannot be read are left out.",
    ]
    constant = Shortcuts("svm", (), (Correlation("brightness", Figure(*[np.nan] * 3)),), 0)
    assert describe_shortcuts(constant) == [
        "There are too few photos to measure what colour or size alone explains.",
        "It cannot be told whether svm holds brighter photos for more positive: the rank "
        "correlation is unknown.",
    ]


def test_of_very_few_photos_nothing_is_said_that_chance_orders():
    dataset, appearance = made_up(n=4, colour=1.5)
    dataset = make_dataset(dataset.labels.tolist(), ["a", "b", "c", "d"])
    said = predictions_on(dataset, np.array([0.9, 0.1, 0.8, 0.2]))
    found = measure_shortcuts(dataset, said, appearance, n_draws=50)
    assert not found.has_figures
    assert describe_shortcuts(found) == [
        "There are too few photos to measure what colour or size alone explains."
    ]
