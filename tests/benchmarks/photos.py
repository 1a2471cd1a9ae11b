"""Photos to measure with: large ones as a camera writes them, and folders of thumbnails."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from emotag.photos.samples import sample_folder

__all__ = ["camera_photos", "thumbnails"]

CAMERA_SIZE = (4000, 3000)
"""Twelve megapixels."""

# Of the sensor's noise, in pixel values: with it a JPEG of quality 90 takes 3 to 5 MB.
_NOISE = 9.0
_QUALITY = 90


def camera_photos(folder: str | os.PathLike[str], count: int, distinct: int = 4) -> list[str]:
    """Write JPEGs of 12 megapixels, and return their paths.

    They are scikit-learn's sample photos, enlarged and with a sensor's noise
    laid over, so that a file is as large and as costly to decode as a camera's.

    Parameters
    ----------
    folder : path-like
        Where they go.
    count : int
        How many files.
    distinct : int, default=4
        How many different ones; the others are hard links to them.
    """
    paths = [os.path.join(folder, f"camera_{index:04}.jpg") for index in range(count)]
    for index, path in enumerate(paths):
        if index < distinct:
            _enlarge(index).save(path, quality=_QUALITY)
        else:
            os.link(paths[index % distinct], path)
    return paths


def thumbnails(folder: str | os.PathLike[str], count: int | None = None) -> list[str]:
    """Return the first JPEGs of a folder and of the folders in it.

    Parameters
    ----------
    folder : path-like
        Such as `measuring.THUMBNAILS`.
    count : int, optional
        How many; by default all.
    """
    found = sorted(map(str, Path(folder).rglob("*.jpg")))
    if not found:
        raise SystemExit(f"There is no .jpg under {folder}; name another folder by --thumbnails.")
    return found[:count]


def _enlarge(seed: int) -> Image.Image:
    """Return a sample photo at a camera's size; each seed takes another part or mirror of it."""
    samples = [name for name in sorted(os.listdir(sample_folder())) if name.endswith(".jpg")]
    rng = np.random.default_rng(seed)
    with Image.open(os.path.join(sample_folder(), samples[seed % len(samples)])) as sample:
        left, top = rng.uniform(0, 0.1, 2) * sample.size
        box = (left, top, left + 0.85 * sample.width, top + 0.9 * sample.height)
        photo = sample.convert("RGB").resize(CAMERA_SIZE, Image.Resampling.BICUBIC, box=box)
    if rng.random() < 0.5:
        photo = photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    noise = rng.standard_normal((CAMERA_SIZE[1], CAMERA_SIZE[0], 3), dtype=np.float32)
    noisy = np.asarray(photo, dtype=np.float32) + _NOISE * noise
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
