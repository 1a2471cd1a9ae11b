"""The report as one HTML page, which opens by a double click and loads nothing."""

import base64
import math
from typing import Any

from emotag.evaluation.metrics import Figure
from emotag.evaluation.page_content import (
    Drawing,
    Grid,
    Matrix,
    ModelPart,
    ReportContent,
    Section,
    Table,
    Value,
)
from emotag.evaluation.page_photos import Album, make_album, photos_of
from emotag.evaluation.tables import Cell
from emotag.pages.escaping import visible
from emotag.pages.page import read_assets
from emotag.storage import replace_file

__all__ = ["render_report", "write_report"]

_LISTED = 500


def write_report(
    path: str, content: ReportContent, *, publication: bool = False, jobs: int | None = None
) -> None:
    """Write the report, whole or not at all.

    Parameters
    ----------
    path : str
        The page to be.
    content : ReportContent
        What it shows.
    publication : bool, default=False
        As `render_report`. Else a thumbnail leads to its photo on this disk.
    jobs : int, optional
        Threads that make thumbnails; by default one a core.

    Raises
    ------
    StorageError
        The page cannot be written.
    """
    text = render_report(
        content, path="" if publication else path, publication=publication, jobs=jobs
    )
    with replace_file(path) as file:
        file.write(text.encode())


def render_report(
    content: ReportContent, *, path: str = "", publication: bool = False, jobs: int | None = None
) -> str:
    """Return the report as HTML.

    Photos are shown whole, only smaller. One that cannot be read is named without a picture.

    Parameters
    ----------
    content : ReportContent
        What it shows.
    path : str, optional
        Where the page will stand, so that thumbnails lead to their photos;
        without it they do not.
    publication : bool, default=False
        Leave out the pictures whose licence forbids derivatives, as a
        thumbnail may be one.
    jobs : int, optional
        Threads that make thumbnails; by default one a core.

    Returns
    -------
    str
        One file: style, script, figures and thumbnails are inside.

    Examples
    --------
    >>> "<bdi>A &amp; B</bdi></h1>" in render_report(ReportContent("A & B"))
    True
    """
    # imported here: only reports need it
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    assets = read_assets("report")
    album = make_album(content, page=path, publication=publication, jobs=jobs)
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        # marks that turn the direction of text, or are not seen, are written out wherever they come
        finalize=lambda value: value if isinstance(value, Markup) else visible(str(value)),
    )
    return environment.from_string(assets.markup).render(
        page=_page(content, album),
        policy=assets.policy,
        style=assets.style,
        script=assets.script,
        pictures="\n".join(album.pictures()),
    )


# ---- what the template is given


def _page(content: ReportContent, album: Album) -> dict[str, Any]:
    sections = [_section(f"section-{index}", one) for index, one in enumerate(content.sections)]
    models = [_model(f"model-{index}", one, album) for index, one in enumerate(content.models)]
    contents = [
        ("summary", "In short", content.summary),
        ("scores", "Numbers", content.scores),
        ("drawings", "Figures", content.drawings),
        *((one["id"], one["title"], True) for one in sections),
        ("models", "Photo by photo", models),
        ("unreadable", "Photos that could not be read", content.unreadable),
        ("notes", "Notes", content.notes),
    ]
    made = {"made": content.date, "by emotag": content.version}
    return {
        "title": content.title,
        "subtitle": content.subtitle,
        "contents": [(id_, title) for id_, title, is_there in contents if is_there],
        "summary": content.summary,
        "scores": [_table(one) for one in content.scores],
        "drawings": [_drawing(one) for one in content.drawings],
        "sections": sections,
        "models": models,
        "unreadable": content.unreadable[:_LISTED],
        "n_unreadable": f"{len(content.unreadable):,}",
        "n_unlisted": max(0, len(content.unreadable) - _LISTED),
        "notes": content.notes,
        "made": [(term, said) for term, said in made.items() if said],
        "command": content.command,
    }


