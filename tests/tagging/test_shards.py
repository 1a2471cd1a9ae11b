"""Shards of a run, and what is noted of their parts."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.errors import ShardError, StorageError
from emotag.tagging.shards import Part, Shard, note_path, part_path, read_notes

PHOTOS = [f"{index}.jpg" for index in range(10)]


@given(st.lists(st.integers(), max_size=50), st.integers(1, 60))
def test_every_photo_is_in_one_share_and_all_are_of_a_size(photos: list[int], of: int) -> None:
    shares = [Shard(number, of).share(photos) for number in range(1, of + 1)]  # type: ignore[type-var]
    assert [photo for share in shares for photo in share] == photos
    sizes = {len(share) for share in shares}
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1", "a/b", "1/3/5", "-1/3", "1.0/2", ""])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(ShardError) as caught:
        Shard.parse(text)
    assert str(caught.value) == f"--shard {text} makes no sense; of ten, they are 1/10 to 10/10."


@pytest.mark.parametrize(
    ("output", "shard", "path"),
    [
        ("tags.csv", Shard(1, 1), "tags.csv.parts/1-of-1.csv"),
        ("a/tags.JSONL", Shard(7, 100), "a/tags.JSONL.parts/007-of-100.jsonl"),
        ("tags.parquet/", Shard(12, 12), "tags.parquet.parts/12-of-12.parquet"),
    ],
)
def test_parts_lie_beside_the_output(output: str, shard: Shard, path: str) -> None:
    assert part_path(output, shard) == path


def finish(output: str, *shards: str, photos: list[str] = PHOTOS, run: str = "a") -> None:
    for text in shards:
        with Part(output, Shard.parse(text)).writing(photos, [run]):
            pass


def test_notes_are_read_by_number(tmp_path: Path) -> None:
    output = str(tmp_path / "tags.csv")
    finish(output, *(f"{number}/11" for number in range(11, 0, -1)))
    notes = read_notes(output)
    assert [note.shard.number for note in notes] == list(range(1, 12))
    assert sum(note.rows for note in notes) == len(PHOTOS)


def test_a_part_that_is_begun_anew_is_missing_until_it_is_whole(tmp_path: Path) -> None:
    output = str(tmp_path / "tags.csv")
    finish(output, "1/2", "2/2")
    part = Part(output, Shard(2, 2))
    assert len(read_notes(output)) == 2, "nothing has been begun"
    with part.writing(PHOTOS, ["a"]), pytest.raises(ShardError) as caught:
        read_notes(output)
    assert str(caught.value) == f"{output}.parts lacks the parts of --shard 2/2; run them first."
    assert len(read_notes(output)) == 2
    with pytest.raises(KeyError), part.writing(PHOTOS, ["a"]):
        raise KeyError
    with pytest.raises(ShardError):
        read_notes(output)


def test_many_missing_parts_are_not_all_listed(tmp_path: Path) -> None:
    output = str(tmp_path / "tags.csv")
    finish(output, "1/20")
    missing = ", ".join(f"{number}/20" for number in range(2, 12))
    with pytest.raises(ShardError, match=f"--shard {missing}, …; run them first"):
        read_notes(output)


def test_there_are_no_parts(tmp_path: Path) -> None:
    output = str(tmp_path / "tags.csv")
    with pytest.raises(ShardError) as caught:
        read_notes(output)
    assert str(caught.value) == (
        f"There are no parts of {output}: no folder {output}.parts. "
        f"Tag them by: emotag tag … -o {output} --shard 1/N, and so on."
    )
    os.mkdir(f"{output}.parts")
    with pytest.raises(ShardError, match=r"lacks the parts of --shard 1/N; run them first\.$"):
        read_notes(output)


def test_parts_of_other_numbers_of_shards_are_not_mixed(tmp_path: Path) -> None:
    output = str(tmp_path / "tags.csv")
    finish(output, "1/2", "1/3")
    with pytest.raises(ShardError) as caught:
        read_notes(output)
    assert str(caught.value) == (
        f"{output}.parts holds parts of runs with 2 and 3 shards; delete those that are of no use."
    )


@pytest.mark.parametrize(
    ("photos", "run", "what"), [(PHOTOS[1:], "a", "photos"), (PHOTOS, "b", "model and options")]
)
def test_parts_of_other_runs_are_not_mixed(
    tmp_path: Path, photos: list[str], run: str, what: str
) -> None:
    output = str(tmp_path / "tags.csv")
    finish(output, "1/2")
    finish(output, "2/2", photos=photos, run=run)
    with pytest.raises(ShardError) as caught:
        read_notes(output)
    assert str(caught.value) == (
        f"The parts in {output}.parts are not of the same {what}; run all again."
    )


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", "\x00", '{"format_version": 1}', '{"format_version": 1, "shard": 3}'],
)
def test_a_damaged_note_is_refused(tmp_path: Path, content: str) -> None:
    output = str(tmp_path / "tags.csv")
    finish(output, "1/1")
    path = note_path(output, Shard(1, 1))
    Path(path).write_text(content)
    with pytest.raises(ShardError) as caught:
        read_notes(output)
    assert str(caught.value) == f"{path} cannot be read; run its shard again."


@pytest.mark.parametrize("change", [{"rows": "1"}, {"shard": {"number": "1", "of": 1}}])
def test_a_note_of_other_types_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    output = str(tmp_path / "tags.csv")
    finish(output, "1/1")
    path = Path(note_path(output, Shard(1, 1)))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ShardError, match=r"is damaged; run its shard again\.$"):
        read_notes(output)


def test_a_note_of_another_version_is_refused(tmp_path: Path) -> None:
    output = str(tmp_path / "tags.csv")
    finish(output, "1/1")
    path = Path(note_path(output, Shard(1, 1)))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 2}))
    with pytest.raises(ShardError, match=r"of another version of emotag; run its shard again\.$"):
        read_notes(output)


def test_a_shard_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"^--shard needs the file that all parts .*: -o FILE\.$"):
        Part(None, Shard(1, 2))


def test_a_shard_needs_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ShardError) as caught:
        Part("s3://bucket/tags.csv", Shard(1, 2))
    assert str(caught.value) == (
        "s3://bucket/tags.csv: shards write beside their file, which must be on a disk; merge them "
        "there, and copy the file."
    )
    assert not list(tmp_path.iterdir())


def test_a_folder_of_parts_that_cannot_be_made(tmp_path: Path) -> None:
    output = tmp_path / "tags.csv"
    Path(f"{output}.parts").write_text("in the way")
    part = Part(str(output), Shard(1, 2))
    with (
        pytest.raises(StorageError, match=r"tags\.csv\.parts cannot be written: File exists\.$"),
        part.writing(PHOTOS, ["a"]),
    ):
        pass
