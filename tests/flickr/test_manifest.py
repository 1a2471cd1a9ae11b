"""The manifest, the attribution and the data card: read by others, and hostile text in them."""

import csv
import dataclasses
import html
import os
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from emotag.dataset import load_dataset
from emotag.errors import DataError, StorageError
from emotag.flickr.manifest import (
    COLUMNS,
    Entry,
    FetchAccount,
    clean_text,
    read_manifest,
    write_attribution,
    write_card,
    write_manifest,
)
from tests.conftest import draw_photo

FULL = Entry(
    file="love/5123.jpg",
    label="love",
    id="5123",
    query="love",
    sha256="ab" * 32,
    width=500,
    height=333,
    title="At the sea",
    owner="12037949754@N01",
    owner_name="Bees",
    page="https://www.flickr.com/photos/12037949754@N01/5123",
    url="https://live.staticflickr.com/65535/5123_a1b2c3.jpg",
    licence=1,
    licence_name="CC BY-NC-SA 2.0",
    licence_version="2.0",
    licence_url="https://creativecommons.org/licenses/by-nc-sa/2.0/",
    non_commercial=True,
    no_derivatives=False,
    taken="2004-11-19 12:51:19",
    uploaded="2004-11-19T17:31:37Z",
    tags="sea love",
    views=17,
    rank=3,
    slice="2004-02-01 to 2026-01-01",
    fetched="2026-01-02T03:04:05Z",
    duplicate_group=0,
    group="12037949754@N01",
)

ACCOUNT = FetchAccount(
    command="emotag fetch love fear --per-label 2",
    version="0.1.0",
    began="2026-01-02T03:04:05Z",
    ended="2026-01-02T04:04:05Z",
    queries={"love": "love", "fear": "fear OR scary"},
    wanted=2,
    found={"love": 1_234, "fear": 1},
    passed={"a licence that was not asked for": 3, "found under another label, too": 12},
)

FORMULAS = [
    '=HYPERLINK("https://example.org","click")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "\uff1d1",
]

HOSTILE = [
    "[click](javascript:alert(1))",
    "![](https://example.org/pixel.png)",
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "&lt;b&gt; & &copy;",
    "*bold* _it_ ~~gone~~ `code` **",
    "](https://example.org) [x",
    "a\\",
    "# title",
    "- item",
    "1. item",
    "a | b",
    "<https://example.org>",
    "``` \n# code",
    "one\n\n# two\n***\n",
    "  \t padded \t ",
]

TEXT = st.text(max_size=30)
MARKED = st.text(alphabet="'=+-@ \t\r\nab\uff1d,;\"\\", max_size=8)
NUMBERS = st.none() | st.integers(0, 10**18 - 1)


def made(number: int = 1, label: str = "love", **changes: Any) -> Entry:
    file = f"{label}/{number}.jpg" if label else f"{number}.jpg"
    return dataclasses.replace(
        FULL, **({"id": str(number), "label": label, "file": file} | changes)
    )