def _section(id_: str, section: Section) -> dict[str, Any]:
    return {
        "id": id_,
        "title": section.title,
        "sentences": section.sentences,
        "drawings": [_drawing(one) for one in section.drawings],
        "tables": [_table(one) for one in section.tables],
    }


def _drawing(drawing: Drawing) -> dict[str, str]:
    content = base64.b64encode(drawing.svg.encode()).decode()
    return {
        "source": f"data:image/svg+xml;base64,{content}",
        "caption": drawing.caption,
        "alt": drawing.alt,
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "caption": table.caption,
        "columns": table.columns,
        "rows": [
            {"mark": row.mark, "cells": [_value(value) for value in row.cells]}
            for row in table.rows
        ],
        "note": table.note,
    }


def _value(value: Value) -> dict[str, Any]:
    """Return how a value is written, and what it is sorted by if it is a number."""
    number = value.value if isinstance(value, Figure) else value
    if isinstance(number, str) or number is None or math.isnan(number):
        return {"text": number if isinstance(number, str) else "", "order": None, "interval": ""}
    interval = ""
    if isinstance(value, Figure) and math.isfinite(value.low):
        interval = f"{value.low:.3f} to {value.high:.3f}"
    return {"text": _number(number), "order": repr(number), "interval": interval}


def _number(number: float) -> str:
    if isinstance(number, int):
        return f"{number:,}"
    return "< 0.001" if 0 < number < 0.0005 else f"{number:.3f}"


def _model(id_: str, model: ModelPart, album: Album) -> dict[str, Any]:
    return {
        "id": id_,
        "name": model.name,
        "about": model.about,
        "matrices": [
            _matrix(f"{id_}-matrix-{index}", matrix, album)
            for index, matrix in enumerate(model.matrices)
        ],
        "has_photos": any(photos_of(model)),
        "hits": [
            {
                "label": one.label,
                "found": f"{one.n_hits:,} of {one.n_photos:,} found",
                "photos": album.show(one.photos),
            }
            for one in model.hits
        ],
        "mistakes": _mistakes(model.mistakes, album) if model.mistakes else None,
    }


def _mistakes(grid: Grid, album: Album) -> dict[str, Any]:
    return {
        "caption": "Rows are what the model says, columns what the photos are labelled.",
        "labels": [cell.actual for cell in grid[0]],
        "rows": [
            {
                "label": row[0].predicted,
                "cells": [
                    {"is_hit": not cell.is_mistake, "photos": album.show(cell.photos)}
                    for cell in row
                ],
            }
            for row in grid
        ],
    }


def _matrix(id_: str, matrix: Matrix, album: Album) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for at, cells in enumerate(matrix.cells):
        total = sum(cell.n_photos for cell in cells)
        rows.append(
            {
                "label": cells[0].actual,
                "total": f"{total:,}",
                "cells": [
                    _matrix_cell(f"{id_}-{at}-{column}", cell, total, album)
                    for column, cell in enumerate(cells)
                ],
            }
        )
    return {
        "caption": matrix.caption,
        "labels": [cell.predicted for cell in matrix.cells[0]],
        "rows": rows,
    }


def _matrix_cell(id_: str, cell: Cell, total: int, album: Album) -> dict[str, Any]:
    share = cell.n_photos / total if total else 0.0
    many = f"{cell.n_photos:,} {'photo' if cell.n_photos == 1 else 'photos'}"
    what = f"labelled {cell.actual}, predicted {cell.predicted}"
    photos = album.show(cell.photos)
    kept = f", the {len(photos):,} surest of them" if len(photos) < cell.n_photos else ""
    return {
        "id": id_,
        "count": f"{cell.n_photos:,}",
        "share": f"{share:.0%}" if cell.n_photos else "",
        "tenth": round(10 * share),
        "is_hit": not cell.is_mistake,
        "name": f"{many} {what}",
        "heading": f"{many} {what}{kept}",
        "photos": photos,
    }
