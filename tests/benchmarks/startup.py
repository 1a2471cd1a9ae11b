"""Start-up: how long a person waits for `emotag --help`, and for the tag of one photo.

The median of ten runs of each as a whole process, after one that warms the
machine up, beside the floor: Python started to do nothing. The photo is a
JPEG of 12 megapixels.

    python -m tests.benchmarks.startup

Targets: under 0.3 s and under 1.0 s.
"""

import argparse
import os
import sys
import tempfile

from tests.benchmarks.measuring import EMOTAG, describe_machine, median_seconds
from tests.benchmarks.photos import camera_photos


def main() -> None:
    """Time the three commands and print their medians."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=10, help="runs; their median counts")
    repeats = parser.parse_args().repeats
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        (photo,) = camera_photos(folder, 1)
        tags = os.path.join(folder, "tags.csv")
        floor = median_seconds([sys.executable, "-c", "pass"], repeats)
        shown = median_seconds([EMOTAG, "--help"], repeats)
        tagged = median_seconds([EMOTAG, "tag", photo, "--fresh", "-o", tags], repeats)
    print(f"python -c pass       {floor:6.3f} s")
    print(
        f"emotag --help        {shown:6.3f} s   {shown / floor:5.1f} times it, wanted under 0.3 s"
    )
    print(
        f"emotag tag one.jpg   {tagged:6.3f} s   {tagged / floor:5.1f} times it, wanted under 1.0 s"
    )


if __name__ == "__main__":
    main()
