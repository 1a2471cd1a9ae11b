"""Labelled photos as a torch data set: decoded once, then cropped and mirrored at random."""

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from emotag.errors import PhotoError
from emotag.features.pixels import PixelCache, ResizedPhoto, decode_pixels
from emotag.models.finetuning.broken import BrokenPhotos
from emotag.photos.preprocess import Preprocess

__all__ = ["Augmentation", "Labelled", "PhotoLoader", "PhotoSet"]

Batch = tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Labelled:
    """Photos with what is known of them, in one order.

    Attributes
    ----------
    paths : list of str
        The files.
    classes, groups : ndarray of shape (n_photos,), int
        Numbers of the labels, and of what keeps photos together.
    weights : ndarray of shape (n_photos,), float
        How much each counts.
    contents : list of bytes
        SHA-256 of each file; empty before they are read.
    """

    paths: list[str]
    classes: NDArray[np.intp]
    groups: NDArray[np.intp]
    weights: NDArray[np.float64]
    contents: list[bytes] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: NDArray[Any]) -> "Labelled":
        """Return some of the photos, by their indices or a mask."""
        chosen = np.arange(len(self))[indices].tolist()
        return Labelled(
            [self.paths[index] for index in chosen],
            self.classes[chosen],
            self.groups[chosen],
            self.weights[chosen],
            [self.contents[index] for index in chosen],
        )

    def with_weights(self, weights: NDArray[np.float64]) -> "Labelled":
        """Return the same photos with other weights."""
        return replace(self, weights=weights)


@dataclass(frozen=True)
class Augmentation:
    """What is done to photos at random.

    Attributes
    ----------
    mirror, crop : bool
        Whether half of them are mirrored, and whether the crop is a random one.
    """

    mirror: bool
    crop: bool


