"""Which options of ``emotag tag`` go together."""

import typer

__all__ = ["check_together"]


def check_together(
    *,
    xmp: bool,
    sidecar: str | None,
    embed: bool,
    no_backup: bool,
    page: str | None,
    page_photos: int | None,
    shard: str | None,
    processes: int | None,
    dask: str | None,
) -> None:
    """Refuse options that would be ignored, or would undo each other.

    Raises
    ------
    typer.BadParameter
        The message says which, and why.
    """
    for wrong, message in (
        (sidecar is not None and not xmp, "--sidecar goes with --xmp only."),
        (no_backup and not embed, "--no-backup goes with --embed only."),
        (page_photos is not None and page is None, "--html-photos goes with --html only."),
        (
            page is not None and shard is not None,
            "--html does not go with --shard: each shard would make the page anew.",
        ),
        (
            processes is not None and dask is not None,
            "--processes and --dask exclude each other.",
        ),
        (dask == "", "--dask needs the address of a scheduler."),
    ):
        if wrong:
            raise typer.BadParameter(message)
