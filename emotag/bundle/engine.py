"""A bundle's network at work: pixels in, calibrated probabilities out."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from emotag.bundle.config import CONFIG, NETWORK, BundleConfig
from emotag.errors import BundleError, PhotoError
from emotag.photos.decoding import MAX_PIXELS, DecodedPhoto, try_decoding
from emotag.photos.preprocess import Preprocess
from emotag.sessions import open_session

__all__ = [
    "SEEN",
    "Engine",
    "OnnxEngine",
    "PathEngine",
    "PixelEngine",
    "Probabilities",
    "Scores",
    "score_paths",
]

_INPUT = "pixels"
_EMOTION = "emotion"
_SENTIMENT = "sentiment"

SEEN = "seen"
"""The output with the probabilities of the backbone's own classes, where there is one."""


class Probabilities(NamedTuple):
    """What an engine says about some photos.

    Attributes
    ----------
    emotion : ndarray of shape (n_photos, n_labels), float32
        Calibrated, columns in the order of the label set.
    positive : ndarray of shape (n_photos,), float32, or None
        The probability of positive sentiment; None where it is not known.
    seen : ndarray of shape (n_photos, n_classes), float32, or None
        Of the backbone's own classes; None unless it was asked for.
    """

    emotion: NDArray[np.floating[Any]]
    positive: NDArray[np.floating[Any]] | None
    seen: NDArray[np.floating[Any]] | None = None


class Scores(NamedTuple):
    """What an engine says about one photo.

    Attributes
    ----------
    emotion : list of float
        Calibrated, in the order of the label set.
    positive : float or None
        The probability of positive sentiment.
    seen : ndarray of shape (n_classes,), float32, or None
        Of the backbone's own classes.
    note : str
        Empty, or what is odd about the photo's file.
    """

    emotion: list[float]
    positive: float | None
    seen: NDArray[np.floating[Any]] | None
    note: str


class PixelEngine(Protocol):
    """Turns decoded photos into probabilities; called from several threads at once."""

    def __call__(self, pixels: NDArray[np.uint8]) -> Probabilities:
        """Return the probabilities for pixels of shape (n, size, size, 3), uint8."""
        ...


@runtime_checkable
class PathEngine(Protocol):
    """Judges photos by their paths, decoding them as it needs them."""

    def score_paths(
        self, paths: Sequence[str], *, max_pixels: int = MAX_PIXELS
    ) -> list[Scores | PhotoError]:
        """Return what is said of each photo; one that cannot be read is its error."""
        ...


Engine: TypeAlias = PixelEngine | PathEngine
"""Whatever runs a bundle."""


def score_paths(
    engine: Engine,
    paths: Sequence[str],
    preprocess: Preprocess | None,
    *,
    max_pixels: int = MAX_PIXELS,
) -> list[Scores | PhotoError]:
    """Run an engine on some photos; one that cannot be read is its error.

    Parameters
    ----------
    engine : PixelEngine or PathEngine
        Of a bundle.
    paths : sequence of str
        The photos.
    preprocess : Preprocess or None
        The bundle's; one that runs on pixels has one.
    max_pixels : int, default=MAX_PIXELS
        A photo of more pixels is skipped.
    """
    if isinstance(engine, PathEngine):
        return engine.score_paths(paths, max_pixels=max_pixels)
    assert preprocess is not None
    photos = [try_decoding(path, preprocess, max_pixels=max_pixels) for path in paths]
    sound = [photo for photo in photos if isinstance(photo, DecodedPhoto)]
    scores = _score(engine, sound) if sound else iter(())
    return [photo if isinstance(photo, PhotoError) else next(scores) for photo in photos]


def _score(engine: PixelEngine, photos: Sequence[DecodedPhoto]) -> Iterator[Scores]:
    said = engine(np.stack([photo.pixels for photo in photos]))
    nothing = [None] * len(photos)
    positive = nothing if said.positive is None else said.positive.tolist()
    seen = nothing if said.seen is None else said.seen
    notes = [photo.note for photo in photos]
    return map(Scores, said.emotion.tolist(), positive, seen, notes)


