"""What takes the rows of ``emotag tag`` beside the output, and what is said of it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.filesize import decimal

from emotag.bundle.config import BundleConfig
from emotag.cli.console import notes, progress_bar, safe
from emotag.cli.tag_output import check_folder, photos_text
from emotag.errors import StorageError
from emotag.remote.filesystems import is_remote
from emotag.tagging.ledger import Ledger
from emotag.tagging.rows import RowTaker
from emotag.tagging.sidecars import SidecarWriter

if TYPE_CHECKING:
    # only where they are asked for
    from emotag.tagging.embedding import Embedder
    from emotag.tagging.gallery import GalleryWriter

__all__ = ["Takers", "check_page", "print_left_alone"]

_SHOWN_REFUSALS = 10


@dataclass
class Takers:
    """Whatever takes the rows beside the output; each is None unless it was asked for.

    Attributes
    ----------
    sidecars : SidecarWriter or None
        Writes the tags beside the photos.
    embedder : Embedder or None
        Writes them into the photos.
    gallery : GalleryWriter or None
        Makes a page.
    """

    sidecars: SidecarWriter | None = None
    embedder: "Embedder | None" = None
    gallery: "GalleryWriter | None" = None

    def __iter__(self) -> Iterator[RowTaker]:
        """Iterate over those that there are."""
        every = (self.sidecars, self.embedder, self.gallery)
        return (taker for taker in every if taker is not None)

    def open_embedder(self, stack: ExitStack, *, backup: bool, ledger: Ledger | None) -> None:
        """Write the tags into the photos, too, until the stack is closed."""
        from emotag.tagging.embedding import open_embedder

        self.embedder = stack.enter_context(open_embedder(backup=backup, ledger=ledger))

    def open_gallery(
        self, page: str, config: BundleConfig, *, photos: int | None, max_pixels: int
    ) -> None:
        """Make a page of the photos, too."""
        from emotag.tagging.gallery import PHOTOS, GalleryWriter

        self.gallery = GalleryWriter(
            page, config.label_set, photos=photos or PHOTOS, max_pixels=max_pixels
        )

    def finish(self, *, jobs: int | None, quiet: bool) -> bool:
        """Make the page, and print what became of all; return whether anything was left alone."""
        left = False
        for title, writer in (("Sidecars", self.sidecars), ("Embedded", self.embedder)):
            if writer is not None and (writer.refusals or not quiet):
                _print_written(title, writer)
            left |= writer is not None and bool(writer.refusals)
        if self.gallery is not None:
            _make_page(self.gallery, jobs=jobs, quiet=quiet)
        return left


def check_page(page: str | None) -> None:
    """Refuse at once a page that could not be written in the end.

    Raises
    ------
    StorageError
        It is a folder, its name is not that of a page, or its own folder
        does not exist or may not be written to.
    """
    if page is None:
        return
    if is_remote(page):
        raise StorageError(f"{page} cannot be written: a page is written to a disk only.")
    from emotag.tagging.gallery import check_ending

    if os.path.isdir(page):
        raise StorageError(f"{page} cannot be written: it is a folder.")
    check_ending(page)
    check_folder(page)


def _print_written(title: str, writer: "SidecarWriter | Embedder") -> None:
    """Print to stderr what became of the sidecars, or of tags that were to be embedded."""
    said = ", ".join(
        f"{writer.counts[what]} {what}"
        for what in ("written", "unchanged", "cleared")
        if writer.counts[what] or what == "written"
    )
    notes.print(f"{title}: {said}.")
    print_left_alone(writer.refusals)


def _make_page(gallery: "GalleryWriter", *, jobs: int | None, quiet: bool) -> None:
    """Make the page of the rows that a gallery took; show how far it is, and what became of it."""
    with progress_bar("Page", gallery.shown, quiet=quiet) as advance:
        try:
            gallery.finish(jobs=jobs, advance=advance)
        except KeyboardInterrupt as error:
            state = "is as it was" if os.path.lexists(gallery.path) else "was not written"
            raise KeyboardInterrupt(
                f"Stopped: {safe(gallery.path)} {state}; no photo was changed."
            ) from error
    if not quiet:
        _print_page(gallery)


def _print_page(gallery: "GalleryWriter") -> None:
    size = decimal(os.path.getsize(gallery.path))
    notes.print(f"Page: {safe(gallery.path)}, {photos_text(gallery.shown)}, {size}.")
    if left := gallery.total - gallery.shown:
        notes.print(
            f"{photos_text(left)} of {gallery.total} left out of the page, the least sure ones; "
            "--html-photos N takes more.",
            style="yellow",
        )


def print_left_alone(refusals: Sequence[tuple[str, str]]) -> None:
    """Print to stderr which sidecars or photos were left alone, and why."""
    if refusals:
        notes.print(f"{len(refusals)} left alone:", style="yellow")
    for path, reason in refusals[:_SHOWN_REFUSALS]:
        notes.print(f"  {safe(path)} {safe(reason)}")
    if len(refusals) > _SHOWN_REFUSALS:
        notes.print(f"  … and {len(refusals) - _SHOWN_REFUSALS} more.")
