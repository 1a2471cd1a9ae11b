"""What the commands that take labelled photos have in common: how they are named and read."""

from typing import Annotated

import typer

__all__ = [
    "BatchSize",
    "Data",
    "Device",
    "Epochs",
    "GroupColumn",
    "LabelColumn",
    "Publication",
    "Saliency",
    "Salient",
    "SplitColumn",
    "choose_saliency",
]

Data = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DATA",
        help="Folders of LABEL/photo.jpg, or with a photos.csv.",
        show_default="./data",
    ),
]
LabelColumn = Annotated[
    str, typer.Option(metavar="COLUMN", help="Column of photos.csv with the emotion.")
]
GroupColumn = Annotated[
    str,
    typer.Option(metavar="COLUMN", help="Column of what keeps photos together, such as the owner."),
]
SplitColumn = Annotated[
    str, typer.Option(metavar="COLUMN", help="Column that says train, val or test.")
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        min=1,
        metavar="N",
        help="At most, for a network that is trained; pcnn ones half as many more.",
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        "--batch-size", min=1, metavar="N", help="Photos a step, for a network that is trained."
    ),
]
Device = Annotated[str, typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps …")]
Salient = Annotated[
    str | None,
    typer.Option(
        "--salient",
        metavar="HOW",
        help="crop or weight: the network sees what is salient.",
        show_default="whole photos",
    ),
]
Saliency = Annotated[
    str | None,
    typer.Option(
        "--saliency",
        metavar="METHOD",
        help="barrier, spectral or u2netp: how what is salient is found.",
        show_default="barrier",
    ),
]
Publication = Annotated[
    bool,
    typer.Option("--publication", help="Leave out photos that the licence keeps from a page."),
]


def choose_saliency(salient: str | None, saliency: str | None, models: str = "") -> str:
    """Return how what is salient is found, and refuse a way that would have no effect.

    `models` are those of a comparison, whose names may say what is done with it.
    """
    if saliency is not None and salient is None and "+" not in models:
        raise typer.BadParameter("--saliency says how what is salient is found; add --salient.")
    return saliency or "barrier"
