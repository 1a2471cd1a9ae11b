"""The parts of shards put together into the file that one run would have written."""

import csv
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from emotag.errors import ShardError
from emotag.photos.formats import ending_of
from emotag.storage import replace_file, replace_folder
from emotag.tagging.parquet import (
    ROWS_A_GROUP,
    Groups,
    GroupsInFile,
    GroupsInFolder,
    names_parts_folder,
)
from emotag.tagging.shards import part_path, read_notes

__all__ = ["merge_parts"]


def merge_parts(output: str) -> int:
    """Put the parts of all shards together.

    Parameters
    ----------
    output : str
        The file, or the folder of Parquet files, as it was named to every shard.

    Returns
    -------
    int
        How many rows it has: one for each photo.

    Raises
    ------
    ShardError
        A part is missing, is not whole, or does not belong to the others.
    StorageError
        The file cannot be written.
    """
    parts = {part_path(output, note.shard): note.rows for note in read_notes(output)}
    append = _APPEND.get(ending_of(output.rstrip(os.sep)))
    if append is None:
        _merge_parquet(output, parts)
    else:
        _merge_lines(output, parts, append)
    return sum(parts.values())


def _merge_lines(
    output: str, parts: Mapping[str, int], append: Callable[[str, IO[bytes], bool], int]
) -> None:
    with replace_file(output) as file:
        for index, (part, rows) in enumerate(parts.items()):
            with _explaining(part):
                _refuse_count(part, append(part, file, index == 0), rows)


def _append_csv(part: str, file: IO[bytes], first: bool) -> int:
    """Append a part, its header only if it is the first; return its rows."""
    with open(part, "rb") as source:
        header = source.readline()
        if first:
            file.write(header)
        shutil.copyfileobj(source, file)
    with open(part, encoding="utf-8", newline="") as text:
        return sum(1 for _ in csv.reader(text, strict=True)) - 1


def _append_json_lines(part: str, file: IO[bytes], first: bool) -> int:  # noqa: ARG001
    with open(part, "rb") as source:
        shutil.copyfileobj(source, file)
        source.seek(0)
        return sum(1 for _ in source)


_APPEND = {".csv": _append_csv, ".jsonl": _append_json_lines}


def _merge_parquet(output: str, parts: Mapping[str, int]) -> None:
    from pyarrow import parquet

    first = next(iter(parts))
    with _explaining(first):
        schema = parquet.read_schema(first)
    with ExitStack() as stack:
        if names_parts_folder(output):
            folder = stack.enter_context(replace_folder(output, force=True))
            groups: Groups = GroupsInFolder(folder, schema)
        else:
            groups = GroupsInFile(stack.enter_context(replace_file(output)), schema)
        stack.callback(groups.close)
        for table in _full_groups(_batches(parts)):
            groups.write(table)


def _batches(parts: Mapping[str, int]) -> Iterator[Any]:
    from pyarrow import parquet

    for part, rows in parts.items():
        with _explaining(part), parquet.ParquetFile(part) as file:
            _refuse_count(part, file.metadata.num_rows, rows)
            yield from file.iter_batches(ROWS_A_GROUP)


def _full_groups(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield tables of as many rows as one run puts into a row group."""
    import pyarrow

    waiting: list[Any] = []
    count = 0
    for batch in batches:
        left = batch
        while left.num_rows:
            waiting.append(left.slice(0, ROWS_A_GROUP - count))
            left = left.slice(ROWS_A_GROUP - count)
            count += waiting[-1].num_rows
            if count == ROWS_A_GROUP:
                yield pyarrow.Table.from_batches(waiting).combine_chunks()
                waiting, count = [], 0
    if waiting:
        yield pyarrow.Table.from_batches(waiting).combine_chunks()


def _refuse_count(part: str, found: int, expected: int) -> None:
    if found != expected:
        raise ShardError(
            f"{part} has {found} rows and not the {expected} that it had; run its shard again."
        )


@contextmanager
def _explaining(part: str) -> Iterator[None]:
    """Turn an error of reading a part into one that says so."""
    try:
        yield
    except ShardError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, OSError) and error.filename not in (None, part):
            raise
        reason = str(error).strip().splitlines()[0]
        raise ShardError(f"{part} cannot be read ({reason}); run its shard again.") from error
