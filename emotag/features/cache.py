"""Features that were computed once: SQLite, keyed by the photo's content and the network."""

import glob
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotag.errors import StorageError
from emotag.features.pixels import PixelCache
from emotag.features.store import BlobStore, store_limit
from emotag.storage import cache_folder, ledger_folder

__all__ = [
    "CacheState",
    "FeatureCache",
    "cache_state",
    "checkpoint_folder",
    "clear_cache",
    "remove_checkpoints",
]

DEFAULT_LIMIT = 2 * 2**30
"""Bytes that the cache may take: about 400,000 photos of 1,280 features."""

Vector = NDArray[np.float32]


class FeatureCache(BlobStore):
    """Vectors by key, on disk, for several processes at once.

    Parameters
    ----------
    path : str, optional
        The file; by default that of this user.
    limit : int, optional
        Bytes it may take, by default EMOTAG_CACHE_LIMIT in MiB, or 2 GiB;
        what was not used for longest goes first.

    Raises
    ------
    StorageError
        It cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with FeatureCache(f"{folder}/features.sqlite") as cache:
    ...         cache.put({b"key": np.ones(2, dtype=np.float32)})
    ...         cache.get([b"key", b"other"])
    {b'key': array([1., 1.], dtype=float32)}
    """

    name = "feature cache"
    table = "features"
    column = "vector"
    version = 1

    @classmethod
    def default_limit(cls) -> int:
        """Return how many bytes it may take: EMOTAG_CACHE_LIMIT in MiB, or 2 GiB."""
        return store_limit("EMOTAG_CACHE_LIMIT", DEFAULT_LIMIT)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors that are known, by key.

        Raises
        ------
        StorageError
            The file cannot be read.
        """
        return {
            key: np.frombuffer(blob, dtype="<f4").astype(np.float32)
            for key, blob in self.read_blobs(keys)
        }

    def put(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors, and drop the oldest if they have become too many.

        Parameters
        ----------
        vectors : mapping of bytes to ndarray of shape (n_features,), float32
            By key.

        Raises
        ------
        StorageError
            They cannot be written, for example since the disk is full.
        """
        self.keep_blobs([(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()])


@dataclass(frozen=True)
class CacheState:
    """How full the cache is.

    Attributes
    ----------
    folder : str
        Where it lies.
    entries : int
        Vectors of features: one for each photo and network.
    size, limit : int
        Bytes that features take, and may take.
    networks : int
        Bytes that exported networks take.
    photos : int
        Photos whose resized pixels are kept for training.
    pixels, pixel_limit : int
        Bytes that pixels take, and may take.
    checkpoints : int
        Bytes that fits take which were cut off, or still run, and the folds of comparisons.
    ledgers : int
        Bytes that the notes of tagging take.
    """

    folder: str
    entries: int
    size: int
    limit: int
    networks: int
    photos: int
    pixels: int
    pixel_limit: int
    checkpoints: int
    ledgers: int


def cache_state() -> CacheState:
    """Return how full the cache of this user is.

    Raises
    ------
    StorageError
        It cannot be opened.
    """
    with FeatureCache() as features, PixelCache() as pixels:
        return CacheState(
            folder=cache_folder(),
            entries=features.count(),
            size=features.size(),
            limit=features.limit,
            networks=_total_size(_networks()),
            photos=pixels.count(),
            pixels=pixels.size(),
            pixel_limit=pixels.limit,
            checkpoints=_total_size([*_checkpoints(), *_folds()]),
            ledgers=_total_size(_ledgers()),
        )


def clear_cache() -> None:
    """Remove all that the cache of this user holds, also where it is damaged.

    Raises
    ------
    StorageError
        It cannot be removed.
    """
    folder = cache_folder()
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise StorageError(f"{folder} is no folder, so it is no cache; EMOTAG_CACHE names one.")
    for kind in (FeatureCache, PixelCache):
        try:
            with kind() as store:
                store.clear()
        except StorageError:
            _remove_files(glob.glob(f"{glob.escape(kind.default_path())}*"))
    _remove_files([*_networks(), *_checkpoints(), *_folds(), *_ledgers()])


def checkpoint_folder(key: str) -> str:
    """Return the folder in the cache where the fits of one output keep their state.

    Parameters
    ----------
    key : str
        Tells one output from another; a name for a folder.
    """
    return os.path.join(cache_folder(), "checkpoints", key)


def remove_checkpoints(folder: str) -> None:
    """Remove the states of fits from a folder, and the folder.

    Parameters
    ----------
    folder : str
        As `checkpoint_folder` returns it; it need not exist.
    """
    for path in glob.glob(os.path.join(glob.escape(folder), "*.checkpoint")):
        with suppress(FileNotFoundError):
            os.remove(path)
    with suppress(OSError):
        os.rmdir(folder)


def _networks() -> list[str]:
    return glob.glob(os.path.join(glob.escape(cache_folder()), "networks", "*"))


def _checkpoints() -> list[str]:
    return glob.glob(os.path.join(glob.escape(checkpoint_folder("")), "*", "*"))


def _folds() -> list[str]:
    return glob.glob(os.path.join(glob.escape(cache_folder()), "folds", "*"))


def _ledgers() -> list[str]:
    return glob.glob(os.path.join(glob.escape(ledger_folder()), "*"))


def _total_size(paths: Sequence[str]) -> int:
    sizes = []
    for path in paths:
        # another process may just remove it
        with suppress(FileNotFoundError):
            sizes.append(os.path.getsize(path))
    return sum(sizes)


def _remove_files(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            os.remove(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise StorageError(f"{path} cannot be removed: {error.strerror}.") from error
