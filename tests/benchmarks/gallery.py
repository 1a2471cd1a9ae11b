"""A page of thousands of photos: how long it takes to make, to open, to filter and to scroll.

The photos are links to those of ../shared/data/happysad; the page is opened in
the system's Chromium, without a window, as by a double click.

    python -m tests.benchmarks.gallery

Targets, of 5,000 photos: the first picture within a second, a filter within 200 ms,
no frame of scrolling over 200 ms, no more than a few hundred pictures at once.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from emotag.emotions import FIVE
from emotag.tagging.gallery import GalleryWriter
from emotag.tagging.rows import Row
from tests.benchmarks.measuring import THUMBNAILS, describe_machine
from tests.chromium import open_chromium, wait_until

PHOTOS = THUMBNAILS.parent / "happysad"

# Noted by the page itself, once the first picture of a photo can be drawn.
FIRST = """const look = () =>
  document.querySelector('.tile img')?.naturalWidth
    ? requestAnimationFrame(now => { window.firstPicture = now; })
    : requestAnimationFrame(look);
look();"""

# From the click to the frame that shows what it did: a frame is drawn between the two callbacks.
CLICK = """selector => new Promise(done => {
  const started = performance.now();
  document.querySelector(selector).click();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - started)));
})"""

SCROLL = """() => new Promise(done => {
  const frames = [];
  let pictures = 0, steps = 0, last = performance.now();
  const step = now => {
    frames.push(now - last);
    last = now;
    pictures = Math.max(pictures, document.querySelectorAll('.tile img').length);
    scrollTo(0, (steps++ / 300) * document.documentElement.scrollHeight);
    if (steps < 300) requestAnimationFrame(step);
    else done({ frames: frames.slice(1), pictures });
  };
  requestAnimationFrame(step);
})"""


def main() -> None:
    """Make the page, open it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=5000, help="how many")
    parser.add_argument("--folder", default=PHOTOS, help="the folder of photos to link to")
    options = parser.parse_args()
    sources = sorted(map(str, Path(options.folder).rglob("*.jpg")))
    if not sources:
        raise SystemExit(f"There is no .jpg under {options.folder}.")
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        page = os.path.join(folder, "page.html")
        started = time.perf_counter()
        make_page(page, sources, options.photos)
        seconds = time.perf_counter() - started
        show("page made", f"{seconds:8.1f} s   {options.photos / seconds:.0f} photos/s")
        show("page", f"{os.path.getsize(page) / 1e6:8.1f} MB")
        measure(page)


def make_page(page: str, sources: list[str], count: int) -> None:
    """Make a page of photos that a model might have tagged so."""
    rng = np.random.default_rng(0)
    gallery = GalleryWriter(page, FIVE, photos=count)
    for index in range(count):
        probabilities = rng.dirichlet(np.full(len(FIVE), 0.7))
        best = int(probabilities.argmax())
        gallery.write(
            Row(
                link(sources[index % len(sources)], page, index),
                "tagged",
                emotion=FIVE.names[best],
                confidence=float(probabilities[best]),
                sentiment=str(FIVE.sentiment(FIVE.names[best])),
                p_positive=float(FIVE.fold(probabilities[None])[0]),
                probabilities=tuple(probabilities.tolist()),
                model="benchmark",
            )
        )
    gallery.finish()


def link(source: str, page: str, index: int) -> str:
    path = os.path.join(os.path.dirname(page), f"{index:06}.jpg")
    os.symlink(source, path)
    return path


def measure(path: str) -> None:
    """Open the page in Chromium and print how it does."""
    with open_chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(FIRST)
        page.goto(f"file://{path}")
        wait_until(page, "window.firstPicture", seconds=60)
        page.wait_for_timeout(1000)
        timing: dict[str, Any] = page.evaluate(
            "() => ({ first: window.firstPicture,"
            " whole: performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd })"
        )
        show("first picture", f"{timing['first']:8.0f} ms   wanted under 1,000")
        show("read to its end", f"{timing['whole']:8.0f} ms")
        clicks = [
            page.evaluate(CLICK, f"#{group} button:nth-child({number})")
            for group, number in [("labels", 1), ("labels", 2), ("labels", 1), ("labels", 2)] * 3
            + [("sentiments", 1), ("sentiments", 1)] * 3
        ]
        show(
            "from a filter to its frame",
            f"{statistics.median(clicks):8.0f} ms   at most {max(clicks):.0f}, wanted under 200",
        )
        scrolled = page.evaluate(SCROLL)
        show(
            "a frame of scrolling",
            f"{statistics.median(scrolled['frames']):8.0f} ms   "
            f"at most {max(scrolled['frames']):.0f}, wanted under 200",
        )
        show("pictures at once, at most", f"{scrolled['pictures']:8}")


def show(what: str, figure: str) -> None:
    print(f"{what:28}{figure}")


if __name__ == "__main__":
    main()
