"""Where the network that finds what is salient comes from; it is no backbone."""

from emotag.backbones.weights import UrlWeights
from emotag.saliency.u2netp import U2NETP_SHA256, u2netp_path

__all__ = ["U2NETP", "u2netp_weights"]

U2NETP = "u2netp"
"""Its name, as in ``emotag models get u2netp``."""


def u2netp_weights() -> UrlWeights:
    """Return the weights of U2-Net-p, in ONNX's form, as rembg publishes them.

    Examples
    --------
    >>> u2netp_weights().size
    4574861
    """
    return UrlWeights(
        source="danielgatis/rembg",
        licence="Apache-2.0",
        size=4_574_861,
        name=U2NETP,
        url="https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2netp.onnx",
        digest=f"sha256:{U2NETP_SHA256}",
        # where emotag.saliency looks, which knows nothing of torch hub's folder
        file=u2netp_path(),
        otherwise="",
    )
