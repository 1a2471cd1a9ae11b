"""Features of a pretrained network, computed once for each photo."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from emotag.backbones.backbone import Backbone
from emotag.backbones.registry import find_backbone
from emotag.backbones.runtime import Runner, choose_device, open_runner
from emotag.errors import DataError, ModelError, PhotoError, UnreadablePhoto
from emotag.features.cache import FeatureCache
from emotag.features.store import photo_key
from emotag.parallel.threads import map_chunks
from emotag.photos.decoding import MAX_PIXELS, decode_photo, hash_photo

__all__ = ["CNNFeatures", "Extraction", "check_paths"]

Vector = NDArray[np.float32]
Progress = Callable[[int], None]

# Raised when the way from a photo to its vector changes, so that old entries are not found.
_COMPUTATION_VERSION = 1
_HASHES_A_CHUNK = 64
_PRECISIONS = ("float32", "bfloat16")
# Photos a thread decodes and runs at a time. A GPU wants to be filled.
_BATCH_SIZES = {"cpu": 8}
_BATCH_SIZE = 64


@dataclass(frozen=True)
class Extraction:
    """What became of some photos.

    Attributes
    ----------
    vectors : dict
        By path, an ndarray of shape (n_features,), float32.
    failures : list of PhotoError
        The photos without a vector.
    computed : int
        How many vectors the network computed; the others were known.
    """

    vectors: dict[str, Vector]
    failures: list[PhotoError]
    computed: int


class CNNFeatures(TransformerMixin, BaseEstimator):
    """Features that a layer of a pretrained network gives for photos.

    Nothing is learnt, so `transform` may be called without `fit`. A photo's
    features are kept on disk, by its content, and never computed twice.

    Parameters
    ----------
    backbone : str, default='lite0'
        The network; ``emotag models`` lists them.
    layer : str, optional
        The layer; by default the backbone's own choice.
    weights : path-like, optional
        A file with the backbone's weights; by default they come from where
        ``emotag models`` says, and are fetched if they are not at hand.
    mirror : bool, default=False
        Whether the features are the mean of those of the photo and of its
        mirror image, which takes twice the time.
    batch_size : int, optional
        Photos that the network sees at a time; by default what suits the device.
    device : str, default='auto'
        As torch names it; ``'auto'`` takes a GPU if torch sees one. On
        ``'cpu'`` onnxruntime runs the network, which is several times as fast.
    precision : {'float32', 'bfloat16'}, default='float32'
        Of a GPU's computation; bfloat16 is faster on recent ones and changes
        features by about a hundredth of their size. A CPU's is always float32.
    cache : bool, default=True
        Whether features are kept on disk, in the folder of ``emotag cache``.
    n_jobs : int, optional
        Threads that decode; by default one a core.

    Attributes
    ----------
    n_features_out_ : int
        How many features a photo has.

    See Also
    --------
    emotag.make_model : Whole models on such features.

    References
    ----------
    Donahue et al., "DeCAF: A Deep Convolutional Activation Feature for
    Generic Visual Recognition", ICML 2014, is where the use of such
    features with linear classifiers was studied first.

    Examples
    --------
    >>> from emotag import CNNFeatures
    >>> import os, sklearn
    >>> folder = os.path.join(os.path.dirname(sklearn.__file__), "datasets", "images")
    >>> X = [os.path.join(folder, name) for name in ("china.jpg", "flower.jpg")]
    >>> CNNFeatures("lite0").fit_transform(X).shape
    (2, 1280)
    """

    def __init__(
        self,
        backbone: str = "lite0",
        *,
        layer: str | None = None,
        weights: str | os.PathLike[str] | None = None,
        mirror: bool = False,
        batch_size: int | None = None,
        device: str = "auto",
        precision: str = "float32",
        cache: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.backbone = backbone
        self.layer = layer
        self.weights = weights
        self.mirror = mirror
        self.batch_size = batch_size
        self.device = device
        self.precision = precision
        self.cache = cache
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: ARG002
        """Check the parameters; nothing is learnt.

        Parameters
        ----------
        X : array-like of str, shape (n_photos,)
            Paths of photos.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ModelError
            A parameter makes no sense.
        DataError
            `X` is not a list of paths.
        """
        check_paths(X)
        backbone = self._checked()
        choose_device(self.device)
        self.n_features_out_ = backbone.layers[backbone.choose_layer(self.layer)]
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the features of photos.

        Parameters
        ----------
        X : array-like of str, shape (n_photos,)
            Paths of photos.

        Returns
        -------
        ndarray of shape (n_photos, n_features), float32
            A row a photo.

        Raises
        ------
        PhotoError
            A photo cannot be read or decoded; the message names it.
        DataError
            `X` is not a list of paths.
        StorageError
            The cache cannot be used.
        """
        paths = check_paths(X).tolist()
        extraction = self.extract(paths)
        if extraction.failures:
            raise extraction.failures[0]
        return np.stack([extraction.vectors[path] for path in paths])

    def extract(self, paths: Sequence[str], progress: Progress | None = None) -> Extraction:
        """Return the features of those photos that have any, and the failures.

        Parameters
        ----------
        paths : sequence of str
            Photos.
        progress : callable, optional
            Called with the number of photos done since the last call.

        Returns
        -------
        Extraction
            Vectors by path, and the failures.
        """
        backbone = self._checked()
        report = progress or _no_progress
        device = choose_device(self.device)
        keys, failures = _hash_photos(paths, self._computation(backbone, device), self.n_jobs)
        cache = FeatureCache() if self.cache else None
        try:
            vectors = cache.get(list(keys.values())) if cache else {}
            # One path for each content that is not known yet.
            missing = {key: path for path, key in keys.items() if key not in vectors}
            report(len(paths) - len(missing))
            for batch in self._compute(missing, backbone, device):
                vectors.update(batch.vectors)
                failures.extend(batch.failures)
                if cache and batch.vectors:
                    cache.put(batch.vectors)
                report(len(batch.vectors) + len(batch.failures))
        finally:
            if cache:
                cache.close()
        refused = {keys[error.path] for error in failures if error.path in keys}
        known = {error.path for error in failures}
        failures.extend(
            UnreadablePhoto(path, "its content is that of another refused photo")
            for path, key in keys.items()
            if key in refused and path not in known
        )
        found = {path: vectors[key] for path, key in keys.items() if key in vectors}
        return Extraction(found, failures, sum(key in vectors for key in missing))

    def get_feature_names_out(
        self,
        input_features: Any = None,  # noqa: ARG002
    ) -> NDArray[np.object_]:
        """Return a name for each feature: the backbone, the layer and a number.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str objects, shape (n_features,)
            Such as ``'lite0_pool_0'``.
        """
        backbone = self._checked()
        layer = backbone.choose_layer(self.layer)
        names = [f"{backbone.name}_{layer}_{index}" for index in range(backbone.layers[layer])]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def _checked(self) -> Backbone:
        backbone = find_backbone(self.backbone, self.weights)
        backbone.choose_layer(self.layer)
        if self.precision not in _PRECISIONS:
            raise ModelError(f"precision={self.precision!r}; choose from {', '.join(_PRECISIONS)}.")
        # numpy's whole numbers, as of a grid, are welcome too
        size: Any = self.batch_size
        if size is not None and (not isinstance(size, Integral) or size < 1):
            raise ModelError(f"batch_size={size!r} must be None or a whole number above 0.")
        for name in ("mirror", "cache"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ModelError(f"{name}={getattr(self, name)!r} must be True or False.")
        return backbone

    def _computation(self, backbone: Backbone, device: str) -> str:
        parts: dict[str, Any] = {
            "version": _COMPUTATION_VERSION,
            "weights": backbone.weights.identity(),
            "layer": backbone.choose_layer(self.layer),
            "preprocess": backbone.preprocess.to_dict(),
        }
        # what is usual is left out, so that what was computed before is found
        if self.mirror:
            parts["mirror"] = True
        if device != "cpu" and self.precision != "float32":
            parts["precision"] = self.precision
        return json.dumps(parts, sort_keys=True)

    def _compute(
        self, missing: dict[bytes, str], backbone: Backbone, device: str
    ) -> "Iterator[_Batch]":
        if not missing:
            return
        weights = None if self.weights is None else os.fspath(self.weights)
        layer = backbone.choose_layer(self.layer)
        run = open_runner(backbone.name, layer, device, weights, self.precision)
        run = _mirrored(run) if self.mirror else run
        size = self.batch_size or _BATCH_SIZES.get(device, _BATCH_SIZE)

        def compute(items: Sequence[tuple[bytes, str]]) -> _Batch:
            return _run_batch(items, backbone, run)

        yield from map_chunks(compute, list(missing.items()), size=size, jobs=self.n_jobs)


@dataclass(frozen=True)
class _Batch:
    vectors: dict[bytes, Vector]
    failures: list[PhotoError]


def check_paths(X: ArrayLike) -> NDArray[np.str_]:
    """Return X as an array of paths.

    Parameters
    ----------
    X : array-like of str or path-like, shape (n_photos,)
        Paths of photos.

    Returns
    -------
    ndarray of str, shape (n_photos,)
        The same paths.

    Raises
    ------
    DataError
        It has another shape, is empty, or holds something else.
    """
    # as objects, so that numpy does not write a missing value as text
    array = np.asarray(X, dtype=object) if isinstance(X, list | tuple) else np.asarray(X)
    if array.ndim != 1:
        raise DataError(
            f"X has {array.ndim} dimensions; emotag's estimators take a one-dimensional "
            "array of paths of photos."
        )
    if not len(array):
        raise DataError("X is empty: there is no photo in it.")
    if array.dtype.kind != "U":
        strange = [value for value in array.tolist() if not hasattr(value, "__fspath__")]
        strange = [value for value in strange if not isinstance(value, str)]
        if strange:
            raise DataError(f"X holds {strange[0]!r}, which is not the path of a photo.")
        array = np.array([os.fsdecode(value) for value in array.tolist()])
    return array


def _hash_photos(
    paths: Sequence[str], computation: str, jobs: int | None
) -> tuple[dict[str, bytes], list[PhotoError]]:
    """Return the key of each photo, and those that cannot be read."""

    def hash_some(some: Sequence[str]) -> list[tuple[str, bytes | PhotoError]]:
        return [(path, _hash_photo(path, computation)) for path in some]

    keys: dict[str, bytes] = {}
    failures: list[PhotoError] = []
    unique = list(dict.fromkeys(paths))
    for results in map_chunks(hash_some, unique, size=_HASHES_A_CHUNK, jobs=jobs):
        for path, result in results:
            if isinstance(result, PhotoError):
                failures.append(result)
            else:
                keys[path] = result
    return keys, failures


def _hash_photo(path: str, computation: str) -> bytes | PhotoError:
    try:
        return photo_key(hash_photo(path), computation)
    except PhotoError as error:
        return error


def _run_batch(items: Sequence[tuple[bytes, str]], backbone: Backbone, run: Runner) -> _Batch:
    keys, pixels, failures = [], [], []
    for key, path in items:
        try:
            photo = decode_photo(path, backbone.preprocess, max_pixels=MAX_PIXELS)
        except PhotoError as error:
            failures.append(error)
            continue
        keys.append(key)
        pixels.append(photo.pixels)
    vectors = run(np.stack(pixels)) if pixels else ()
    return _Batch(dict(zip(keys, vectors, strict=True)), failures)


def _mirrored(run: Runner) -> Runner:
    """Return what gives the mean of a photo's features and of its mirror image's."""

    def run_both(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        both = run(pixels) + run(pixels[:, :, ::-1])
        return (both / np.float32(2)).astype(np.float32)

    return run_both


def _no_progress(_: int) -> None:
    pass
