"""A real Chromium without a window: the one of the system, driven by playwright."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

__all__ = ["find_chromium", "open_chromium", "wait_until"]

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


def wait_until(page: Page, expression: str, seconds: float = 10) -> None:
    """Wait until an expression of JavaScript is true.

    Not by playwright's own waiting: that evaluates text inside of the page, which our pages forbid.
    """
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"not in {seconds} seconds: {expression}"
        page.wait_for_timeout(20)
