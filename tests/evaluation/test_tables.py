import csv
import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotag.emotions import FIVE, LabelSet
from emotag.errors import DataError
from emotag.evaluation.credits import Credit, credits_of
from emotag.evaluation.literature import LITERATURE
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.report import report_of
from emotag.evaluation.tables import (
    accuracy_rows,
    model_rows,
    photos_by_cell,
    surest_hits,
    surest_mistakes,
)
from emotag.flickr.manifest import Entry, write_manifest

LOVE = LabelSet(["love", "fear"], positive=["love"], negative=["fear"])


def said(rows, *, with_proba=True, **more):
    """Return predictions of rows (path, actual, predicted, confidence)."""
    paths, actual, predicted, confidence = (np.array(column) for column in zip(*rows, strict=True))
    of_love = np.where(predicted == "love", confidence, 1 - confidence)
    proba = np.column_stack([of_love, 1 - of_love]) if with_proba else None
    return Predictions("svm", LOVE, actual, predicted, proba, paths, paths, **more)


ROWS = [
    ("d.jpg", "love", "love", 0.6),
    ("c.jpg", "love", "love", 0.9),
    ("b.jpg", "love", "love", 0.9),
    ("a.jpg", "love", "fear", 0.7),
    ("e.jpg", "fear", "love", 0.8),
    ("f.jpg", "fear", "love", 0.95),
]


def drawn(seed, n_photos):
    rng = np.random.default_rng(seed)
    actual, predicted = (np.array(FIVE.names)[rng.integers(0, 5, n_photos)] for _ in range(2))
    proba = rng.dirichlet(np.ones(5), n_photos)
    paths = np.array([f"{index}.jpg" for index in range(n_photos)])
    return Predictions("svm", FIVE, actual, predicted, proba, paths, paths)


class TestGalleries:
    def test_hits_are_the_surest_first_and_of_equals_the_first_path(self):
        love, fear = surest_hits(said(ROWS), per_label=2)
        assert [(photo.path, photo.confidence) for photo in love.photos] == [
            ("b.jpg", 0.9),
            ("c.jpg", 0.9),
        ]
        assert (love.label, love.n_hits, love.n_photos) == ("love", 3, 4)
        assert (fear.label, fear.n_hits, fear.n_photos, fear.photos) == ("fear", 0, 2, ())

    def test_mistakes_have_rows_predicted_and_columns_actual(self):
        grid = surest_mistakes(said(ROWS), per_cell=1)
        mistaken = grid[0][1]
        assert (mistaken.predicted, mistaken.actual, mistaken.n_photos) == ("love", "fear", 2)
        assert [photo.path for photo in mistaken.photos] == ["f.jpg"]
        assert [photo.path for photo in grid[1][0].photos] == ["a.jpg"]

    def test_the_diagonal_is_no_mistake(self):
        cell = surest_mistakes(said(ROWS))[0][0]
        assert (cell.n_photos, cell.photos, cell.is_mistake) == (3, (), False)

    def test_without_probabilities_photos_are_in_the_order_of_their_paths(self):
        love, _ = surest_hits(said(ROWS, with_proba=False))
        assert [photo.path for photo in love.photos] == ["b.jpg", "c.jpg", "d.jpg"]
        assert {photo.confidence for photo in love.photos} == {None}

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10**6), st.integers(1, 60))
    def test_every_photo_is_in_its_cell_once(self, seed, n_photos):
        predictions = drawn(seed, n_photos)
        grid = photos_by_cell(predictions)
        shown = [photo for row in grid for cell in row for photo in cell.photos]
        assert sorted(photo.path for photo in shown) == sorted(predictions.paths.tolist())
        for index, row in enumerate(grid):
            for column, cell in enumerate(row):
                assert cell.n_photos == len(cell.photos)
                assert (cell.actual, cell.predicted) == (FIVE.names[index], FIVE.names[column])
                sureness = [photo.confidence for photo in cell.photos]
                assert sureness == sorted(sureness, reverse=True)
        for hits in surest_hits(predictions, per_label=100):
            place = FIVE.index(hits.label)
            assert hits.photos == grid[place][place].photos

    def test_a_cell_may_be_limited_and_still_tells_its_number(self):
        cell = photos_by_cell(said(ROWS), per_cell=1)[0][0]
        assert (cell.n_photos, len(cell.photos)) == (3, 1)

    def test_they_can_be_written_as_json(self):
        tree = [dataclasses.asdict(hits) for hits in surest_hits(said(ROWS))]
        cells = [dataclasses.asdict(cell) for row in surest_mistakes(said(ROWS)) for cell in row]
        assert json.loads(json.dumps([tree, cells]))[0][0]["photos"][0]["path"] == "b.jpg"


