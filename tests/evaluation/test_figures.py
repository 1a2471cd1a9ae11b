import re
import sys
from itertools import pairwise
from subprocess import run
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from emotag.emotions import EKMAN6, FIVE, MIKELS8, SENTIMENT, LabelSet
from emotag.errors import DataError, StorageError
from emotag.evaluation.drawing import save_figure, svg_of
from emotag.evaluation.figures import (
    draw_accuracies,
    draw_confusion,
    draw_learning_curve,
    draw_reliability,
    draw_shortcuts,
)
from emotag.evaluation.learning import Point
from emotag.evaluation.matrices import sentiment_matrices
from emotag.evaluation.metrics import Figure
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.report import report_of
from emotag.evaluation.shortcuts import Correlation, Shortcut, Shortcuts


def made(labels=FIVE, *, model="resnet50", n_photos=60, seed=0, with_proba=True, **more):
    """Return what a model, right more often than not, may have said."""
    rng = np.random.default_rng(seed)
    names = np.array(labels.names)
    actual = rng.integers(0, len(names), n_photos)
    scores = rng.normal(size=(n_photos, len(names)))
    scores[np.arange(n_photos), actual] += 1
    proba = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    paths = np.array([f"photos/{index}.jpg" for index in range(n_photos)])
    said = names[proba.argmax(axis=1)]
    proba = proba if with_proba else None
    return Predictions(model, labels, names[actual], said, proba, paths, paths, **more)


def texts(drawing):
    """Return what can be read in a drawing, as a reader of the SVG would find it."""
    root = ElementTree.fromstring(svg_of(drawing))
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


SHORTCUTS = Shortcuts(
    "svm",
    (
        Shortcut("colour", "label", Figure(0.31, 0.28, 0.34), 0.2, 900),
        Shortcut("size", "prediction", Figure(0.22, 0.18, 0.25), 0.25, 300),
    ),
    (Correlation("brightness", Figure(0.12, 0.02, 0.2)),),
    0,
)

POINTS = [
    Point(share, int(2000 * share), Figure(value, value - 0.05, value + 0.05))
    for share, value in [(0.1, 0.3), (0.25, 0.36), (0.5, 0.41), (1.0, 0.43)]
]


def drawn():
    both = [made(), made(model="dummy", with_proba=False)]
    reports = [report_of(predictions, n_draws=20) for predictions in both]
    return {
        "confusion": draw_confusion(both),
        "sentiment": draw_confusion(both, sentiment=True),
        "reliability": draw_reliability(both, n_draws=20),
        "accuracies": draw_accuracies(reports, {"always love": 0.3, "chance": 0.2}),
        "learning curve": draw_learning_curve(POINTS, {"chance": 0.2}),
        "shortcuts": draw_shortcuts(SHORTCUTS),
    }


class TestAllFigures:
    def test_each_is_written_as_svg_and_png(self, tmp_path):
        for name, drawing in drawn().items():
            svg, png = save_figure(drawing, str(tmp_path), name)
            ElementTree.parse(svg)
            with Image.open(png) as picture:
                picture.load()
                assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)

    def test_the_same_numbers_are_the_same_files(self, tmp_path):
        contents = []
        for folder in (tmp_path / "first", tmp_path / "again"):
            folder.mkdir()
            drawing = draw_reliability([made()], n_draws=20)
            for path in save_figure(drawing, str(folder), "figure"):
                with open(path, "rb") as file:
                    contents.append(file.read())
        assert contents[:2] == contents[2:]

    def test_no_date_and_no_version_is_written(self, tmp_path):
        svg, png = save_figure(draw_confusion([made()]), str(tmp_path), "figure")
        with open(svg, encoding="utf-8") as file:
            assert not re.search(r"dc:date|Matplotlib|https?://matplotlib", file.read())
        with Image.open(png) as picture:
            assert "Software" not in picture.info

    def test_the_users_settings_do_not_matter(self, tmp_path):
        """Theirs is a dark look with text by LaTeX and with letters as outlines."""
        import matplotlib as mpl

        plain = svg_of(draw_confusion([made()]))
        theirs = {"figure.facecolor": "black", "text.usetex": True, "svg.fonttype": "path"}
        with mpl.rc_context(theirs):
            assert svg_of(draw_confusion([made()])) == plain

    def test_a_name_is_never_formatting_and_never_too_long(self):
        name = "$\\alpha_1$ <b>\u202e" + "x" * 200
        predictions = made(model=name, n_photos=20)
        reports = [report_of(predictions, n_draws=5)]
        shortcuts = Shortcuts(name, SHORTCUTS.explained, (), 0)
        for drawing in (
            draw_confusion([predictions]),
            draw_reliability([predictions], n_draws=5),
            draw_accuracies(reports, {name: 0.1}),
            draw_shortcuts(shortcuts),
        ):
            assert any("$\\alpha_1$ <b>\\u202ex" in text for text in texts(drawing))
            assert max(map(len, texts(drawing))) < 70

    def test_labels_in_any_script_are_drawn(self):
        labels = LabelSet(["愛", "страх"])
        assert "愛" in texts(draw_confusion([made(labels)]))

    def test_where_it_cannot_be_written_is_said(self, tmp_path):
        with pytest.raises(StorageError, match="nowhere"):
            save_figure(draw_learning_curve(POINTS), str(tmp_path / "nowhere"), "figure")

    def test_importing_them_does_not_import_matplotlib(self):
        code = "import sys, emotag.evaluation.figures; sys.exit('matplotlib' in sys.modules)"
        assert run([sys.executable, "-c", code], check=False).returncode == 0

    def test_nothing_to_draw_is_refused(self):
        for draw in (
            lambda: draw_confusion([]),
            lambda: draw_reliability([]),
            lambda: draw_learning_curve([]),
            lambda: draw_shortcuts(Shortcuts("svm", (), (), 0)),
            lambda: draw_accuracies([report_of(made(), n_draws=5)], {}, metric="fame"),
        ):
            with pytest.raises(DataError, match="nothing to draw"):
                draw()


