"""A saved model's folder: its config, its checksums, and the engine that runs it.

A bundle is read as a stranger's gift: nothing in it is executed, nothing
outside its folder is read, and every file must have the checksum that the
config names.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from emotag.emotions import LabelSet
from emotag.errors import BundleError, EmotagError, StorageError
from emotag.photos.preprocess import Preprocess
from emotag.sessions import open_session
from emotag.storage import refuse_existing

__all__ = [
    "CONFIG",
    "FORMAT_VERSION",
    "MODELS_FOLDER",
    "NETWORK",
    "Bundle",
    "BundleConfig",
    "OnnxEngine",
    "Probabilities",
    "bundles_at_hand",
    "default_bundle",
    "find_bundle",
    "open_bundle",
    "refuse_target",
]

FORMAT_VERSION = 1
CONFIG = "config.json"
NETWORK = "model.onnx"
MODELS_FOLDER = "models"

_CONFIG_LIMIT = 4 * 2**20
# more than an ONNX file can have
_FILE_LIMIT = 2**31
_INPUT = "pixels"
_EMOTION = "emotion"
_SENTIMENT = "sentiment"


class Probabilities(NamedTuple):
    """What an engine says about some photos.

    Attributes
    ----------
    emotion : ndarray of shape (n_photos, n_labels), float32
        Calibrated, columns in the order of the label set.
    positive : ndarray of shape (n_photos,), float32, or None
        The probability of positive sentiment; None where it is not known.
    """

    emotion: NDArray[np.floating[Any]]
    positive: NDArray[np.floating[Any]] | None


@dataclass(frozen=True)
class BundleConfig:
    """What ``config.json`` of a bundle says.

    Attributes
    ----------
    name : str
        The model's name, in the column ``model`` of every output.
    recipe, backbone : str
        What it was made by and on.
    label_set : LabelSet
        The emotions, in the order of the output.
    preprocess : Preprocess
        Makes the pixels of a photo.
    learnt_sentiment : bool
        Whether the network has its own output for sentiment.
    emotag_version : str
        The version that saved it.
    files : dict
        For each file of the bundle its ``sha256``.
    estimator : dict
        How the scikit-learn estimator is rebuilt.
    data : dict
        Fingerprint and counts of the photos it was fitted on.
    metrics : dict
        What it scored where, each figure with its interval.
    """

    name: str
    recipe: str
    backbone: str
    label_set: LabelSet
    preprocess: Preprocess
    learnt_sentiment: bool
    emotag_version: str
    files: dict[str, str] = field(default_factory=dict)
    estimator: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``config.json`` holds."""
        return {
            "format_version": FORMAT_VERSION,
            "emotag_version": self.emotag_version,
            "name": self.name,
            "recipe": self.recipe,
            "backbone": self.backbone,
            "labels": list(self.label_set.names),
            "positive": sorted(self.label_set.positive),
            "negative": sorted(self.label_set.negative),
            "learnt_sentiment": self.learnt_sentiment,
            "preprocess": self.preprocess.to_dict(),
            "estimator": self.estimator,
            "data": self.data,
            "metrics": self.metrics,
            "files": {name: {"sha256": digest} for name, digest in sorted(self.files.items())},
        }

    @classmethod
    def from_dict(cls, content: Any) -> Self:
        """Return the config that `to_dict` wrote.

        Raises
        ------
        BundleError
            It was written by a newer format, or a value is missing or wrong.
        """
        if not isinstance(content, dict) or "format_version" not in content:
            raise BundleError("config.json is not that of an emotag bundle")
        version = content["format_version"]
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise BundleError(f"config.json has no valid format version, but {version!r}")
        if version > FORMAT_VERSION:
            raise BundleError(
                f"the bundle has format {version} and this emotag reads up to format "
                f"{FORMAT_VERSION}; type: pip install --upgrade emotag"
            )
        try:
            return cls(
                name=_text(content, "name"),
                recipe=_text(content, "recipe"),
                backbone=_text(content, "backbone"),
                label_set=LabelSet(
                    _texts(content, "labels"),
                    _texts(content, "positive"),
                    _texts(content, "negative"),
                ),
                preprocess=Preprocess.from_dict(_mapping(content, "preprocess")),
                learnt_sentiment=content["learnt_sentiment"] is True,
                emotag_version=_text(content, "emotag_version"),
                files=_checksums(content),
                estimator=_mapping(content, "estimator"),
                data=_mapping(content, "data"),
                metrics=_mapping(content, "metrics"),
            )
        except KeyError as error:
            raise BundleError(f"config.json lacks {error}") from error
        except EmotagError as error:
            raise BundleError(f"config.json: {str(error).removesuffix('.')}") from error


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

    Raises
    ------
    BundleError
        The network cannot be run, or its inputs and outputs are not a bundle's.
    """

    def __init__(self, model: bytes, config: BundleConfig, *, threads: int = 1) -> None:
        self._session = open_session(model, threads=threads, name=NETWORK)
        self._config = config
        self._widths = {_EMOTION: len(config.label_set)}
        if config.learnt_sentiment:
            self._widths[_SENTIMENT] = 2  # negative, positive
        inputs = [entry.name for entry in self._session.get_inputs()]
        outputs = [entry.name for entry in self._session.get_outputs()]
        if inputs != [_INPUT] or outputs != list(self._widths):
            raise BundleError(
                f"{NETWORK} maps {inputs} to {outputs}; "
                f"a bundle's maps ['{_INPUT}'] to {list(self._widths)}"
            )

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
        emotion, *learnt = (np.concatenate(outputs) for outputs in zip(*runs, strict=True))
        for output in (emotion, *learnt):
            _check_probabilities(output)
        if learnt:
            return Probabilities(emotion, learnt[0][:, 1])
        labels = self._config.label_set
        return Probabilities(emotion, labels.fold(emotion) if labels.folds else None)

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


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been opened and checked.

    Attributes
    ----------
    folder : str
        Where it lies.
    config : BundleConfig
        What it says of itself.
    """

    folder: str
    config: BundleConfig

    def read(self, name: str) -> bytes:
        """Return the content of one of its files, once its checksum is found right.

        Parameters
        ----------
        name : str
            The file.

        Raises
        ------
        BundleError
            The bundle has no such file, or it is missing, altered or a link.
        """
        if name not in self.config.files:
            raise BundleError(f"The model {self.folder} has no {name}.")
        try:
            content = _read_inside(self.folder, name, limit=_FILE_LIMIT)
        except BundleError as error:
            raise BundleError(f"The model {self.folder} is refused: {error}.") from error
        if hashlib.sha256(content).hexdigest() != self.config.files[name]:
            raise BundleError(
                f"The model {self.folder} is refused: {name} was altered since it was saved "
                "(its checksum is not that of config.json). Get the model again."
            )
        return content

    def engine(self, *, threads: int = 1) -> OnnxEngine:
        """Return the engine that runs this bundle with onnxruntime.

        Parameters
        ----------
        threads : int, default=1
            Threads for one call; calls from several threads may overlap.

        Raises
        ------
        BundleError
            The network is missing, altered, or cannot be run.
        """
        model = self.read(NETWORK)
        try:
            return OnnxEngine(model, self.config, threads=threads)
        except BundleError as error:
            raise BundleError(f"The model {self.folder} is refused: {error}") from error


