"""The second fit on the same photos: no feature is computed again.

`CNNFeatures` turns photos into features twice, with a cache of its own in a
temporary folder: the first time the network computes them, the second time
they are looked up. The network itself is exported before, once.

    python -m tests.benchmarks.features

Target: none computed the second time.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence

from emotag import CNNFeatures
from tests.benchmarks.measuring import THUMBNAILS, describe_machine
from tests.benchmarks.photos import thumbnails


def main() -> None:
    """Time both passes and print what each computed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, help="how many; by default all")
    parser.add_argument("--thumbnails", default=THUMBNAILS, help="their folder")
    options = parser.parse_args()
    print(describe_machine())
    paths = thumbnails(options.thumbnails, options.photos)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EMOTAG_CACHE"] = folder
        features = CNNFeatures("lite0")
        features.set_params(cache=False).transform(paths[:1])
        features.set_params(cache=True)
        first, computed = transform(features, paths)
        second, computed_again = transform(features, paths)
    print(f"{len(paths)} photos, CNNFeatures('lite0')")
    print(f"first time   {first:7.2f} s   {computed:5} computed")
    print(f"second time  {second:7.2f} s   {computed_again:5} computed, wanted 0")
    print(f"ratio        {first / second:7.1f}")


def transform(features: CNNFeatures, paths: Sequence[str]) -> tuple[float, int]:
    """Return the seconds that a `transform` takes, and how many photos the network saw."""
    started = time.perf_counter()
    # what transform() consists of, with the count that it does not return
    extraction = features.extract(paths)
    return time.perf_counter() - started, extraction.computed


if __name__ == "__main__":
    main()