class TestConfusion:
    def test_each_cell_has_count_and_share_of_its_row(self):
        labels = LabelSet(["love", "fear"])
        actual = np.array(["love"] * 4 + ["fear"])
        said = np.array(["love"] * 3 + ["fear"] * 2)
        paths = np.array(list("abcde"))
        found = texts(
            draw_confusion([Predictions("svm", labels, actual, said, None, paths, paths)])
        )
        assert found.count("75 %") == found.count("25 %") == found.count("100 %") == 1
        assert found.count("3") == 1
        assert {"svm", "love", "fear", "predicted"} <= set(found)

    def test_a_label_without_photos_has_no_share(self):
        labels = LabelSet(["love", "fear"])
        names, paths = np.array(["love"]), np.array(["a"])
        found = texts(
            draw_confusion([Predictions("svm", labels, names, names, None, paths, paths)])
        )
        assert found.count("-") == 2

    @pytest.mark.parametrize("labels", [SENTIMENT, FIVE, EKMAN6, MIKELS8])
    def test_labels_and_cells_do_not_overlap(self, labels):
        drawing = draw_confusion([made(labels, n_photos=30_000), made(labels)])
        drawing.canvas.draw()
        for axes in drawing.axes:
            boxes = [text.get_window_extent() for text in axes.texts]
            assert not any(
                one.overlaps(other)
                for index, one in enumerate(boxes)
                for other in boxes[index + 1 :]
            )
            rows = [label.get_window_extent() for label in axes.get_yticklabels()]
            assert not any(one.overlaps(other) for one, other in pairwise(rows))

    @pytest.mark.parametrize("n_models", [1, 2, 3, 4, 7])
    def test_each_model_has_a_panel(self, n_models):
        models = [made(model=f"model {index}") for index in range(n_models)]
        drawing = draw_confusion(models)
        assert [axes.get_title() for axes in drawing.axes] == [entry.model for entry in models]

    def test_digits_stand_out_from_their_cell(self):
        """By WCAG 2.2, 1.4.3: at least 4.5 to 1, whatever the share."""
        labels = LabelSet([str(index) for index in range(2)])
        for n_right in (0, 40, 60, 66, 70, 71, 72, 75, 100):
            actual = np.array(["0"] * 100 + ["1"])
            said = np.array(["0"] * n_right + ["1"] * (101 - n_right))
            paths = np.arange(101).astype(str)
            drawing = draw_confusion([Predictions("a", labels, actual, said, None, paths, paths)])
            (axes,) = drawing.axes
            (image,) = axes.images
            for text in axes.texts:
                column, row = round(text.get_position()[0]), round(text.get_position()[1])
                cell = image.to_rgba(image.get_array())[row, column, :3]
                ink = 1.0 if text.get_color() == "white" else 0.0
                low, high = sorted([luminance(cell), ink])
                assert (high + 0.05) / (low + 0.05) >= 4.4

    def test_sentiment_is_drawn_each_way_that_the_model_tells_it(self):
        both = made(p_positive=np.full(60, 0.9))
        assert [axes.get_title() for axes in draw_confusion([both], sentiment=True).axes] == [
            "resnet50, folded",
            "resnet50, trained",
        ]
        folded, trained = sentiment_matrices(both)
        assert folded.names == ("positive", "negative")
        assert trained.counts[:, 1].tolist() == [0, 0]
        n_positive = int(np.isin(both.actual, ["love", "happiness"]).sum())
        assert folded.counts.sum(axis=1).tolist() == [n_positive, 60 - n_positive]

    def test_sentiment_is_that_of_the_report(self):
        said = np.array(["positive", "", "negative"] * 20)
        both = made(p_positive=np.random.default_rng(1).random(60), sentiments=said)
        metrics = report_of(both, n_draws=5).metrics
        for matrix, name in zip(
            sentiment_matrices(both), ("sentiment", "trained_sentiment"), strict=True
        ):
            share = np.trace(matrix.counts) / matrix.counts.sum()
            assert share == pytest.approx(metrics[f"{name}_accuracy"].value)

    def test_sentiment_of_labels_without_one_is_refused(self):
        weather = LabelSet(["sun", "rain"])
        with pytest.raises(DataError, match="nothing to draw"):
            draw_confusion([made(weather)], sentiment=True)

    def test_sentiment_of_a_model_without_probabilities_is_that_of_its_label(self):
        (matrix,) = sentiment_matrices(made(with_proba=False))
        assert matrix.title == "resnet50, folded"
        assert matrix.counts.sum() == 60


