"""``emotag merge``: the parts of shards put together."""

from typing import Annotated

import typer

__all__ = ["merge"]


def merge(
    output: Annotated[
        str,
        typer.Argument(metavar="FILE", help="The file that was named to every shard by -o."),
    ],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary.")] = False,
) -> None:
    """Put together what the shards of a run have tagged.

    The file is what one run would have written. The parts stay where they are.

    Example: emotag merge tags.csv

    Exit status: 0 all done, 1 failed, 2 usage.
    """
    from emotag.cli.console import notes, safe
    from emotag.cli.tag_output import check_target
    from emotag.tagging.merging import merge_parts
    from emotag.tagging.shards import parts_folder, read_notes

    read_notes(output)
    check_target(output)
    rows = merge_parts(output)
    if not quiet:
        folder = safe(parts_folder(output))
        notes.print(f"{rows} rows written to {safe(output)}; {folder} can be deleted now.")
