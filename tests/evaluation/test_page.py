"""The report in a real browser: what a click shows, what is never run, loaded or cut."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from emotag.emotions import LabelSet
from emotag.evaluation.credits import Credit
from emotag.evaluation.metrics import Figure
from emotag.evaluation.page import render_report, write_report
from emotag.evaluation.page_content import (
    Drawing,
    Matrix,
    ModelPart,
    ReportContent,
    Section,
    Table,
    TableRow,
    Unreadable,
    accuracy_table,
    score_table,
)
from emotag.evaluation.predictions import Predictions
from emotag.evaluation.tables import (
    AccuracyRow,
    ModelRow,
    photos_by_cell,
    surest_hits,
    surest_mistakes,
)
from tests.chromium import open_chromium, wait_until
from tests.conftest import draw_photo

LABELS = LabelSet(["love", "fear", "sadness"])

# One of each: what the photos are labelled, and what the model says.
PAIRS = [
    ("love", "love", 0.9),
    ("love", "love", 0.8),
    ("love", "fear", 0.6),
    ("love", "fear", 0.7),
    ("fear", "fear", 0.5),
    ("fear", "sadness", 0.4),
    ("sadness", "sadness", 0.95),
]

# The style of a figure, as matplotlib writes it, would be forbidden if it were part of the page.
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="90">'
    '<script>alert(1)</script><image href="http://127.0.0.1:9/x.png"/>'
    '<rect style="fill: #369" width="150" height="60"/></svg>'
)


# Names that a file system takes, and how the page shows them
NASTY = {
    "<script>alert(1)<!--": None,
    "photo\u202egpj.exe": "photo\\u202egpj.exe",
    "{{ 7 * 7 }} \" ' &lt;": None,
    os.fsdecode(b"caf\xe9"): "caf\\udce9",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # of one module: while it runs, no other loop of events may
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    """Return a function that opens a page; in the end nothing was noted, run or fetched."""
    problems: list[str] = []
    wanted: list[str] = []
    opened: list[str] = []
    contexts = []

    def open_page(path: Path, **options: Any) -> Page:
        opened.append(path.as_uri())
        context = browser.new_context(**{"viewport": {"width": 1000, "height": 700}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: wanted.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
    assert [url for url in wanted if not url.startswith("data:")] == opened


def predictions_of(paths: list[str], labels: LabelSet = LABELS) -> Predictions:
    actual, predicted, confidence = zip(*PAIRS[: len(paths)], strict=True)
    place = dict(zip(LABELS.names, labels.names, strict=True))
    proba = np.zeros((len(paths), len(labels)))
    for row, name, share in zip(proba, predicted, confidence, strict=True):
        row[:] = (1 - share) / (len(labels) - 1)
        row[LABELS.names.index(name)] = share
    where = np.array(paths, dtype=np.str_)
    said, true = ([place[name] for name in names] for names in (predicted, actual))
    return Predictions("lite0", labels, np.array(true), np.array(said), proba, where, where)


def part_of(predictions: Predictions, name: str = "lite0") -> ModelPart:
    return ModelPart(
        name,
        "linear",
        (Matrix("Emotions", photos_by_cell(predictions)),),
        surest_hits(predictions),
        surest_mistakes(predictions),
    )


def scores() -> Table:
    def figure(value: float) -> dict[str, float | None]:
        return {"value": value, "low": value - 0.05, "high": value + 0.05}

    values = {"svm": 0.3, "lite0": 0.45, "vgg16": 0.4}
    rows = [ModelRow(name, 7, 7, {"accuracy": figure(value)}) for name, value in values.items()]
    rows.append(ModelRow("dummy", 1200, 7, {}))
    return score_table("Models", rows, {"accuracy": "Accuracy"})


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with something of everything."""
    folder = tmp_path_factory.mktemp("report")
    paths = [draw_photo(folder / f"{i}.jpg", i, size=(96 + 30 * i, 64)) for i in range(6)]
    paths.append(str(folder / "gone.jpg"))
    predictions = predictions_of(paths)
    ours = AccuracyRow("lite0", "ours", 0.45, 0.4, 0.5, True, "measured here")
    theirs = AccuracyRow("fine-tuned", "Flickr", 0.409, None, None, False, "others", "2015")
    content = ReportContent(
        "Two models on 7 photos",
        date="12 July 2025",
        version="1.0",
        command="emotag compare data",
        summary=("lite0 finds 4 of 7.",),
        scores=(scores(),),
        drawings=(Drawing(SVG, "Accuracy by model", "Three points"),),
        sections=(
            Section("Beside the literature", tables=(accuracy_table("Table 3", [ours, theirs]),)),
            Section("Leaks", ("No photo is on both sides.",)),
        ),
        models=(part_of(predictions), part_of(predictions, "svm")),
        unreadable=(Unreadable("cut.jpg", "damaged: it is cut off"),),
        notes=("Intervals are by bootstrap.",),
        credits={
            paths[0]: Credit("Sea", "Ada", "CC BY-NC 2.0", "https://cc/by-nc", "", False, True)
        },
    )
    write_report(str(folder / "report.html"), content)
    return folder / "report.html"


