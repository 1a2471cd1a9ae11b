"""``emotag compare``: several models fitted and judged on the same splits."""

from typing import Annotated

import typer

from emotag.cli.data_options import (
    BatchSize,
    Data,
    Device,
    Epochs,
    GroupColumn,
    LabelColumn,
    Publication,
    Saliency,
    Salient,
    SplitColumn,
    choose_saliency,
)

__all__ = ["compare"]


def compare(
    data: Data = None,
    models: Annotated[
        str,
        typer.Option(
            "--models",
            "-m",
            metavar="NAMES",
            help="With commas between them; emotag models lists them. NAME@BACKBONE takes another, "
            "NAME+crop and NAME+weight see what is salient.",
        ),
    ] = "svm,vgg16,places205,resnet50,lite0",
    target: Annotated[
        str, typer.Option("--target", metavar="WHAT", help="emotion or sentiment.")
    ] = "emotion",
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="KIND",
            help="given, group, paper (a quarter at random), folds or sources.",
            show_default="given, or group",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option("--folds", min=2, metavar="K", help="Judge each photo once, in K parts."),
    ] = None,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FOLDER", help="Where the report goes.")
    ] = "reports/compare",
    force: Annotated[
        bool, typer.Option("--force", help="Replace a report that is there already.")
    ] = False,
    curve: Annotated[
        bool,
        typer.Option("--learning-curve", help="Fit the first model on shares of the photos, too."),
    ] = False,
    label_column: LabelColumn = "label",
    group_column: GroupColumn = "group",
    split_column: SplitColumn = "split",
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    salient: Salient = None,
    saliency: Saliency = None,
    device: Device = "auto",
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="N", help="Fits side by side, in processes."),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option("--dask", metavar="ADDRESS", help="Fit on the cluster of this scheduler."),
    ] = None,
    publication: Publication = False,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, metavar="N", help="Of splits and fits.")
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Fit several models on the same photos, and compare them.

    Each is judged on photos it has not seen, with 95 % intervals and tests that are
    corrected for how many are compared. A comparison that was stopped goes on with the
    fold it was in. Writes a folder with report.html, figures and numbers.

    Example: emotag compare ./data --models svm,lite0 --folds 5
    """
    from emotag.cli.console import progress_bar, stage
    from emotag.cli.evaluate_output import about, print_evaluation
    from emotag.cli.tag_workers import choose_workers
    from emotag.cli.weights import ready_all
    from emotag.dataset import load_dataset
    from emotag.errors import require_training
    from emotag.evaluation.composing import refuse_folder
    from emotag.evaluation.contestants import (
        RecipeFitter,
        find_contestants,
        identify_networks,
        prepare_all,
        refuse_tuning,
    )
    from emotag.evaluation.splits import choose_kind, describe_kind, make_splits
    from emotag.models.catalogue import refuse_target_name

    require_training("emotag compare")
    saliency = choose_saliency(salient, saliency, models)
    contestants = find_contestants(models, salient, saliency)
    refuse_tuning(contestants, epochs=epochs, batch_size=batch_size)
    refuse_target_name(target)
    refuse_folder(out, force=force)
    folders = data or ["data"]
    loaded = load_dataset(
        folders, label_column=label_column, group_column=group_column, split_column=split_column
    )
    loaded = (loaded.for_sentiment() if target == "sentiment" else loaded).labelled
    kind = choose_kind(loaded, split, folds)
    make_splits(loaded, kind, folds=folds or 5, seed=seed)
    ready_all((recipe.backbone for recipe in contestants.values()), quiet=quiet)
    fitter = RecipeFitter(epochs, batch_size, device, saliency)
    with progress_bar("Photos", len(loaded) * len(contestants), quiet=quiet) as advance:
        failures = prepare_all(fitter, list(contestants), loaded, advance)

    from emotag.evaluation.appearance import measure_photos
    from emotag.evaluation.comparing import curve_of, judge_all
    from emotag.evaluation.composing import write_evaluation
    from emotag.evaluation.findings import Evaluation
    from emotag.evaluation.leaks import count_leaks, find_leaks
    from emotag.evaluation.report import report_of
    from emotag.evaluation.shortcuts import try_shortcuts
    from emotag.models.recipes import without_failures

    dataset = without_failures(loaded, failures)
    splits = make_splits(dataset, kind, folds=folds or 5, seed=seed)
    with (
        choose_workers(jobs if jobs and jobs > 1 else None, dask),
        progress_bar("Fits", len(splits) * len(contestants), quiet=quiet) as advance,
    ):
        said = judge_all(
            dataset,
            splits,
            list(contestants),
            fitter,
            seed=seed,
            networks=identify_networks(contestants),
            tell=advance,
        )
    with progress_bar("Looking", len(dataset), quiet=quiet) as advance:
        appearance = measure_photos(dataset.paths.tolist(), progress=advance)
    points, first = [], next(iter(contestants))
    if curve:
        with stage(f"Fitting {first} on shares of the photos", quiet=quiet):
            points = curve_of(first, dataset, splits[0], fitter, seed=seed)
    with stage("Drawing", quiet=quiet):
        leaks = find_leaks(dataset, splits, appearance.hashes)
        evaluation = Evaluation(
            about(
                f"{len(contestants)} models on {len(dataset):,} photos",
                folders,
                describe_kind(kind),
            ),
            [report_of(part) for part in said.values()],
            leaks=leaks,
            leak_counts=count_leaks(dataset, splits, leaks),
            shortcuts=try_shortcuts(dataset, said[first], appearance),
            curve=points,
            curve_model=first,
            unreadable=failures,
        )
        write_evaluation(out, evaluation, force=force, publication=publication)
    print_evaluation(evaluation, out, quiet=quiet)
    raise typer.Exit(3 if failures else 0)
