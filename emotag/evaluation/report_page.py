"""One report as the content of a page."""

from typing import TYPE_CHECKING

from emotag.evaluation.drawing import svg_of
from emotag.evaluation.page_content import (
    Drawing,
    Matrix,
    ModelPart,
    ReportContent,
    Section,
    Table,
    TableRow,
)
from emotag.evaluation.sentences import conclude
from emotag.evaluation.tables import photos_by_cell, surest_hits, surest_mistakes

if TYPE_CHECKING:
    from emotag.evaluation.report import Report

__all__ = ["SCORES", "content_of", "kind_sections", "label_table", "model_part"]

_PHOTOS_A_CELL = 12

SCORES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "top_2_accuracy": "Right among the first two",
    "log_loss": "Log loss",
    "calibration_error": "Calibration error",
    "sentiment_accuracy": "Sentiment, folded: accuracy",
    "sentiment_balanced_accuracy": "Sentiment, folded: balanced accuracy",
    "trained_sentiment_accuracy": "Sentiment, trained: accuracy",
    "trained_sentiment_balanced_accuracy": "Sentiment, trained: balanced accuracy",
}
"""The metrics in a page's tables, and how they are called there."""


def content_of(report: "Report") -> ReportContent:
    """Return what the page of one model's report shows.

    Parameters
    ----------
    report : Report
        The report.

    Returns
    -------
    ReportContent
        For `emotag.evaluation.page.render_report`.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from emotag import evaluate
    >>> X, y = [[0]] * 10, ["love"] * 6 + ["fear"] * 4
    >>> content_of(evaluate(DummyClassifier().fit(X, y), X, y)).title
    'DummyClassifier on 10 photos'
    """
    predictions = report.predictions
    return ReportContent(
        f"{predictions.model} on {report.n_photos:,} photos",
        subtitle=f"{len(report.labels)} labels, {report.n_groups:,} independent groups of photos",
        summary=conclude([], [predictions]),
        scores=[_score_table(report), label_table(report)],
        drawings=_drawings(report),
        sections=kind_sections(report),
        models=[model_part(report)],
    )


def model_part(report: "Report") -> ModelPart:
    """Return a model's matrix with its photos, what it finds most surely, and its mistakes."""
    said = report.predictions
    return ModelPart(
        said.model,
        matrices=[Matrix("Labels", photos_by_cell(said, _PHOTOS_A_CELL))],
        hits=surest_hits(said),
        mistakes=surest_mistakes(said),
    )


def _score_table(report: "Report") -> Table:
    return Table(
        "The model",
        ("Figure", "The model", "Always the most frequent", "Guessing by shares"),
        [
            TableRow((title, report.metrics[name], beside.get("majority"), beside.get("prior")))
            for name, title in SCORES.items()
            if name in report.metrics
            for beside in [report.baselines.get(name, {})]
        ],
        "Under each figure its 95 % interval: where it would lie if other photos had been drawn. "
        "Beside it what saying nothing of a photo scores.",
    )


def _drawings(report: "Report") -> list[Drawing]:
    drawings = [
        Drawing(
            svg_of(report.figure_confusion()),
            "What the model says (columns) of the photos of each label (rows).",
            "Confusion matrix; the same numbers stand in the table under the model.",
        )
    ]
    if report.predictions.proba is not None:
        drawings.append(
            Drawing(
                svg_of(report.figure_reliability()),
                "How often the model is right by how confident it is.",
                "Reliability diagram: the share that is right in each tenth of confidence.",
            )
        )
    return drawings


def label_table(report: "Report") -> Table:
    """Return precision, recall and F1 of each label."""
    return Table(
        "Each label",
        ("Label", "Photos", "Precision", "Recall", "F1"),
        [
            TableRow((name, report.counts[name], of["precision"], of["recall"], of["f1"]))
            for name, of in report.per_label.items()
        ],
    )


def kind_sections(report: "Report") -> list[Section]:
    """Return a section on photos whose label is depicted, and on those whose label is evoked."""
    if not report.by_kind:
        return []
    rows = [
        TableRow((title, *(of.get(name) for of in report.by_kind.values())))
        for name, title in {**SCORES, "majority_baseline": "Always the most frequent"}.items()
        if name in report.metrics
    ]
    table = Table("By kind", ("Figure", *report.by_kind), rows)
    return [Section("Depicted and evoked", tables=[table])]
