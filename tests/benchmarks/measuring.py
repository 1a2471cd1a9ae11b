"""Whole processes timed, and the machine they ran on."""

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from emotag.parallel.threads import usable_cores

__all__ = [
    "CHECKOUT",
    "EMOTAG",
    "THUMBNAILS",
    "describe_machine",
    "median_seconds",
    "run_seconds",
]

EMOTAG = str(Path(sys.executable).with_name("emotag"))
"""The program, as it was installed beside the running Python."""

CHECKOUT = Path(__file__).resolve().parents[2]

THUMBNAILS = CHECKOUT.parent / "shared" / "data" / "har"
"""2,483 web photos of about 275 x 183 pixels, beside the checkout."""


def run_seconds(command: Sequence[str]) -> float:
    """Run a command and return how long it took, from its start to its end.

    Raises
    ------
    SystemExit
        It failed; what it said is shown.
    """
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return seconds


def median_seconds(command: Sequence[str], repeats: int) -> float:
    """Return the median time of a command, after a run that warms the machine up."""
    run_seconds(command)
    return statistics.median(run_seconds(command) for _ in range(repeats))


def describe_machine() -> str:
    """Return the line that stands above every benchmark's figures."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    cores = usable_cores()
    return (
        f"{cores} core{'' if cores == 1 else 's'}{load}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}"
    )
