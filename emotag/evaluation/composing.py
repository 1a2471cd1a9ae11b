"""A whole evaluation put together: figures, tables and what may be concluded, in one folder."""

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from emotag.emotions import FIVE
from emotag.errors import PhotoError, StorageError
from emotag.evaluation.comparison import Comparison, compare_all
from emotag.evaluation.credits import credits_of
from emotag.evaluation.drawing import save_figure, svg_of
from emotag.evaluation.figures import (
    draw_accuracies,
    draw_confusion,
    draw_learning_curve,
    draw_reliability,
    draw_shortcuts,
)
from emotag.evaluation.leaks import Leak, LeakCount, describe_leaks
from emotag.evaluation.learning import Point, describe_curve
from emotag.evaluation.literature import Task
from emotag.evaluation.page import write_report
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
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.report import Report
from emotag.evaluation.report_page import SCORES, kind_sections, label_table, model_part
from emotag.evaluation.sentences import conclude
from emotag.evaluation.shortcuts import Shortcuts, describe_shortcuts
from emotag.evaluation.tables import accuracy_rows, model_rows
from emotag.storage import refuse_existing, replace_folder

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

__all__ = ["PAGE", "About", "Evaluation", "refuse_folder", "write_evaluation"]

PAGE = "report.html"
_NUMBERS = "report.json"
_OURS = {
    PAGE,
    _NUMBERS,
    "figures",
    "metrics.csv",
    "predictions.csv",
    "leaks.csv",
    "unreadable.csv",
}
_MOST_SENTENCES = 8
_CURVE_METRIC = "accuracy"


@dataclass(frozen=True)
class About:
    """What an evaluation was made of, and how.

    Attributes
    ----------
    title, data, split : str
        What was judged, on which photos, and how they were parted.
    date, version, command : str
        When, by which emotag, and what was typed.
    folders : sequence of str
        Of the photos; their manifests say who made them.
    notes : sequence of str
        What must be known to read the figures.
    """

    title: str
    data: str
    split: str
    date: str = ""
    version: str = ""
    command: str = ""
    folders: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Evaluation:
    """All that was found.

    Attributes
    ----------
    about : About
        How it was made.
    reports : sequence of Report
        One a model, all on the same photos.
    leaks, leak_counts : sequence
        Photos that are on both sides of a split.
    shortcuts : Shortcuts or None
        What colour and size explain.
    curve : sequence of Point
        By how many photos were learnt from.
    curve_model : str
        Whose curve it is.
    unreadable : sequence of PhotoError
        Photos that were not judged.
    """

    about: About
    reports: Sequence[Report]
    leaks: Sequence[Leak] = ()
    leak_counts: Sequence[LeakCount] = ()
    shortcuts: Shortcuts | None = None
    curve: Sequence[Point] = ()
    curve_model: str = ""
    unreadable: Sequence[PhotoError] = ()

    @cached_property
    def comparisons(self) -> Sequence[Comparison]:
        """Each two models."""
        return compare_all(self.predictions)

    @cached_property
    def conclusions(self) -> Sequence[str]:
        """What may be concluded of the models."""
        return conclude(self.comparisons, self.predictions)

    @property
    def predictions(self) -> list[Predictions]:
        """What each model says."""
        return [report.predictions for report in self.reports]

    def sentences(self) -> list[str]:
        """Return what may be concluded, and what must be known beside it."""
        found = [*self.conclusions, *self.about.notes]
        found += describe_leaks(self.leak_counts)
        if self.shortcuts is not None:
            found += describe_shortcuts(self.shortcuts)
        if self.curve:
            found.append(describe_curve(self.curve, metric=_CURVE_METRIC))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold. A single model's figures stand at the top."""
        whole: dict[str, Any] = {
            "title": self.about.title,
            "data": self.about.data,
            "split": self.about.split,
            "date": self.about.date,
            "version": self.about.version,
            "command": self.about.command,
            "sentences": self.sentences(),
            "notes": list(self.about.notes),
            "n_unreadable": len(self.unreadable),
            # null where no one has looked
            "leaks": [asdict(count) for count in self.leak_counts] or None,
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "learning_curve": [
                {"share": p.share, "n_photos": p.n_photos, _CURVE_METRIC: p.metric.to_dict()}
                for p in self.curve
            ],
            "shortcuts": _plain_shortcuts(self.shortcuts),
        }
        if len(self.reports) == 1:
            return whole | {"model": self.predictions[0].model} | self.reports[0].to_dict()
        return whole | {"models": {r.predictions.model: r.to_dict() for r in self.reports}}


