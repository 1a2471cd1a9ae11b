"""``emotag demo``: the main job on photos that come with a dependency."""

from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="Where the tags go.")
    ] = "emotag-demo.csv",
) -> None:
    """Tag the two sample photos of scikit-learn, to see what a run looks like.

    Example: [bold]emotag demo[/bold]
    """
    import os

    from emotag.cli.console import notes
    from emotag.cli.tag import tag
    from emotag.photos.samples import sample_folder

    folder = sample_folder()
    notes.print(f"$ emotag tag {folder} -o {output}", style="bold", markup=False, soft_wrap=True)
    tag([folder], output=output)
    with open(output, encoding="utf-8") as file:
        typer.echo(file.read(), nl=False)
    notes.print(f"\nThe tags are in {os.path.abspath(output)}.", markup=False, soft_wrap=True)
    notes.print("Now your own: emotag tag ./photos")
