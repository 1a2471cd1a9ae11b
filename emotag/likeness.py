"""Perceptual hashes, and groups of photos that look alike."""

from collections.abc import Sequence

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["FEATURELESS", "near_duplicate_groups", "perceptual_hash"]

FEATURELESS = 0
"""The hash of a picture in which there is nothing to tell it by."""

# imagehash.phash shrinks to four times the side of its eight by eight bits.
_SIDE = 32
_LEAST_VARIATION = 1.0
# So many hashes are compared with all others at a time: 20 MB for 20,000 of them.
_BLOCK = 128


def perceptual_hash(pixels: NDArray[np.uint8]) -> int:
    """Return a hash that changes little where a photo changes little.

    The photo is shrunk to 32 x 32 grey values, and each bit says whether one of
    the 64 lowest frequencies of its cosine transform is above their median [1]_.

    In a picture of one colour all frequencies but one are rounding errors, so
    that its bits would mean nothing. Where the grey values vary by less than
    one of 256 levels (standard deviation), the hash is `FEATURELESS`.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, columns, 3)
        RGB.

    Returns
    -------
    int
        64 bits, as `imagehash.phash` writes them in hexadecimal.

    References
    ----------
    .. [1] Zauner, C. (2010). Implementation and Benchmarking of Perceptual
       Image Hash Functions. Upper Austria University of Applied Sciences.

    Examples
    --------
    >>> import numpy as np
    >>> perceptual_hash(np.full((40, 60, 3), 255, np.uint8)) == FEATURELESS
    True
    """
    grey = Image.fromarray(pixels).convert("L")
    small = grey.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    if np.asarray(small).std() < _LEAST_VARIATION:
        return FEATURELESS
    return int(str(imagehash.phash(small)), 16)


def near_duplicate_groups(hashes: Sequence[int], *, distance: int = 6) -> list[int]:
    """Return which photos look alike, as one number for each.

    Two photos are alike if their hashes differ in at most `distance` bits, and
    a group is whatever such pairs connect. The hashes of two unrelated photos
    differ in about 32 of the 64 bits, for as a rule half of the bits of each
    are set; the same photo in another size or quality differs in a few. A photo
    that was cropped, turned or mirrored is not found.

    A photo whose hash is `FEATURELESS` is alike to none, so that white pages and
    black nights make no group. It could not connect others either: such a
    hash is as far from any other as that has bits set.

    Parameters
    ----------
    hashes : sequence of int
        As `perceptual_hash` returns them.
    distance : int, default=6
        How many bits may differ. At 6, about one of 10**11 pairs of unrelated
        photos would pass, were their bits drawn at random.

    Returns
    -------
    list of int
        The group of each photo, numbered from 0 in the order of first
        appearance. A photo that is like no other has a group of its own.

    Examples
    --------
    >>> near_duplicate_groups([0xFF00, 0xFF01, 0xFFFF0000, 0xFF03], distance=1)
    [0, 0, 1, 0]
    """
    codes, places = np.unique(np.array(hashes, dtype=np.uint64), return_inverse=True)
    components = _components(codes[codes != FEATURELESS], distance)
    # codes are sorted, so that the featureless one, if any, is the first
    first = len(codes) - len(components)
    numbers: dict[int, int] = {}
    groups = []
    for position, place in enumerate(places.tolist()):
        # keys below zero are those of photos that are alike to none
        key = -1 - position if place < first else int(components[place - first])
        groups.append(numbers.setdefault(key, len(numbers)))
    return groups


def _components(codes: NDArray[np.uint64], distance: int) -> NDArray[np.intp]:
    """Return the number of the connected component of each hash.

    The pairs of a block are merged at once, and only components are kept: were
    all photos alike, their pairs would not fit into memory.
    """
    components = np.arange(len(codes), dtype=np.intp)
    for start in range(0, len(codes), _BLOCK):
        block = codes[start : start + _BLOCK, np.newaxis]
        near = np.bitwise_count(block ^ codes[np.newaxis, start:]) <= distance
        rows, columns = np.nonzero(near)
        # each hash is near itself
        if len(rows) > len(block):
            edges = components[start + rows], components[start + columns]
            components = _merge(components, *edges)
    return components


def _merge(
    components: NDArray[np.intp], ones: NDArray[np.intp], others: NDArray[np.intp]
) -> NDArray[np.intp]:
    size = len(components)
    graph = coo_array((np.ones(len(ones), dtype=np.bool_), (ones, others)), shape=(size, size))
    merged: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return merged[components].astype(np.intp)
