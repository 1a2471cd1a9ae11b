"""Vectors of photos, computed once for each content and kept in the feature cache."""

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from emotag.errors import DataError, PhotoError, UnreadablePhoto
from emotag.features.cache import FeatureCache
from emotag.features.store import photo_key
from emotag.parallel.threads import map_chunks
from emotag.photos.opening import hash_photo

__all__ = [
    "Batch",
    "Extraction",
    "PathTransformer",
    "Progress",
    "TakesPaths",
    "Vector",
    "check_paths",
    "extract_photos",
]

Vector = NDArray[np.float32]
Progress = Callable[[int], None]

_HASHES_A_CHUNK = 64


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
        How many vectors were computed; the others were known.
    """

    vectors: dict[str, Vector]
    failures: list[PhotoError]
    computed: int

    def stack(self, paths: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of photos as the rows of one array.

        Parameters
        ----------
        paths : sequence of str
            Photos that were extracted; one may stand several times.

        Returns
        -------
        ndarray of shape (n_photos, n_features), float32
            A row a photo.

        Raises
        ------
        PhotoError
            A photo has no vector; the first one is named.
        """
        if self.failures:
            raise self.failures[0]
        return np.stack([self.vectors[path] for path in paths])


class TakesPaths:
    """What every estimator on photos tells scikit-learn: X is a row of paths."""

    def __sklearn_tags__(self) -> Any:
        """Return the tags, as scikit-learn asks for them."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


class PathTransformer(TakesPaths, TransformerMixin, BaseEstimator):
    """What transformers of photos have in common that learn nothing.

    Subclasses have `extract`.
    """

    @abstractmethod
    def extract(self, paths: Sequence[str], progress: Progress | None = None) -> Extraction:
        """Return the features of those photos that have any, and the failures."""

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
        return self.extract(paths).stack(paths)

    def __sklearn_tags__(self) -> Any:
        """Return the tags, as scikit-learn asks for them."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


@dataclass(frozen=True)
class Batch:
    """What became of some photos that were computed together.

    Attributes
    ----------
    vectors : dict
        By key, an ndarray of shape (n_features,), float32.
    failures : list of PhotoError
        The photos without a vector.
    """

    vectors: dict[bytes, Vector]
    failures: list[PhotoError]


def extract_photos(
    paths: Sequence[str],
    computation: str,
    compute: Callable[[Mapping[bytes, str]], Iterator[Batch]],
    *,
    use_cache: bool = True,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Extraction:
    """Return the vectors of photos: those in the cache, and the others computed and kept.

    Photos of the same content, under whatever names, are computed once.

    Parameters
    ----------
    paths : sequence of str
        Photos.
    computation : str
        All that a vector depends on beside the photo's content.
    compute : callable
        Takes one path for each content that is not known, by key; yields batches.
    use_cache : bool, default=True
        Whether the cache is asked and filled.
    jobs : int, optional
        Threads that read the files; by default one a core.
    progress : callable, optional
        Called with the number of photos done since the last call.

    Returns
    -------
    Extraction
        Vectors by path, and the failures.

    Raises
    ------
    StorageError
        The cache cannot be used.
    """
    report = progress or _no_progress
    keys, failures = _hash_photos(paths, computation, jobs)
    cache = FeatureCache() if use_cache else None
    try:
        vectors = cache.get(list(keys.values())) if cache else {}
        # One path for each content that is not known yet.
        missing = {key: path for path, key in keys.items() if key not in vectors}
        report(len(paths) - len(missing))
        for batch in compute(missing) if missing else ():
            vectors.update(batch.vectors)
            failures.extend(batch.failures)
            if cache and batch.vectors:
                cache.put(batch.vectors)
            report(len(batch.vectors) + len(batch.failures))
    finally:
        if cache:
            cache.close()
    failures.extend(_refuse_copies(keys, failures))
    found = {path: vectors[key] for path, key in keys.items() if key in vectors}
    return Extraction(found, failures, sum(key in vectors for key in missing))


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


def _refuse_copies(
    keys: Mapping[str, bytes], failures: Sequence[PhotoError]
) -> list[UnreadablePhoto]:
    """Return an error for each photo whose content is that of another which failed."""
    refused = {keys[error.path] for error in failures if error.path in keys}
    known = {error.path for error in failures}
    return [
        UnreadablePhoto(path, "its content is that of another refused photo")
        for path, key in keys.items()
        if key in refused and path not in known
    ]


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


def _no_progress(_: int) -> None:
    pass
