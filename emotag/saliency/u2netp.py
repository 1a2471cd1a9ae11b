"""Saliency by U2-Net-p, a network that learnt it from objects cut out by hand."""

import hashlib
import os
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emotag.errors import WeightsError
from emotag.sessions import open_session
from emotag.storage import cache_folder

__all__ = ["U2NETP_SHA256", "require_u2netp", "u2netp_path", "u2netp_saliency"]

U2NETP_SHA256 = "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"
"""Of the file that rembg publishes, whose MD5 is 8e83ca70e441ab06c318d82300c84806."""

_SIDE = 320

# ImageNet's, in units of 0 to 1.
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)

_SURE = 0.5


def u2netp_path() -> str:
    """Return where the network's file is, or would be."""
    return os.path.join(cache_folder(), "weights", "u2netp.onnx")


def require_u2netp() -> None:
    """Refuse to go on without the network's file.

    Raises
    ------
    WeightsError
        It is missing or another; the message says what to type.
    """
    _session(u2netp_path())


def u2netp_saliency(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return what a network takes for the object of a photo.

    Parameters
    ----------
    pixels : ndarray of shape (rows, columns, 3), uint8
        In the order R, G, B.

    Returns
    -------
    ndarray of shape (320, 320), float32
        From 0 to 1, squashed as the network sees the photo. All 0 where its
        answer is nowhere above a half: our choice, since the minimum and the
        maximum would be stretched to 0 and 1 on an empty photo as well.

    Raises
    ------
    WeightsError
        The network's file is missing or another.

    References
    ----------
    Qin, Zhang, Huang, Dehghan, Zaiane & Jagersand, "U2-Net: Going Deeper with
    Nested U-Structure for Salient Object Detection", Pattern Recognition 106, 2020.
    """
    session = _session(u2netp_path())
    squashed = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    normal = (np.asarray(squashed, dtype=np.float32) / 255 - _MEAN) / _DEVIATION
    batch = np.ascontiguousarray(normal.transpose(2, 0, 1)[np.newaxis])
    name = session.get_inputs()[0].name
    answer = session.run([session.get_outputs()[0].name], {name: batch})[0][0, 0]
    if not answer.max() > _SURE:
        return np.zeros((_SIDE, _SIDE), dtype=np.float32)
    scaled: NDArray[np.float32] = (answer - answer.min()) / np.ptp(answer)
    return scaled


@lru_cache(maxsize=1)
def _session(path: str) -> Any:
    """Return the network, opened once in a process."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise WeightsError(
            f"The saliency u2netp needs a network, and {path} cannot be read "
            f"({error.strerror}); type: emotag models get u2netp"
        ) from error
    if (found := hashlib.sha256(content).hexdigest()) != U2NETP_SHA256:
        raise WeightsError(
            f"{path} is damaged, or not the file that was meant: its sha256 is {found}, not "
            f"{U2NETP_SHA256}. Delete it, and type: emotag models get u2netp"
        )
    return open_session(content, name=path)
