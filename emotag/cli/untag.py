"""``emotag untag``: what emotag wrote into sidecars and photos, taken out again."""

from typing import Annotated

import typer

__all__ = ["untag"]

SOME_LEFT = 3


def untag(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Photos, sidecars, folders of them, or patterns."),
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
    from emotag.photos.patterns import expand
    from emotag.tagging.embedding import untag_photos
    from emotag.tagging.sidecars import find_sidecars, reason_of, untag_sidecar

    cleared = 0
    refusals: list[tuple[str, str]] = []
    paths = [path for typed in paths for path in expand(typed)]
    for path in find_sidecars(paths):
        try:
            cleared += untag_sidecar(path)
        except (SidecarError, StorageError) as error:
            refusals.append((path, reason_of(path, error)))
    photos, refused = untag_photos(paths)
    refusals += refused
    if not quiet:
        notes.print(_summary(cleared, photos))
    print_left_alone(refusals)
    if refusals:
        raise typer.Exit(SOME_LEFT)


def _summary(sidecars: int, photos: int) -> str:
    found = [
        f"{count} {what}{'' if count == 1 else 's'}"
        for count, what in ((sidecars, "sidecar"), (photos, "photo"))
        if count
    ]
    return f"Tags taken out of {' and '.join(found)}." if found else "No tags of emotag's found."
