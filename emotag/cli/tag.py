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
        str | None,
        typer.Option(
            "--sidecar",
            metavar="FORM",
            help="With --xmp: photo.jpg.xmp, or photo.xmp for Adobe.",
            show_default="photo.jpg.xmp",
        ),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Make a page of the photos, by emotion, too."),
    ] = None,
    page_photos: Annotated[
        int | None,
        typer.Option(
            "--html-photos",
            min=1,
            metavar="N",
            help="With --html: photos on the page, the surest of each emotion.",
            show_default="3000",
        ),
    ] = None,
    embed: Annotated[
        bool,
        typer.Option("--embed", help="Write the tags into the photos themselves, by exiftool."),
    ] = False,
    no_backup: Annotated[
        bool,
        typer.Option("--no-backup", help="With --embed: keep no photo.jpg_original."),
    ] = False,
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
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            metavar="NAME",
            help="auto, onnx, torch or sklearn; auto is torch for many photos with a GPU.",
        ),
    ] = "auto",
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes",
            min=2,
            metavar="N",
            help="Work in N processes instead; a decoder that crashes ends one photo, not the run.",
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask", metavar="ADDRESS", help="Work on the Dask cluster of this scheduler instead."
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="I/N", help="Tag the I-th of N shares only; then: emotag merge FILE."
        ),
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
    is changed unless --embed is given.

    Example: emotag tag ./photos -o tags.csv

    Exit status: 0 all done, 1 failed, 2 usage, 3 some photos could not be read.
    """
    import time
    from contextlib import ExitStack, closing

    from emotag.bundle.finding import find_bundle
    from emotag.bundle.folder import open_bundle
    from emotag.cli.tag_options import check_together
    from emotag.cli.tag_output import (
        check_target,
        output_file,
        print_merge_hint,
        print_summary,
        tell_no_ledger,
        write_rows,
    )
    from emotag.cli.tag_takers import Takers, check_page
    from emotag.cli.tag_workers import choose_workers, pick_engine
    from emotag.models.engines import engine_opener
    from emotag.remote.filesystems import no_attempt_once_stopped
    from emotag.tagging.judging import gather_crew
    from emotag.tagging.ledger import open_ledger, run_fingerprint
    from emotag.tagging.run import find_some, tag_found
    from emotag.tagging.shards import Part, Shard, Whole
    from emotag.tagging.sidecars import FORMS, SidecarWriter, refuse_elsewhere

    started = time.monotonic()
    check_together(
        xmp=xmp,
        sidecar=sidecar,
        embed=embed,
        no_backup=no_backup,
        page=page,
        page_photos=page_photos,
        shard=shard,
        processes=processes,
        dask=dask,
    )
    check_target(output)
    check_page(page)
    workers = choose_workers(processes, dask)
    part = Whole(output) if shard is None else Part(output_file(output), Shard.parse(shard))
    takers = Takers(SidecarWriter(sidecar or FORMS[0]) if xmp else None)
    bundle = open_bundle(find_bundle(model))
    found = find_some(paths, exclude or ())
    refuse_elsewhere(found.photos, *(["--xmp"] if xmp else []), *(["--embed"] if embed else []))
    photos = part.share(found.photos)
    extra = [name for name, wanted in (("top", top), ("because", explain)) if wanted]
    if page:
        takers.open_gallery(page, bundle.config, photos=page_photos, max_pixels=max_pixels)
    # of shards, each must be run by the same
    engine = pick_engine(engine, 0 if shard else len(photos), bundle.config, quiet=quiet)
    computation = run_fingerprint(
        bundle.config, engine=engine, explain=explain, max_pixels=max_pixels
    )
    with ExitStack() as stack:
        stack.enter_context(part.writing(found.photos, [computation, min_confidence, top]))
        stack.enter_context(no_attempt_once_stopped())
        stack.enter_context(workers)
        crew = gather_crew(
            bundle,
            photos=photos,
            jobs=jobs,
            opener=engine_opener(engine),
            explain=explain,
            max_pixels=max_pixels,
        )
        ledger = stack.enter_context(
            open_ledger(output_file(part.path), computation, tell_no_ledger, fresh=fresh)
        )
        if embed:
            takers.open_embedder(stack, backup=not no_backup, ledger=ledger)
        rows = tag_found(
            photos, crew, bundle.config, min_confidence=min_confidence, top=top, ledger=ledger
        )
        stack.enter_context(closing(rows))
        summary = write_rows(
            rows,
            len(photos),
            bundle.config.label_set,
            part.path,
            quiet=quiet,
            fresh=fresh,
            extra=extra,
            also=list(takers),
        )
    if not quiet:
        spent = time.monotonic() - started
        print_summary(summary, found, part.path, spent, kept=bool(list(takers)))
        if shard:
            print_merge_hint(output)
    if takers.finish(jobs=jobs, quiet=quiet) or summary.statuses["failed"] or found.unlisted:
        raise typer.Exit(SOME_UNREAD)
