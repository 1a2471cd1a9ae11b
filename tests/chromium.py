"""A real Chromium without a window: the one of the system, driven by playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

__all__ = ["find_chromium", "open_chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Return the program; None if there is none on this machine."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Run the browser while the body runs; skip the test where there is none."""
    program = find_chromium()
    if program is None:
        pytest.skip(f"needs a browser: one of {', '.join(_NAMES)}")
    # its sandbox refuses to be started by root
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    arguments = ["--no-sandbox"] if is_root else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
