"""``emotag untag``: what emotag wrote into sidecars and photos, taken out again."""

from typing import Annotated

import typer

__all__ = ["untag"]

SOME_LEFT = 3


def untag(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Photos, their sidecars, or folders of them."),
    ],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary.")] = False,
) -> None:
    """Take emotag's tags out of sidecars and photos, nothing else.

    A sidecar that holds nothing else is removed. A photo that holds no tags of emotag's is not
    touched, and neither is the photo.jpg_original beside it.

    Example: emotag untag ./photos

    Exit status: 0 all done, 1 failed, 2 usage, 3 some sidecars or photos were left alone.
    """
    from emotag.cli.console import notes
    from emotag.cli.tag_takers import print_left_alone
    from emotag.errors import SidecarError, StorageError
    from emotag.tagging.embedding import untag_photos
    from emotag.tagging.sidecars import find_sidecars, untag_sidecar

    seen = cleared = 0
    refusals: list[tuple[str, str]] = []
    for path in find_sidecars(paths):
        seen += 1
        try:
            cleared += untag_sidecar(path)
        except (SidecarError, StorageError) as error:
            refusals.append((path, str(error)))
    photos, refused = untag_photos(paths)
    refusals += refused
    if not quiet:
        plural = "" if seen == 1 else "s"
        notes.print(f"{seen} sidecar{plural}; {cleared} held tags of emotag's, which are gone now.")
    if photos and not quiet:
        plural = "" if photos == 1 else "s"
        notes.print(f"{photos} photo{plural} held tags of emotag's, which are gone now.")
    print_left_alone(refusals)
    if refusals:
        raise typer.Exit(SOME_LEFT)
