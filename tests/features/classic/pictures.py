"""Small pictures to measure, drawn from a seed."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def smooth(rows: int, columns: int, seed: int = 0) -> Pixels:
    """Return a picture of soft colours, such as a photo out of focus."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((columns, rows), Image.Resampling.BICUBIC))


def noise(rows: int, columns: int, seed: int = 0) -> Pixels:
    """Return a picture of pixels of any colours."""
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)


def plain(rows: int, columns: int, colour: tuple[int, int, int]) -> Pixels:
    """Return a picture of one colour."""
    return np.full((rows, columns, 3), colour, dtype=np.uint8)
