"""The program called as a person calls it: here, in a process of its own, on a terminal."""

import contextlib
import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from unittest.mock import patch

from emotag.cli.console import notes
from emotag.cli.main import main


@dataclass
class Outcome:
    code: int | str | None
    out: str
    err: str = ""


@dataclass
class Screen:
    text: str = ""


def command(*arguments: str | os.PathLike[str]) -> list[str]:
    """Return the command line that runs the installed program in a process of its own.

    Not by ``python -m``: there Python reports an interrupt that was caught as if it were not,
    if it came while a string of code ran (as dataclasses do), and the exit status is lost.
    """
    program = os.path.join(sysconfig.get_path("scripts"), "emotag")
    return [sys.executable, program, *map(os.fspath, arguments)]


def run(*arguments: str | os.PathLike[str], **options: object) -> Outcome:
    """Run the program in a process of its own."""
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 120}
    done = subprocess.run(command(*arguments), check=False, **(usual | options))
    out, err = (stream.decode() if stream else "" for stream in (done.stdout, done.stderr))
    return Outcome(done.returncode, out, err)


def run_here(*arguments: str | os.PathLike[str]) -> int | str | None:
    """Run the program in this process, where its coverage is measured."""
    with patch.object(sys, "argv", ["emotag", *map(os.fspath, arguments)]):
        try:
            main()
        except SystemExit as error:
            return error.code


@contextlib.contextmanager
def terminal() -> Iterator[Screen]:
    """Let stdout and stderr be a terminal; what it showed is known when the body is left."""
    master, slave = os.openpty()
    seen: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(master, seen))
    reader.start()
    screen = Screen()
    with (
        open(slave, "w", encoding="utf-8") as stream,
        patch.object(sys, "stdout", stream),
        patch.object(sys, "stderr", stream),
        # rich looks at the terminal once, when it is imported
        patch.object(notes, "is_interactive", os.environ["TERM"] != "dumb"),
    ):
        yield screen
    reader.join()
    os.close(master)
    screen.text = b"".join(seen).decode().replace("\r\n", "\n")


def _read_all(handle: int, seen: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # on Linux, the end of a terminal is an error
        while block := os.read(handle, 65536):
            seen.append(block)