def cell(page: Page, name: str) -> Locator:
    return page.locator("#model-0").get_by_role("button", name=name)


def photos(page: Page) -> list[str]:
    """Return the names of the photos of the cell that is open."""
    return [Path(text).name for text in page.locator(".cell:visible .path").all_inner_texts()]


def column(page: Page, number: int) -> list[str]:
    cells = page.locator(f"#scores tbody tr > :nth-child({number})")
    return [text.split("\n")[0] for text in cells.all_inner_texts()]


class TestMatrix:
    def test_a_click_on_a_cell_shows_its_photos_and_another_click_hides_them(
        self, visit: Any, report: Path
    ) -> None:
        page = visit(report)
        button = cell(page, "2 photos labelled love, predicted fear")
        expect(button).to_have_attribute("aria-expanded", "false")
        assert photos(page) == []
        button.click()
        expect(button).to_have_attribute("aria-expanded", "true")
        assert photos(page) == ["3.jpg", "2.jpg"]
        assert page.locator(".cell:visible .says").all_inner_texts() == [
            "fear, labelled love 0.70",
            "fear, labelled love 0.60",
        ]
        wait_until(
            page, "[...document.querySelectorAll('.cell img')].some(one => one.naturalWidth)"
        )
        button.click()
        assert photos(page) == []

    def test_one_cell_is_open_at_a_time(self, visit: Any, report: Path) -> None:
        page = visit(report)
        cell(page, "2 photos labelled love, predicted fear").click()
        cell(page, "1 photo labelled fear, predicted sadness").click()
        assert photos(page) == ["5.jpg"]
        assert page.locator("button[aria-expanded=true]").count() == 1

    def test_keys_go_from_cell_to_cell_and_open_them(self, visit: Any, report: Path) -> None:
        page = visit(report)
        cell(page, "2 photos labelled love, predicted love").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        assert photos(page) == ["3.jpg", "2.jpg"]
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")  # no photo is there: it stays
        page.keyboard.press(" ")
        assert photos(page) == ["4.jpg"]

    def test_a_cell_without_photos_is_no_button(self, visit: Any, report: Path) -> None:
        page = visit(report)
        cells = page.locator("#model-0 .cells tbody td")
        assert cells.nth(2).inner_text() == "0"
        assert cells.nth(2).locator("button").count() == 0
        assert cells.nth(0).inner_text().split() == ["2", "50%"]

    def test_a_photo_that_is_gone_is_named_without_a_picture(
        self, visit: Any, report: Path
    ) -> None:
        page = visit(report)
        cell(page, "1 photo labelled sadness, predicted sadness").click()
        assert photos(page) == ["gone.jpg"]
        expect(page.locator(".cell:visible .none")).to_have_text(
            "No picture: the photo could not be read."
        )

    def test_photos_that_are_not_listed_are_counted(self, tmp_path: Path, visit: Any) -> None:
        paths = [draw_photo(tmp_path / f"{i}.jpg", i) for i in range(3)]
        matrix = Matrix("Emotions", photos_by_cell(predictions_of(paths), 1))
        write_report(
            str(tmp_path / "r.html"), ReportContent("R", models=[ModelPart("m", "", [matrix])])
        )
        page = visit(tmp_path / "r.html")
        cell(page, "2 photos labelled love, predicted love").click()
        heading = page.locator(".cell:visible h4")
        expect(heading).to_have_text("2 photos labelled love, predicted love, the 1 surest of them")

    def test_predictions_of_what_is_no_photo_have_a_matrix_without_buttons(self) -> None:
        predictions = predictions_of([""] * 5)
        text = render_report(ReportContent("R", models=[part_of(predictions)]))
        assert '<td class="share-5 hit"><span>2<small>50%</small></span></td>' in text
        assert "aria-controls=" not in text
        assert "Click a cell" not in text
        assert "surest" not in text


