"""``emotag demo``: the main job on photos that come with a dependency."""

from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where the tags go.")
    ] = "emotag-demo.csv",
) -> None:
    """Tag two sample photos, to see a run.

    They come with scikit-learn: a temple in China, and a flower.

    Example: emotag demo
    """
    import os

    from emotag.cli.console import notes, safe
    from emotag.cli.tag import tag
    from emotag.photos.samples import sample_folder

    folder = sample_folder()
    notes.print(f"$ emotag tag {safe(folder)} -o {safe(output)}", style="bold")
    tag([folder], output=output)
    if output.endswith((".csv", ".jsonl")):
        with open(output, encoding="utf-8") as file:
            typer.echo(f"\n{file.read()}")
    if output != "-":
        notes.print(f"The tags are in {safe(os.path.abspath(output))}.")
    notes.print("Now your own: emotag tag ./photos")
