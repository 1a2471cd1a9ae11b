"""Photos a second of `emotag tag`, beside plain loops of others and beside the floor.

Two kinds of photos: 480 files of 12 megapixels (hard links of a few, made in
a temporary folder) and the 2,483 thumbnails of ../shared/data/har. For each:

- `emotag tag FOLDER -o tags.csv` as a whole process, start-up included; the
  fastest of three runs;
- the plain timm loop (`timm_loop.py`: the same network, timm's loader with two
  workers, a CSV) as a whole process too, on the first photos only: its loop is
  scaled to all of them, its start-up is counted once;
- in the same way the plain loop of transformers (`transformers_loop.py`: its
  pipeline on the same network, in batches and with workers as timm's), where
  the extra `benchmarks` is installed;
- the floor: the seconds that one core takes to decode a photo and to run the
  default model's network on it, nothing else, divided by the cores. No program
  that uses this decoder and this network on these cores can be faster.

    python -m tests.benchmarks.tagging
    python -m tests.benchmarks.tagging --large 120 --small 600 --others 64

Targets: 4 times each loop on the large photos and 3 times on the thumbnails;
later 0.85 of the floor.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np

from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle
from emotag.parallel.threads import chunked, usable_cores
from emotag.photos.decoding import decode_photo
from tests.benchmarks.measuring import (
    CHECKOUT,
    EMOTAG,
    THUMBNAILS,
    describe_machine,
    run_seconds,
)
from tests.benchmarks.photos import camera_photos, thumbnails

OTHERS = ("timm", "transformers")

FLOOR_PHOTOS = 64
"""On how many photos the floor is measured."""

BATCHES = (1, 4, 8)
"""Photos a run; the fastest of these counts for the floor."""


def main() -> None:
    """Measure both kinds of photos and print what came out."""
    options = _parse()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        large = os.path.join(folder, "large")
        os.mkdir(large)
        paths = camera_photos(large, options.large)
        size = sum(map(os.path.getsize, paths)) / len(paths) / 1e6
        print(f"\n{len(paths)} photos of 12 megapixels, {size:.1f} MB each")
        _compare(large, paths, options, target=4)
    paths = thumbnails(options.thumbnails, options.small)
    with tempfile.TemporaryDirectory() as folder:
        links = _gather(paths, folder)
        print(f"\n{len(links)} thumbnails")
        _compare(folder, links, options, target=3)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--large", type=int, default=480, help="photos of 12 megapixels")
    parser.add_argument("--small", type=int, help="thumbnails; by default all")
    parser.add_argument(
        "--others", type=int, default=192, help="photos for the loops of others; 0: leave out"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of emotag; the fastest counts")
    parser.add_argument("--thumbnails", default=THUMBNAILS, help="their folder")
    return parser.parse_args()


def _gather(paths: Sequence[str], folder: str) -> list[str]:
    """Link photos into one folder, so that as many as are wanted can be named by it."""
    links = [os.path.join(folder, f"{index:05}.jpg") for index in range(len(paths))]
    for path, link in zip(paths, links, strict=True):
        os.symlink(path, link)
    return links


def _compare(folder: str, paths: list[str], options: argparse.Namespace, target: int) -> None:
    # Before and after: where others use the machine too, its speed drifts.
    before = _floor(paths)
    ours = len(paths) / _emotag_seconds(folder, options.repeats)
    floor = max(before, _floor(paths))
    print(f"  emotag tag       {ours:7.1f} photos/s")
    for name in OTHERS if options.others else ():
        if find_spec(name) is None:
            print(f"  {name} is not installed; type: pip install -e '.[benchmarks]'")
            continue
        other = len(paths) / _loop_seconds(f"{name}_loop", paths, options.others)
        print(
            f"  {name + ' loop':17}{other:7.1f} photos/s   "
            f"emotag is {ours / other:.1f} times it, wanted {target}"
        )
    share = ours / floor
    print(f"  floor            {floor:7.1f} photos/s   emotag is {share:.2f} of it, wanted 0.85")


def _emotag_seconds(folder: str, repeats: int) -> float:
    with tempfile.TemporaryDirectory() as outside:
        # anew each time, and not from the notes of the time before
        tags = os.path.join(outside, "tags.csv")
        command = [EMOTAG, "tag", folder, "--fresh", "-q", "-o", tags]
        return min(run_seconds(command) for _ in range(repeats))


def _loop_seconds(module: str, paths: Sequence[str], count: int) -> float:
    """Return what a loop would take for all photos, from what it takes for the first ones."""
    some = paths[:count]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as outside:
        for path in some:
            os.link(os.path.realpath(path), os.path.join(folder, os.path.basename(path)))
        output = os.path.join(outside, "tags.csv")
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", folder, output]
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=True)
        whole = time.perf_counter() - started
    loop = float(done.stdout.splitlines()[-1])
    return whole - loop + loop * len(paths) / len(some)


def _floor(paths: Sequence[str]) -> float:
    """Return the photos a second that all cores could tag if nothing else had to be done."""
    bundle = open_bundle(default_bundle())
    engine = bundle.engine(threads=1)
    preprocess = bundle.config.preprocess
    some = paths[:FLOOR_PHOTOS]
    decoding = _seconds_each(lambda: [decode_photo(path, preprocess) for path in some], len(some))
    pixels = [decode_photo(path, preprocess).pixels for path in some]

    def run(size: int) -> None:
        for batch in chunked(pixels, size):
            engine(np.stack(batch))

    running = min(_seconds_each(lambda size=size: run(size), len(some)) for size in BATCHES)
    return usable_cores() / (decoding + running)


def _seconds_each(work: Callable[[], object], count: int) -> float:
    """Return the seconds for one photo, in the faster of two passes over `count`."""
    passes = []
    for _ in range(2):
        started = time.perf_counter()
        work()
        passes.append(time.perf_counter() - started)
    return min(passes) / count


if __name__ == "__main__":
    main()
