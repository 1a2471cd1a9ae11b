"""The page of a whole evaluation: its figures, tables and sections."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from emotag.emotions import FIVE
from emotag.evaluation.comparison import Comparison
from emotag.evaluation.credits import credits_of
from emotag.evaluation.drawing import svg_of
from emotag.evaluation.figures import (
    draw_accuracies,
    draw_confusion,
    draw_learning_curve,
    draw_reliability,
    draw_shortcuts,
)
from emotag.evaluation.findings import CURVE_METRIC, Evaluation
from emotag.evaluation.leaks import describe_leaks
from emotag.evaluation.learning import describe_curve
from emotag.evaluation.literature import Task
from emotag.evaluation.page_content import (
    Drawing,
    ReportContent,
    Section,
    Table,
    TableRow,
    Unreadable,
    accuracy_table,
    score_table,
)
from emotag.evaluation.report import Report
from emotag.evaluation.report_page import SCORES, kind_sections, label_table, model_part
from emotag.evaluation.shortcuts import describe_shortcuts
from emotag.evaluation.tables import accuracy_rows, model_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

__all__ = ["Pictures", "draw_pictures", "page_of"]

Pictures = Mapping[str, tuple["Picture", str, str]]
"""The figures by name, each with its caption and what it shows in words."""

_MOST_SENTENCES = 8


def draw_pictures(evaluation: Evaluation) -> Pictures:
    """Return the figures of an evaluation."""
    return dict(_pictures(evaluation))


def page_of(evaluation: Evaluation, pictures: Pictures) -> ReportContent:
    """Return what the page of an evaluation shows.

    Parameters
    ----------
    evaluation : Evaluation
        What was found.
    pictures : mapping
        As `draw_pictures` returns them.
    """
    about, reports = evaluation.about, evaluation.reports
    metrics = {name: title for name, title in SCORES.items() if name in reports[0].metrics}
    drawings = {
        name: Drawing(svg_of(p), caption, alt) for name, (p, caption, alt) in pictures.items()
    }
    general = [drawings[name] for name in drawings if name not in ("shortcuts", "learning-curve")]
    models = [model_part(report) for report in reports]
    paths = {photo for part in evaluation.predictions for photo in part.paths.tolist()}
    labels = [label_table(report) for report in reports] if len(reports) == 1 else []
    return ReportContent(
        about.title,
        subtitle=f"{about.data}; {about.split}",
        date=about.date,
        version=about.version,
        command=about.command,
        summary=_summary(evaluation),
        scores=[_score_table(reports, metrics), *labels],
        drawings=general,
        sections=list(_sections(evaluation, drawings)),
        models=models,
        unreadable=[Unreadable(error.path, error.reason) for error in evaluation.unreadable],
        notes=about.notes,
        credits=credits_of(paths, about.folders),
    )


def _summary(evaluation: Evaluation) -> list[str]:
    """Return what stands on top: the conclusions, and what is to be held against them."""
    found = list(evaluation.conclusions)
    if len(found) > _MOST_SENTENCES:
        found = [*found[:_MOST_SENTENCES], "More stands under “Which is better”."]
    return [*found, *evaluation.about.notes, *describe_leaks(evaluation.leak_counts)]


def _score_table(reports: Sequence[Report], metrics: Mapping[str, str]) -> Table:
    """Return the table of models, with what saying nothing of a photo scores below."""
    table = score_table("Models", model_rows(reports), metrics)
    first = reports[0]
    baselines = [
        TableRow(
            (
                title,
                first.n_photos,
                *(first.baselines.get(name, {}).get(baseline) for name in metrics),
            ),
            "baseline",
        )
        for baseline, title in (
            ("majority", "Always the most frequent"),
            ("prior", "Guessing by the shares"),
        )
    ]
    return replace(table, rows=[*table.rows, *baselines])


def _sections(evaluation: Evaluation, drawings: Mapping[str, Drawing]) -> Iterator[Section]:
    if evaluation.comparisons:
        yield Section("Which is better", tables=[_comparison_table(evaluation.comparisons)])
    for report in evaluation.reports:
        yield from kind_sections(report)
    yield from _literature(evaluation)
    if evaluation.shortcuts is not None:
        yield Section(
            "What may be a shortcut",
            describe_shortcuts(evaluation.shortcuts),
            [drawings["shortcuts"]] if "shortcuts" in drawings else [],
        )
    if evaluation.curve:
        sentence = describe_curve(evaluation.curve, metric=CURVE_METRIC)
        yield Section("What more photos bring", [sentence], [drawings["learning-curve"]])
    if evaluation.leak_counts:
        yield Section("Photos on both sides", describe_leaks(evaluation.leak_counts))


def _literature(evaluation: Evaluation) -> Iterator[Section]:
    names = evaluation.predictions[0].labels.names
    # figures on five emotions say nothing beside those on other labels
    tasks: tuple[Task, ...] = ("emotion", "sentiment") if set(names) & set(FIVE.names) else ()
    found = {task: accuracy_rows(evaluation.reports, task, evaluation.about.data) for task in tasks}
    tables = [
        accuracy_table(f"Accuracy on {task}s", rows)
        for task, rows in found.items()
        if any(row.is_ours for row in rows)
    ]
    if tables:
        yield Section("Beside the literature", tables=tables)


def _comparison_table(comparisons: Sequence[Comparison]) -> Table:
    return Table(
        "Each two models",
        (
            "Model",
            "And",
            "Only the first right",
            "Only the second right",
            "McNemar's p",
            "p by group",
            "p by group, Holm",
            "Difference in accuracy",
        ),
        [
            TableRow(
                (
                    two.first,
                    two.second,
                    two.n_only_first,
                    two.n_only_second,
                    two.p_value,
                    two.p_grouped,
                    two.p_holm,
                    two.difference,
                )
            )
            for two in comparisons
        ],
        "By group: photos of one owner count as one where they are not independent. Holm: "
        "corrected for how many were compared.",
    )


def _pictures(evaluation: Evaluation) -> Iterator[tuple[str, tuple["Picture", str, str]]]:
    said, reports = evaluation.predictions, evaluation.reports
    yield (
        "confusion",
        (
            draw_confusion(said),
            "What the models say (columns) of the photos of each label (rows).",
            "Confusion matrices; the numbers stand in the tables under the models.",
        ),
    )
    if said[0].labels.folds and len(said[0].labels) > 2:
        yield (
            "confusion-sentiment",
            (
                draw_confusion(said, sentiment=True),
                "The same for sentiment.",
                "Confusion matrices of sentiment.",
            ),
        )
    if any(part.proba is not None for part in said):
        yield (
            "reliability",
            (
                draw_reliability(said),
                "How often a model is right by how confident it is.",
                "Reliability diagrams: the share that is right in each tenth of confidence.",
            ),
        )
    majority = reports[0].metrics["majority_baseline"].value
    yield (
        "accuracies",
        (
            draw_accuracies(reports, {"always the most frequent label": majority}),
            "Accuracy with 95 % intervals.",
            "Accuracy of each model; the numbers stand in the first table.",
        ),
    )
    if evaluation.curve:
        yield (
            "learning-curve",
            (
                draw_learning_curve(evaluation.curve, metric=CURVE_METRIC),
                f"What more photos bring: {evaluation.curve_model}.",
                "Accuracy by how many photos were learnt from.",
            ),
        )
    if evaluation.shortcuts is not None and evaluation.shortcuts.has_figures:
        yield (
            "shortcuts",
            (
                draw_shortcuts(evaluation.shortcuts),
                "What colour alone and size alone explain.",
                "Shortcuts; the numbers stand in the sentences beside.",
            ),
        )