class TestModels:
    def test_a_row_has_the_reports_figures(self):
        report = report_of(said(ROWS), n_draws=20)
        (row,) = model_rows([report])
        assert (row.model, row.n_photos, row.n_groups) == ("svm", 6, 6)
        assert row.metrics["accuracy"]["value"] == pytest.approx(0.5)
        json.dumps(dataclasses.asdict(row), allow_nan=False)

    def test_ours_stand_before_the_literatures_which_are_of_other_data(self):
        report = report_of(said(ROWS), n_draws=20)
        ours, *theirs = accuracy_rows([report], "emotion", "six photos")
        assert (ours.system, ours.data, ours.value, ours.is_ours) == (
            "svm",
            "six photos",
            0.5,
            True,
        )
        assert ours.low < 0.5 < ours.high
        assert theirs
        assert not any(row.is_ours or row.data == "six photos" for row in theirs)

    def test_sentiment_stands_both_ways_where_the_model_tells_both(self):
        report = report_of(said(ROWS, p_positive=np.full(6, 0.9)), n_draws=20)
        ours = [row for row in accuracy_rows([report], "sentiment", "data") if row.is_ours]
        assert [(row.system, round(row.value, 3)) for row in ours] == [
            ("svm, folded from emotions", 0.5),
            ("svm, trained on sentiment", 0.667),
        ]

    def test_one_group_of_photos_has_no_interval(self):
        alone = dataclasses.replace(said(ROWS), groups=np.full(6, "one"))
        row = accuracy_rows([report_of(alone, n_draws=20)], "emotion", "data")[0]
        assert (row.low, row.high) == (None, None)
        json.dumps(dataclasses.asdict(row), allow_nan=False)

    def test_a_range_of_variants_is_shown_as_one(self):
        (row,) = [
            row for row in accuracy_rows([], "sentiment", "") if row.system.startswith("PCNN")
        ]
        assert (row.value, row.low, row.high) == (0.644, 0.644, 0.665)


class TestLiterature:
    def test_the_papers_figures_are_there(self):
        papers = {
            (entry.task, entry.system): entry.value
            for entry in LITERATURE
            if entry.source.startswith("Gajarla")
        }
        assert papers == {
            ("emotion", "SVM on VGG-ImageNet fc7, one against all"): 0.329,
            ("emotion", "VGG-ImageNet, fine-tuned"): 0.384,
            ("emotion", "VGG16-Places205, fine-tuned"): 0.409,
            ("emotion", "ResNet-50, fine-tuned"): 0.409,
            ("sentiment", "VGG-ImageNet, fine-tuned"): 0.678,
            ("sentiment", "VGG16-Places205, fine-tuned"): 0.687,
            ("sentiment", "ResNet-50, fine-tuned"): 0.73,
        }

    def test_each_names_its_source_and_its_data(self):
        for entry in LITERATURE:
            assert entry.source
            assert entry.data
            assert 0 < entry.value < (entry.highest or 1)


