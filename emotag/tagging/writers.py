"""Rows written as CSV, JSON lines or Parquet."""

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Protocol, TypeVar

from emotag.emotions import LabelSet
from emotag.errors import StorageError
from emotag.photos.formats import ending_of
from emotag.storage import is_special
from emotag.tagging.parquet import ParquetWriter
from emotag.tagging.rows import DECIMALS, Row, column_names, to_record

__all__ = ["WRITERS", "FinishedWriter", "RowWriter", "choose_writer", "finishing", "open_writer"]


class FinishedWriter(Protocol):
    """Writes rows, and is told when there are no more."""

    def write(self, row: Row) -> None:
        """Write one row."""
        ...

    def finish(self) -> None:
        """Write what is still to be written."""
        ...


class CsvWriter:
    """RFC 4180 with a header, in UTF-8; numbers with four decimals, nothing for None."""

    def __init__(self, file: IO[bytes], labels: LabelSet, extra: Sequence[str] = ()) -> None:
        self._labels = labels
        self._extra = extra
        self._csv = csv.writer(_UnixLines(file), lineterminator=_UnixLines.GIVEN)
        self._csv.writerow(column_names(labels, extra))

    def write(self, row: Row) -> None:
        """Write one row."""
        record = to_record(row, self._labels, self._extra)
        self._csv.writerow(
            f"{value:.{DECIMALS}f}" if isinstance(value, float) else value
            for value in record.values()
        )

    def finish(self) -> None:
        """Do nothing: every line is written already."""


class _UnixLines:
    r"""Takes lines that end in ``\r\n`` and writes them as UTF-8 that ends in ``\n``.

    The csv module quotes a cell that holds ``\r`` only if the lines end in it.
    """

    GIVEN = "\r\n"

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, line: str) -> None:
        self._file.write(f"{line.removesuffix(self.GIVEN)}\n".encode())


class JsonLinesWriter:
    """One JSON object a line, in UTF-8, keys as the columns, null for None."""

    def __init__(self, file: IO[bytes], labels: LabelSet, extra: Sequence[str] = ()) -> None:
        self._labels = labels
        self._extra = extra
        self._file = file

    def write(self, row: Row) -> None:
        """Write one row."""
        line = json.dumps(to_record(row, self._labels, self._extra), ensure_ascii=False)
        self._file.write(line.encode() + b"\n")

    def finish(self) -> None:
        """Do nothing: every line is written already."""


class RowWriter(FinishedWriter, Protocol):
    """Writes rows to a file that someone else opened and will close."""

    def __init__(self, file: IO[bytes], labels: LabelSet, extra: Sequence[str] = ()) -> None: ...


Writer = TypeVar("Writer", bound=FinishedWriter)

WRITERS: dict[str, type[RowWriter]] = {
    ".csv": CsvWriter,
    ".jsonl": JsonLinesWriter,
    ".parquet": ParquetWriter,
}


def choose_writer(path: str) -> type[RowWriter]:
    """Return the writer for a file's ending; a device or a pipe may have any, and takes CSV.

    Raises
    ------
    StorageError
        There is none; the message names the choices.
    """
    ending = ending_of(path)
    if ending not in WRITERS and is_special(path):
        return CsvWriter
    if ending not in WRITERS:
        raise StorageError(
            f"{path}: emotag writes {', '.join(WRITERS)}, so let the name end in one of these."
        )
    return WRITERS[ending]


@contextmanager
def open_writer(
    file: IO[bytes],
    labels: LabelSet,
    kind: type[RowWriter] = CsvWriter,
    extra: Sequence[str] = (),
) -> Iterator[RowWriter]:
    """Yield a writer of rows to an open file, and finish it whatever happens."""
    with finishing(kind(file, labels, extra)) as writer:
        yield writer


@contextmanager
def finishing(writer: Writer) -> Iterator[Writer]:
    """Yield a writer of rows, and finish it whatever happens."""
    try:
        yield writer
    finally:
        writer.finish()
