"""What a stranger must know of a set of photos: its data card."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from emotag.flickr.attribution import ATTRIBUTION
from emotag.flickr.manifest import Entry
from emotag.flickr.markdown import code_block, escape, make_table
from emotag.flickr.text import replace_text

__all__ = ["CARD", "FetchAccount", "write_card"]

CARD = "README.md"
"""The file's name, in the folder of the data."""


@dataclass(frozen=True)
class FetchAccount:
    """How a set of photos was collected.

    Attributes
    ----------
    command : str
        What was typed, without anything that is secret.
    version : str
        Of emotag.
    began, ended : str
        When, as ISO 8601 in UTC.
    queries : mapping of str to str
        What each label was searched by, in the order of the labels.
    wanted : int
        How many photos of each label were asked for.
    found : mapping of str to int
        How many photos the service gave for each label.
    passed : mapping of str to int
        How many photos were found and left out, by reason.
    """

    command: str
    version: str
    began: str
    ended: str
    queries: Mapping[str, str]
    wanted: int
    found: Mapping[str, int] = field(default_factory=dict)
    passed: Mapping[str, int] = field(default_factory=dict)


def write_card(path: str, entries: Sequence[Entry], account: FetchAccount) -> None:
    """Write what a stranger must know of the set before using it.

    Parameters
    ----------
    path : str
        The file to be.
    entries : sequence of Entry
        The photos.
    account : FetchAccount
        How they were collected.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    parts = [
        f"# {len(entries):,} photos from Flickr, by emotion",
        f"Collected by emotag {escape(account.version)} from {escape(account.began)} to "
        f"{escape(account.ended)}. `photos.csv` says of each photo what is known of it, "
        f"`{ATTRIBUTION}` who made it.",
        code_block(account.command),
        _labels_section(entries, account),
        _licences_section(entries),
        _likeness_section(entries),
        _passed_section(account),
        _CAVEATS,
        _USE,
    ]
    with replace_text(path) as file:
        file.write("\n\n".join(parts) + "\n")


_CAVEATS = """## What to know before using it

- **Labels are queries.** A photo is here because its title, tags or description
  matched. No person looked whether it shows the emotion, and many will not.
- **It is a sample of Flickr,** most interesting first by Flickr's own measure, and
  no sample of photos or of people. Ranks hold within a slice of upload dates only.
- **Licences change.** Each was as `photos.csv` says when the photo was fetched. An
  author may have changed it since, which does not take back what was allowed
  before, or may never have had the right to give it: a licence is the word of
  whoever uploaded the photo.
- **There are people on the photos.** A licence settles the author's rights and
  not theirs. Do not identify them, and do not judge them by a label.
- **An author may ask for a photo to go:** `emotag fetch --forget ID` removes it
  everywhere and keeps it out.
- **Cells that begin like a formula** have an apostrophe before them in `photos.csv`,
  so that no spreadsheet runs them."""

_USE = """## How to use it

```console
$ emotag fit .                       # learn from it; the split goes by the column group
$ emotag fetch --from photos.csv     # fetch the same photos elsewhere
```

Publish the list rather than the photos: whoever fetches them anew gets only
what is still offered."""


def _labels_section(entries: Sequence[Entry], account: FetchAccount) -> str:
    photos = Counter(entry.label for entry in entries)
    owners = Counter(label for label, _ in {(entry.label, entry.owner) for entry in entries})
    rows = [
        [
            escape(label),
            escape(account.queries.get(label, "")),
            f"{account.found.get(label, 0):,}",
            f"{photos[label]:,}",
            f"{owners[label]:,}",
        ]
        for label in dict.fromkeys([*account.queries, *photos])
    ]
    lacking = [label for label in account.queries if photos[label] < account.wanted]
    note = f"{account.wanted:,} photos of each label were asked for"
    note += f"; fewer were to be had of {escape(', '.join(lacking))}." if lacking else "."
    table = make_table(["label", "query", "found", "photos", "owners"], rows)
    return f"## Labels\n\n{note}\n\n{table}"


def _licences_section(entries: Sequence[Entry]) -> str:
    counts = Counter(
        (entry.licence_name, entry.non_commercial, entry.no_derivatives) for entry in entries
    )
    rows = [
        [
            escape(name) or "not known",
            f"{count:,}",
            "no" if non_commercial else "yes",
            "no" if no_derivatives else "yes",
        ]
        for (name, non_commercial, no_derivatives), count in sorted(counts.items())
    ]
    no_commerce = sum(entry.non_commercial for entry in entries)
    no_changes = sum(entry.no_derivatives for entry in entries)
    table = make_table(["licence", "photos", "commercial use", "changed versions"], rows)
    return (
        f"## Licences\n\n{no_commerce:,} photos may not be used commercially, and of "
        f"{no_changes:,} no changed version may be shared, which a crop may be. The columns "
        f"`non_commercial` and `no_derivatives` tell them apart.\n\n{table}"
    )


def _likeness_section(entries: Sequence[Entry]) -> str:
    alike = [entry for entry in entries if entry.duplicate_group is not None]
    groups: dict[int | None, set[str]] = {}
    for entry in alike:
        groups.setdefault(entry.duplicate_group, set()).add(entry.label)
    across = sum(len(labels) > 1 for labels in groups.values())
    return (
        f"## Near-duplicates\n\n{len(alike):,} photos look like another one, in {len(groups):,} "
        f"groups by perceptual hash, {across:,} of them with more than one label. They are "
        "kept, and the column `duplicate_group` tells which belong together."
    )


def _passed_section(account: FetchAccount) -> str:
    if not account.passed:
        return "## Left out\n\nNo photo that was found was left out."
    ordered = sorted(account.passed.items(), key=lambda item: (-item[1], item[0]))
    rows = [[escape(reason), f"{count:,}"] for reason, count in ordered]
    return f"## Left out\n\n{make_table(['reason', 'photos'], rows)}"
