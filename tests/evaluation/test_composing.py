"""A whole evaluation in one folder: it appears whole, or not at all."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotag.emotions import FIVE, LabelSet
from emotag.errors import StorageError, UnreadablePhoto
from emotag.evaluation.composing import write_evaluation
from emotag.evaluation.findings import About, Evaluation
from emotag.evaluation.leaks import Leak, LeakCount
from emotag.evaluation.learning import Point
from emotag.evaluation.metrics import Figure
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.report import Report, report_of
from tests.conftest import draw_photo

ABOUT = About("Two models", "data", "folds", "2026-01-02", "0.1.0", "emotag compare <data>")


def report(
    model: str = "first", right: float = 0.7, labels: LabelSet = FIVE, **columns: Any
) -> Report:
    """Return what a model comes to that is right on a share of forty photos."""
    rng = np.random.default_rng(len(model))
    actual = np.array([labels.names[index % len(labels)] for index in range(40)])
    turned = np.array([labels.names[(index + 1) % len(labels)] for index in range(40)])
    predicted = np.where(rng.random(40) < right, actual, turned)
    proba = np.full((40, len(labels)), 0.1)
    for row, name in zip(proba, predicted, strict=True):
        row[labels.index(name)] = 1 + rng.random()
    usual: dict[str, Any] = {
        "proba": proba / proba.sum(axis=1, keepdims=True),
        "groups": np.arange(40).astype(str),
        "paths": np.array([f"{index}.jpg" for index in range(40)]),
    }
    return report_of(Predictions(model, labels, actual, predicted, **{**usual, **columns}))


@pytest.fixture(scope="module")
def two() -> Evaluation:
    return Evaluation(
        ABOUT,
        [report(), report("second", 0.4)],
        leaks=[Leak("fold 1", "identical", "a.jpg", "b.jpg", 0)],
        leak_counts=[LeakCount("fold 1", 20, 1, 0, 0)],
        curve=[
            Point(0.5, 20, Figure(0.5, 0.4, 0.6)),
            Point(1.0, 40, Figure(0.6, 0.5, 0.7), Figure(0.1, 0.0, 0.2)),
        ],
        curve_model="first",
        unreadable=[UnreadablePhoto("c.jpg", "empty file")],
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class TestJson:
    def test_one_models_figures_stand_at_the_top(self) -> None:
        one = report()
        found = Evaluation(ABOUT, [one]).to_dict()
        assert found["model"] == "first"
        assert found["metrics"] == one.to_dict()["metrics"]
        assert (found["comparisons"], found["shortcuts"], found["leaks"]) == ([], None, None)
        assert "models" not in found

    def test_several_models_stand_by_name(self, two: Evaluation) -> None:
        found = two.to_dict()
        assert {
            name: of["metrics"]["accuracy"]["value"] for name, of in found["models"].items()
        } == {one.predictions.model: one.metrics["accuracy"].value for one in two.reports}
        (pair,) = found["comparisons"]
        assert (pair["first"], pair["second"]) == ("first", "second")
        assert found["n_unreadable"] == 1
        assert found["learning_curve"][1]["accuracy"] == {"value": 0.6, "low": 0.5, "high": 0.7}

    def test_sentences_say_all_that_was_found(self, two: Evaluation) -> None:
        text = "\n".join(two.sentences())
        for part in ("first is right on", "second", "From 20 to 40 photos accuracy went"):
            assert part in text

    def test_is_valid_also_of_a_single_photo(self, tmp_path: Path) -> None:
        single = report_of(report().predictions.take(np.array([0])))
        write_evaluation(str(tmp_path / "r"), Evaluation(ABOUT, [single]))
        found = json.loads((tmp_path / "r/report.json").read_text(), parse_constant=pytest.fail)
        assert found["metrics"]["accuracy"]["low"] is None


@pytest.fixture(scope="module")
def folder(two: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("composed") / "new" / "report"
    write_evaluation(str(path), two)
    return path


class TestFolder:
    def test_holds_numbers_as_csv(self, folder: Path, two: Evaluation) -> None:
        metrics = rows_of(folder / "metrics.csv")
        assert {row["model"] for row in metrics} == {"first", "second"}
        accuracy = next(row for row in metrics if row["metric"] == "accuracy")
        assert float(accuracy["value"]) == two.reports[0].metrics["accuracy"].value
        assert rows_of(folder / "unreadable.csv") == [{"path": "c.jpg", "reason": "empty file"}]
        (leak,) = rows_of(folder / "leaks.csv")
        assert (leak["train"], leak["test"], leak["distance"]) == ("a.jpg", "b.jpg", "0")

    def test_holds_what_was_said_of_each_photo(self, folder: Path, two: Evaluation) -> None:
        rows = rows_of(folder / "predictions.csv")
        assert len(rows) == 80
        said = two.predictions[0]
        assert [row["predicted"] for row in rows[:40]] == said.predicted.tolist()
        assert [row["path"] for row in rows[:40]] == said.paths.tolist()
        assert said.proba is not None
        found = [[float(row[f"p_{name}"]) for name in said.labels.names] for row in rows[:40]]
        np.testing.assert_allclose(found, said.proba, atol=1e-6)

    def test_every_figure_is_a_picture_of_either_kind(self, folder: Path) -> None:
        names = {path.stem for path in (folder / "figures").iterdir()}
        assert names == {
            "confusion",
            "confusion-sentiment",
            "reliability",
            "accuracies",
            "learning-curve",
        }
        for name in names:
            assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
            assert "<svg" in (folder / "figures" / f"{name}.svg").read_text(encoding="utf-8")

    def test_the_page_has_all_parts_and_escapes_the_command(self, folder: Path) -> None:
        page = (folder / "report.html").read_text(encoding="utf-8")
        for part in (
            "Which is better",
            "Beside the literature",
            "What more photos bring",
            "emotag compare &lt;data&gt;",
            "empty file",
        ):
            assert part in page

    def test_an_existing_one_is_refused_and_left_as_it_is(self, folder: Path) -> None:
        before = (folder / "report.html").stat().st_ino
        with pytest.raises(StorageError, match="exists already"):
            write_evaluation(str(folder), Evaluation(ABOUT, [report()]))
        assert (folder / "report.html").stat().st_ino == before

    def test_force_replaces_it_whole(self, tmp_path: Path) -> None:
        write_evaluation(str(tmp_path / "r"), Evaluation(ABOUT, [report()]))
        (tmp_path / "r" / "report.html").write_text("old")
        write_evaluation(str(tmp_path / "r"), Evaluation(ABOUT, [report()]), force=True)
        assert (tmp_path / "r" / "report.html").read_text() != "old"
        assert os.listdir(tmp_path) == ["r"]

    def test_one_that_fails_midway_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device", "x")

        monkeypatch.setattr("emotag.evaluation.composing.write_report", fails)
        with pytest.raises(OSError, match="No space left"):
            write_evaluation(str(tmp_path / "r"), Evaluation(ABOUT, [report()]))
        assert os.listdir(tmp_path) == []


class TestUnusual:
    def test_two_labels_have_no_matrix_of_sentiment(self, tmp_path: Path) -> None:
        labels = LabelSet.from_names(["love", "fear"])
        write_evaluation(str(tmp_path / "r"), Evaluation(ABOUT, [report(labels=labels)]))
        assert "confusion-sentiment.png" not in os.listdir(tmp_path / "r" / "figures")

    def test_without_probabilities(self, tmp_path: Path) -> None:
        write_evaluation(str(tmp_path / "r"), Evaluation(ABOUT, [report(proba=None)]))
        assert "reliability.png" not in os.listdir(tmp_path / "r" / "figures")
        assert rows_of(tmp_path / "r/predictions.csv")[0]["p_love"] == ""
        assert "log_loss" not in json.loads((tmp_path / "r/report.json").read_text())["metrics"]

    def test_one_that_says_nothing_of_probabilities_beside_one_that_does(
        self, tmp_path: Path
    ) -> None:
        both = [report(proba=None), report("second")]
        write_evaluation(str(tmp_path / "r"), Evaluation(ABOUT, both))
        rows = rows_of(tmp_path / "r/predictions.csv")
        assert (rows[0]["p_love"], rows[40]["p_love"] != "") == ("", True)
        metrics = {(row["model"], row["metric"]) for row in rows_of(tmp_path / "r/metrics.csv")}
        assert ("second", "log_loss") in metrics
        page = (tmp_path / "r/report.html").read_text(encoding="utf-8")
        assert "reliability.svg" in os.listdir(tmp_path / "r" / "figures")
        assert "second" in page

    def test_names_that_are_no_text_stay_readable(self, tmp_path: Path) -> None:
        paths = np.array([f"{index}.jpg" for index in range(40)], dtype="<U300")
        paths[0] = draw_photo(tmp_path / os.fsdecode(b"caf\xe9.jpg"), 1)
        paths[1] = "<script>alert(1)</script>.jpg"
        about = replace(ABOUT, data=os.fsdecode(b"caf\xe9"), command=os.fsdecode(b"emotag caf\xe9"))
        unreadable = [UnreadablePhoto(os.fsdecode(b"\xe9.jpg"), "empty file")]
        whole = Evaluation(about, [report(paths=paths)], unreadable=unreadable)
        write_evaluation(str(tmp_path / "r"), whole)
        rows = rows_of(tmp_path / "r/predictions.csv")
        assert rows[0]["path"].endswith("caf\\udce9.jpg")
        assert rows[1]["path"] == "<script>alert(1)</script>.jpg"
        assert "<script>alert(1)" not in (tmp_path / "r/report.html").read_text(encoding="utf-8")
        found = json.loads((tmp_path / "r/report.json").read_text(encoding="utf-8"))
        assert found["data"] == about.data
        (left_out,) = rows_of(tmp_path / "r/unreadable.csv")
        assert left_out["path"] == "\\udce9.jpg"

    def test_leaks_are_told_on_the_page(self, tmp_path: Path) -> None:
        counts = [LeakCount(**leak_count())]
        whole = Evaluation(ABOUT, [report()], leak_counts=counts)
        write_evaluation(str(tmp_path / "r"), whole)
        page = (tmp_path / "r/report.html").read_text(encoding="utf-8")
        assert "Photos on both sides" in page
        assert json.loads((tmp_path / "r/report.json").read_text())["leaks"] == [leak_count()]


def leak_count() -> dict[str, Any]:
    return {"split": "fold 1", "n_test": 40, "n_identical": 2, "n_near": 1, "n_same_group": 0}