def default_bundle() -> str:
    """Return the folder of the model that ships with emotag."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "default_bundle")


def bundles_at_hand() -> dict[str, str]:
    """Return the folders of the default model and of those under ``./models``, by name."""
    found = {"default": default_bundle()}
    if os.path.isdir(MODELS_FOLDER):
        for name in sorted(os.listdir(MODELS_FOLDER)):
            folder = os.path.join(MODELS_FOLDER, name)
            if os.path.isfile(os.path.join(folder, CONFIG)) and not name.startswith("."):
                found[name] = folder
    return found


def find_bundle(model: str | None = None) -> str:
    """Return the folder of a model that was named.

    Parameters
    ----------
    model : str, optional
        A folder, or a name under ``./models``; the default model for None.

    Raises
    ------
    BundleError
        There is none; the message names those at hand.
    """
    if model is None:
        return default_bundle()
    if os.path.isdir(model):
        return model
    known = bundles_at_hand()
    if model in known:
        return known[model]
    near = get_close_matches(model, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise BundleError(
        f"There is no model {model!r}, neither as a folder nor under ./{MODELS_FOLDER}; "
        f"at hand: {', '.join(known)}.{hint}"
    )


def open_bundle(folder: str) -> Bundle:
    """Open a bundle and check its config.

    Parameters
    ----------
    folder : str
        The folder that holds ``config.json``.

    Returns
    -------
    Bundle
        Its files are checked when they are read.

    Raises
    ------
    BundleError
        It is no bundle, or its config is damaged, too new or unsafe.
    """
    if not os.path.isdir(folder):
        raise BundleError(f"{folder} is not the folder of a model.")
    if not os.path.lexists(os.path.join(folder, CONFIG)):
        raise BundleError(f"{folder} is no model: it has no {CONFIG}.")
    try:
        text = _read_inside(folder, CONFIG, limit=_CONFIG_LIMIT)
        content = json.loads(text, parse_constant=_no_constant)
        config = BundleConfig.from_dict(content)
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, BundleError) else f"{CONFIG} is damaged ({error})"
        raise BundleError(f"The model {folder} is refused: {reason}.") from error
    return Bundle(folder, config)


def refuse_target(folder: str, *, force: bool) -> None:
    """Refuse a folder in which a model shall be saved if that would lose anything.

    Parameters
    ----------
    folder : str
        Where the model shall be.
    force : bool
        Whether a model that is there already may be replaced. Anything else may not.

    Raises
    ------
    StorageError
        Something is there that is not to be replaced, or nothing can be written there.
    """
    refuse_existing(folder, force=force)
    _refuse_unwritable(folder)
    if not os.path.lexists(folder) or _holds_only_a_bundle(folder):
        return
    raise StorageError(
        f"{folder} is not a saved model, or holds other files too, so --force does not replace "
        "it; choose another name, or move it away."
    )


def _refuse_unwritable(folder: str) -> None:
    parent = os.path.dirname(os.path.abspath(folder))
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if not os.path.isdir(parent):
        raise StorageError(f"{folder} cannot be written: {parent} is not a folder.")
    effective = os.access in os.supports_effective_ids
    if not os.access(parent, os.W_OK, effective_ids=effective):
        raise StorageError(f"{folder} cannot be written: no permission for the folder {parent}.")


def _holds_only_a_bundle(folder: str) -> bool:
    try:
        known = {CONFIG, *open_bundle(folder).config.files}
    except BundleError:
        return False
    return known.issuperset(os.listdir(folder))


def _read_inside(folder: str, name: str, *, limit: int) -> bytes:
    """Read a plain file of a folder; a link may not lead out of it."""
    path = os.path.join(folder, name)
    inside = os.path.realpath(folder)
    if os.path.dirname(os.path.realpath(path)) != inside:
        raise BundleError(f"{name} is a link that leads out of the folder")
    if not os.path.isfile(path):
        raise BundleError(f"{name} is missing")
    try:
        if os.path.getsize(path) > limit:
            raise BundleError(f"{name} is larger than {limit} bytes")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise BundleError(f"{name} cannot be read ({error.strerror})") from error


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


def _text(content: dict[str, Any], key: str) -> str:
    value = content[key]
    if not isinstance(value, str):
        raise BundleError(f"{key!r} is not text")
    if not value.isprintable():
        raise BundleError(f"{key!r} holds characters that cannot be shown")
    return value


def _texts(content: dict[str, Any], key: str) -> Sequence[str]:
    value = content[key]
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise BundleError(f"{key!r} is not a list of text")
    return value


def _mapping(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content[key]
    if not isinstance(value, dict):
        raise BundleError(f"{key!r} is not an object")
    return value


def _checksums(content: dict[str, Any]) -> dict[str, str]:
    files = {}
    for name, entry in _mapping(content, "files").items():
        if name in (".", "..", "") or any(mark in name for mark in "/\\:\0"):
            raise BundleError(f"the file name {name!r} could lead out of the folder")
        if not isinstance(entry, dict):
            raise BundleError(f"the entry of {name!r} is not an object")
        files[name] = _text(entry, "sha256")
    return files


def _no_constant(name: str) -> float:
    """Refuse NaN and the infinities, which are no JSON."""
    raise ValueError(f"{name} is no JSON")