def luminance(colour):
    """Return the relative luminance of sRGB as WCAG defines it."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


class TestReliability:
    def test_points_are_shares_of_right_photos_at_mean_confidence(self):
        predictions = made(n_photos=400)
        (axes,) = draw_reliability([predictions], n_draws=5).axes
        (points,) = [line for line in axes.lines if line.get_marker() == "o"]
        confidence = predictions.confidence
        right = predictions.actual == predictions.predicted
        bins = np.minimum((confidence * 10).astype(int), 9)
        expected = [
            (confidence[bins == b].mean(), right[bins == b].mean()) for b in np.unique(bins)
        ]
        np.testing.assert_allclose(points.get_xydata(), expected)

    def test_a_model_without_probabilities_says_so(self):
        assert "gives no probabilities" in texts(draw_reliability([made(with_proba=False)]))

    def test_certain_and_alone(self):
        labels = LabelSet(["love", "fear"])
        names, paths = np.array(["love"]), np.array(["a"])
        certain = Predictions("a", labels, names, names, np.array([[1.0, 0.0]]), paths, paths)
        svg_of(draw_reliability([certain], n_draws=5))


class TestPointsWithIntervals:
    def test_accuracies_are_sorted_and_written_out(self):
        reports = [report_of(made(model=name, seed=n), n_draws=20) for n, name in enumerate("abc")]
        drawing = draw_accuracies(reports, {"always love": 0.3})
        found = texts(drawing)
        for report in reports:
            assert str(report.metrics["accuracy"]) in found
        assert "always love: 0.300" in found
        best = sorted(reports, key=lambda report: -report.metrics["accuracy"].value)
        (axes,) = drawing.axes
        assert [label.get_text() for label in axes.get_yticklabels()] == [
            report.predictions.model for report in best
        ]

    def test_reports_without_the_metric_are_left_out(self):
        reports = [report_of(made(), n_draws=5), report_of(made(with_proba=False), n_draws=5)]
        (axes,) = draw_accuracies(reports, {}, metric="log_loss").axes
        assert len(axes.get_yticklabels()) == 1

    def test_a_figure_without_an_interval_is_a_point(self):
        point = Point(1.0, 100, Figure(0.4, np.nan, np.nan))
        svg_of(draw_learning_curve([point]))

    def test_learning_curve_names_photos_and_shares(self):
        found = texts(draw_learning_curve(POINTS, {"chance": 0.2}))
        assert {"200", "2,000", "10 %", "100 %", "balanced accuracy", "chance: 0.200"} <= set(found)

    def test_shortcuts_stand_beside_chance(self):
        found = texts(draw_shortcuts(SHORTCUTS))
        assert {"svm", "colour finds the label"} <= set(found)
        assert "size finds what the model says" in found
        assert "0.310 [0.280, 0.340]" in found
        top, _ = draw_shortcuts(SHORTCUTS).axes
        (chance,) = [line for line in top.lines if line.get_label() == "chance"]
        assert chance.get_xdata().tolist() == [0.2, 0.25]

    def test_what_could_not_be_measured_is_left_out(self):
        nothing = Correlation("saturation", Figure(np.nan, np.nan, np.nan))
        drawing = draw_shortcuts(Shortcuts("svm", SHORTCUTS.explained, (nothing,), 0))
        assert len(drawing.axes) == 1
