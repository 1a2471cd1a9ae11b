"""Whether a network says what its estimator and its ONNX form say, tried on real photos."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from emotag.bundle.config import BundleConfig
from emotag.bundle.engine import OnnxEngine
from emotag.errors import ModelError, PhotoError
from emotag.models.descriptions import extractors_of, rebuild_features
from emotag.models.estimators import ESTIMATOR_FILES, SENTIMENT_LABELS, load_estimator
from emotag.models.network import PixelNetwork
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess

__all__ = ["PARITY", "ReadablePhotos", "check_parity", "check_reading", "some_readable"]

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


def check_reading(
    config: BundleConfig,
    files: Mapping[str, bytes],
    estimators: Sequence[Pipeline],
    photos: Sequence[str],
) -> None:
    """Refuse files from which other estimators would be read than were written.

    Parameters
    ----------
    config : BundleConfig
        Of a bundle to be that has no network.
    files : mapping of str to bytes
        The estimators', by name.
    estimators : sequence of Pipeline
        Of the emotions and, where it is learnt, of the sentiment.
    photos : sequence of str
        What they are tried on.

    Raises
    ------
    ModelError
        None of the photos can be read, or two differ by more than `PARITY`.
    """
    features = rebuild_features(config.estimator["features"], _own_weights(estimators[0]))
    paths = _measurable(features, photos)
    measured = features.transform(np.array(paths))
    orders = zip(ESTIMATOR_FILES.values(), (config.label_set.names, SENTIMENT_LABELS), strict=True)
    for estimator, (name, labels) in zip(estimators, orders, strict=False):
        read = load_estimator(files[name], labels, measured.shape[1])
        expected = estimator.predict_proba(np.array(paths))
        _refuse_difference("saved", "the fitted one", read.predict_proba(measured), expected)


def _own_weights(estimator: Pipeline) -> Any:
    """Return the user's file of weights that the features were computed with, if any."""
    given = estimator.steps[0][1].get_params()
    named = [value for key, value in given.items() if key.rpartition("__")[2] == "weights"]
    return next((value for value in named if value is not None), None)


def _measurable(features: Any, photos: Sequence[str]) -> list[str]:
    """Return a few of some photos, those that can be read."""
    some = list(dict.fromkeys(photos))[: 4 * _PHOTOS]
    failed = {
        error.path for part in extractors_of(features) for error in part.extract(some).failures
    }
    readable = [path for path in some if path not in failed][:_PHOTOS]
    if not readable:
        raise ModelError("None of the photos for trying the saved model can be read.")
    return readable


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
