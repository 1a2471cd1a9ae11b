"""exiftool: one process that is asked again and again, and replaced if it dies or hangs."""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import IO, Self

from emotag.errors import EmbeddingError, MissingToolError

__all__ = ["LEAST_VERSION", "ExifTool"]

LEAST_VERSION = 12.0
"""Older ones were not tried. This one writes all that emotag reads but BMP and WebP."""

SECONDS = 120.0
"""How long one answer may take."""

_CONFIG = os.path.join(os.path.dirname(__file__), "exiftool_config.pl")
_INSTALL = "apt install libimage-exiftool-perl, or brew install exiftool"


class _Ended(Exception):
    """The process is not there any more."""


class ExifTool:
    """A running exiftool, started when it is first asked.

    It works in a folder of its own and is given no name that someone else
    chose: not one can be misread as an option, whatever bytes are in it.

    Parameters
    ----------
    seconds : float, default=SECONDS
        How long one answer may take; it is then killed.

    Attributes
    ----------
    folder : str
        Where it works, and where relative names lead to; it is removed at the end.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._temporary = tempfile.TemporaryDirectory(prefix="emotag-")
        self.folder = self._temporary.name
        self._process: subprocess.Popen[bytes] | None = None
        self._number = random.randrange(10**9)  # noqa: S311
        self._errors = os.path.join(self.folder, "errors.txt")
        self._read_errors = 0
        self._output: SimpleQueue[bytes] = SimpleQueue()
        self._reader: Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        self._temporary.cleanup()

    def start(self) -> None:
        """Start it, if it does not run.

        Raises
        ------
        MissingToolError
            It is missing, too old, or cannot be run.
        """
        if self._process is not None:
            return
        program = shutil.which("exiftool")
        if program is None:
            raise MissingToolError(
                f"Tags inside of photos need exiftool, which is not installed; type: {_INSTALL}."
            )
        self._process = self._open(program)
        try:
            version = self._answer(["-ver"]).decode("ascii", "replace").strip()
        except _Ended as error:
            raise MissingToolError(
                f"{program} cannot be used: it ends without an answer. "
                f"It says: {'; '.join(self._complaints()) or 'nothing'}."
            ) from error
        if not _is_number(version):
            self._stop()
            raise MissingToolError(
                f"{program} cannot be used: it does not answer as exiftool does."
            )
        if float(version) < LEAST_VERSION:
            self._stop()
            raise MissingToolError(
                f"exiftool {version} is too old; emotag needs {LEAST_VERSION} or newer. "
                f"Type: {_INSTALL}."
            )

    def ask(self, *arguments: str) -> bytes:
        """Return what it prints.

        Parameters
        ----------
        *arguments : str
            As on its command line, none with a line break.

        Raises
        ------
        EmbeddingError
            It complains, gives no answer in time, or ends twice on the same.
        MissingToolError
            It cannot be started.
        """
        try:
            self.start()
            output = self._answer(arguments)
        except _Ended:
            # perhaps nothing of ours: someone may have ended it while it waited
            try:
                self.start()
                output = self._answer(arguments)
            except _Ended as error:
                raise EmbeddingError("ends exiftool before it has answered") from error
        for complaint in self._complaints():
            kind, _, reason = complaint.removesuffix(f" - {arguments[-1]}").partition(": ")
            if kind == "Error":
                raise EmbeddingError(f"is refused by exiftool: {reason}")
        return output

    def _open(self, program: str) -> subprocess.Popen[bytes]:
        # it makes Perl write other bytes than it was told to
        environment = {name: value for name, value in os.environ.items() if name != "PERL_UNICODE"}
        self._read_errors = 0
        try:
            with open(self._errors, "wb") as errors:
                process = subprocess.Popen(
                    [program, "-config", _CONFIG, "-stay_open", "True", "-@", "-"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    cwd=self.folder,
                    env=environment,
                    # Ctrl-C is for emotag, which lets it finish
                    start_new_session=True,
                )
        except OSError as error:
            raise MissingToolError(f"{program} cannot be run: {error.strerror}.") from error
        assert process.stdout is not None
        # a thread that waits, since not every system can wait for a pipe for a limited time
        self._output = SimpleQueue()
        self._reader = Thread(target=_pass_on, args=(process.stdout, self._output), daemon=True)
        self._reader.start()
        return process

    def _answer(self, arguments: list[str] | tuple[str, ...]) -> bytes:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        self._number += 1
        lines = [*arguments, f"-execute{self._number}", ""]
        try:
            process.stdin.write("\n".join(lines).encode())
            process.stdin.flush()
            return self._read()
        except Empty as error:
            self._stop()
            raise EmbeddingError(f"exiftool gave no answer in {self._seconds:g} seconds") from error
        except (_Ended, OSError) as error:
            self._stop()
            raise _Ended from error

    def _read(self) -> bytes:
        deadline = time.monotonic() + self._seconds
        end = b"{ready%d}" % self._number
        output = b""
        while not output.endswith((end + b"\n", end + b"\r\n")):
            block = self._output.get(timeout=max(deadline - time.monotonic(), 0))
            if not block:
                raise _Ended
            output += block
        return output[: output.rindex(end)]

    def _complaints(self) -> list[str]:
        """Return what it has complained of since the last time."""
        with open(self._errors, "rb") as file:
            file.seek(self._read_errors)
            said = file.read()
        self._read_errors += len(said)
        lines = said.decode("utf-8", "replace").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(b"-stay_open\nFalse\n")
            process.stdin.close()
            process.wait(1)
        except (OSError, subprocess.TimeoutExpired):
            _kill(process)
            process.wait()
        assert self._reader is not None
        self._reader.join()
        process.stdout.close()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and what it has started, which would keep the pipe open."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            # it is the leader of a session of its own
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _pass_on(pipe: IO[bytes], output: "SimpleQueue[bytes]") -> None:
    """Pass on what comes through a pipe, and last that nothing more comes."""
    while block := os.read(pipe.fileno(), 1 << 16):
        output.put(block)
    output.put(b"")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
