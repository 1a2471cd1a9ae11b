import csv
import io
import json
import os

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from emotag.emotions import FIVE, LabelSet
from emotag.errors import StorageError
from emotag.tagging.parquet import ParquetWriter
from emotag.tagging.rows import Row, column_names, path_text
from emotag.tagging.writers import (
    CsvWriter,
    JsonLinesWriter,
    choose_writer,
    open_writer,
)

NASTY = [
    "comma, quote\" and 'single'.jpg",
    "two\nlines.jpg",
    "carriage\rreturn.jpg",
    "both\r\n.jpg",
    " blanks .jpg",
    "\ttab.jpg",
    "новая фотография 😀.jpg",
    "\x1b[31mred\x1b[0m.jpg",
    "photo\u202egpj.exe",
    "line\u2028separator.jpg",
    "NULL",
    "=1+1.jpg",
    "#comment.jpg",
    "back\\slash.jpg",
    '"',
    os.fsdecode(b"caf\xe9.jpg"),
]

names = st.binary(min_size=1, max_size=30).map(
    lambda raw: os.fsdecode(raw.replace(b"\0", b"0").replace(b"/", b"_"))
)
paths = st.one_of(names, st.text(st.sampled_from("\r\n,\"' ;\\a"), min_size=1, max_size=8))


def row_of(path):
    return Row(
        path=path,
        status="tagged",
        emotion="love",
        confidence=0.5,
        sentiment="positive",
        p_positive=0.75,
        probabilities=(0.5, 0.25, 0.125, 0.0625, 0.0625),
        model="m",
    )


def written(rows, kind, labels=FIVE):
    file = io.BytesIO()
    with open_writer(file, labels, kind) as writer:
        for row in rows:
            writer.write(row)
    assert not file.closed
    return file.getvalue()


def test_csv_looks_as_documented():
    rows = [row_of("a.jpg"), Row("b.jpg", "failed", reason="empty file", model="m")]
    assert written(rows, CsvWriter).decode() == (
        "path,status,reason,emotion,confidence,sentiment,p_positive,"
        "p_love,p_happiness,p_violence,p_fear,p_sadness,model\n"
        "a.jpg,tagged,,love,0.5000,positive,0.7500,0.5000,0.2500,0.1250,0.0625,0.0625,m\n"
        "b.jpg,failed,empty file,,,,,,,,,,m\n"
    )


def test_json_lines_look_as_documented():
    labels = LabelSet(["sun", "rain"])
    rows = [
        Row("a.jpg", "tagged", "", "sun", 0.75, probabilities=(0.75, 0.25), model="m"),
        Row("é.jpg", "skipped", "too small", model="m"),
    ]
    assert written(rows, JsonLinesWriter, labels).decode() == (
        '{"path": "a.jpg", "status": "tagged", "reason": null, "emotion": "sun", '
        '"confidence": 0.75, "sentiment": null, "p_positive": null, '
        '"p_sun": 0.75, "p_rain": 0.25, "model": "m"}\n'
        '{"path": "é.jpg", "status": "skipped", "reason": "too small", "emotion": null, '
        '"confidence": null, "sentiment": null, "p_positive": null, '
        '"p_sun": null, "p_rain": null, "model": "m"}\n'
    )


def read_with_csv(content):
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="")
    return list(csv.DictReader(text, strict=True))


def read_with_pandas(content):
    return pandas.read_csv(
        io.BytesIO(content), dtype={"path": str}, keep_default_na=False, encoding="utf-8"
    ).to_dict("records")


def read_with_arrow(content):
    table = arrow_csv.read_csv(
        io.BytesIO(content),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(column_types={"path": "string"}),
    )
    return table.to_pylist()


def read_json_lines(content):
    return [json.loads(line) for line in content.decode().split("\n")[:-1]]


def read_parquet(content):
    return parquet.read_table(io.BytesIO(content)).to_pylist()