def refuse_folder(folder: str, *, force: bool) -> None:
    """Refuse at once a folder that a report cannot take the place of.

    Raises
    ------
    StorageError
        It exists and `force` is false, holds anything but a report, or cannot be made.
    """
    refuse_existing(folder, force=force)
    if os.path.lexists(folder):
        names = set(os.listdir(folder)) if os.path.isdir(folder) else set()
        if not {PAGE, _NUMBERS} <= names or names - _OURS:
            raise StorageError(
                f"{folder} holds something else than a report, which would be lost; choose another "
                "name with --out."
            )
    parent = os.path.dirname(os.path.abspath(folder))
    while not os.path.exists(parent):
        parent = os.path.dirname(parent)
    if not os.access(parent, os.W_OK):
        raise StorageError(f"{folder} cannot be written: no permission for the folder {parent}.")


def write_evaluation(
    folder: str, evaluation: Evaluation, *, force: bool = False, publication: bool = False
) -> None:
    """Write the page, the figures and the numbers into a folder that appears whole.

    Parameters
    ----------
    folder : str
        The folder to be.
    evaluation : Evaluation
        What was found.
    force : bool, default=False
        Whether a folder that is there is replaced.
    publication : bool, default=False
        Whether photos are left out whose licence forbids what a page may do with them.

    Raises
    ------
    StorageError
        It exists, or cannot be written.
    """
    refuse_folder(folder, force=force)
    pictures = dict(_pictures(evaluation))
    with replace_folder(folder, force=force) as beside:
        figures = os.path.join(beside, "figures")
        os.mkdir(figures)
        for name, (picture, _, _) in pictures.items():
            save_figure(picture, figures, name)
        for name, text in _files(evaluation).items():
            # what is no text, such as a name in another encoding, is escaped; JSON reads it so
            with open(
                os.path.join(beside, name),
                "w",
                encoding="utf-8",
                errors="backslashreplace",
                newline="",
            ) as file:
                file.write(text)
        content = _content(evaluation, pictures)
        # it is beside where it will be, so that links to photos lead as far
        write_report(os.path.join(beside, PAGE), content, publication=publication)


Pictures = Mapping[str, tuple["Picture", str, str]]


def _pictures(evaluation: Evaluation) -> Iterator[tuple[str, tuple["Picture", str, str]]]:
    """Yield the figures by name, each with its caption and what it shows in words."""
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
                draw_learning_curve(evaluation.curve, metric=_CURVE_METRIC),
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


def _content(evaluation: Evaluation, pictures: Pictures) -> ReportContent:
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
        sentence = describe_curve(evaluation.curve, metric=_CURVE_METRIC)
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


def _files(evaluation: Evaluation) -> dict[str, str]:
    """Return the files of numbers, by name."""
    whole = json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    leaks = (
        [leak.split, leak.kind, leak.train_path, leak.test_path, leak.distance]
        for leak in evaluation.leaks
    )
    found = {"leaks.csv": _csv(["split", "kind", "train", "test", "distance"], leaks)}
    return (found if evaluation.leak_counts else {}) | {
        _NUMBERS: f"{whole}\n",
        "metrics.csv": _csv(["model", "metric", "value", "low", "high"], _metric_rows(evaluation)),
        "predictions.csv": _csv(*_prediction_rows(evaluation)),
        "unreadable.csv": _csv(
            ["path", "reason"], ([error.path, error.reason] for error in evaluation.unreadable)
        ),
    }


def _metric_rows(evaluation: Evaluation) -> Iterator[list[Any]]:
    for report in evaluation.reports:
        for name, figure in report.metrics.items():
            said = figure.to_dict()
            yield [report.predictions.model, name, said["value"], said["low"], said["high"]]


def _prediction_rows(evaluation: Evaluation) -> tuple[list[str], Iterator[list[Any]]]:
    names = evaluation.predictions[0].labels.names
    header = ["model", "path", "group", "actual", "predicted", *(f"p_{name}" for name in names)]

    def rows() -> Iterator[list[Any]]:
        for said in evaluation.predictions:
            for index in range(len(said)):
                proba = [] if said.proba is None else said.proba[index].round(6).tolist()
                yield [
                    said.model,
                    said.paths[index],
                    said.groups[index],
                    said.actual[index],
                    said.predicted[index],
                    *(proba or [""] * len(names)),
                ]

    return header, rows()


def _csv(header: Sequence[str], rows: Any) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _plain_shortcuts(shortcuts: Shortcuts | None) -> dict[str, Any] | None:
    if shortcuts is None:
        return None
    return {
        "model": shortcuts.model,
        "explained": [
            {
                "cue": one.cue,
                "target": one.target,
                "chance": one.chance,
                "balanced_accuracy": one.figure.to_dict(),
            }
            for one in shortcuts.explained
        ],
        "correlations": [
            {"cue": one.cue, "spearman": one.figure.to_dict()} for one in shortcuts.correlations
        ],
    }
