"""``emotag evaluate``: one saved model judged on labelled photos."""

from typing import Annotated

import typer

from emotag.cli.data_options import Data, GroupColumn, LabelColumn, Publication, SplitColumn

__all__ = ["evaluate"]


def evaluate(
    bundle: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A saved model's folder, or its name in ./models."),
    ],
    data: Data = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Where the report goes.",
            show_default="./reports/NAME",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a report that is there already.")
    ] = False,
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="LABEL=NAME", help="What the model calls a label; may be repeated."
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Judge on all photos, not only on the split test.")
    ] = False,
    label_column: LabelColumn = "label",
    group_column: GroupColumn = "group",
    split_column: SplitColumn = "split",
    publication: Publication = False,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="N", help="Threads.", show_default="all cores"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Judge a model on labelled photos.

    Writes a folder with report.html, the figures, and the numbers as JSON and CSV. Every
    figure has its 95 % interval, and the majority baseline beside it.

    Example: emotag evaluate models/mine ./data
    """
    from emotag.bundle.finding import find_bundle
    from emotag.bundle.folder import open_bundle
    from emotag.cli.console import progress_bar, stage
    from emotag.cli.evaluate_output import about, parse_map, print_evaluation, report_folder
    from emotag.dataset import load_dataset
    from emotag.evaluation.appearance import measure_photos
    from emotag.evaluation.bundles import choose_judged, fit_labels, predict_bundle
    from emotag.evaluation.composing import refuse_folder

    model = open_bundle(find_bundle(bundle))
    folder = report_folder(out, model.config.name)
    refuse_folder(folder, force=force)
    folders = data or ["data"]
    loaded = load_dataset(
        folders, label_column=label_column, group_column=group_column, split_column=split_column
    )
    known = fit_labels(loaded, model.config.label_set.names, parse_map(mapped or ()))
    dataset, split, notes = choose_judged(known, everything=everything)
    with progress_bar("Judging", len(dataset), quiet=quiet) as advance:
        judged = predict_bundle(model, dataset, jobs=jobs, progress=advance)
    with progress_bar("Looking", len(judged.predictions), quiet=quiet) as advance:
        appearance = measure_photos(judged.predictions.paths.tolist(), jobs=jobs, progress=advance)

    from emotag.evaluation.composing import write_evaluation
    from emotag.evaluation.findings import Evaluation
    from emotag.evaluation.report import report_of
    from emotag.evaluation.shortcuts import try_shortcuts

    with stage("Drawing", quiet=quiet):
        read = dataset.at(judged.predictions.paths.tolist())
        evaluation = Evaluation(
            about(f"{model.config.name} on {len(read):,} photos", folders, split, notes),
            [report_of(judged.predictions)],
            shortcuts=try_shortcuts(read, judged.predictions, appearance),
            unreadable=judged.unreadable,
        )
        write_evaluation(folder, evaluation, force=force, publication=publication)
    print_evaluation(evaluation, folder, quiet=quiet)
    raise typer.Exit(3 if judged.unreadable else 0)
