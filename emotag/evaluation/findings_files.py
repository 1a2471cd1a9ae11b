"""The files of numbers of a whole evaluation: JSON and CSV."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from emotag.evaluation.findings import Evaluation

__all__ = ["NUMBERS", "files_of"]

NUMBERS = "report.json"
"""Holds every figure."""


def files_of(evaluation: Evaluation) -> dict[str, str]:
    """Return the files of numbers, by name."""
    whole = json.dumps(evaluation.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    leaks = (
        [leak.split, leak.kind, leak.train_path, leak.test_path, leak.distance]
        for leak in evaluation.leaks
    )
    found = {"leaks.csv": _csv(["split", "kind", "train", "test", "distance"], leaks)}
    return (found if evaluation.leak_counts else {}) | {
        NUMBERS: f"{whole}\n",
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
