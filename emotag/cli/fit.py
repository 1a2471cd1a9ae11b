"""``emotag fit``: labelled photos in, a model out, judged on photos it has not seen."""

from typing import Annotated

import typer

from emotag.cli.data_options import (
    BatchSize,
    Data,
    Device,
    Epochs,
    GroupColumn,
    LabelColumn,
    Saliency,
    Salient,
    SplitColumn,
    choose_saliency,
)

__all__ = ["fit"]


def fit(
    data: Data = None,
    model: Annotated[
        str,
        typer.Option(
            "--model", "-m", metavar="NAME", help="What to fit; emotag models lists them."
        ),
    ] = "lite0",
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME",
            help="Network for a recipe that takes one: of emotag models, timm:NAME, clip:ARCH/TAG "
            "or onnx:FILE.",
            show_default="the model's own",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="The network's weights.",
            show_default="as emotag models says",
        ),
    ] = None,
    target: Annotated[
        str, typer.Option("--target", metavar="WHAT", help="emotion or sentiment.")
    ] = "emotion",
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Where the model goes.",
            show_default="./models/NAME",
        ),
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
    label_column: LabelColumn = "label",
    group_column: GroupColumn = "group",
    split_column: SplitColumn = "split",
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    salient: Salient = None,
    saliency: Saliency = None,
    device: Device = "auto",
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, metavar="N", help="Chooses the part that is held out."),
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Fit a model on labelled photos.

    It is judged on a part that is held out, and saved. Photos of one group, and
    copies of one photo, are never on both sides.

    Example: emotag fit ./data --out ./models/mine
    """
    from emotag.bundle.folder import refuse_target
    from emotag.cli import fit_output
    from emotag.cli.console import progress_bar, stage
    from emotag.cli.weights import ready_weights, refuse_backbone
    from emotag.dataset import load_dataset, split_dataset
    from emotag.emotions import LabelSet, read_label_file
    from emotag.errors import require_training
    from emotag.models.catalogue import find_recipe, refuse_salient, refuse_unfit

    # All that can be refused is refused before the long work, and before torch is loaded.
    require_training("emotag fit")
    recipe = find_recipe(model, backbone)
    refuse_unfit(recipe, target, has_weights=weights is not None)
    refuse_backbone(recipe.backbone, weights)
    saliency = choose_saliency(salient, saliency)
    refuse_salient(recipe, salient, saliency)
    folder = f"models/{_usual_name(recipe.name, salient, target)}" if out is None else out
    refuse_target(folder, force=force)
    labels_said = read_label_file(label_file) if label_file else None
    loaded = load_dataset(
        data or ["data"],
        label_column=label_column,
        group_column=group_column,
        split_column=split_column,
    )
    if target == "sentiment":
        loaded, labels_said = loaded.for_sentiment(labels_said), None
    train, test = split_dataset(loaded.labelled, seed=seed)
    label_set = LabelSet.from_names(train.labels.tolist(), labels_said)

    from emotag.evaluation.report import evaluate
    from emotag.models.recipes import (
        fit_model,
        forget_checkpoints,
        make_model,
        prepare_photos,
        refuse_few,
        set_options,
        without_failures,
    )
    from emotag.models.saving import facts_of_fit, save_model

    estimator = make_model(
        model,
        backbone=backbone,
        weights=weights,
        salient=salient,
        saliency=saliency,
        random_state=seed,
    )
    set_options(
        estimator,
        folder,
        max_epochs=epochs,
        batch_size=batch_size,
        device=device,
        progress=None if quiet else fit_output.print_epoch,
    )
    ready_weights(recipe.backbone, weights, quiet=quiet)
    refuse_few(train.labels, train.groups)
    paths = loaded.labelled.paths.tolist()
    with progress_bar("Photos", len(paths), quiet=quiet) as advance:
        failures = prepare_photos(estimator, paths, advance)
    train, test = without_failures(train, failures), without_failures(test, failures)
    fit_output.print_data(loaded, train, test, failures, label_set)
    with stage(f"Fitting {recipe.name}", quiet=quiet):
        fit_model(estimator, train.paths, train.labels, train.groups, seed=seed)
    with stage("Judging", quiet=quiet):
        report = evaluate(
            estimator, test.paths, test.labels, test.groups, label_set=label_set, seed=seed
        )
    fit_output.print_report(report)
    fitted_on = train
    if refit:
        fitted_on = without_failures(loaded.labelled, failures)
        with stage("Fitting once more, on all photos", quiet=quiet):
            fit_model(estimator, fitted_on.paths, fitted_on.labels, fitted_on.groups, seed=seed)
    facts = facts_of_fit(folder, recipe.name, fitted_on, test, report.to_dict(), refit=refit)
    with stage("Saving", quiet=quiet):
        save_model(
            estimator,
            folder,
            photos=test.paths.tolist(),
            label_set=label_set,
            facts=facts,
            force=force,
        )
        forget_checkpoints(estimator)
    fit_output.print_saved(folder, label_set, refit=refit)


def _usual_name(recipe: str, salient: str | None, target: str) -> str:
    """Return what a model is called where its folder is not named."""
    return "-".join([recipe, *([salient] if salient else []), *([target] * (target != "emotion"))])
