"""Pretrained weights fetched with a progress bar."""

__all__ = ["fetch_weights", "refuse_backbone"]


def refuse_backbone(name: str, file: str | None) -> None:
    """Refuse a backbone that there is not, or a file of weights that is not there.

    Raises
    ------
    ModelError, WeightsError
        The message says what there is.
    """
    from emotag.backbones.registry import find_backbone

    backbone = find_backbone(name, file)
    if file is not None:
        backbone.weights.fetch()


def fetch_weights(name: str, file: str | None = None, *, quiet: bool = False) -> str:
    """Return the path of a backbone's weights, downloaded if they are not at hand.

    Parameters
    ----------
    name : str
        The backbone.
    file : str, optional
        The user's own file with its weights.
    quiet : bool, default=False
        Whether nothing is shown.

    Raises
    ------
    ModelError, WeightsError
        There is no such backbone, or the weights cannot be had.
    """
    from emotag.backbones.registry import find_backbone
    from emotag.cli.console import download_bar

    backbone = find_backbone(name, file)
    if backbone.at_hand:
        return backbone.weights.fetch()
    size = backbone.weights.size
    with download_bar(f"Weights of {name}", size, quiet=quiet) as report:
        return backbone.weights.fetch(report)
