"""Peak memory of tagging the 2,483 thumbnails of ../shared/data/har.

The largest resident set of the whole process, as the system counted it, beside
that of a Python that only imports numpy and onnxruntime.

    python -m tests.benchmarks.memory

Target: under 500 MiB.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# Nothing large is imported here: a new process begins with the peak of the one
# that started it, so this one has to stay small.
from tests.benchmarks.measuring import CHECKOUT, EMOTAG, THUMBNAILS, describe_machine


def main() -> None:
    """Run both processes and print their peaks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=THUMBNAILS, help="photos to tag")
    folder = parser.parse_args().folder
    print(describe_machine())
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    bare = peak_mebibytes([sys.executable, "-c", "import numpy, onnxruntime"])
    with tempfile.TemporaryDirectory() as outside:
        tags = os.path.join(outside, "tags.csv")
        tagging = peak_mebibytes([EMOTAG, "tag", str(folder), "-q", "-o", tags])
        photos = len(Path(tags).read_text().splitlines()) - 1
    print(f"import numpy, onnxruntime    {bare:6.0f} MiB")
    print(f"emotag tag, {photos:5} photos     {tagging:6.0f} MiB   wanted under 500")
    print(f"ratio                        {tagging / bare:6.1f}")
    if own > bare:
        raise SystemExit(f"This process took {own:.0f} MiB itself, so the figures mean nothing.")


def peak_mebibytes(command: Sequence[str]) -> float:
    """Run a command and return the peak of its resident set."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=CHECKOUT)
    # for this child alone, where RUSAGE_CHILDREN is the largest of all so far
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # 3: some photos could not be read, which is no failure of the run
    if process.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(command)} failed.")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return usage.ru_maxrss / unit


if __name__ == "__main__":
    main()
