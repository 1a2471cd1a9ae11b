"""The pictures of a report page: each stands once, and may be shown in many places."""

import base64
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from emotag.evaluation.credits import Credit
from emotag.evaluation.page_content import ModelPart, ReportContent
from emotag.evaluation.tables import JudgedPhoto
from emotag.pages.escaping import link_to
from emotag.pages.thumbnails import Thumbnail, make_thumbnail
from emotag.parallel.threads import map_tasks

__all__ = ["Album", "make_album", "photos_of"]

# Of a manifest any text may come; only these lead to a page and run nothing.
_WEB = re.compile("https?://", re.IGNORECASE)


@dataclass(frozen=True)
class Album:
    """The pictures of a page by number, and what is said under each.

    Attributes
    ----------
    thumbnails : dict of Thumbnail
        By path, in the order of their numbers; of photos that can be read.
    withheld : set of str
        Photos that may not be shown.
    credit_by_path : mapping of str to Credit
        Who made a photo.
    page : str
        Where the page will stand, so that pictures lead to their photos; or empty.
    """

    thumbnails: dict[str, Thumbnail]
    withheld: set[str]
    credit_by_path: Mapping[str, Credit]
    page: str = ""

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {path: number for number, path in enumerate(self.thumbnails)}

    def pictures(self) -> Iterator[str]:
        """Yield the thumbnails by number, as base64."""
        for thumbnail in self.thumbnails.values():
            yield base64.b64encode(thumbnail.content).decode()

    def show(self, photos: Iterable[JudgedPhoto]) -> list[dict[str, Any]]:
        """Return what the page says of photos; what has no path is no photo."""
        return [self._show(photo) for photo in photos if photo.path]

    def _show(self, photo: JudgedPhoto) -> dict[str, Any]:
        path, thumbnail = photo.path, self.thumbnails.get(photo.path)
        credit = self.credit_by_path.get(path)
        is_hit = photo.actual == photo.predicted
        confidence = "" if photo.confidence is None else f"{photo.confidence:.2f}"
        said = "rightly" if is_hit else f"labelled {photo.actual},"
        return {
            "number": self._numbers.get(path),
            "width": thumbnail.width if thumbnail else 0,
            "height": thumbnail.height if thumbnail else 0,
            "missing": "Left out: its licence forbids derivatives."
            if path in self.withheld
            else "No picture: the photo could not be read.",
            "link": link_to(path, self.page) if self.page else "",
            "alt": f"{path}: {said} predicted {photo.predicted} {confidence}".rstrip(),
            "parts": re.split(r"(?<=[/\\])", path),
            "actual": photo.actual,
            "predicted": photo.predicted,
            "is_hit": is_hit,
            "confidence": confidence,
            "credit": credit and _credit(credit),
        }


def make_album(
    content: ReportContent, *, page: str = "", publication: bool = False, jobs: int | None = None
) -> Album:
    """Make the thumbnails that a page needs.

    Parameters
    ----------
    content : ReportContent
        What the page shows.
    page : str, optional
        Where it will stand.
    publication : bool, default=False
        Withhold what may not be shown cut or scaled.
    jobs : int, optional
        Threads; by default one a core.
    """
    paths = list(
        dict.fromkeys(photo.path for model in content.models for photo in photos_of(model))
    )
    withheld = {path for path in paths if publication and _is_kept_whole(path, content)}
    wanted = [path for path in paths if path not in withheld]
    made = zip(wanted, map_tasks(make_thumbnail, wanted, jobs=jobs), strict=True)
    thumbnails = {path: thumbnail for path, thumbnail in made if thumbnail}
    return Album(thumbnails, withheld, content.credits, page)


def _is_kept_whole(path: str, content: ReportContent) -> bool:
    credit = content.credits.get(path)
    if credit is None:
        return False
    return credit.no_derivatives or credit.licence.casefold().strip() == "all rights reserved"


def photos_of(model: ModelPart) -> Iterator[JudgedPhoto]:
    """Yield the photos that are shown of a model, some more than once; what has no path is none."""
    for hits in model.hits:
        yield from (photo for photo in hits.photos if photo.path)
    for grid in (*(matrix.cells for matrix in model.matrices), model.mistakes):
        for cell in itertools.chain.from_iterable(grid):
            yield from (photo for photo in cell.photos if photo.path)


def _credit(credit: Credit) -> dict[str, Any]:
    limits = {
        "not for commercial use": credit.non_commercial,
        "no derivatives": credit.no_derivatives,
    }
    return {
        "title": credit.title,
        "author": credit.author,
        "licence": credit.licence or credit.url,
        "url": credit.url if _WEB.match(credit.url) else "",
        "page": credit.page if _WEB.match(credit.page) else "",
        "limits": [limit for limit, holds in limits.items() if holds],
    }