class OnnxEngine:
    """Runs a bundle's ``model.onnx``: pixels in, calibrated probabilities out.

    Parameters
    ----------
    model : bytes
        The file's content.
    config : BundleConfig
        The bundle's.
    threads : int, default=1
        Threads for one call; calls from several threads may overlap.
    n_seen : int, default=0
        How many classes of the backbone's own it shall say the probabilities of.

    Raises
    ------
    BundleError
        The network cannot be run, or its inputs and outputs are not a bundle's.
    """

    def __init__(
        self, model: bytes, config: BundleConfig, *, threads: int = 1, n_seen: int = 0
    ) -> None:
        self._session = open_session(model, threads=threads, name=NETWORK)
        self._config = config
        self._widths = {_EMOTION: len(config.label_set)}
        if config.learnt_sentiment:
            self._widths[_SENTIMENT] = 2  # negative, positive
        inputs = [entry.name for entry in self._session.get_inputs()]
        outputs = [entry.name for entry in self._session.get_outputs()]
        if outputs[-1:] == [SEEN] and not n_seen:
            outputs = outputs[:-1]
        if n_seen:
            self._widths[SEEN] = n_seen
        if inputs != [_INPUT] or outputs != list(self._widths):
            raise BundleError(
                f"{NETWORK} maps {inputs} to {outputs}; "
                f"a bundle's maps ['{_INPUT}'] to {list(self._widths)}"
            )

        self._refuse_other_size()

    def _refuse_other_size(self) -> None:
        assert self._config.preprocess is not None
        size = self._config.preprocess.size
        sides = self._session.get_inputs()[0].shape[2:]
        # a free size has a name instead of a number
        if any(isinstance(side, int) and side != size for side in sides):
            raise BundleError(f"{NETWORK} takes {sides} pixels and {CONFIG} says {size}")

    def __call__(self, pixels: NDArray[np.uint8]) -> Probabilities:
        """Return the probabilities of some photos.

        Parameters
        ----------
        pixels : ndarray of shape (n_photos, size, size, 3), uint8
            In the order R, G, B.

        Returns
        -------
        Probabilities
            A row a photo.

        Raises
        ------
        BundleError
            What the network says are no probabilities.
        """
        # One photo a run: the layers stay in the processor's caches, which is faster than
        # a batch, and what is said of a photo cannot depend on its neighbours.
        runs = [self._run(photo) for photo in pixels]
        outputs = (np.concatenate(parts) for parts in zip(*runs, strict=True))
        found = dict(zip(self._widths, outputs, strict=True))
        for output in found.values():
            _check_probabilities(output)
        emotion, seen = found[_EMOTION], found.get(SEEN)
        if _SENTIMENT in found:
            return Probabilities(emotion, found[_SENTIMENT][:, 1], seen)
        labels = self._config.label_set
        return Probabilities(emotion, labels.fold(emotion) if labels.folds else None, seen)

    def _run(self, photo: NDArray[np.uint8]) -> list[NDArray[np.floating[Any]]]:
        """Return each output for one photo of shape (size, size, 3)."""
        planes = np.ascontiguousarray(photo.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)
        try:
            outputs: list[Any] = self._session.run(list(self._widths), {_INPUT: planes})
        except Exception as error:  # onnxruntime's errors share no base class of their own
            first = str(error).strip().splitlines()[0]
            raise BundleError(f"{NETWORK} failed on the photos: {first}") from error
        for output, width in zip(outputs, self._widths.values(), strict=True):
            _check_numbers(output, (1, width))
        return outputs


def _check_numbers(output: Any, shape: tuple[int, int]) -> None:
    # an ONNX network may also return text, or a list
    if not isinstance(output, np.ndarray) or output.dtype.kind != "f":
        raise BundleError(f"{NETWORK} gave no numbers.")
    if output.shape != shape:
        raise BundleError(f"{NETWORK} gave an output of shape {output.shape}, not {shape}.")


def _check_probabilities(output: NDArray[np.floating[Any]]) -> None:
    # NaN fails every comparison
    if not (output >= 0).all() or not np.allclose(output.sum(axis=1), 1.0, atol=1e-3):
        raise BundleError(f"{NETWORK} gave numbers that are no probabilities.")
