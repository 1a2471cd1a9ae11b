"""``emotag fetch``: photos collected from Flickr, by emotion."""

from typing import Annotated

import typer

__all__ = ["fetch"]


def fetch(
    context: typer.Context,
    labels: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LABEL]...",
            help="What to collect.",
            show_default="love happiness violence fear sadness",
        ),
    ] = None,
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="DATA", help="The folder to fill.")
    ] = "data",
    per_label: Annotated[
        int,
        typer.Option(
            "--per-label", "-n", min=1, max=1_000_000, metavar="N", help="Photos of each label."
        ),
    ] = 2000,
    query: Annotated[
        list[str] | None,
        typer.Option(
            "--query", "-Q", metavar="LABEL=QUERY", help="Search a label by this; may be repeated."
        ),
    ] = None,
    queries: Annotated[
        str | None,
        typer.Option(
            "--queries", metavar="FILE", help='TOML with lines as: fear = "fear OR scary"'
        ),
    ] = None,
    by_tags: Annotated[
        bool,
        typer.Option("--tags", help="Queries are tags, with commas between them; any will do."),
    ] = False,
    licence: Annotated[
        str | None,
        typer.Option(
            "--license",
            "--licence",
            metavar="CODES",
            help="Such as by,by-sa,cc0.",
            show_default="all Creative Commons and public domain",
        ),
    ] = None,
    size: Annotated[
        int,
        typer.Option(
            "--size",
            metavar="PIXELS",
            help="Longer side: 100, 240, 320, 400, 500, 640, 800 or 1024; else the next smaller.",
        ),
    ] = 500,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DAY", help="Uploaded from this day on.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="DAY", help="Uploaded up to this day.", show_default="the first run"
        ),
    ] = None,
    taken_since: Annotated[
        str, typer.Option("--taken-since", metavar="DAY", help="Taken from this day on.")
    ] = "",
    taken_until: Annotated[
        str, typer.Option("--taken-until", metavar="DAY", help="Taken up to this day.")
    ] = "",
    bbox: Annotated[
        str, typer.Option("--bbox", metavar="W,S,E,N", help="Taken within these degrees.")
    ] = "",
    safe_search: Annotated[
        str,
        typer.Option("--safe-search", metavar="LEVEL", help="safe, moderate or restricted."),
    ] = "safe",
    per_owner: Annotated[
        int,
        typer.Option("--per-owner", min=1, metavar="N", help="Photos of one owner, at most."),
    ] = 20,
    overlap: Annotated[
        str,
        typer.Option(
            "--overlap",
            metavar="RULE",
            help="A photo found under two labels: drop it, first keeps it there, keep both.",
        ),
    ] = "drop",
    update: Annotated[
        bool, typer.Option("--update", help="Look for photos uploaded since the last time, too.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count, and estimate time and disk; fetch nothing.")
    ] = False,
    manifest: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Fetch the photos of a photos.csv again."),
    ] = None,
    forget: Annotated[
        list[str] | None,
        typer.Option("--forget", metavar="ID...", help="Remove photos everywhere, for good."),
    ] = None,
    setup: Annotated[
        bool, typer.Option("--setup", help="Store your key of the Flickr API, for you alone.")
    ] = False,
    contact: Annotated[
        str,
        typer.Option(
            "--contact",
            metavar="WHO",
            envvar="EMOTAG_CONTACT",
            help="A mail address or a page, told to the servers.",
        ),
    ] = "",
    threads: Annotated[
        int, typer.Option("--threads", min=1, max=32, metavar="N", help="Downloads at a time.")
    ] = 8,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary.")
    ] = False,
) -> None:
    """Collect Creative Commons photos from Flickr, by emotion.

    Ready for emotag fit, a folder a label; photos.csv and ATTRIBUTION.md say whose each photo
    is, and under which licence. A key is needed: emotag fetch --setup. It may be stopped at
    any time; the same command goes on.

    Example: emotag fetch love fear --per-label 500 --out DATA

    Exit status: 0 all done, 1 failed, 2 usage, 3 some photos could not be fetched.
    """
    from emotag.cli import fetch_runs
    from emotag.cli.fetch_options import check_job
    from emotag.flickr.request import FIRST_UPLOAD, choose_queries, parse_day, read_queries

    check_job(context)
    if setup:
        fetch_runs.set_up()
        return
    if forget:
        fetch_runs.forget(out, [*forget, *(labels or [])])
        return
    if manifest:
        failed = fetch_runs.fetch_list(manifest, out, contact=contact, threads=threads, quiet=quiet)
        raise typer.Exit(3 if failed else 0)
    plan = fetch_runs.Plan(
        queries=choose_queries(labels or [], query or [], read_queries(queries) if queries else {}),
        licence=licence,
        per_label=per_label,
        until=parse_day(until, end=True) if until else None,
        options={
            "size": size,
            "since": parse_day(since) if since else FIRST_UPLOAD,
            "by_tags": by_tags,
            "bbox": bbox,
            "safe_search": safe_search,
            "taken_since": taken_since,
            "taken_until": taken_until,
            "per_owner": per_owner,
            "overlap": overlap,
        },
    )
    if dry_run:
        fetch_runs.estimate(plan, contact=contact, threads=threads)
        return
    failed = fetch_runs.fetch_search(
        plan, out, contact=contact, threads=threads, update=update, quiet=quiet
    )
    raise typer.Exit(3 if failed else 0)
