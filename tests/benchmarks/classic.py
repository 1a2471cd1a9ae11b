"""Photos a second of each hand-crafted feature, on one core.

Photos whose longer side is 320 pixels are decoded, and measured by each
transformer as `transform` does, on one thread and without the cache. They are
scikit-learn's two photos, cut and mirrored, in a temporary folder.

    python -m tests.benchmarks.classic

Target: 20 photos a second of each.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from emotag.features.classic.base import LONGER_SIDE
from emotag.features.classic.catalogue import CLASSIC
from emotag.photos.decoding import reduce_to_side
from emotag.photos.samples import sample_folder
from tests.benchmarks.measuring import describe_machine
from tests.benchmarks.photos import thumbnails

_TARGET = 20


def main() -> None:
    """Time decoding alone, and then each transformer."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", help="a folder of photos instead of those made")
    parser.add_argument("--count", type=int, default=100, help="how many (100)")
    options = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        if options.photos:
            paths = thumbnails(options.photos, options.count)
        else:
            paths = draw_photos(folder, options.count)
        measure(paths)


def measure(paths: Sequence[str]) -> None:
    """Print the photos a second of decoding and of each transformer, and their ratio."""
    decoding = rate(decode_all, paths)
    print(f"{len(paths)} photos, one thread, wanted {_TARGET} photos/s of each")
    print(f"{'decoding alone':18}{decoding:8.1f} photos/s")
    for name, kind in CLASSIC.items():
        found = rate(kind(cache=False, n_jobs=1).transform, paths)
        slow = "" if found >= _TARGET else "   too slow"
        print(f"{name:18}{found:8.1f} photos/s   {found / decoding:5.2f} of decoding{slow}")


def rate(work: Callable[[Sequence[str]], object], paths: Sequence[str]) -> float:
    """Return the photos a second of some work, after a run on a few that warms it up."""
    work(paths[:4])
    started = time.perf_counter()
    work(paths)
    return len(paths) / (time.perf_counter() - started)


def decode_all(paths: Sequence[str]) -> None:
    """Decode photos as the transformers do."""
    for path in paths:
        reduce_to_side(path, LONGER_SIDE, min_side=1)


def draw_photos(folder: str, count: int) -> list[str]:
    """Write JPEGs of 320 x 213 pixels, and return their paths."""
    samples = [name for name in sorted(os.listdir(sample_folder())) if name.endswith(".jpg")]
    paths = []
    for index in range(count):
        rng = np.random.default_rng(index)
        with Image.open(os.path.join(sample_folder(), samples[index % len(samples)])) as sample:
            left, top = rng.uniform(0, 0.3, 2) * sample.size
            box = (left, top, left + 0.7 * sample.width, top + 0.7 * sample.height)
            photo = sample.convert("RGB").resize((320, 213), Image.Resampling.LANCZOS, box=box)
        paths.append(os.path.join(folder, f"{index}.jpg"))
        photo.save(paths[-1], quality=90)
    return paths


if __name__ == "__main__":
    main()
