"""Photos a second of `emotag tag` on threads, on processes and on a Dask cluster of this machine.

All on the same photos and with as many workers as there are cores: 480 files of 12
megapixels, and the thumbnails of ../shared/data/har. What the others lose to the
threads is what it costs to hand the work out; their start-up is included.

    python -m tests.benchmarks.workers
    python -m tests.benchmarks.workers --large 120 --small 600

Target: 0.8 of the threads.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from emotag.parallel.threads import usable_cores
from tests.benchmarks.measuring import EMOTAG, THUMBNAILS, describe_machine, run_seconds
from tests.benchmarks.photos import camera_photos, thumbnails


def main() -> None:
    """Measure both kinds of photos and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--large", type=int, default=480, help="photos of 12 megapixels")
    parser.add_argument("--small", type=int, help="thumbnails; by default all")
    parser.add_argument("--repeats", type=int, default=3, help="runs; the fastest counts")
    parser.add_argument("--thumbnails", default=THUMBNAILS, help="their folder")
    options = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder, _cluster(folder) as address:
        large, small = os.path.join(folder, "large"), os.path.join(folder, "small")
        os.mkdir(large)
        os.mkdir(small)
        print(f"\n{len(camera_photos(large, options.large))} photos of 12 megapixels")
        _compare(large, options.large, address, options.repeats)
        paths = thumbnails(options.thumbnails, options.small)
        for index, path in enumerate(paths):
            os.symlink(os.path.realpath(path), os.path.join(small, f"{index:06}.jpg"))
        print(f"\n{len(paths)} thumbnails")
        _compare(small, len(paths), address, options.repeats)


def _compare(folder: str, count: int, address: str, repeats: int) -> None:
    cores = str(usable_cores())
    ways = {
        "threads": [],
        "--processes": ["--processes", cores],
        "--dask": ["--dask", address],
    }
    base = 0.0
    for name, options in ways.items():
        with tempfile.TemporaryDirectory() as outside:
            tags = os.path.join(outside, "tags.csv")
            command = [EMOTAG, "tag", folder, "--fresh", "-q", "-o", tags, *options]
            rate = count / min(run_seconds(command) for _ in range(repeats))
        base = base or rate
        print(f"  {name:12}{rate:8.1f} photos/s   {rate / base:.2f} of the threads, wanted 0.8")


@contextmanager
def _cluster(folder: str) -> Iterator[str]:
    """Yield the address of a scheduler with a worker of one thread for each core."""
    file = os.path.join(folder, "scheduler.json")
    common = ["--no-dashboard", "--scheduler-file", file]
    workers = ["--nworkers", str(usable_cores()), "--nthreads", "1"]
    parts = [["scheduler", "--host", "127.0.0.1", "--port", "0"], ["worker", *workers]]
    processes = []
    try:
        for part in parts:
            command = [sys.executable, "-m", "dask", *part, *common]
            processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
            time.sleep(5)
        yield file
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(timeout=30)


if __name__ == "__main__":
    main()
