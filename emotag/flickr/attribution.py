"""Who made each photo and under which licence, written beside the photos."""

from collections.abc import Iterable
from urllib.parse import quote

from emotag.flickr.manifest import Entry
from emotag.flickr.markdown import escape, link
from emotag.flickr.text import replace_text

__all__ = ["ATTRIBUTION", "write_attribution"]

ATTRIBUTION = "ATTRIBUTION.md"
"""The file's name, in the folder of the data."""


def write_attribution(path: str, entries: Iterable[Entry]) -> None:
    """Write who made each photo and under which licence, as Creative Commons asks.

    Title, author, source and licence of each, by label. Nothing in a title or
    in a name is taken for Markdown or HTML, and what would change the
    direction of writing is shown, not done.

    Parameters
    ----------
    path : str
        The file to be.
    entries : iterable of Entry
        The photos.

    Raises
    ------
    StorageError
        It cannot be written.

    References
    ----------
    Creative Commons, "Recommended practices for attribution".
    """
    by_label: dict[str, list[Entry]] = {}
    for entry in entries:
        by_label.setdefault(entry.label, []).append(entry)
    with replace_text(path) as file:
        file.write(_ATTRIBUTION_HEAD)
        for label, photos in by_label.items():
            file.write(f"\n## {escape(label) or 'Without a label'}\n\n")
            file.writelines(f"- {_attribute(photo)}\n" for photo in photos)


_ATTRIBUTION_HEAD = """# Attribution

Every photo here was made by someone who allows its use under a licence. Whoever
shows or passes on a photo names its title, its author, its source and its
licence, as they stand here, and says if it was changed. The files are as Flickr
scaled them, and otherwise unchanged. What a licence asks beyond that is said
behind it.
"""


def _attribute(photo: Entry) -> str:
    title = link(photo.title.strip() or "Untitled", photo.page)
    people = f"https://www.flickr.com/people/{quote(photo.owner, safe='@')}/"
    author = link(
        photo.owner_name.strip() or photo.owner or "unknown", people if photo.owner else ""
    )
    licence = link(photo.licence_name or "no licence is known", photo.licence_url)
    asked = [
        text
        for text, applies in (
            ("no commercial use", photo.non_commercial),
            ("changed versions may not be shared", photo.no_derivatives),
        )
        if applies
    ]
    limits = f" ({'; '.join(asked)})" if asked else ""
    return f"“{title}” by {author}, {licence}{limits}. File: {escape(photo.file)}"
