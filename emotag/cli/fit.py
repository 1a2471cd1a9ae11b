"""``emotag fit``: labelled photos in, a model out, judged on photos it has not seen."""

from typing import Annotated

import typer

__all__ = ["fit"]


def fit(
    data: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATA…]",
            help="Folders of LABEL/photo.jpg, or with a photos.csv.",
            show_default="./data",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="What to fit; emotag models lists them.")
    ] = "lite0",
    out: Annotated[
        str | None,
        typer.Option("--out", "-o", metavar="FOLDER", show_default="./models/MODEL"),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a model that is there already.")
    ] = False,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="Having judged, fit once more on all photos, and save that."),
    ] = False,
    label_file: Annotated[
        str | None,
        typer.Option(
            "--label-file", metavar="TOML", help="Says which labels are positive and negative."
        ),
    ] = None,
    label_column: Annotated[str, typer.Option(help="Column of photos.csv.")] = "label",
    group_column: Annotated[
        str, typer.Option(help="Column of what must not be split, such as the owner.")
    ] = "group",
    split_column: Annotated[str, typer.Option(help="Column of train, val, test.")] = "split",
    seed: Annotated[int, typer.Option(min=0, help="Makes a run repeatable.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Fit a model on labelled photos, judge it on a part held out, and save it.

    Photos of one group, and copies of one photo, are never on both sides.

    Example: [bold]emotag fit ./data --model lite0[/bold]
    """
    from emotag.cli import fit_output
    from emotag.cli.console import progress_bar
    from emotag.dataset import load_dataset, split_dataset
    from emotag.emotions import LabelSet, read_label_file
    from emotag.evaluation.report import evaluate
    from emotag.models.recipes import drop_unreadable, fit_model, make_model
    from emotag.models.saving import facts_of_fit, save_model
    from emotag.storage import refuse_existing

    folder = out or f"models/{model}"
    refuse_existing(folder, force=force)
    estimator = make_model(model, random_state=seed)
    labels_said = read_label_file(label_file) if label_file else None
    loaded = load_dataset(
        data or ["data"],
        label_column=label_column,
        group_column=group_column,
        split_column=split_column,
    )
    labelled = loaded.labelled
    with progress_bar("Features", len(labelled), quiet=quiet) as advance:
        dataset, failures = drop_unreadable(estimator, labelled, advance)
    label_set = LabelSet.from_names(dataset.labels.tolist(), labels_said)
    train, test = split_dataset(dataset, seed=seed)
    fit_output.print_data(loaded, train, test, failures, label_set)
    fit_model(estimator, train.paths, train.labels, train.groups, seed=seed)
    report = evaluate(
        estimator, test.paths, test.labels, test.groups, label_set=label_set, seed=seed
    )
    fit_output.print_report(report)
    if refit:
        fit_model(estimator, dataset.paths, dataset.labels, dataset.groups, seed=seed)
    facts = facts_of_fit(folder, model, dataset, (train, test), report.to_dict(), refit=refit)
    save_model(
        estimator,
        folder,
        photos=test.paths.tolist(),
        label_set=label_set,
        facts=facts,
        force=force,
    )
    fit_output.print_saved(folder, label_set, refit=refit)
