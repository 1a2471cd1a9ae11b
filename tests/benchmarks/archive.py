"""An archive of many photos: tagged once, and again when nothing has changed.

The photos are hard links to the thumbnails of ../shared/data/har. The first run
tags all of them; the second finds all of them in its notes; beside both, a
Python that does nothing but walk the folders and look at each file.

    python -m tests.benchmarks.archive

Targets, of 100,000 photos: the second run under 30 seconds, both under 600 MiB.
"""

import argparse
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

# Nothing large is imported here: see tests.benchmarks.memory.
from tests.benchmarks.measuring import EMOTAG, THUMBNAILS, describe_machine
from tests.benchmarks.memory import peak_mebibytes

A_FOLDER = 1000
LOOK = (
    "import os, sys\n"
    "for folder, _, names in os.walk(sys.argv[1]):\n"
    "    for name in names: os.stat(os.path.join(folder, name))"
)


def main() -> None:
    """Make the archive, and print time and memory of both runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=100_000, help="how many")
    parser.add_argument("--thumbnails", default=THUMBNAILS, help="the folder of photos to link to")
    options = parser.parse_args()
    sources = sorted(map(str, Path(options.thumbnails).rglob("*.jpg")))
    if not sources:
        raise SystemExit(f"There is no .jpg under {options.thumbnails}.")
    print(describe_machine())
    with tempfile.TemporaryDirectory() as outside:
        # copied once, since a link cannot lead to another disk
        sources = [
            shutil.copyfile(path, os.path.join(outside, f"{index}.jpg"))
            for index, path in enumerate(sources)
        ]
        archive = os.path.join(outside, "archive")
        for index in range(options.photos):
            folder = os.path.join(archive, f"{index // A_FOLDER:04}")
            if index % A_FOLDER == 0:
                os.makedirs(folder)
            os.link(sources[index % len(sources)], os.path.join(folder, f"{index:07}.jpg"))
        os.environ["EMOTAG_CACHE"] = os.path.join(outside, "cache")
        tag = [EMOTAG, "tag", archive, "-q", "-o", os.path.join(outside, "tags.csv")]
        rows = [
            ("looking at each file", [sys.executable, "-c", LOOK, archive], ""),
            ("first run", tag, "wanted under 600 MiB"),
            ("second run", tag, "wanted under 30 s for 100,000"),
        ]
        for name, command, wanted in rows:
            started = time.perf_counter()
            peak = peak_mebibytes(command)
            seconds = time.perf_counter() - started
            rate = options.photos / seconds
            print(f"{name:22}{seconds:8.1f} s {rate:9.0f}/s {peak:6.0f} MiB   {wanted}")
        kept = sum(path.stat().st_size for path in Path(outside, "cache").rglob("*.sqlite*"))
        print(f"{'notes in the cache':22}{kept / 2**20:8.1f} MiB")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'this process':22}{own:8.0f} MiB")


if __name__ == "__main__":
    main()
