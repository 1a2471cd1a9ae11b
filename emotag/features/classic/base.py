"""What all features that need no network have in common: from paths to rows."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotag.errors import DataError, ModelError, PhotoError, UnreadablePhoto
from emotag.features.extraction import (
    Batch,
    Extraction,
    PathTransformer,
    Progress,
    Vector,
    check_paths,
    extract_photos,
)
from emotag.parallel.threads import chunked, map_chunks
from emotag.parallel.workers import has_workers, map_on_workers
from emotag.photos.decoding import reduce_to_side
from emotag.photos.places import absolute_path

__all__ = [
    "LONGER_SIDE",
    "WITHOUT_EFFECT",
    "PhotoFeatures",
    "Pixels",
    "require_choice",
    "require_whole",
]

Pixels = NDArray[np.uint8]
Item = tuple[bytes, str]
Outcome = tuple[bytes, Vector | PhotoError]

LONGER_SIDE = 320
"""Pixels of the longer side to which a photo is reduced before it is measured."""

WITHOUT_EFFECT = frozenset({"cache", "n_jobs"})
"""Parameters that say how a photo's features are computed, but not what they are."""

# Raised when photos are decoded otherwise, so that old entries are not found.
_DECODING_VERSION = 1
_PHOTOS_A_CHUNK = 8


