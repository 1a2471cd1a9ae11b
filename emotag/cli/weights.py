"""Pretrained weights fetched with a progress bar."""

from collections.abc import Iterable

__all__ = ["fetch_weights", "ready_all", "ready_weights", "refuse_backbone"]


def refuse_backbone(name: str | None, file: str | None) -> None:
    """Refuse a backbone that there is not, or a file of weights that is not there.

    Raises
    ------
    ModelError, WeightsError
        The message says what there is.
    """
    from emotag.backbones.registry import find_backbone
    from emotag.errors import ModelError

    if name is None:
        if file is not None:
            raise ModelError("--weights are a network's, and this model stands on none.")
        return
    backbone = find_backbone(name, file)
    if file is not None:
        backbone.weights.fetch()


def ready_weights(name: str | None, file: str | None = None, *, quiet: bool = False) -> None:
    """Have the weights of a model's backbone at hand, if it stands on one.

    Raises
    ------
    ModelError, WeightsError
        As of `fetch_weights`.
    """
    if name is not None:
        fetch_weights(name, file, quiet=quiet)


def ready_all(names: Iterable[str | None], *, quiet: bool = False) -> None:
    """Have the weights of several models' backbones at hand.

    Raises
    ------
    ModelError, WeightsError
        As of `fetch_weights`.
    """
    for name in names:
        ready_weights(name, quiet=quiet)


def fetch_weights(name: str, file: str | None = None, *, quiet: bool = False) -> str:
    """Return the path of a backbone's weights, downloaded if they are not at hand.

    Parameters
    ----------
    name : str
        The backbone, or ``u2netp``, which finds what is salient.
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
    from emotag.backbones.salience import U2NETP, u2netp_weights
    from emotag.cli.console import download_bar

    weights = u2netp_weights() if name == U2NETP else find_backbone(name, file).weights
    if weights.at_hand:
        return weights.fetch()
    with download_bar(f"Weights of {name}", weights.size, quiet=quiet) as report:
        return weights.fetch(report)
