"""One run cut into shards, each tagged by a command of its own, and the notes on their parts."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Self

from emotag.errors import ShardError, StorageError
from emotag.photos.formats import ending_of
from emotag.remote.filesystems import is_remote
from emotag.storage import replace_file
from emotag.tagging.rows import path_text

__all__ = [
    "Part",
    "PartNote",
    "Shard",
    "Whole",
    "note_path",
    "part_path",
    "parts_folder",
    "read_notes",
]

_FORMAT = 1
_SHARD = re.compile(r"(\d+)/(\d+)")
_NOTE = re.compile(r"\d+-of-\d+\.json")
_SHOWN = 10


@dataclass(frozen=True, order=True)
class Shard:
    """One of several equal shares of the photos of a run.

    Attributes
    ----------
    number : int
        From 1 on.
    of : int
        How many there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a shard as a person types it.

        Parameters
        ----------
        text : str
            Such as ``'3/10'``.

        Raises
        ------
        ShardError
            It is none.

        Examples
        --------
        >>> Shard.parse("3/10")
        Shard(number=3, of=10)
        """
        match = _SHARD.fullmatch(text)
        number, of = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= of:
            raise ShardError(f"--shard {text} makes no sense; of ten, they are 1/10 to 10/10.")
        return cls(number, of)

    def share(self, photos: Sequence[str]) -> Sequence[str]:
        """Return this shard's share of the photos, which is a run of neighbours.

        Examples
        --------
        >>> [Shard(number, 3).share("abcdefgh") for number in (1, 2, 3)]
        ['ab', 'cde', 'fgh']
        """
        start = len(photos) * (self.number - 1) // self.of
        return photos[start : len(photos) * self.number // self.of]

    @property
    def name(self) -> str:
        """What its part is called, such as ``03-of-10``."""
        return f"{self.number:0{len(str(self.of))}}-of-{self.of}"


@dataclass(frozen=True)
class PartNote:
    """What is to be known of a part before it may be put together with others.

    Attributes
    ----------
    shard : Shard
        Which part it is.
    rows : int
        How many rows it has.
    found : str
        Of all photos' paths, so that parts of different photos are told apart.
    run : str
        Of the model and the options.
    """

    shard: Shard
    rows: int
    found: str
    run: str


class Whole:
    """Where a run that is not cut into shards writes its rows to.

    Parameters
    ----------
    output : str or None
        As it was named.
    """

    def __init__(self, output: str | None) -> None:
        self.path = output

    def share(self, photos: Sequence[str]) -> Sequence[str]:
        """Return the photos, all of them."""
        return photos

    @contextmanager
    def writing(self, photos: Sequence[str], run: Iterable[object]) -> Iterator[None]:  # noqa: ARG002
        """Do nothing: there is nothing to be put together."""
        yield


class Part:
    """Where one shard of a run writes its rows to.

    Parameters
    ----------
    output : str or None
        The file that is named to every shard.
    shard : Shard
        Which one.

    Raises
    ------
    ShardError
        No file is named, or one that is not on a disk.
    """

    def __init__(self, output: str | None, shard: Shard) -> None:
        if output is None:
            raise ShardError("--shard needs the file that all parts will make up: -o FILE.")
        _refuse_remote(output)
        self.path = part_path(output, shard)
        self._shard = shard
        self._note = note_path(output, shard)
        self._folder = parts_folder(output)

    @contextmanager
    def writing(self, photos: Sequence[str], run: Iterable[object]) -> Iterator[None]:
        """Make room for the part, and note that it is whole once the body is done.

        Parameters
        ----------
        photos : sequence of str
            Of all shards.
        run : iterable
            What else must be the same for all parts; plain values.

        Raises
        ------
        StorageError
            The folder of the parts cannot be made or written to.
        """
        try:
            os.makedirs(self._folder, exist_ok=True)
            # it was about an earlier part
            if os.path.lexists(self._note):
                os.remove(self._note)
        except OSError as error:
            raise StorageError(f"{self._folder} cannot be written: {error.strerror}.") from error
        yield
        self._finish(photos, run)

    def share(self, photos: Sequence[str]) -> Sequence[str]:
        """Return this shard's share of the photos."""
        return self._shard.share(photos)

    def _finish(self, photos: Sequence[str], run: Iterable[object]) -> None:
        found = hashlib.sha256()
        for path in photos:
            found.update(path_text(path).encode() + b"\0")
        options = hashlib.sha256(json.dumps(list(run)).encode())
        note = PartNote(
            self._shard, len(self._shard.share(photos)), found.hexdigest(), options.hexdigest()
        )
        with replace_file(self._note) as file:
            file.write(json.dumps({"format_version": _FORMAT} | asdict(note), indent=1).encode())


