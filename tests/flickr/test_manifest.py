"""The manifest: read by others, read again, and hostile text in it."""

import csv
import dataclasses
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emotag.dataset import load_dataset
from emotag.errors import DataError, StorageError
from emotag.flickr.attribution import write_attribution
from emotag.flickr.card import write_card
from emotag.flickr.manifest import COLUMNS, Entry, read_manifest, write_manifest
from emotag.flickr.text import clean_text
from tests.conftest import draw_photo
from tests.flickr.entries import ACCOUNT, FORMULAS, FULL, made

TEXT = st.text(max_size=30)
MARKED = st.text(alphabet="'=+-@ \t\r\nab\uff1d,;\"\\", max_size=8)
NUMBERS = st.none() | st.integers(0, 10**18 - 1)


def write_rows(path: Path, rows: Sequence[Sequence[str]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(path)


class TestManifest:
    def test_columns_stand_in_order(self, tmp_path: Path) -> None:
        path = tmp_path / "photos.csv"
        write_manifest(str(path), [FULL])
        header, row = path.read_text("utf-8").splitlines()
        assert header == (
            "file,label,id,query,sha256,width,height,title,owner,owner_name,page,url,licence,"
            "licence_name,licence_version,licence_url,non_commercial,no_derivatives,taken,uploaded,"
            "tags,views,rank,slice,fetched,duplicate_group,group"
        )
        assert row.startswith(f"love/5123.jpg,love,5123,love,{'ab' * 32},500,333,At the sea,")
        assert ",1,CC BY-NC-SA 2.0,2.0," in row
        assert ",true,false,2004-11-19 12:51:19," in row

    def test_it_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        path = str(tmp_path / "photos.csv")
        entries = [FULL, Entry("x.jpg", "", "7"), made(8, title='"quoted", and, commas')]
        write_manifest(path, iter(entries))
        assert read_manifest(path) == entries

    def test_an_empty_set_is_read_as_one(self, tmp_path: Path) -> None:
        path = str(tmp_path / "photos.csv")
        write_manifest(path, [])
        assert read_manifest(path) == []

    @given(
        texts=st.lists(TEXT | MARKED, min_size=6, max_size=6),
        numbers=st.lists(NUMBERS, min_size=3, max_size=3),
        truths=st.tuples(st.booleans(), st.booleans()),
    )
    @settings(
        deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_any_text_comes_back_on_one_line(
        self,
        tmp_path: Path,
        texts: list[str],
        numbers: list[int | None],
        truths: tuple[bool, bool],
    ) -> None:
        names = ("title", "owner_name", "tags", "query", "page", "group")
        path = tmp_path / "photos.csv"
        changes: dict[str, Any] = dict(zip(names, texts, strict=True))
        changes |= zip(("views", "rank", "width"), numbers, strict=True)
        changes |= {"non_commercial": truths[0], "no_derivatives": truths[1]}
        entry = made(**changes)
        write_manifest(str(path), [entry])
        cleaned: dict[str, Any] = {name: clean_text(getattr(entry, name)) for name in names}
        assert read_manifest(str(path)) == [dataclasses.replace(entry, **cleaned)]
        assert len(path.read_bytes().splitlines()) == 2

    @pytest.mark.parametrize("formula", FORMULAS)
    def test_no_cell_begins_a_formula(self, tmp_path: Path, formula: str) -> None:
        path = tmp_path / "photos.csv"
        entry = made(title=formula, owner_name=formula, tags=formula, query=formula)
        write_manifest(str(path), [entry])
        with path.open(newline="", encoding="utf-8") as file:
            cells = list(csv.reader(file))[1]
        assert not [cell for cell in cells if cell.strip()[:1] in tuple("=+-@\uff1d")]
        assert read_manifest(str(path))[0].title == clean_text(formula)

    def test_an_apostrophe_of_the_title_stays(self, tmp_path: Path) -> None:
        path = str(tmp_path / "photos.csv")
        titles = ["'Twas night", "'=1", "''=1", "'", "it's"]
        write_manifest(path, [made(n, title=title) for n, title in enumerate(titles)])
        assert [entry.title for entry in read_manifest(path)] == titles
        assert pd.read_csv(path)["title"].tolist() == [titles[0], "''=1", "'''=1", *titles[3:]]

    @pytest.mark.parametrize(
        "changes", [{"label": "=1", "file": "a.jpg"}, {"file": "=1.jpg"}, {"file": "a\nb.jpg"}]
    )
    def test_a_label_that_begins_a_formula_is_not_written(
        self, tmp_path: Path, changes: dict[str, Any]
    ) -> None:
        path = tmp_path / "photos.csv"
        path.write_text("before")
        with pytest.raises(DataError, match=r"of photo 1 cannot be written\.$"):
            write_manifest(str(path), [made(**changes)])
        assert path.read_text() == "before"
        assert os.listdir(tmp_path) == ["photos.csv"]

    def test_a_folder_that_is_missing_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="its folder is not there"):
            write_manifest(str(tmp_path / "none" / "photos.csv"), [FULL])


class TestOtherReaders:
    def test_pandas_reads_numbers_and_truths(self, tmp_path: Path) -> None:
        path = str(tmp_path / "photos.csv")
        write_manifest(path, [made(1), made(2, "fear", non_commercial=False, title="a\nb")])
        table = pd.read_csv(path, dtype={"id": str})
        assert tuple(table.columns) == COLUMNS
        assert table["non_commercial"].tolist() == [True, False]
        assert table["width"].tolist() == [500, 500]
        assert table["title"].tolist() == ["At the sea", "a b"]
        assert table["label"].tolist() == ["love", "fear"]

    def test_emotag_fit_takes_it_as_it_is(self, tmp_path: Path) -> None:
        entries = [
            made(1, group="ann", title='=cmd|" /C calc"!A0'),
            made(2, group="ann", owner_name='a\r\nb,"c'),
            made(3, "fear", group="@bob"),
        ]
        for seed, entry in enumerate(entries):
            (tmp_path / entry.label).mkdir(exist_ok=True)
            draw_photo(tmp_path / entry.file, seed)
        write_manifest(str(tmp_path / "photos.csv"), entries)
        write_attribution(str(tmp_path / "ATTRIBUTION.md"), entries)
        write_card(str(tmp_path / "README.md"), entries, ACCOUNT)
        data = load_dataset([str(tmp_path)])
        assert data.labels.tolist() == ["love", "love", "fear"]
        assert [os.path.relpath(path, tmp_path) for path in data.paths] == [
            entry.file for entry in entries
        ]
        assert data.groups[0] == data.groups[1] != data.groups[2]


class TestReading:
    def test_columns_may_be_missing_moved_and_more(self, tmp_path: Path) -> None:
        rows = [("id", "own", "label", "file", "views"), ("12", "x", "love", "love/12.jpg", "")]
        path = write_rows(tmp_path / "list.csv", rows)
        assert read_manifest(path) == [Entry("love/12.jpg", "love", "12")]

    def test_a_byte_order_mark_and_empty_lines_do_not_matter(self, tmp_path: Path) -> None:
        path = tmp_path / "list.csv"
        path.write_bytes("\ufefffile,label,id\r\n\r\na.jpg,,1\r\n".encode())
        assert read_manifest(str(path)) == [Entry("a.jpg", "", "1")]

    @pytest.mark.parametrize("cell", ["TRUE", "True", "true", "1"])
    def test_truth_is_taken_as_spreadsheets_write_it(self, tmp_path: Path, cell: str) -> None:
        rows = [("file", "label", "id", "no_derivatives"), ("a.jpg", "", "1", cell)]
        assert read_manifest(write_rows(tmp_path / "list.csv", rows))[0].no_derivatives

    def test_a_large_cell_is_read(self, tmp_path: Path) -> None:
        path = str(tmp_path / "photos.csv")
        entry = made(tags="tag " * 50_000)
        write_manifest(path, [entry])
        assert read_manifest(path) == [entry]

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ("file,label", "has no column 'id'; it has file, label."),
            ("", "has no column 'file'; it has none."),
            ("file,label,id,id", "has the column 'id' twice."),
        ],
    )
    def test_a_header_that_does_not_do_is_said(
        self, tmp_path: Path, header: str, message: str
    ) -> None:
        path = tmp_path / "list.csv"
        path.write_text(f"{header}\n")
        with pytest.raises(DataError, match=f"^{re.escape(f'{path} {message}')}$"):
            read_manifest(str(path))

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ("b.jpg,love", "the row has more or fewer cells than the header."),
            ("b.jpg,love,2,3,4", "the row has more or fewer cells than the header."),
            ("b.jpg,love,2,many", "'many' makes no sense as views."),
            ("b.jpg,love,2,-1", "'-1' makes no sense as views."),
            ("b.jpg,love,2,٣", "'٣' makes no sense as views."),
            ("b.jpg,love,../2,3", "'../2' is not the id of a photo."),
            ("b.jpg,love,,3", "'' is not the id of a photo."),
            ("b.jpg,=love,2,3", "'=love' can be no label."),
            ("b.jpg,lo\x1bve,2,3", r"'lo\x1bve' can be no label."),
            (",love,2,3", "'' is not a path inside the folder of the manifest."),
            ("../b.jpg,love,2,3", "'../b.jpg' is not a path inside the folder of the manifest."),
            (
                "a/../b.jpg,love,2,3",
                "'a/../b.jpg' is not a path inside the folder of the manifest.",
            ),
            ("/b.jpg,love,2,3", "'/b.jpg' is not a path inside the folder of the manifest."),
            ("C:b.jpg,love,2,3", "'C:b.jpg' is not a path inside the folder of the manifest."),
            (r"a\b.jpg,love,2,3", r"'a\\b.jpg' is not a path inside the folder of the manifest."),
            (".b.jpg,love,2,3", "'.b.jpg' is not a path inside the folder of the manifest."),
            ("b\0.jpg,love,2,3", r"'b\x00.jpg' is not a path inside the folder of the manifest."),
        ],
    )
    def test_damage_is_said_with_its_line(self, tmp_path: Path, row: str, message: str) -> None:
        path = tmp_path / "list.csv"
        path.write_text(f"file,label,id,views\na.jpg,love,1,3\n{row}\n", "utf-8")
        with pytest.raises(DataError, match=f"^{re.escape(f'{path}, line 3: {message}')}$"):
            read_manifest(str(path))

    def test_a_quote_that_never_ends_is_said_with_its_line(self, tmp_path: Path) -> None:
        path = tmp_path / "list.csv"
        path.write_text('file,label,id\na.jpg,"love,1\n')
        with pytest.raises(DataError, match=r"list\.csv, line 2 cannot be read: unexpected end"):
            read_manifest(str(path))

    def test_cells_of_several_lines_become_one(self, tmp_path: Path) -> None:
        rows = [("file", "label", "id", "title"), ("a.jpg", "", "1", "two\r\nlines")]
        path = write_rows(tmp_path / "list.csv", rows)
        assert read_manifest(path)[0].title == "two  lines"

    def test_a_file_named_twice_is_refused(self, tmp_path: Path) -> None:
        path = write_rows(
            tmp_path / "list.csv",
            [("file", "label", "id"), ("a.jpg", "", "1"), ("a.jpg", "", "2")],
        )
        with pytest.raises(DataError, match=r"list\.csv names a\.jpg more than once\.$"):
            read_manifest(path)

    def test_what_is_no_text_or_not_there_is_said(self, tmp_path: Path) -> None:
        path = tmp_path / "list.csv"
        with pytest.raises(DataError, match="cannot be read: No such file or directory"):
            read_manifest(str(path))
        path.write_bytes(b"file,label,id\n\xff\xfe,,1\n")
        with pytest.raises(DataError, match="cannot be read: 'utf-8' codec"):
            read_manifest(str(path))
