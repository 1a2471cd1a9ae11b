"""Photos hashed, split and decoded once, before a network is trained on them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emotag.errors import PhotoError
from emotag.features.pixels import PixelCache, decode_pixels, describe_pixels
from emotag.features.store import photo_key
from emotag.models.finetuning.broken import BrokenPhotos
from emotag.models.finetuning.photos import Augmentation, Labelled, PhotoSet
from emotag.parallel.threads import map_chunks
from emotag.photos.opening import hash_photo
from emotag.photos.preprocess import Preprocess

__all__ = ["decode_ahead", "decode_sets", "hash_photos"]

_HASHES_A_CHUNK = 64
# Few enough that a chunk of decoded photos is small.
_PHOTOS_A_CHUNK = 8
_PHOTOS_AHEAD = 64

Pixels = NDArray[np.uint8]


def hash_photos(photos: Labelled, broken: BrokenPhotos, jobs: int | None = None) -> Labelled:
    """Return the photos that can be read, with the SHA-256 of each.

    Parameters
    ----------
    photos : Labelled
        The photos.
    broken : BrokenPhotos
        Is told of the others.
    jobs : int, optional
        Threads.
    """

    def hash_some(some: Sequence[str]) -> list[bytes | PhotoError]:
        return [_hashed(path) for path in some]

    found: dict[str, bytes] = {}
    unique = list(dict.fromkeys(photos.paths))
    chunks = map_chunks(hash_some, unique, size=_HASHES_A_CHUNK, jobs=jobs)
    results = (result for chunk in chunks for result in chunk)
    for path, result in zip(unique, results, strict=True):
        if isinstance(result, PhotoError):
            broken.add(result)
        else:
            found[path] = result
    contents = [found.get(path, b"") for path in photos.paths]
    readable = np.array([path in found for path in photos.paths], dtype=bool)
    return replace(photos, contents=contents).take(readable)


def decode_sets(
    train: Labelled,
    held: Labelled,
    preprocess: Preprocess,
    augmentation: Augmentation,
    broken: BrokenPhotos,
    jobs: int | None = None,
) -> tuple[PhotoSet, PhotoSet]:
    """Return the photos to train on and those held out, decoded into the cache.

    Photos that break are left out of them.

    Parameters
    ----------
    train, held : Labelled
        The photos.
    preprocess : Preprocess
        What the network sees.
    augmentation : Augmentation
        Of the photos to train on.
    broken : BrokenPhotos
        Is told of photos that cannot be decoded.
    jobs : int, optional
        Threads.

    Raises
    ------
    DataError
        More photos break than may.
    StorageError
        The cache cannot be written.
    """
    training = _decoded(train, preprocess, augmentation, broken, jobs)
    held_out = _decoded(held, preprocess, None, broken, jobs)
    broken.refuse_many()
    return training, held_out


def decode_ahead(
    paths: Sequence[str],
    preprocess: Preprocess,
    augmentation: Augmentation,
    jobs: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[PhotoError]:
    """Decode photos into the cache, as a training wants them, and return those that break.

    Parameters
    ----------
    paths : sequence of str
        The photos.
    preprocess : Preprocess
        What the network sees.
    augmentation : Augmentation
        Of the training.
    jobs : int, optional
        Threads.
    progress : callable, optional
        Called with the number of photos done since the last call.

    Raises
    ------
    StorageError
        The cache cannot be written.
    """
    unique = list(dict.fromkeys(paths))
    stored = PhotoSet.stored_as(preprocess, augmentation)
    computation = describe_pixels(stored)
    failures: list[PhotoError] = []
    with PixelCache() as cache:
        for start in range(0, len(unique), _PHOTOS_AHEAD):
            some = unique[start : start + _PHOTOS_AHEAD]
            hashed = {path: _hashed(path) for path in some}
            broken = BrokenPhotos(len(some), 1.0)
            keys = {
                photo_key(content, computation): path
                for path, content in hashed.items()
                if isinstance(content, bytes)
            }
            _fill(cache, keys, stored, broken, jobs)
            failures += [error for error in hashed.values() if isinstance(error, PhotoError)]
            failures += broken.failures
            if progress is not None:
                progress(len(some))
    return failures


def _hashed(path: str) -> bytes | PhotoError:
    try:
        return hash_photo(path)
    except PhotoError as error:
        return error


def _decoded(
    photos: Labelled,
    preprocess: Preprocess,
    augmentation: Augmentation | None,
    broken: BrokenPhotos,
    jobs: int | None,
) -> PhotoSet:
    stored = PhotoSet.stored_as(preprocess, augmentation)
    computation = describe_pixels(stored)
    keys = [photo_key(content, computation) for content in photos.contents]
    with PixelCache() as cache:
        _fill(cache, dict(zip(keys, photos.paths, strict=True)), stored, broken, jobs)
    sound = [path not in broken for path in photos.paths]
    kept = photos.take(np.array(sound, dtype=bool))
    keys = [key for key, is_sound in zip(keys, sound, strict=True) if is_sound]
    return PhotoSet(kept, keys, preprocess, broken, augmentation)


def _fill(
    cache: PixelCache,
    paths: dict[bytes, str],
    stored: Preprocess,
    broken: BrokenPhotos,
    jobs: int | None,
) -> None:
    """Decode what the cache lacks, as far as it has room: more would push out what came first."""
    known = cache.known(list(paths))
    missing = [(key, path) for key, path in paths.items() if key not in known]
    room = cache.limit
    for chunk in map_chunks(_decoder(stored), missing, size=_PHOTOS_A_CHUNK, jobs=jobs):
        photos = {key: pixels for key, pixels in chunk if not isinstance(pixels, PhotoError)}
        broken.add(*(error for _, error in chunk if isinstance(error, PhotoError)))
        room -= sum(pixels.nbytes for pixels in photos.values())
        if room < 0:
            return
        if photos:
            cache.put(photos)


def _decoder(
    stored: Preprocess,
) -> Callable[[Sequence[tuple[bytes, str]]], list[tuple[bytes, Pixels | PhotoError]]]:
    def decode(path: str) -> Pixels | PhotoError:
        try:
            return decode_pixels(path, stored)
        except PhotoError as error:
            return error

    return lambda items: [(key, decode(path)) for key, path in items]