class PhotoSet(Dataset[Batch]):
    """Photos by index, as pixels with class and weight.

    Parameters
    ----------
    photos : Labelled
        The photos.
    keys : list of bytes
        Of their pixels in the cache.
    preprocess : Preprocess
        What the network sees.
    broken : BrokenPhotos
        Is told of photos that cannot be read.
    augmentation : Augmentation, optional
        None for the centre crop, as when predicting.
    """

    def __init__(
        self,
        photos: Labelled,
        keys: list[bytes],
        preprocess: Preprocess,
        broken: BrokenPhotos,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.photos = photos
        self.keys = keys
        self.preprocess = preprocess
        self.broken = broken
        self.augmentation = augmentation
        self._cache: tuple[int, PixelCache] | None = None
        self._number()

    def start_epoch(self, seed: int | Sequence[int]) -> None:
        """Draw the order of an epoch, and each photo's crop and mirror, from a seed."""
        rng = np.random.default_rng(seed)
        self.order = rng.permutation(len(self))
        # from above, from the left, and whether it is mirrored
        self._draws = rng.random((len(self), 3))

    def stand_still(self) -> None:
        """Show each photo's centre as it is, until the next epoch starts."""
        self._draws = np.tile([0.5, 0.5, 1.0], (len(self), 1))

    def restrict(self, kept: NDArray[np.bool_]) -> None:
        """Leave out photos for good; the mean weight of the others stays what it was.

        Parameters
        ----------
        kept : ndarray of shape (n_photos,), bool
            Which ones stay; one with a weight at least.
        """
        photos = self.photos.take(kept)
        mean = self.photos.weights.mean() / photos.weights.mean()
        self.photos = photos.with_weights(photos.weights * mean)
        self.keys = [key for key, is_kept in zip(self.keys, kept, strict=True) if is_kept]
        self._number()

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a batch: pixels (n, size, size, 3), uint8, with classes and weights.

        Photos that cannot be read are left out; a black one of weight 0 stands for
        a batch that would be empty, since processes that train together must
        take the same number of steps.
        """
        found = self.read(indices)
        if not found:
            return self._nothing()
        kept = list(found)
        pixels = torch.from_numpy(np.stack(list(found.values())))
        return pixels, (self._classes[kept], self._weights[kept])

    def read(self, indices: Sequence[int]) -> dict[int, Pixels]:
        """Return the pixels (size, size, 3), uint8, of those photos that can be read."""
        known = self._open().get([self.keys[index] for index in indices])
        found = {}
        for index in indices:
            photo = known.get(self.keys[index])
            if photo is None:
                photo = self._decode(self.photos.paths[index])
            if photo is not None:
                found[index] = self._augmented(index, photo)
        return found

    def close(self) -> None:
        """Close the cache."""
        if self._cache is not None and self._cache[0] == os.getpid():
            self._cache[1].close()
        self._cache = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": None}

    def _number(self) -> None:
        """Make tensors of what is known of the photos, and begin anew."""
        self._classes = torch.from_numpy(self.photos.classes.astype(np.int64))
        self._weights = torch.from_numpy(self.photos.weights.astype(np.float32))
        self.start_epoch(0)

    def _nothing(self) -> Batch:
        size = self.preprocess.size
        black = torch.zeros((1, size, size, 3), dtype=torch.uint8)
        return black, (torch.zeros(1, dtype=torch.int64), torch.zeros(1))

    @staticmethod
    def stored_as(preprocess: Preprocess, augmentation: Augmentation | None) -> Preprocess:
        """Return how pixels are kept in the cache: whole where a random crop is to come."""
        if augmentation is not None and augmentation.crop:
            return ResizedPhoto.of(preprocess)
        return preprocess

    def _open(self) -> PixelCache:
        # a connection must not be used by a process that was forked meanwhile
        if self._cache is None or self._cache[0] != os.getpid():
            self._cache = (os.getpid(), PixelCache())
        return self._cache[1]

    def _decode(self, path: str) -> Pixels | None:
        """Decode a photo that is not in the cache (any more)."""
        if path in self.broken:
            return None
        try:
            return decode_pixels(path, self.stored_as(self.preprocess, self.augmentation))
        except PhotoError as error:
            self.broken.add(error)
            self.broken.refuse_many()
            return None

    def _augmented(self, index: int, photo: Pixels) -> Pixels:
        if self.augmentation is None:
            return photo
        from_above, from_left, mirrored = self._draws[index]
        if self.augmentation.crop:
            size = self.preprocess.size
            height, width, _ = photo.shape
            top = int(from_above * (height - size + 1))
            left = int(from_left * (width - size + 1))
            photo = photo[top : top + size, left : left + size]
        if self.augmentation.mirror and mirrored < 0.5:
            photo = photo[:, ::-1]
        return photo


class EvenBatches(Sampler[list[int]]):
    """Batches whose sizes differ by one at most: a last one of one photo would mislead a norm.

    Parameters
    ----------
    photos : PhotoSet
        Of `start_epoch` comes the order.
    batch_size : int
        The largest size.
    shuffle : bool
        Whether the order is random.
    part, parts : int
        Which share of each batch this process takes, of how many.
    """

    def __init__(
        self, photos: PhotoSet, batch_size: int, *, shuffle: bool, part: int = 0, parts: int = 1
    ) -> None:
        self.photos = photos
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.part = part
        self.parts = parts

    def __len__(self) -> int:
        return math.ceil(len(self.photos) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = self.photos.order if self.shuffle else np.arange(len(self.photos))
        for batch in np.array_split(order, len(self)):
            yield np.array_split(batch, self.parts)[self.part].tolist()


class PhotoLoader(DataLoader[Batch]):
    """Batches of a `PhotoSet`; the next one is got ready while one is worked on.

    Parameters
    ----------
    photos : PhotoSet
        What to load.
    batches : EvenBatches
        Which photos, in which order.
    **kwargs
        As torch's DataLoader takes them.
    """

    def __init__(self, photos: PhotoSet, batches: EvenBatches, **kwargs: Any) -> None:
        super().__init__(
            photos,
            batch_sampler=batches,
            collate_fn=_as_it_is,
            # else each pass would draw from torch's own, which dropout draws from too
            generator=torch.Generator(),
            **kwargs,
        )

    def __iter__(self) -> Any:
        """Yield the batches."""
        batches = super().__iter__()
        with ThreadPoolExecutor(1, thread_name_prefix="emotag") as pool:
            upcoming = pool.submit(next, batches, None)
            while (batch := upcoming.result()) is not None:
                upcoming = pool.submit(next, batches, None)
                yield batch


def _as_it_is(batch: Any) -> Any:
    return batch
