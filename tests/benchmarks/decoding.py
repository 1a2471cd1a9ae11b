"""Decoding of large JPEGs: reduced by the decoder, beside decoded in full and then reduced.

Each photo of 12 megapixels is turned into the 224 x 224 pixels of the default
model in both ways, one after the other on one core, several times; the fastest
of each counts. In full means that Pillow decodes all pixels and then resizes.

    python -m tests.benchmarks.decoding

Target: at least 3 times as fast.
"""

import argparse
import tempfile
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess
from tests.benchmarks.measuring import describe_machine
from tests.benchmarks.photos import camera_photos


def main() -> None:
    """Time both ways and print the milliseconds a photo."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=8, help="different photos")
    parser.add_argument("--repeats", type=int, default=5, help="passes over them")
    options = parser.parse_args()
    print(describe_machine())
    preprocess = open_bundle(default_bundle()).config.preprocess
    with tempfile.TemporaryDirectory() as folder:
        paths = camera_photos(folder, options.photos, distinct=options.photos)
        reduced, full = [], []
        for path in paths:
            passes = [
                (
                    _seconds(lambda path=path: decode_photo(path, preprocess)),
                    _seconds(lambda path=path: decode_in_full(path, preprocess)),
                )
                for _ in range(options.repeats)
            ]
            of_reduced, of_full = zip(*passes, strict=True)
            reduced.append(min(of_reduced))
            full.append(min(of_full))
        apart = max(_difference(path, preprocess) for path in paths)
    ratios = np.divide(full, reduced)
    print(f"{len(paths)} photos of 12 megapixels, milliseconds a photo on one core")
    print(f"reduced by the decoder  {np.mean(reduced) * 1e3:7.1f}")
    print(f"decoded in full         {np.mean(full) * 1e3:7.1f}")
    print(
        f"ratio                   {np.mean(full) / np.mean(reduced):7.1f}   "
        f"({ratios.min():.1f} to {ratios.max():.1f} over the photos), wanted 3"
    )
    print(f"mean difference of the pixels, at most  {apart:.2f} of 255")


def decode_in_full(path: str, preprocess: Preprocess) -> NDArray[np.uint8]:
    """Return the same pixels as `decode_photo`, with every pixel of the file decoded."""
    with Image.open(path) as image:
        return preprocess.crop(image.convert("RGB"))


def _difference(path: str, preprocess: Preprocess) -> float:
    reduced = decode_photo(path, preprocess).pixels.astype(float)
    return float(np.abs(reduced - decode_in_full(path, preprocess)).mean())


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