def parts_folder(output: str) -> str:
    """Return the folder of the parts of an output."""
    return f"{output.rstrip(os.sep)}.parts"


def part_path(output: str, shard: Shard) -> str:
    """Return the file that a shard writes to.

    Examples
    --------
    >>> part_path("tags.csv", Shard(3, 10))
    'tags.csv.parts/03-of-10.csv'
    """
    return os.path.join(parts_folder(output), f"{shard.name}{ending_of(output.rstrip(os.sep))}")


def note_path(output: str, shard: Shard) -> str:
    """Return the file beside a part that says what it is."""
    return os.path.join(parts_folder(output), f"{shard.name}.json")


def read_notes(output: str) -> list[PartNote]:
    """Return the notes of all parts of an output, by their numbers.

    Raises
    ------
    ShardError
        There is none, one is missing or damaged, or they do not belong together.
    """
    _refuse_remote(output)
    folder = parts_folder(output)
    if not os.path.isdir(folder):
        raise ShardError(
            f"There are no parts of {output}: no folder {folder}. "
            f"Tag them by: emotag tag … -o {output} --shard 1/N, and so on."
        )
    names = sorted(name for name in os.listdir(folder) if _NOTE.fullmatch(name))
    notes = sorted(
        (_read_note(os.path.join(folder, name)) for name in names), key=lambda note: note.shard
    )
    _refuse_mixture(folder, notes)
    return notes


def _refuse_remote(output: str) -> None:
    if is_remote(output):
        raise ShardError(
            f"{output}: shards write beside their file, which must be on a disk; merge them "
            "there, and copy the file."
        )


def _read_note(path: str) -> PartNote:
    try:
        with open(path, "rb") as file:
            said = json.load(file)
        if said.pop("format_version") != _FORMAT:
            raise ShardError(f"{path} is of another version of emotag; run its shard again.")
        shard = Shard(**said.pop("shard"))
        if any(type(number) is not int for number in (shard.number, shard.of, said["rows"])):
            raise ShardError(f"{path} is damaged; run its shard again.")
        return PartNote(shard, **said)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, ShardError):
            raise
        raise ShardError(f"{path} cannot be read; run its shard again.") from error


def _refuse_mixture(folder: str, notes: Sequence[PartNote]) -> None:
    totals = sorted({note.shard.of for note in notes})
    if len(totals) > 1:
        raise ShardError(
            f"{folder} holds parts of runs with {' and '.join(map(str, totals))} shards; "
            "delete those that are of no use."
        )
    there = {note.shard.number for note in notes}
    missing = [
        f"{number}/{of}" for of in totals for number in range(1, of + 1) if number not in there
    ]
    if missing or not notes:
        which = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        raise ShardError(f"{folder} lacks the parts of --shard {which or '1/N'}; run them first.")
    for what in ("photos", "model and options"):
        said = {note.found if what == "photos" else note.run for note in notes}
        if len(said) > 1:
            raise ShardError(f"The parts in {folder} are not of the same {what}; run all again.")