class TestTables:
    def test_a_click_sorts_the_best_first_and_another_turns_it_round(
        self, visit: Any, report: Path
    ) -> None:
        page = visit(report)
        head = page.locator("#scores th", has_text="Accuracy")
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", "descending")
        # what has no figure comes last, both ways
        assert column(page, 1) == ["lite0", "vgg16", "svm", "dummy"]
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", "ascending")
        assert column(page, 1) == ["svm", "vgg16", "lite0", "dummy"]

    def test_keys_sort_too_and_text_goes_by_the_alphabet(self, visit: Any, report: Path) -> None:
        page = visit(report)
        page.locator("#scores th button").first.focus()
        page.keyboard.press("Enter")
        assert column(page, 1) == ["dummy", "lite0", "svm", "vgg16"]
        page.keyboard.press("Tab")
        page.keyboard.press(" ")
        assert column(page, 2) == ["1,200", "7", "7", "7"]
        sorts = page.locator("#scores th[aria-sort]").evaluate_all(
            "all => all.map(e => e.ariaSort)"
        )
        assert sorts == ["none", "descending", "none"]

    def test_figures_have_their_intervals_below(self, visit: Any, report: Path) -> None:
        page = visit(report)
        assert page.locator("#scores td.number").nth(1).inner_text() == "0.300\n0.250 to 0.350"

    def test_rows_of_other_data_are_marked(self, visit: Any, report: Path) -> None:
        page = visit(report)
        rows = page.locator("#section-0 tbody tr")
        assert rows.nth(0).locator(".mark").count() == 0
        expect(rows.nth(1).locator(".mark")).to_have_text("other data")
        expect(page.locator("#section-0 .note")).to_contain_text("on other photos")

    def test_small_numbers_and_none(self) -> None:
        unknown = Figure(0.5, np.nan, np.nan)
        row = TableRow(("p", 0.0001, 0.0, None, unknown, float("nan")))
        text = render_report(ReportContent("R", scores=[Table("T", list("abcdef"), [row])]))
        body = text.partition("<tbody>")[2]
        cells = [re.sub("<.*?>", "", cell) for cell in re.findall("<td.*?</td>", body)]
        assert cells == ["&lt; 0.001", "0.000", "", "0.500", ""]


class TestText:
    def test_names_and_captions_are_text(self, visit: Any, tmp_path: Path) -> None:
        paths = [draw_photo(tmp_path / f"{name}.jpg", i) for i, name in enumerate(NASTY)]
        labels = LabelSet(["<b>bold</b>", '"><img src=x onerror=alert(4)>', "עצב"])
        predictions = predictions_of(paths, labels)
        bad = "<img src=x onerror=alert(2)>\u202e"
        link = "javascript:alert(5)"
        content = ReportContent(
            *[bad] * 5,
            summary=[bad],
            scores=[Table(bad, [bad], [TableRow([bad], bad)], bad)],
            drawings=[Drawing(SVG, bad, bad)],
            sections=[Section(bad, [bad])],
            models=[part_of(predictions, bad)],
            unreadable=[Unreadable(bad, bad)],
            notes=[bad],
            credits={path: Credit(bad, bad, bad, link, link) for path in paths},
        )
        write_report(str(tmp_path / "report.html"), content)
        page = visit(tmp_path / "report.html")
        shown = bad.replace("\u202e", "\\u202e")
        expect(page.locator("h1")).to_have_text(shown)
        assert page.title() == shown
        expect(page.locator("#section-0 h2")).to_have_text(shown)
        assert page.locator(".matrix thead tr:nth-child(2) bdi").all_inner_texts() == [
            *labels.names
        ]
        said = " ".join(page.locator(".path").all_text_contents())
        for name, seen in NASTY.items():
            assert f"/{seen or name}.jpg" in said
        assert page.locator("img[src=x], main b:not(.says b), main script").count() == 0
        assert page.locator("a[href^=javascript], .credit a").count() == 0
        assert not re.search("[\u202a-\u202e\u2066-\u2069]", page.inner_text("body"))
        # a click on it does nothing but open the cell
        page.locator(".cells button").first.click()
        assert page.locator(".cell:visible").count() == 1

    def test_nothing_is_named_that_would_be_loaded(self, report: Path) -> None:
        text = re.sub(r"base64,[\w+/=]+", "", report.read_text())
        assert not re.search(r"(src|srcset|action|data)=\"?(https?:|//|file:)|@import|url\(", text)


