"""Saliency of thumbnails of 320 pixels on one core, beside decoding them.

Each photo is decoded to 320 pixels on its longer side, and its map is computed
by each method; then it is made ready for the default model's network, whole,
cropped to what is salient, and weighted by it. Seconds are those of the
processor, so that other programs disturb little.

    python -m tests.benchmarks.saliency

Target: at least 20 photos/s by the methods that need no network. U2-Net-p is a
network of 320 x 320 pixels that takes a quarter of a second on one core; it
runs only where ``emotag models get u2netp`` has fetched it.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from emotag.backbones.lite0 import LITE0
from emotag.errors import WeightsError
from emotag.photos.decoding import decode_photo, reduce_to_side
from emotag.saliency.maps import METHODS, require_method, saliency_map
from emotag.saliency.preprocess import SALIENT, with_saliency
from tests.benchmarks.measuring import THUMBNAILS, describe_machine

SIDE = 320


def main() -> None:
    """Time each method and print the photos a second."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=100, help="how many")
    parser.add_argument("--thumbnails", default=THUMBNAILS, help="the folder of photos")
    options = parser.parse_args()
    paths = [str(path) for path in islice(sorted(Path(options.thumbnails).rglob("*.jpg")), 2500)]
    paths = paths[:: max(1, len(paths) // options.photos)][: options.photos]
    if not paths:
        raise SystemExit(f"There is no .jpg under {options.thumbnails}.")
    print(describe_machine())
    pixels = [reduce_to_side(path, SIDE).pixels for path in paths]
    decoding = per_second(lambda path: reduce_to_side(path, SIDE), paths)
    print(f"{len(paths)} photos of at most {SIDE} pixels, photos/s of a core")
    print(f"{'decoding':24}{decoding:8.1f}")
    for method in at_hand():
        rate = per_second(lambda photo, method=method: saliency_map(photo, method), pixels)
        wanted = "" if method == "u2netp" else "   wanted 20"
        print(f"{method:24}{rate:8.1f}   {rate / decoding:.3f} of decoding{wanted}")
    whole = per_second(lambda path: decode_photo(path, LITE0.preprocess), paths)
    print(f"{'ready for lite0, whole':24}{whole:8.1f}")
    for salient in SALIENT:
        preprocess = with_saliency(LITE0.preprocess, salient, "barrier")
        rate = per_second(lambda path, seen=preprocess: decode_photo(path, seen), paths)
        print(f"{f'ready for lite0, {salient}':24}{rate:8.1f}   {rate / whole:.3f} of whole")


def at_hand() -> list[str]:
    """Return the methods that can be run here."""
    found = []
    for method in METHODS:
        try:
            require_method(method)
        except WeightsError as error:
            print(f"left out: {error}")
            continue
        found.append(method)
    return found


def per_second(work: Callable[[object], object], photos: Sequence[object]) -> float:
    """Return how many photos a second of the processor are worked on."""
    work(photos[0])
    started = time.process_time()
    for photo in photos:
        work(photo)
    return len(photos) / (time.process_time() - started)


if __name__ == "__main__":
    main()
