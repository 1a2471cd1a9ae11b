"""``emotag tag``: photos in, tags out."""

from typing import Annotated

import typer

__all__ = ["tag"]

SOME_UNREAD = 3


def tag(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Photos, folders, archives, URLs, or patterns."),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="A saved model: its folder, or its name under ./models.",
            show_default="the one that ships with emotag",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a .csv, .jsonl or .parquet; - is CSV on stdout.",
        ),
    ] = None,
    xmp: Annotated[
        bool,
        typer.Option("--xmp", help="Write the tags into XMP sidecars beside the photos, too."),
    ] = False,
    sidecar: Annotated[
        str,
        typer.Option(
            "--sidecar", metavar="FORM", help="With --xmp: photo.jpg.xmp, or photo.xmp for Adobe."
        ),
    ] = "photo.jpg.xmp",
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="PATTERN", help="Leave out names or paths like this."),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say what in each photo stands for its emotion."),
    ] = False,
    min_confidence: Annotated[
        float,
        typer.Option(
            "--min-confidence",
            min=0,
            max=1,
            metavar="P",
            help="Leave a photo uncertain whose best label is less probable than this.",
        ),
    ] = 0.0,
    top: Annotated[
        int,
        typer.Option("--top", min=0, metavar="K", help="Name the K most probable labels, too."),
    ] = 0,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="N", help="Threads.", show_default="all cores"),
    ] = None,
    max_pixels: Annotated[
        int, typer.Option("--max-pixels", min=1, metavar="N", help="Skip photos of more pixels.")
    ] = 200_000_000,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Tag anew also what an earlier run to the same file did."),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary.")
    ] = False,
) -> None:
    """Tag photos with the emotion they depict and its sentiment.

    Every photo ends as one row: tagged, uncertain, skipped or failed, with the reason. No photo
    is changed.

    Example: emotag tag ./photos -o tags.csv

    Exit status: 0 all done, 1 failed, 2 usage, 3 some photos could not be read.
    """
    import time
    from contextlib import ExitStack, closing

    from emotag.bundle.finding import find_bundle
    from emotag.bundle.folder import open_bundle
    from emotag.cli.tag_output import (
        check_target,
        output_file,
        print_sidecars,
        print_summary,
        tell_no_ledger,
        write_rows,
    )
    from emotag.remote.filesystems import no_attempt_once_stopped
    from emotag.tagging.explaining import open_explainer
    from emotag.tagging.ledger import open_ledger, run_fingerprint
    from emotag.tagging.run import find_some, open_engine, tag_found
    from emotag.tagging.sidecars import SidecarWriter, refuse_elsewhere

    started = time.monotonic()
    check_target(output)
    sidecars = SidecarWriter(sidecar) if xmp else None
    bundle = open_bundle(find_bundle(model))
    found = find_some(paths, exclude or ())
    if xmp:
        refuse_elsewhere(found.photos, "--xmp")
    explainer = open_explainer(bundle) if explain else None
    engine = open_engine(bundle, n_photos=len(found.photos), explainer=explainer)
    extra = [name for name, wanted in (("top", top), ("because", explain)) if wanted]
    labels = bundle.config.label_set
    computation = run_fingerprint(bundle.config, explain=explain, max_pixels=max_pixels)
    with ExitStack() as stack:
        stack.enter_context(no_attempt_once_stopped())
        ledger = stack.enter_context(
            open_ledger(output_file(output), computation, tell_no_ledger, fresh=fresh)
        )
        rows = tag_found(
            found.photos,
            engine,
            bundle.config,
            jobs=jobs,
            max_pixels=max_pixels,
            explainer=explainer,
            min_confidence=min_confidence,
            top=top,
            ledger=ledger,
        )
        stack.enter_context(closing(rows))
        summary = write_rows(
            rows,
            len(found.photos),
            labels,
            output,
            quiet=quiet,
            extra=extra,
            also=[taker for taker in (sidecars,) if taker is not None],
        )
    if not quiet:
        print_summary(summary, found, output, time.monotonic() - started)
    if sidecars is not None and (sidecars.refusals or not quiet):
        print_sidecars(sidecars)
    if summary.statuses["failed"] or found.unlisted or (sidecars and sidecars.refusals):
        raise typer.Exit(SOME_UNREAD)