def write_rows(folder, rows):
    folder.mkdir(exist_ok=True)
    with open(folder / "photos.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(folder)


class TestCredits:
    def test_they_are_read_as_flickrs_manifest_writes_them(self, tmp_path):
        entry = Entry(
            "love/1.jpg",
            "love",
            "1",
            title='=HYPERLINK("x")',
            owner_name="@ann",
            licence=6,
            licence_name="CC BY-ND 2.0",
            licence_url="https://creativecommons.org/licenses/by-nd/2.0/",
            page="https://www.flickr.com/photos/1/1/",
            no_derivatives=True,
        )
        write_manifest(str(tmp_path / "photos.csv"), [entry])
        path = str(tmp_path / "love" / "1.jpg")
        assert credits_of([path], [str(tmp_path)]) == {
            path: Credit(
                '=HYPERLINK("x")',
                "@ann",
                "CC BY-ND 2.0",
                "https://creativecommons.org/licenses/by-nd/2.0/",
                "https://www.flickr.com/photos/1/1/",
                no_derivatives=True,
                non_commercial=False,
            )
        }

    @pytest.mark.parametrize(
        ("cell", "text"),
        [("'=1+1", "=1+1"), ("'twas night", "'twas night"), ("''-x", "'-x"), ("'", "'")],
    )
    def test_only_an_apostrophe_before_a_formula_is_taken_away(self, tmp_path, cell, text):
        folder = write_rows(tmp_path, [("file", "title"), ("a.jpg", cell)])
        path = str(tmp_path / "a.jpg")
        assert credits_of([path], [folder])[path].title == text

    @pytest.mark.parametrize(
        ("licence", "cell", "forbidden"),
        [
            ("CC BY-ND 2.0", "", True),
            ("Attribution-NoDerivs", "", True),
            ("CC BY 2.0", "", False),
            ("CC BY 2.0", "true", True),
            ("CC BY 2.0", "1", True),
            ("CC BY 2.0", "False", False),
            ("CC BY 2.0", "who knows", True),
            ("Handmade", "", False),
        ],
    )
    def test_in_doubt_nothing_may_be_changed(self, tmp_path, licence, cell, forbidden):
        rows = [("file", "licence", "no_derivatives"), ("a.jpg", licence, cell)]
        folder = write_rows(tmp_path, rows)
        (credit,) = credits_of([str(tmp_path / "a.jpg")], [folder]).values()
        assert (credit.licence, credit.no_derivatives) == (licence, forbidden)

    def test_a_number_is_no_name_of_a_licence(self, tmp_path):
        rows = [("file", "licence", "owner"), ("a.jpg", "4", "12@N00")]
        folder = write_rows(tmp_path, rows)
        (credit,) = credits_of([str(tmp_path / "a.jpg")], [folder]).values()
        assert credit == Credit(author="12@N00")

    def test_photos_of_which_nothing_is_said_have_none(self, tmp_path):
        said_of_one = write_rows(
            tmp_path / "one", [("file", "title"), ("a.jpg", ""), ("b.jpg", "B")]
        )
        (tmp_path / "none").mkdir()
        paths = [f"{said_of_one}/a.jpg", f"{said_of_one}/./b.jpg", str(tmp_path / "none" / "c.jpg")]
        found = credits_of(paths, [said_of_one, str(tmp_path / "none")])
        assert found == {paths[1]: Credit(title="B")}

    def test_a_damaged_manifest_is_named(self, tmp_path):
        (tmp_path / "photos.csv").write_bytes(b"file,title\na.jpg,\xff\n")
        with pytest.raises(DataError, match=r"photos\.csv cannot be read"):
            credits_of(["a.jpg"], [str(tmp_path)])

    def test_rows_that_are_too_short_or_too_long_are_taken_as_they_are(self, tmp_path):
        folder = write_rows(tmp_path, [("file", "title"), ("a.jpg",), ("b.jpg", "B", "more")])
        path = str(tmp_path / "b.jpg")
        assert credits_of([path], [folder]) == {path: Credit(title="B")}
