"""Features of a pretrained network, computed once for each photo."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotag.backbones.backbone import Backbone
from emotag.backbones.registry import find_backbone
from emotag.backbones.runtime import Runner, choose_device, open_runner
from emotag.errors import ModelError, PhotoError
from emotag.features.extraction import (
    Batch,
    Extraction,
    PathTransformer,
    Progress,
    check_paths,
    extract_photos,
)
from emotag.parallel.threads import map_chunks
from emotag.photos.decoding import MAX_PIXELS, decode_photo
from emotag.saliency.preprocess import with_saliency

__all__ = ["CNNFeatures"]

# Raised when the way from a photo to its vector changes, so that old entries are not found.
_COMPUTATION_VERSION = 1
_PRECISIONS = ("float32", "bfloat16")
# Photos a thread decodes and runs at a time. A GPU wants to be filled.
_BATCH_SIZES = {"cpu": 8}
_BATCH_SIZE = 64


class CNNFeatures(PathTransformer):
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
    salient : {'crop', 'weight'}, optional
        Whether the network sees the salient region of a photo only, or the
        photo with the rest of it faded; by default it sees all of it.
    saliency : {'barrier', 'spectral', 'u2netp'}, default='barrier'
        How what is salient is found, as `emotag.saliency.maps.saliency_map` says.
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

    def __init__(  # noqa: PLR0913
        self,
        backbone: str = "lite0",
        *,
        layer: str | None = None,
        weights: str | os.PathLike[str] | None = None,
        mirror: bool = False,
        salient: str | None = None,
        saliency: str = "barrier",
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
        self.salient = salient
        self.saliency = saliency
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
        device = choose_device(self.device)
        return extract_photos(
            paths,
            self._computation(backbone, device),
            partial(self._compute, backbone=backbone, device=device),
            use_cache=self.cache,
            jobs=self.n_jobs,
            progress=progress,
        )

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

    def chosen_backbone(self) -> Backbone:
        """Return the backbone, with the preprocessing that is wanted here.

        Raises
        ------
        ModelError
            There is no such backbone, or `salient` or `saliency` makes no sense.
        WeightsError
            The network of the saliency is not at hand.
        """
        backbone = find_backbone(self.backbone, self.weights)
        preprocess = with_saliency(backbone.preprocess, self.salient, self.saliency)
        return replace(backbone, preprocess=preprocess)

    def _checked(self) -> Backbone:
        backbone = self.chosen_backbone()
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
        self, missing: Mapping[bytes, str], backbone: Backbone, device: str
    ) -> Iterator[Batch]:
        weights = None if self.weights is None else os.fspath(self.weights)
        layer = backbone.choose_layer(self.layer)
        run = open_runner(backbone.name, layer, device, weights, self.precision)
        run = _mirrored(run) if self.mirror else run
        size = self.batch_size or _BATCH_SIZES.get(device, _BATCH_SIZE)

        def compute(items: Sequence[tuple[bytes, str]]) -> Batch:
            return _run_batch(items, backbone, run)

        yield from map_chunks(compute, list(missing.items()), size=size, jobs=self.n_jobs)


def _run_batch(items: Sequence[tuple[bytes, str]], backbone: Backbone, run: Runner) -> Batch:
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
    return Batch(dict(zip(keys, vectors, strict=True)), failures)


def _mirrored(run: Runner) -> Runner:
    """Return what gives the mean of a photo's features and of its mirror image's."""

    def run_both(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        both = run(pixels) + run(pixels[:, :, ::-1])
        return (both / np.float32(2)).astype(np.float32)

    return run_both
