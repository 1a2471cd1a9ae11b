"""Fixtures for the tests of the commands."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.program import Outcome, run_here
from tests.tagging.small_bundle import save_small_bundle


@pytest.fixture
def emotag(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Return a function that runs the program in this process."""

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run_here(*arguments)
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture(autouse=True)
def _usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real model of a few hundred bytes, on the five emotions."""
    return save_small_bundle(tmp_path_factory.mktemp("bundles") / "small")


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    folder = tmp_path / "inside"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