class PhotoFeatures(PathTransformer, ABC):
    """Features that are measured on a photo's pixels, without any network.

    Nothing is learnt, so `transform` may be called without `fit`. Photos are
    decoded upright and whole, reduced to at most 320 pixels on the longer side
    and never enlarged; any of at least one pixel is taken. A photo's features
    are kept on disk, by its content, and never computed twice.

    Where ``joblib.parallel_config`` names processes or machines, they do the
    work; else threads of this process do.

    Subclasses have parameters, `n_features`, and `_measure`; `_check` if some
    parameter can be wrong.

    Attributes
    ----------
    n_features_out_ : int
        How many features a photo has.

    See Also
    --------
    emotag.CNNFeatures : Features that a network gives.
    """

    version: ClassVar[int] = 1
    """Raised when the way from pixels to the vector changes, so that old entries are not found."""

    cache: bool
    n_jobs: int | None

    @property
    @abstractmethod
    def n_features(self) -> int:
        """How many features a photo has."""

    @abstractmethod
    def _measure(self, pixels: Pixels) -> NDArray[Any]:
        """Return the features of pixels that were checked, as one row."""

    def _check(self) -> None:
        """Refuse parameters of the subclass that make no sense."""

    def check(self) -> None:
        """Refuse parameters that make no sense.

        Raises
        ------
        ModelError
            It names the parameter, the value and the choices.
        """
        if not isinstance(self.cache, bool | np.bool_):
            raise ModelError(f"cache={self.cache!r} must be True or False.")
        self._check()

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
        self.check()
        self.n_features_out_ = self.n_features
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

        Raises
        ------
        ModelError
            A parameter makes no sense.
        StorageError
            The cache cannot be used.
        """
        self.check()
        return extract_photos(
            check_paths(paths).tolist() if len(paths) else [],
            self._computation(),
            self._compute,
            use_cache=self.cache,
            jobs=self.n_jobs,
            progress=progress,
        )

    def measure(self, pixels: Pixels) -> Vector:
        """Return the features of one photo that is decoded already.

        Parameters
        ----------
        pixels : ndarray of shape (rows, columns, 3), uint8
            In the order R, G, B; of any size of at least one pixel.

        Returns
        -------
        ndarray of shape (n_features,), float32
            Finite numbers.

        Raises
        ------
        ModelError
            A parameter makes no sense.
        DataError
            These are no such pixels.
        """
        self.check()
        shape = np.shape(pixels)
        if np.asarray(pixels).dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise DataError(
                f"pixels of shape {shape} cannot be measured; they must be an array of uint8 "
                "of the shape (rows, columns, 3) with at least one pixel."
            )
        return np.asarray(self._measure(np.asarray(pixels)), dtype=np.float32).reshape(-1)

    def get_feature_names_out(
        self,
        input_features: Any = None,  # noqa: ARG002
    ) -> NDArray[np.object_]:
        """Return a name for each feature: the kind of the features and a number.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str objects, shape (n_features,)
            Such as ``'gist_0'``.
        """
        self.check()
        kind = type(self).__name__.lower()
        return np.array([f"{kind}_{index}" for index in range(self.n_features)], dtype=object)

    def _computation(self) -> str:
        parameters = self.get_params(deep=False)
        for name in WITHOUT_EFFECT:
            parameters.pop(name)
        parts = {
            "features": type(self).__name__,
            "version": self.version,
            "decoding": [_DECODING_VERSION, LONGER_SIDE],
            "parameters": parameters,
        }
        # numpy's numbers, as of a grid, are the same as Python's
        return json.dumps(parts, sort_keys=True, default=lambda value: value.item())

    def _compute(self, missing: Mapping[bytes, str]) -> Iterator[Batch]:
        items = list(missing.items())
        if not has_workers():
            chunks: Iterator[Sequence[Outcome]] = map_chunks(
                self._measure_photos, items, size=_PHOTOS_A_CHUNK, jobs=self.n_jobs
            )
        else:
            # a worker may stand in another folder
            absolute = [(key, absolute_path(path)) for key, path in items]
            tasks = chunked(absolute, _PHOTOS_A_CHUNK)
            chunks = map_on_workers(self._measure_photos, tasks, lost=_lost)
        for outcomes in chunks:
            yield _to_batch(outcomes, missing)

    def _measure_photos(self, items: Sequence[Item]) -> list[Outcome]:
        return [(key, self._measure_photo(path)) for key, path in items]

    def _measure_photo(self, path: str) -> Vector | PhotoError:
        try:
            photo = reduce_to_side(path, LONGER_SIDE, min_side=1)
        except PhotoError as error:
            return error
        return self.measure(photo.pixels)


def require_whole(name: str, value: Any, least: int, most: int) -> None:
    """Refuse a parameter that is not a whole number within limits.

    The upper ones keep a stranger's model from taking all memory.

    Raises
    ------
    ModelError
        It names the parameter and the value.

    Examples
    --------
    >>> require_whole("blocks", 0, 1, 32)
    Traceback (most recent call last):
    ...
    emotag.errors.ModelError: blocks=0 must be a whole number of 1 to 32.
    """
    if not _is_whole(value) or not least <= value <= most:
        raise ModelError(f"{name}={value!r} must be a whole number of {least} to {most}.")


def require_choice(name: str, value: Any, choices: Sequence[int]) -> None:
    """Refuse a parameter that is none of the numbers that there are to choose from.

    Raises
    ------
    ModelError
        It names the parameter, the value and the choices.

    Examples
    --------
    >>> require_choice("coefficients", 50, [16, 32, 64])
    Traceback (most recent call last):
    ...
    emotag.errors.ModelError: coefficients=50; choose from 16, 32, 64.
    """
    if not _is_whole(value) or value not in choices:
        listed = ", ".join(map(str, choices))
        raise ModelError(f"{name}={value!r}; choose from {listed}.")


def _is_whole(value: Any) -> bool:
    """Return whether this is a whole number, Python's or numpy's, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _to_batch(outcomes: Sequence[Outcome], paths: Mapping[bytes, str]) -> Batch:
    vectors: dict[bytes, Vector] = {}
    failures: list[PhotoError] = []
    for key, outcome in outcomes:
        if isinstance(outcome, PhotoError):
            # by the path that the caller gave
            failures.append(type(outcome)(paths[key], outcome.reason))
        else:
            vectors[key] = outcome
    return Batch(vectors, failures)


def _lost(item: Item) -> Outcome:
    key, path = item
    reason = "reading it ends the process: a decoder crashes, or memory runs out"
    return key, UnreadablePhoto(path, reason)