class TestCredits:
    CREDIT = Credit("Sea", "Ada", "CC BY-ND 2.0", "https://cc/by-nd", "https://f/1", True, False)

    def content(self, path: str) -> ReportContent:
        predictions = predictions_of([path])
        return ReportContent("R", models=[part_of(predictions)], credits={path: self.CREDIT})

    def test_who_made_a_photo_stands_under_it(self, visit: Any, report: Path) -> None:
        page = visit(report)
        said = page.locator("#model-0 .hits .credit").all_inner_texts()
        assert said == ["Sea by Ada, CC BY-NC 2.0, not for commercial use"]
        link = page.locator("#model-0 .hits .credit a")
        assert link.get_attribute("href") == "https://cc/by-nc"
        assert link.get_attribute("rel") == "noopener noreferrer"

    def test_for_publication_no_picture_of_what_allows_no_derivatives(self, tmp_path: Path) -> None:
        path = draw_photo(tmp_path / "a.jpg", 1)
        shown = render_report(self.content(path))
        assert 'data-picture="0"' in shown
        withheld = render_report(self.content(path), publication=True)
        assert "data-picture=" not in withheld
        assert '<script type="text/plain" id="pictures"></script>' in withheld
        assert "Left out: its licence forbids derivatives." in withheld
        assert 'href="https://f/1"' in withheld

    def test_pictures_lead_to_their_photos_but_not_in_a_publication(self, tmp_path: Path) -> None:
        path = draw_photo(tmp_path / "a b.jpg", 1)
        content = ReportContent("R", models=[part_of(predictions_of([path]))])
        for publication, found in ((False, True), (True, False)):
            write_report(str(tmp_path / "r.html"), content, publication=publication)
            assert ('href="a%20b.jpg"' in (tmp_path / "r.html").read_text()) is found

    def test_photos_are_shown_whole(self, visit: Any, report: Path) -> None:
        page = visit(report)
        wait_until(page, "document.querySelector('.hits img').naturalWidth")
        ratios = page.locator(".hits img:visible").evaluate_all(
            "all => all.map(e => e.clientWidth / e.clientHeight * e.naturalHeight / e.naturalWidth)"
        )
        assert ratios == pytest.approx([1] * len(ratios), rel=0.03)
        assert len(ratios) == 3

    def test_each_picture_stands_in_the_page_once(self, report: Path) -> None:
        pictures = report.read_text().partition('id="pictures">')[2].partition("</script>")[0]
        lines = pictures.split("\n")
        assert len(lines) == len(set(lines)) == 6


class TestLook:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_light_and_dark(self, visit: Any, report: Path, scheme: str) -> None:
        page = visit(report, color_scheme=scheme)
        colour = "getComputedStyle(document.body).backgroundColor"
        colours = {"light": "rgb(252, 251, 249)", "dark": "rgb(20, 20, 19)"}
        assert page.evaluate(colour) == colours[scheme]
        page.locator("#theme").click()
        other = "light" if scheme == "dark" else "dark"
        assert page.evaluate(colour) == colours[other]
        page.emulate_media(media="print")
        assert page.evaluate(colour) == "rgb(255, 255, 255)"

    def test_on_paper_all_models_are_open_and_no_button_is_seen(
        self, visit: Any, report: Path
    ) -> None:
        page = visit(report)
        expect(page.locator("#model-1 .hits")).not_to_be_visible()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        expect(page.locator("#model-1 .hits")).to_be_visible()
        expect(page.locator("#theme")).not_to_be_visible()
        assert page.pdf(format="A4").startswith(b"%PDF")
        page.emulate_media(media="screen")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        expect(page.locator("#model-1 .hits")).not_to_be_visible()

    def test_on_a_telephone_only_tables_are_wider_than_the_window(
        self, visit: Any, report: Path
    ) -> None:
        page = visit(report, viewport={"width": 360, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") == 360

    def test_a_figure_is_a_picture_with_words_for_it(self, visit: Any, report: Path) -> None:
        page = visit(report)
        picture = page.get_by_alt_text("Three points")
        assert picture.evaluate("image => image.naturalWidth") == 300

    def test_contents_lead_to_what_is_there(self, visit: Any, report: Path) -> None:
        page = visit(report)
        titles = page.locator("nav a").all_inner_texts()
        assert titles == [
            "In short",
            "Numbers",
            "Figures",
            "Beside the literature",
            "Leaks",
            "Photo by photo",
            "Photos that could not be read",
            "Notes",
        ]
        for link in page.locator("nav a").all():
            assert page.locator(str(link.get_attribute("href"))).count() == 1

    def test_what_is_empty_is_left_out(self) -> None:
        text = render_report(ReportContent("Only a title"))
        assert "<section" not in text
        assert "<footer>\n<p></p>" in text

    def test_only_so_many_unreadable_photos_are_listed(self) -> None:
        content = ReportContent("R", unreadable=[Unreadable(f"{i}.jpg", "cut") for i in range(502)])
        text = render_report(content)
        assert text.count("<li><bdi>") == 500
        assert "and 2 more, which are not listed here" in text