def write_rows(path: Path, rows: Sequence[Sequence[str]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def attribution(folder: Path, *entries: Entry) -> str:
    path = folder / "ATTRIBUTION.md"
    write_attribution(str(path), entries)
    return path.read_text("utf-8")


def card(folder: Path, entries: Sequence[Entry], account: FetchAccount = ACCOUNT) -> str:
    path = folder / "README.md"
    write_card(str(path), entries, account)
    return path.read_text("utf-8")


class Page(HTMLParser):
    """What a reader of rendered Markdown sees: text, links and tags."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.links: list[str] = []
        renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        self.feed(renderer.render(markdown))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


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

    @given(text=st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])))
    def test_text_without_control_characters_is_clean(self, text: str) -> None:
        assert clean_text(text) == text

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


class TestAttribution:
    def test_title_author_source_and_licence_are_named(self, tmp_path: Path) -> None:
        text = attribution(tmp_path, FULL)
        assert (
            "\n## love\n\n- “[At the sea](https://www.flickr.com/photos/12037949754@N01/5123)” by "
            "[Bees](https://www.flickr.com/people/12037949754@N01/), "
            "[CC BY-NC-SA 2.0](https://creativecommons.org/licenses/by-nc-sa/2.0/) "
            "(no commercial use). File: love/5123.jpg\n"
        ) in text

    def test_photos_stand_by_label(self, tmp_path: Path) -> None:
        entries = [made(1), made(2, "fear"), made(3), made(4, "")]
        lines = attribution(tmp_path, *entries).splitlines()
        assert [line for line in lines if line.startswith("## ")] == [
            "## love",
            "## fear",
            "## Without a label",
        ]
        files = [line.rpartition(" ")[2] for line in lines if line.startswith("- ")]
        assert files == ["love/1.jpg", "love/3.jpg", "fear/2.jpg", "4.jpg"]

    def test_what_a_licence_asks_is_said(self, tmp_path: Path) -> None:
        both = attribution(tmp_path, made(no_derivatives=True))
        assert "(no commercial use; changed versions may not be shared)" in both
        assert "(" not in attribution(
            tmp_path, made(non_commercial=False, page="", owner="", licence_url="")
        )

    def test_what_is_not_known_is_said(self, tmp_path: Path) -> None:
        page = Page(attribution(tmp_path, Entry("a.jpg", "love", "1")))
        assert "“Untitled” by unknown, no licence is known. File: a.jpg" in page.text
        assert page.links == []

    @pytest.mark.parametrize("title", [*HOSTILE, *FORMULAS])
    def test_hostile_text_is_shown_as_text(self, tmp_path: Path, title: str) -> None:
        for link in (FULL.page, ""):
            page = Page(attribution(tmp_path, made(title=title, owner_name=title, page=link)))
            shown = " ".join(clean_text(title).split())
            assert f"“{shown}” by {shown}, CC BY-NC-SA 2.0" in page.text
            assert page.tags <= {"h1", "h2", "p", "ul", "li", "a"}
            assert page.links == [
                *filter(None, [link]),
                "https://www.flickr.com/people/12037949754@N01/",
                FULL.licence_url,
            ]

    @given(title=st.text(alphabet="[]()<>*_`\\!#&;:/~|$'\"= \nax1.-", max_size=20))
    @settings(
        deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_any_title_is_shown_as_text(self, tmp_path: Path, title: str) -> None:
        shown = " ".join(title.split()) or "Untitled"
        for link in (FULL.page, ""):
            page = Page(attribution(tmp_path, made(title=title, page=link)))
            assert f"“{shown}” by Bees" in page.text
            assert page.tags <= {"h1", "h2", "p", "ul", "li", "a"}

    def test_addresses_begin_no_link_of_their_own(self, tmp_path: Path) -> None:
        text = attribution(tmp_path, made(title="https://example.org WWW.example.org", page=""))
        assert r"“https\://example.org WWW\.example.org”" in text

    def test_direction_marks_are_shown(self, tmp_path: Path) -> None:
        text = attribution(tmp_path, made(title="abc\u202egpj.exe", owner_name="\u2066x\u200b"))
        assert not set(text) & set("\u202e\u2066\u200b")
        page = Page(text)
        assert r"“abc\u202egpj.exe” by \u2066x\u200b," in page.text

    def test_other_scripts_and_emoji_stay(self, tmp_path: Path) -> None:
        title = "愛と恐れ — עצב, grâce 👩\u200d👧"
        assert f"“{title}”" in Page(attribution(tmp_path, made(title=title))).text

    @pytest.mark.parametrize(
        "address",
        ["javascript:alert(1)", "data:text/html,x", "//example.org", "https://a b", "file:///x"],
    )
    def test_only_web_addresses_are_linked(self, tmp_path: Path, address: str) -> None:
        page = Page(attribution(tmp_path, made(page=address, licence_url=address, owner="")))
        assert page.links == []
        assert "“At the sea” by Bees, CC BY-NC-SA 2.0" in page.text

    def test_an_address_cannot_end_its_link(self, tmp_path: Path) -> None:
        address = "https://example.org/a)_*b*_<script>[x](y)?a&copy;=\\1#\"c'"
        page = Page(attribution(tmp_path, made(page=address)))
        assert html.unescape(page.links[0]).startswith("https://example.org/a%29_")
        assert "script" not in page.tags
        assert "em" not in page.tags
        assert "&copy;=" in page.links[0]


class TestCard:
    def test_the_command_and_the_dates_are_named(self, tmp_path: Path) -> None:
        text = card(tmp_path, [FULL])
        assert text.startswith("# 1 photos from Flickr, by emotion\n\nCollected by emotag 0.1.0 ")
        assert "```console\n$ emotag fetch love fear --per-label 2\n```" in text
        page = Page(text)
        assert "from 2026-01-02T03:04:05Z to 2026-01-02T04:04:05Z." in page.text

    def test_labels_are_counted(self, tmp_path: Path) -> None:
        text = card(tmp_path, [made(1), made(2, owner="b"), made(3, "fear")])
        assert "| love | love | 1,234 | 2 | 2 |\n" in text
        assert "| fear | fear OR scary | 1 | 1 | 1 |\n" in text
        assert "2 photos of each label were asked for; fewer were to be had of fear." in text

    def test_a_label_with_no_photo_is_named(self, tmp_path: Path) -> None:
        text = card(tmp_path, [])
        assert "| fear | fear OR scary | 1 | 0 | 0 |\n" in text
        assert "fewer were to be had of love, fear." in text

    def test_licences_are_counted_with_what_they_ask(self, tmp_path: Path) -> None:
        free: dict[str, Any] = {"licence_name": "CC0 1.0", "non_commercial": False}
        text = card(tmp_path, [made(1), made(2), made(3, **free), made(4, no_derivatives=True)])
        assert "3 photos may not be used commercially, and of 1 no changed version" in text
        assert "| CC BY-NC-SA 2.0 | 2 | no | yes |\n" in text
        assert "| CC BY-NC-SA 2.0 | 1 | no | no |\n" in text
        assert "| CC0 1.0 | 1 | yes | yes |\n" in text

    def test_near_duplicates_are_counted(self, tmp_path: Path) -> None:
        groups = [("love", 0), ("fear", 0), ("love", 1), ("love", 1), ("love", None)]
        entries = [
            made(number, label, duplicate_group=group)
            for number, (label, group) in enumerate(groups)
        ]
        assert (
            "4 photos look like another one, in 2 groups by perceptual hash, 1 of them with "
            "more than one label."
        ) in card(tmp_path, entries)

    def test_what_was_left_out_is_said_most_first(self, tmp_path: Path) -> None:
        text = card(tmp_path, [FULL])
        assert (
            "| found under another label, too | 12 |\n| a licence that was not asked for | 3 |"
        ) in text
        nothing = dataclasses.replace(ACCOUNT, passed={})
        assert "No photo that was found was left out." in card(tmp_path, [FULL], nothing)

    def test_the_caveats_stand_there(self, tmp_path: Path) -> None:
        text = card(tmp_path, [FULL])
        for words in (
            "Labels are queries",
            "Licences change",
            "people on the photos",
            "emotag fetch --forget ID",
            "emotag fetch --from photos.csv",
        ):
            assert words in text

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_queries_are_shown_as_text(self, tmp_path: Path, text: str) -> None:
        account = dataclasses.replace(
            ACCOUNT, queries={"love": text}, passed={text: 1}, command=f"emotag fetch {text}"
        )
        page = Page(card(tmp_path, [made(licence_name=text)], account))
        assert page.text.count(" ".join(clean_text(text).split())) >= 3
        assert page.links == []
        shown = {"h1", "h2", "p", "ul", "li", "strong", "code", "pre"}
        assert page.tags <= shown | {"table", "thead", "tbody", "tr", "th", "td"}

    def test_a_fence_in_the_command_does_not_end_the_block(self, tmp_path: Path) -> None:
        account = dataclasses.replace(ACCOUNT, command="emotag fetch '````'\n# x")
        text = card(tmp_path, [], account)
        assert "`````console\n$ emotag fetch '````' # x\n`````" in text
