"""Parts that make up what one run would have written."""

from pathlib import Path

import duckdb
import pandas
import pyarrow.dataset
import pytest
from pyarrow import parquet

from emotag.emotions import FIVE
from emotag.errors import ShardError
from emotag.storage import replace_file
from emotag.tagging import merging
from emotag.tagging import parquet as parquet_rows
from emotag.tagging.merging import merge_parts
from emotag.tagging.parquet import ParquetFolderWriter
from emotag.tagging.rows import Row
from emotag.tagging.shards import Part, Shard, part_path
from emotag.tagging.writers import choose_writer, finishing, open_writer

ROWS = [
    Row(
        f"{index}\n.jpg" if index % 7 == 0 else f"{index}.jpg",
        "tagged",
        emotion="love",
        confidence=index / 100,
        probabilities=(index / 100, 0.0, 0.0, 0.0, 1 - index / 100),
        model="small",
    )
    for index in range(100)
]


def write(path: str, rows: list[Row]) -> bytes:
    with (
        replace_file(path) as file,
        open_writer(file, FIVE, choose_writer(path)) as writer,
    ):
        for row in rows:
            writer.write(row)
    return Path(path).read_bytes()


def write_parts(output: str, of: int, rows: list[Row] = ROWS) -> None:
    for number in range(1, of + 1):
        shard = Shard(number, of)
        part = Part(output, shard)
        with part.writing([row.path for row in rows], ["small"]):
            write(part.path, list(shard.share(rows)))  # type: ignore[type-var]


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let row groups be of a size that parts do not keep to."""
    for module in (merging, parquet_rows):
        monkeypatch.setattr(module, "ROWS_A_GROUP", 16)
    monkeypatch.setattr(parquet_rows, "_GROUPS_A_PART", 3)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("of", [1, 3, 7, 100, 130])
@pytest.mark.parametrize("name", ["tags.csv", "tags.jsonl", "tags.parquet"])
def test_parts_make_up_what_one_run_writes(tmp_path: Path, name: str, of: int) -> None:
    whole = write(str(tmp_path / f"whole-{name}"), ROWS)
    output = str(tmp_path / name)
    write_parts(output, of)
    assert merge_parts(output) == len(ROWS)
    assert Path(output).read_bytes() == whole


@pytest.mark.usefixtures("small_groups")
def test_a_folder_of_parquet_is_read_as_one_by_others(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    whole.mkdir()
    with finishing(ParquetFolderWriter(str(whole), FIVE)) as writer:
        for row in ROWS:
            writer.write(row)
    assert sorted(path.name for path in whole.iterdir()) == [
        "part-00000.parquet",
        "part-00001.parquet",
        "part-00002.parquet",
    ]
    output = tmp_path / "tags.parquet"
    write_parts(f"{output}/", 7)
    assert merge_parts(f"{output}/") == len(ROWS)
    for part in whole.iterdir():
        assert (output / part.name).read_bytes() == part.read_bytes()
    expected = [row.path for row in ROWS]
    assert pandas.read_parquet(output)["path"].tolist() == expected
    assert pyarrow.dataset.dataset(output).to_table()["path"].to_pylist() == expected
    found = duckdb.sql(f"select path, confidence from '{output}/*.parquet'").fetchall()
    assert [path for path, _ in found] == expected
    assert [confidence for _, confidence in found] == pytest.approx(
        [row.confidence for row in ROWS]
    )


def test_an_empty_folder_of_parquet_says_its_columns(tmp_path: Path) -> None:
    with finishing(ParquetFolderWriter(str(tmp_path), FIVE, ["top"])):
        pass
    assert parquet.read_table(tmp_path).column_names[-2:] == ["model", "top"]


def damage(path: Path, name: str) -> str:
    """Take the last row of a part away; return what is wrong then."""
    if name.endswith(".parquet"):
        path.write_bytes(path.read_bytes()[:-20])
        return "cannot be read (Parquet magic bytes not found in footer"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    return "has 32 rows and not the 33 that it had; run its shard again."


@pytest.mark.parametrize("name", ["tags.csv", "tags.jsonl", "tags.parquet"])
def test_a_part_that_is_not_whole_ends_the_merging_and_loses_nothing(
    tmp_path: Path, name: str
) -> None:
    output = tmp_path / name
    before = write(str(output), ROWS[:3])
    write_parts(str(output), 3)
    part = part_path(str(output), Shard(2, 3))
    reason = damage(Path(part), name)
    with pytest.raises(ShardError) as caught:
        merge_parts(str(output))
    assert str(caught.value).startswith(f"{part} {reason}")
    assert output.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, f"{name}.parts"]


@pytest.mark.parametrize("name", ["tags.csv", "tags.jsonl", "tags.parquet"])
def test_a_part_that_is_gone(tmp_path: Path, name: str) -> None:
    output = str(tmp_path / name)
    write_parts(output, 3)
    part = Path(part_path(output, Shard(1, 3)))
    part.unlink()
    with pytest.raises(ShardError) as caught:
        merge_parts(output)
    assert str(caught.value).startswith(f"{part} cannot be read (")
    assert str(caught.value).endswith("); run its shard again.")


def test_a_csv_that_is_none(tmp_path: Path) -> None:
    output = str(tmp_path / "tags.csv")
    write_parts(output, 1)
    Path(part_path(output, Shard(1, 1))).write_bytes(b'path\n"never closed\n')
    with pytest.raises(ShardError, match="cannot be read "):
        merge_parts(output)
