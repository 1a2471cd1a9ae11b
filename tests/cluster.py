"""A real Dask cluster: a scheduler and worker processes of its own on loopback."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = ["dask_cluster"]


@contextmanager
def dask_cluster(workers: int = 2, threads: int = 1) -> Iterator[str]:
    """Yield the address of a scheduler with as many workers; they are ended after."""
    pytest.importorskip("distributed")
    with tempfile.TemporaryDirectory() as folder:
        said = os.path.join(folder, "scheduler.json")
        common = ["--no-dashboard", "--scheduler-file", said]
        processes = [_start(folder, "scheduler", "--host", "127.0.0.1", "--port", "0", *common)]
        try:
            numbers = ["--nworkers", str(workers), "--nthreads", str(threads)]
            deadline = time.monotonic() + 60
            while not os.path.exists(said) and time.monotonic() < deadline:
                time.sleep(0.05)
            processes.append(_start(folder, "worker", "--death-timeout", "60", *numbers, *common))
            with open(said, encoding="utf-8") as file:
                yield json.load(file)["address"]
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(timeout=30)


def _start(folder: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dask", *arguments]
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, stdout=nowhere, stderr=nowhere)
