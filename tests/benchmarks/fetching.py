"""Photos fetched from the Flickr of the tests, which is a process of its own on loopback.

Calls of the API; photos a second beside a plain loop that fetches one picture
after the other, when the server waits before each answer; peak memory for few
and for many photos; and what is lost when a part of all answers goes wrong.

    python -m tests.benchmarks.fetching

Targets: at least five times as many photos a second as the plain loop; peak
memory with 20,000 photos found at most 1.5 times that with 2,000; no photo lost.
"""

import argparse
import csv
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

# Nothing large is imported here: see tests.benchmarks.memory.
from tests.benchmarks.measuring import CHECKOUT, EMOTAG, describe_machine
from tests.benchmarks.memory import peak_mebibytes

LABELS = 5


@dataclass(frozen=True)
class Figures:
    """What one run took, and what the service was asked."""

    seconds: float
    peak: float
    calls: int
    pictures: int
    faults: int


def main() -> None:
    """Serve photos, fetch them, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=10_000, help="photos, to count the calls")
    parser.add_argument("--loop", type=int, default=1_000, help="photos, beside the plain loop")
    parser.add_argument("--delay", type=float, default=0.05, help="seconds before each answer then")
    parser.add_argument("--many", type=int, default=20_000, help="records found, for peak memory")
    parser.add_argument("--faulty", type=int, default=500, help="photos under faults")
    options = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as outside:
        os.environ["EMOTAG_CACHE"] = os.path.join(outside, "cache")
        os.environ["EMOTAG_CONFIG"] = os.path.join(outside, "config")
        count_calls(Path(outside), options.photos)
        race(Path(outside), options.loop, options.delay)
        weigh(Path(outside), options.many)
        injure(Path(outside), options.faulty)


def count_calls(outside: Path, photos: int) -> None:
    """Print the calls of the API for each thousand photos."""
    data = outside / "calls"
    run = measure(fetch(data, photos // LABELS), photos * 2)
    have = len(read_set(data))
    print(f"calls of the API           {1000 * run.calls / have:8.1f} per 1,000 photos of {have:,}")


def race(outside: Path, photos: int, delay: float) -> None:
    """Print photos a second of emotag and of a plain loop."""
    each = photos // LABELS
    loop = [sys.executable, "-m", "tests.benchmarks.fetching_loop", str(each)]
    plain = measure([*loop, str(outside / "loop")], photos * 2, "--latency", str(delay))
    ours = measure(fetch(outside / "race", each), photos * 2, "--latency", str(delay))
    if {path.name for path in outside.glob("loop/*/*")} != {
        Path(file).name for file, _ in read_set(outside / "race")
    }:
        raise SystemExit("The plain loop fetched other photos.")
    print(f"one after the other        {photos / plain.seconds:8.1f}/s")
    print(f"emotag fetch               {photos / ours.seconds:8.1f}/s")
    ratio = plain.seconds / ours.seconds
    print(f"ratio                      {ratio:8.1f}     wanted at least 5")


def weigh(outside: Path, many: int) -> None:
    """Print the peak memory for a tenth of many photos, and for all of them."""
    peaks = []
    for photos in (many // 10, many):
        data = outside / f"{photos}"
        # a tenth more is looked for than is wanted
        run = measure(fetch(data, photos * 9 // 10 // LABELS), photos)
        found, have = count_found(data), len(read_set(data))
        rate = have / run.seconds
        print(f"{found:6,} found {run.peak:21.0f} MiB, {have:,} fetched, {rate:.0f}/s")
        peaks.append(run.peak)
    print(f"ratio                      {peaks[1] / peaks[0]:8.2f}     wanted at most 1.5")


def injure(outside: Path, photos: int) -> None:
    """Print how many photos are lost when answers go wrong."""
    whole, injured = outside / "whole", outside / "injured"
    measure(fetch(whole, photos // LABELS), photos * 2)
    run = measure(fetch(injured, photos // LABELS), photos * 2, "--faults")
    lost = read_set(whole) ^ read_set(injured)
    print(f"faults                     {run.faults:8} in {run.calls + run.pictures:,} requests")
    print(f"photos lost                {len(lost):8} of {photos:,}, wanted 0")


def fetch(data: Path, per_label: int) -> list[str]:
    """Return the command that fetches the five labels into a folder."""
    return [EMOTAG, "fetch", "--per-label", str(per_label), "--out", str(data), "--quiet"]


def measure(command: Sequence[str], photos: int, *options: str) -> Figures:
    """Run a command that fetches from a service with so many photos."""
    service = [sys.executable, "-m", "tests.benchmarks.fetching_service"]
    with subprocess.Popen(
        [*service, "--per-label", str(photos // LABELS), *options],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        os.environ.update(json.loads(process.stdout.readline()))
        started = time.perf_counter()
        peak = peak_mebibytes(command)
        seconds = time.perf_counter() - started
        process.stdin.close()
        return Figures(seconds, peak, **json.loads(process.stdout.readline()))


def count_found(data: Path) -> int:
    """Return how many records a run has found."""
    with closing(sqlite3.connect(data / "fetch.sqlite")) as ledger:
        return int(ledger.execute("SELECT count(*) FROM found").fetchone()[0])


def read_set(data: Path) -> set[tuple[str, str]]:
    """Return the files of a manifest with their checksums."""
    with (data / "photos.csv").open(encoding="utf-8", newline="") as file:
        return {(row["file"], row["sha256"]) for row in csv.DictReader(file)}


if __name__ == "__main__":
    main()
