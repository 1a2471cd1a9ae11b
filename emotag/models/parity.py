"""Whether a network says what its estimator and its ONNX form say, tried on real photos."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from emotag.bundle.config import BundleConfig
from emotag.bundle.engine import OnnxEngine
from emotag.errors import ModelError, PhotoError
from emotag.models.estimators import SENTIMENT_LABELS
from emotag.models.network import PixelNetwork
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess

__all__ = ["PARITY", "ReadablePhotos", "check_parity", "some_readable"]

PARITY = 1e-3
"""How far probabilities of scikit-learn, torch and ONNX may differ in a bundle."""

_PHOTOS = 16


def check_parity(
    network: PixelNetwork,
    model: bytes,
    config: BundleConfig,
    readable: "ReadablePhotos",
    estimators: Sequence[Pipeline],
) -> None:
    """Refuse a network that says something else of real photos than its estimators or its ONNX.

    Parameters
    ----------
    network : PixelNetwork
        The torch form.
    model : bytes
        The ONNX form.
    config : BundleConfig
        Of the bundle to be.
    readable : ReadablePhotos
        What they are tried on.
    estimators : sequence of Pipeline
        Of the emotions and, where it is learnt, of the sentiment.

    Raises
    ------
    ModelError
        Two of them differ by more than `PARITY`.
    """
    by_onnx = _onnx_outputs(model, config, readable.pixels)
    by_torch = network.predict(readable.pixels)
    orders = [config.label_set.names, SENTIMENT_LABELS]
    for index, (estimator, labels) in enumerate(zip(estimators, orders, strict=False)):
        columns = [estimator.classes_.tolist().index(label) for label in labels]
        expected = estimator.predict_proba(readable.paths)[:, columns]
        _refuse_difference("ONNX", "torch", by_onnx[index], by_torch[index])
        _refuse_difference("torch", "scikit-learn", by_torch[index], expected)


def _onnx_outputs(
    model: bytes, config: BundleConfig, pixels: NDArray[np.uint8]
) -> list[NDArray[np.floating[Any]]]:
    emotion, positive, _ = OnnxEngine(model, config)(pixels)
    if positive is None or not config.learnt_sentiment:
        return [emotion]
    return [emotion, np.column_stack([1 - positive, positive])]


def _refuse_difference(
    one: str, other: str, ours: NDArray[np.floating[Any]], theirs: NDArray[np.floating[Any]]
) -> None:
    difference = float(np.abs(ours - theirs).max())
    if not difference <= PARITY:
        raise ModelError(
            f"The {one} form of the model differs from {other} by {difference:.2g} in "
            f"probability, more than {PARITY:g}; it is not saved."
        )


@dataclass(frozen=True)
class ReadablePhotos:
    """Some photos that can be read, and their pixels."""

    paths: list[str]
    pixels: NDArray[np.uint8]


def some_readable(photos: Sequence[str], preprocess: Preprocess) -> ReadablePhotos:
    """Return a few of some photos, those that can be read.

    Raises
    ------
    ModelError
        None of them can.
    """
    pixels: dict[str, NDArray[np.uint8]] = {}
    for path in photos:
        if len(pixels) == _PHOTOS:
            break
        with suppress(PhotoError):
            pixels[path] = decode_photo(path, preprocess).pixels
    if not pixels:
        raise ModelError("None of the photos for comparing torch and ONNX can be read.")
    return ReadablePhotos(list(pixels), np.stack(list(pixels.values())))
