"""Rows as Parquet: one file, or a folder of many that is read as one data set."""

import os
import re
from collections.abc import Sequence
from typing import IO, Any, Protocol

from emotag.emotions import LabelSet
from emotag.tagging.rows import Row, column_names, to_record

__all__ = [
    "ROWS_A_GROUP",
    "GroupsInFile",
    "GroupsInFolder",
    "ParquetFolderWriter",
    "ParquetWriter",
    "holds_only_parts",
    "names_parts_folder",
]

ROWS_A_GROUP = 16_384
"""Rows of a row group; as many are kept in memory until they are written."""

_GROUPS_A_PART = 16

_ENDING = ".parquet"
_PART = re.compile(r"part-\d{5,}\.parquet")


class Groups(Protocol):
    """Takes row groups, one table each."""

    def write(self, table: Any) -> None:
        """Write a row group."""
        ...

    def close(self) -> None:
        """Write the footer."""
        ...


class GroupsInFile:
    """Writes row groups to one file.

    Parameters
    ----------
    file : str or binary file
        One that is open is not closed.
    schema : pyarrow.Schema
        Of all tables.
    """

    def __init__(self, file: str | IO[bytes], schema: Any) -> None:
        from pyarrow import parquet

        self._writer = parquet.ParquetWriter(file, schema)

    def write(self, table: Any) -> None:
        """Write a row group."""
        self._writer.write_table(table)

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


class GroupsInFolder:
    """Writes row groups to files ``part-00000.parquet`` and so on, of 262,144 rows each.

    Parameters
    ----------
    folder : str
        An empty one.
    schema : pyarrow.Schema
        Of all tables.
    """

    def __init__(self, folder: str, schema: Any) -> None:
        self._folder = folder
        self._schema = schema
        self._groups = 0
        # a first part also where there are no rows, since it says what the columns are
        self._part = self._open(0)

    def write(self, table: Any) -> None:
        """Write a row group."""
        if self._groups and self._groups % _GROUPS_A_PART == 0:
            self._part.close()
            self._part = self._open(self._groups // _GROUPS_A_PART)
        self._part.write(table)
        self._groups += 1

    def close(self) -> None:
        """Write the footer of the last part."""
        self._part.close()

    def _open(self, number: int) -> GroupsInFile:
        return GroupsInFile(os.path.join(self._folder, f"part-{number:05}{_ENDING}"), self._schema)


class _Rows:
    """Makes row groups of rows."""

    def __init__(self, labels: LabelSet, extra: Sequence[str]) -> None:
        # imported here: it takes a seventh of a second
        import pyarrow

        self._labels = labels
        self._extra = extra
        self._pyarrow = pyarrow
        self._schema = pyarrow.schema(
            (name, pyarrow.float32() if _is_number(name) else pyarrow.string())
            for name in column_names(labels, extra)
        )
        self._records: list[dict[str, Any]] = []
        self._groups: Groups

    def write(self, row: Row) -> None:
        """Write one row, or keep it until its row group is full."""
        self._records.append(to_record(row, self._labels, self._extra))
        if len(self._records) == ROWS_A_GROUP:
            self._flush()

    def finish(self) -> None:
        """Write the last row group and the footer."""
        if self._records:
            self._flush()
        self._groups.close()

    def _flush(self) -> None:
        self._groups.write(self._pyarrow.Table.from_pylist(self._records, self._schema))
        self._records.clear()


class ParquetWriter(_Rows):
    """Parquet of text and 32-bit floats, in row groups of 16,384."""

    def __init__(self, file: IO[bytes], labels: LabelSet, extra: Sequence[str] = ()) -> None:
        super().__init__(labels, extra)
        self._groups = GroupsInFile(file, self._schema)


class ParquetFolderWriter(_Rows):
    """The same in a folder of many files."""

    def __init__(self, folder: str, labels: LabelSet, extra: Sequence[str] = ()) -> None:
        super().__init__(labels, extra)
        self._groups = GroupsInFolder(folder, self._schema)


def names_parts_folder(output: str) -> bool:
    """Return whether an output is to be a folder of parts: by a slash at its end, or as it is one.

    Examples
    --------
    >>> names_parts_folder("tags.parquet/"), names_parts_folder("tags.parquet")
    (True, False)
    """
    separators = os.sep + (os.altsep or "")
    plain = output.rstrip(separators)
    is_folder = plain != output or (os.path.isdir(plain) and not os.path.islink(plain))
    return is_folder and plain.lower().endswith(_ENDING)


def holds_only_parts(folder: str) -> bool:
    """Return whether a folder holds parts and nothing else, so that others may replace them."""
    return all(_PART.fullmatch(name) for name in os.listdir(folder))


def _is_number(column: str) -> bool:
    return column == "confidence" or column.startswith("p_")