def read_parquet_with_pandas(content):
    return pandas.read_parquet(io.BytesIO(content)).to_dict("records")


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (CsvWriter, read_with_csv),
        (CsvWriter, read_with_pandas),
        (CsvWriter, read_with_arrow),
        (JsonLinesWriter, read_json_lines),
        (ParquetWriter, read_parquet),
        (ParquetWriter, read_parquet_with_pandas),
    ],
)
class TestReadBack:
    def test_names_that_hurt(self, kind, read):
        rows = read(written([row_of(path) for path in NASTY], kind))
        assert [row["path"] for row in rows] == [path_text(path) for path in NASTY]
        assert list(rows[0]) == column_names(FIVE)
        assert {row["emotion"] for row in rows} == {"love"}
        assert {float(row["p_violence"]) for row in rows} == {0.125}

    @settings(max_examples=60, deadline=None)
    @given(st.lists(paths, min_size=1, max_size=5))
    def test_any_names(self, kind, read, some):
        # next to a plain name: pandas and pyarrow skip what looks like an empty line
        rows = read(written([row_of(path) for path in some], kind))
        assert [row["path"] for row in rows] == [path_text(path) for path in some]

    def test_no_rows(self, kind, read):
        assert read(written([], kind)) == []


def test_parquet_holds_text_and_small_floats():
    content = written([row_of("a.jpg"), Row("b", "failed", "empty file")], ParquetWriter)
    schema = parquet.read_schema(io.BytesIO(content))
    assert schema.names == column_names(FIVE)
    types = {name: str(schema.field(name).type) for name in schema.names}
    assert {name for name, kind in types.items() if kind == "float"} == {
        "confidence",
        "p_positive",
        "p_love",
        "p_happiness",
        "p_violence",
        "p_fear",
        "p_sadness",
    }
    assert set(types.values()) == {"float", "string"}
    table = parquet.read_table(io.BytesIO(content))
    assert table["reason"].to_pylist() == [None, "empty file"]
    assert table["confidence"].to_pylist() == [0.5, None]


def test_parquet_is_written_in_row_groups():
    rows = [Row(f"{index}.jpg", "failed", "empty file") for index in range(16_384 + 1)]
    file = parquet.ParquetFile(io.BytesIO(written(rows, ParquetWriter)))
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [16_384, 1]
    assert file.read()["path"].to_pylist() == [row.path for row in rows]


def test_labels_positive_and_negative_can_be_written():
    labels = LabelSet(["negative", "positive"])
    row = Row("a", "tagged", "", "positive", 0.8, probabilities=(0.2, 0.8))
    for kind, read in (
        (CsvWriter, read_with_csv),
        (JsonLinesWriter, read_json_lines),
        (ParquetWriter, read_parquet),
    ):
        (back,) = read(written([row], kind, labels))
        assert float(back["p_positive"]) == pytest.approx(0.8)
        assert float(back["p_negative"]) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("tags.csv", CsvWriter),
        ("a.b/TAGS.CSV", CsvWriter),
        ("tags.jsonl", JsonLinesWriter),
        ("tags.Parquet", ParquetWriter),
        ("/dev/null", CsvWriter),
    ],
)
def test_the_ending_chooses_the_writer(path, kind):
    assert choose_writer(path) is kind


def test_a_pipe_takes_what_its_name_says_or_csv(tmp_path):
    for name, kind in (("pipe", CsvWriter), ("pipe.jsonl", JsonLinesWriter)):
        os.mkfifo(tmp_path / name)
        assert choose_writer(str(tmp_path / name)) is kind


@pytest.mark.parametrize("path", ["tags.xls", "tags", "csv", "tags.csv.gz", "-o"])
def test_an_unknown_ending_is_refused_with_the_choices(path):
    with pytest.raises(StorageError) as caught:
        choose_writer(path)
    assert str(caught.value) == (
        f"{path}: emotag writes .csv, .jsonl, .parquet, so let the name end in one of these."
    )


def test_an_error_while_writing_passes_through():
    def rows():
        yield row_of("a.jpg")
        raise KeyError

    with pytest.raises(KeyError):
        written(rows(), ParquetWriter)
