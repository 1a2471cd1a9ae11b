"""Ratings of classes, and the scores of photos that follow from them."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from emotag import FIVE, CNNFeatures, ConceptScores
from emotag.errors import ModelError
from emotag.features.ratings import read_ratings
from tests.conftest import SHARED, draw_photo

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def photos(tmp_path: Path, sample_photos: list[str]) -> list[str]:
    return [*sample_photos, *(draw_photo(tmp_path / f"{seed}.jpg", seed) for seed in range(4))]


@pytest.mark.parametrize(("table", "n_classes"), [("imagenet", 1000), ("places365", 365)])
def test_the_tables_are_the_means_of_the_raters(table: str, n_classes: int) -> None:
    ratings = read_ratings(table)
    assert len(ratings.names) == n_classes
    assert set(FIVE.names) < set(ratings.labels)
    raters = []
    for rater in (1, 2):
        path = ROOT / f"docs/ratings/rater-{rater}-{table}.csv"
        if not path.is_file():
            pytest.skip("docs/ratings is not here: this is no checkout")
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert tuple(row["name"] for row in rows) == ratings.names
        raters.append([[int(row[label]) for label in ratings.labels] for row in rows])
    np.testing.assert_allclose(ratings.values, np.mean(raters, axis=0) / 3)


def test_the_names_are_torchvisions_in_order() -> None:
    from torchvision.models import ResNet50_Weights

    names = ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    assert list(read_ratings("imagenet").names) == names


def test_the_names_are_those_of_the_places_network() -> None:
    path = SHARED / "weights" / "categories_places365.txt"
    if not path.is_file():
        pytest.skip("needs ../shared/weights, which is not here")
    names = [line.split()[0][3:] for line in path.read_text().splitlines()]
    assert list(read_ratings("places365").names) == names


def test_scores_are_what_the_docstring_says(photos: list[str]) -> None:
    concepts = ConceptScores("lite0").fit(photos[2:])
    logits = CNNFeatures("lite0", layer="logits").transform(photos).astype(float)
    expected = softmax(logits / 2, axis=1) @ read_ratings("imagenet").values
    scores = np.log(0.1 + expected / expected[2:].mean(axis=0))
    scores = (scores - scores[2:].mean(axis=0)) / scores[2:].std(axis=0)
    found = concepts.transform(photos)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, scores, atol=1e-5)
    names = concepts.get_feature_names_out().tolist()
    assert names[:2] == ["concept_love", "concept_happiness"]


def test_one_photo_alone_scores_nothing(sample_photos: list[str]) -> None:
    found = ConceptScores("lite0").fit_transform(sample_photos[:1])
    np.testing.assert_array_equal(found, np.zeros((1, 7)))


def test_a_table_of_ones_own(photos: list[str], tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    lines = ["index,name,calm"] + [f"{i},class {i},{3 if i == 985 else 0}" for i in range(1000)]
    path.write_text("\n".join(lines))
    found = ConceptScores("lite0", ratings=str(path)).fit_transform(photos)
    # the second photo shows a flower: 985 is a daisy
    assert found[:, 0].argmax() in (0, 1)
    assert found.shape == (len(photos), 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2", " has no columns index, name and one for each label."),
        ("", " has no columns index, name and one for each label."),
        ("index,name,calm\n1,tench,0", ", line 2: expected the index 0, a name and 1 ratings "),
        ("index,name,calm\n0,tench,4", ", line 2: expected the index 0, a name and 1 ratings "),
        ("index,name,calm\n0,tench,nan", ", line 2: expected the index 0, a name and 1 ratings "),
        ("index,name,calm\n0,tench", ", line 2: expected the index 0, a name and 1 ratings "),
        ("index,name,calm\n0,tench,1", " are of 1 classes, and 'lite0' tells 1000 apart."),
    ],
)
def test_tables_that_make_no_sense(
    photos: list[str], tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "own.csv"
    path.write_text(content)
    with pytest.raises(ModelError) as caught:
        ConceptScores("lite0", ratings=os.fspath(path)).fit(photos)
    assert f"{path}{message}" in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"softness": 0}, "softness=0 must be a number above 0."),
        ({"epsilon": "much"}, "epsilon='much' must be a number above 0."),
        ({"ratings": "imagnet"}, "The ratings imagnet cannot be read: No such file or directory"),
        ({"backbone": "places205"}, "No ratings are known for the classes of 'places205'; "),
        ({"backbone": "clip:RN50/cc12m"}, "The backbone 'clip:RN50/cc12m' has no layer 'logits'"),
    ],
)
def test_parameters_that_make_no_sense(
    photos: list[str], parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        ConceptScores(**parameters).fit(photos)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)
