"""The gallery in a real browser: what is seen, what the keys do, what is never run or loaded."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from emotag.emotions import FIVE, LabelSet
from emotag.tagging.gallery import GalleryWriter
from emotag.tagging.rows import Row
from tests.chromium import open_chromium, wait_until
from tests.conftest import draw_photo

# Names that a file system takes, and how the page shows them.
NASTY = {
    "<img src=x onerror=alert(1)>.jpg": None,
    "<script>alert(2)<!--.jpg": None,
    "&lt;b&gt; &amp; \"quotes\" 'too'.jpg": None,
    "photo\u202egpj.exe.jpg": "photo\\u202egpj.exe.jpg",
    "\u2066isolated\u2069\u200f.jpg": "\\u2066isolated\\u2069\\u200f.jpg",
    "two\nlines\r.jpg": "two\\nlines\\r.jpg",
    "\x1b[31m.jpg": "\\x1b[31m.jpg",
    "שלום עולם.jpg": None,
    "javascript:alert(3).jpg": None,
    "#hash?query=%41.jpg": None,
    os.fsdecode(b"caf\xe9.jpg"): "caf%E9.jpg",
    "$policy ${title}.jpg": None,
}
LABELS = LabelSet(["<b>bold</b>", '"><img src=x onerror=alert(4)>', "uncertain", "עצב"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # of one module: while it runs, no other loop of events may
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    """Return a function that opens a file; in the end nothing was run or loaded that should not.

    What the page may load beside itself is said by `loads`, the photos, and what
    the browser may note in its console by `notes`.
    """
    problems: list[str] = []
    wanted: list[str] = []
    allowed: set[str] = set()
    expected: list[str] = []
    contexts = []

    def heard(kind: str) -> Any:
        return lambda what: problems.append(f"{kind}: {getattr(what, 'text', what)}")

    def requested(request: Any) -> None:
        if not request.url.startswith("data:"):
            wanted.append(request.url)

    def open_page(
        path: Path, address: str = "", loads: Any = (), notes: Any = (), **options: Any
    ) -> Page:
        allowed.update([path.as_uri(), *(Path(name).as_uri() for name in loads)])
        expected.extend(notes)
        context = browser.new_context(viewport={"width": 1000, "height": 700}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", heard("console"))
        page.on("pageerror", heard("error"))
        page.on("dialog", lambda dialog: (heard("dialog")(dialog.message), dialog.dismiss()))
        page.on("request", requested)
        page.goto(path.as_uri() + address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == expected
    assert {url.partition("#")[0] for url in wanted} <= allowed


def row(path: Path | str, emotion: str, confidence: float, **more: Any) -> Row:
    rest = (1 - confidence) / (len(FIVE) - 1)
    return Row(
        str(path),
        "tagged" if emotion else "uncertain",
        emotion=emotion,
        confidence=confidence,
        sentiment=str(FIVE.sentiment(emotion)) if emotion else "",
        p_positive=0.6,
        probabilities=tuple(
            confidence if name == (emotion or "violence") else rest for name in FIVE.names
        ),
        model="small",
        **more,
    )


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of 40 photos of four emotions, of a few that are none, and of one that is gone."""
    folder = tmp_path_factory.mktemp("gallery")
    writer = GalleryWriter(str(folder / "page.html"), FIVE)
    for index in range(40):
        path = draw_photo(folder / f"photo{index}.jpg", index, size=(96 + index, 64))
        emotion = ("love", "happiness", "fear", "")[index % 4]
        writer.write(row(path, emotion, 0.8 - index / 100, because="palace 0.31"))
    writer.write(row(folder / "gone.jpg", "sadness", 0.9, reason="PNG under the ending .jpg"))
    writer.write(Row(str(folder / "tiny.jpg"), "skipped", "too small"))
    writer.write(Row(str(folder / "cut.jpg"), "failed", "damaged: it is cut off"))
    writer.finish()
    return folder / "page.html"


def photo_of(gallery: Path, index: int) -> str:
    return str(gallery.parent / f"photo{index}.jpg")


def names(page: Page) -> list[str]:
    """Return the names on the tiles that are shown."""
    return page.locator(".tile:visible .say bdi").all_text_contents()


def focused(page: Page) -> str:
    name = page.evaluate("document.activeElement.querySelector('.say bdi')?.textContent")
    assert isinstance(name, str)
    return name


def headings(page: Page) -> list[str]:
    return page.locator("main h2:visible").all_inner_texts()


class TestText:
    def test_names_labels_and_captions_are_shown_as_text_and_run_nothing(
        self, visit: Any, tmp_path: Path
    ) -> None:
        writer = GalleryWriter(str(tmp_path / "page.html"), LABELS)
        paths = []
        for index, name in enumerate(NASTY):
            paths.append(draw_photo(tmp_path / name, index))
            probabilities = np.roll([0.7, 0.1, 0.1, 0.1], index % 4)
            writer.write(
                Row(
                    paths[-1],
                    "tagged",
                    "<i>PNG</i> under the ending .jpg",
                    LABELS.names[index % 4],
                    0.7,
                    probabilities=tuple(probabilities.tolist()),
                    model="<u>small\u202e</u>",
                    because="<s>castle</s> 0.31",
                )
            )
        writer.write(Row("<img src=x onerror=alert(5)>\u202e", "failed", "</li><h1>damaged"))
        writer.finish()
        page = visit(tmp_path / "page.html", loads=paths)
        shown = sorted(shown or name for name, shown in NASTY.items())
        assert sorted(names(page)) == shown
        assert page.locator("#labels bdi").all_text_contents() == list(LABELS.names)
        assert page.locator("main h2 bdi").all_text_contents() == list(LABELS.names)
        assert "model <u>small\\u202e</u> with" in page.inner_text("footer")
        refused = page.locator(".refused li").all_inner_texts()
        assert refused == ["<img src=x onerror=alert(5)>\\u202e \u2013 </li><h1>damaged"]
        seen = []
        page.keyboard.press("g")
        page.keyboard.press("Enter")
        for _ in NASTY:
            seen.append(page.text_content("#name"))
            facts = page.locator("#facts dd").all_text_contents()
            assert facts[0] == "<s>castle</s> 0.31"
            assert facts[-1] == "<i>PNG</i> under the ending .jpg"
            # the photo itself is there, whatever it is called
            expect(page.locator(".frame img")).to_have_count(2)
            wait_until(page, BOTH_ARE_DRAWN)
            page.keyboard.press("ArrowRight")
        assert sorted(seen) == sorted(f"{tmp_path}/{name}" for name in shown)
        assert page.locator("main img[src='x'], main b, main script").count() == 0
        # no mark of direction is left in what is shown
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f]", page.inner_text("body"))

    def test_no_markup_is_made_of_text_and_nothing_is_fetched(
        self, browser: Browser, gallery: Path
    ) -> None:
        page = browser.new_page()
        page.goto(gallery.as_uri())
        refusal = "This document requires 'TrustedHTML' assignment"
        with pytest.raises(Exception, match=refusal):
            page.evaluate("document.body.innerHTML = '<b>'")
        blocked = page.evaluate(
            """() => new Promise(done => {
                document.addEventListener('securitypolicyviolation', event =>
                    done(event.effectiveDirective));
                document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x' }));
            })"""
        )
        assert blocked == "img-src"
        with pytest.raises(Exception, match="Failed to fetch"):
            page.evaluate("fetch('http://127.0.0.1:9/x')")
        page.close()


class TestFilters:
    def test_all_at_first_by_emotion_the_surest_first(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery)
        assert headings(page) == [
            "love 10 photos",
            "happiness 10 photos",
            "fear 10 photos",
            "sadness 1 photo",
            "uncertain 10 photos",
            "skipped 1",
            "failed 1",
        ]
        assert names(page)[:3] == ["photo0.jpg", "photo4.jpg", "photo8.jpg"]
        assert page.inner_text("#count") == "43 shown"
        assert page.inner_text("#about") == (
            "43 photos: 31 tagged, 10 uncertain, 1 skipped, 1 failed"
        )
        assert page.locator("#labels button").all_inner_texts() == [
            *("love 10", "happiness 10", "fear 10", "sadness 1"),
            *("uncertain 10", "skipped 1", "failed 1"),
        ]
        assert not page.is_visible("#reset")

    def test_by_emotion_several_at_once(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery)
        page.click("#labels button:has-text('fear')")
        assert headings(page) == ["fear 10 photos"]
        page.click("#labels button:has-text('failed')")
        assert headings(page) == ["fear 10 photos", "failed 1"]
        assert page.inner_text("#count") == "11 of 43 shown"
        assert page.get_attribute("#labels button:has-text('fear')", "aria-pressed") == "true"
        page.click("#labels button:has-text('fear')")
        assert headings(page) == ["failed 1"]
        page.click("#reset")
        assert page.inner_text("#count") == "43 shown"

    def test_by_sentiment_confidence_and_name(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery)
        page.click("#sentiments button:has-text('negative')")
        assert headings(page) == ["fear 10 photos", "sadness 1 photo"]
        page.locator("#least").fill("70")
        expect(page.locator("#range")).to_have_text("0.70 to 1.00")
        assert names(page) == ["photo2.jpg", "photo6.jpg", "photo10.jpg", "gone.jpg"]
        assert headings(page)[0] == "fear 3 of 10 photos"
        page.locator("#most").fill("75")
        expect(page.locator("#count")).to_have_text("2 of 43 shown")
        # neither end goes past the other
        page.locator("#least").fill("90")
        expect(page.locator("#range")).to_have_text("0.75 to 0.75")
        page.click("#reset")
        page.fill("#search", " PHOTO1 ")
        expect(page.locator("#count")).to_have_text("11 of 43 shown")
        page.fill("#search", "cut off")
        expect(page.locator("#count")).to_have_text("1 of 43 shown")
        page.fill("#search", "nothing is called so")
        expect(page.locator("#empty")).to_be_visible()

    def test_the_view_is_in_the_address(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery)
        page.click("#labels button:has-text('love')")
        page.click("#labels button:has-text('uncertain')")
        page.click("#sentiments button:has-text('positive')")
        page.locator("#least").fill("50")
        page.fill("#search", "photo2&3")
        said = "#emotion=love&status=uncertain&sentiment=positive&least=0.50&search=photo2%263"
        page.wait_for_url(gallery.as_uri() + said)
        page.fill("#search", "photo2")
        expect(page.locator("#count")).to_have_text("3 of 43 shown")
        page.wait_for_url(re.compile("search=photo2$"))
        other = visit(gallery, said.replace("%263", ""))
        assert names(other) == ["photo20.jpg", "photo24.jpg", "photo28.jpg"] == names(page)
        other.evaluate("location.hash = 'emotion=fear'")
        expect(other.locator("#count")).to_have_text("10 of 43 shown")
        # the buttons follow what the address said
        other.click("#labels button:has-text('fear')")
        assert other.inner_text("#count") == "43 shown"

    @pytest.mark.parametrize(
        "address",
        ["#emotion=anger&status=x&sentiment=y&least=7&most=no", "#photo=/nowhere.jpg", "#%E0%A4"],
    )
    def test_an_address_that_makes_no_sense_shows_all(
        self, visit: Any, gallery: Path, address: str
    ) -> None:
        assert visit(gallery, address).inner_text("#count") == "43 shown"

    def test_labels_without_sentiment(self, visit: Any, tmp_path: Path) -> None:
        writer = GalleryWriter(str(tmp_path / "page.html"), LabelSet(["sun", "rain"]))
        writer.write(
            Row(draw_photo(tmp_path / "a.jpg", 1), "tagged", "", "rain", 0.6, "", None, (0.4, 0.6))
        )
        writer.finish()
        page = visit(tmp_path / "page.html")
        assert not page.is_visible("#sentiments")
        assert page.get_attribute(".tile", "aria-label") == "a.jpg: rain, 0.60"

    def test_what_is_left_out_is_said(self, visit: Any, tmp_path: Path) -> None:
        writer = GalleryWriter(str(tmp_path / "page.html"), FIVE, photos=4)
        for index in range(12):
            writer.write(row(tmp_path / f"{index}.jpg", "fear" if index else "love", 0.5))
        for index in range(501):
            writer.write(Row(f"{index}.jpg", "failed", "empty file"))
        writer.finish()
        page = visit(tmp_path / "page.html")
        assert headings(page) == [
            "love 1 photo",
            "fear 11 photos, the 3 surest are here",
            "failed 501",
        ]
        assert page.inner_text("footer").startswith(
            "8 photos are left out: the page holds the 4 surest, shared among the emotions."
        )
        assert page.inner_text(".more") == "… and 1 more, which are not listed here."
        # they are gone, so that there is no picture of them
        assert "no picture" in page.inner_text(".tile >> nth=0")


class TestKeys:
    def test_from_photo_to_photo(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery)
        page.keyboard.press("g")
        assert focused(page) == "photo0.jpg"
        page.keyboard.press("ArrowLeft")
        assert focused(page) == "photo0.jpg"
        page.keyboard.press("ArrowRight")
        assert focused(page) == "photo4.jpg"
        page.keyboard.press("ArrowDown")
        below = focused(page)
        boxes = {
            name: page.locator(f".tile:has(bdi:text-is('{name}'))").bounding_box()
            for name in ("photo4.jpg", below)
        }
        assert boxes[below]["y"] >= boxes["photo4.jpg"]["y"] + boxes["photo4.jpg"]["height"]
        page.keyboard.press("ArrowUp")
        assert focused(page) == "photo4.jpg"
        page.keyboard.press("End")
        assert focused(page) == "photo39.jpg"
        page.keyboard.press("ArrowDown")
        assert focused(page) == "photo39.jpg"
        # what has the focus is in the window, and not below the bar of filters
        assert page.evaluate(
            "document.activeElement.getBoundingClientRect().top >="
            " document.getElementById('filters').getBoundingClientRect().bottom"
        )
        page.keyboard.press("Home")
        assert focused(page) == "photo0.jpg"

    def test_tab_meets_one_photo_only(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery)
        assert page.locator(".tile[tabindex='0']").count() == 1
        page.click("#labels button:has-text('fear')")
        assert page.locator(".tile[tabindex='0'] .say bdi").text_content() == "photo2.jpg"
        page.focus("#reset")
        page.keyboard.press("Tab")
        assert focused(page) == "photo2.jpg"

    def test_search_and_filters(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery)
        page.keyboard.press("/")
        page.keyboard.type("photo3?x")
        assert page.input_value("#search") == "photo3?x"
        assert not page.is_visible("#help")
        page.keyboard.press("Escape")
        assert page.input_value("#search") == ""
        assert focused(page) == "photo0.jpg"
        page.keyboard.press("/")
        page.keyboard.type("photo2")
        expect(page.locator("#count")).to_have_text("11 of 43 shown")
        page.keyboard.press("Enter")
        assert focused(page) == "photo20.jpg"
        page.keyboard.press("x")
        assert page.inner_text("#count") == "43 shown"
        page.keyboard.press("f")
        page.keyboard.press("Space")
        assert headings(page) == ["love 10 photos"]

    def test_the_list_of_keys(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery)
        page.keyboard.press("?")
        assert page.is_visible("#help")
        page.keyboard.press("x")
        page.keyboard.press("Escape")
        assert not page.is_visible("#help")


class TestLarge:
    def test_opened_by_enter_and_closed_by_escape(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery, loads=[photo_of(gallery, index) for index in (0, 4)])
        page.keyboard.press("g")
        page.keyboard.press("Enter")
        assert page.inner_text("#says") == "love 0.80 · positive"
        assert page.text_content("#name") == photo_of(gallery, 0)
        assert page.inner_text("#place") == "1 of 41"
        assert page.locator("#facts div").all_inner_texts() == [
            "Because\npalace 0.31",
            "Positive\n0.60",
            "Size\n96 \u00d7 64",
        ]
        bars = page.locator("#bars li").all_inner_texts()
        assert bars[0] == "love\n0.80"
        assert len(bars) == len(FIVE)
        assert page.is_disabled("#previous")
        page.keyboard.press("ArrowRight")
        assert page.text_content("#name") == photo_of(gallery, 4)
        page.wait_for_url(re.compile(r"photo4\.jpg$"))
        page.keyboard.press("Escape")
        assert not page.is_visible("#viewer")
        assert focused(page) == "photo4.jpg"
        page.wait_for_url(re.compile("page.html#?$"))

    def test_a_click_opens_and_the_buttons_go_on(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery, loads=[photo_of(gallery, index) for index in (0, 4)])
        page.click(".tile >> nth=1")
        assert page.text_content("#name") == photo_of(gallery, 4)
        page.click("#previous")
        assert page.text_content("#name") == photo_of(gallery, 0)
        page.click("#close")
        assert not page.is_visible("#viewer")

    def test_only_what_the_filters_show(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery, "#emotion=fear", loads=[photo_of(gallery, i) for i in (2, 38)])
        page.keyboard.press("g")
        page.keyboard.press("Enter")
        page.keyboard.press("End")
        assert page.text_content("#name") == photo_of(gallery, 38)
        assert page.inner_text("#place") == "10 of 10"
        assert page.is_disabled("#next")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Home")
        assert page.text_content("#name") == photo_of(gallery, 2)

    def test_an_uncertain_photo(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery, "#status=uncertain", loads=[photo_of(gallery, 3)])
        page.click(".tile:visible >> nth=0")
        assert page.inner_text("#says") == "uncertain 0.77"
        assert page.locator("#facts div").first.inner_text() == "Perhaps\nviolence"

    def test_one_that_is_gone_has_no_picture(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery, "#emotion=sadness")
        page.keyboard.press("g")
        page.keyboard.press(" ")
        assert page.inner_text("#stage") == "No picture: the photo could not be read again."
        assert not page.is_visible("#original")

    def test_the_thumbnail_stays_if_the_photo_is_gone_since(
        self, visit: Any, tmp_path: Path
    ) -> None:
        photo = draw_photo(tmp_path / "a.jpg", 1)
        writer = GalleryWriter(str(tmp_path / "page.html"), FIVE)
        writer.write(row(photo, "love", 0.5))
        writer.finish()
        os.remove(photo)
        note = "console: Failed to load resource: net::ERR_FILE_NOT_FOUND"
        page = visit(tmp_path / "page.html", loads=[photo], notes=[note])
        page.click(".tile")
        expect(page.locator("#facts")).to_contain_text("the thumbnail: the photo itself is not")
        assert page.evaluate("document.querySelector('.frame img').naturalWidth") == 96

    def test_a_photo_named_by_the_address(self, visit: Any, gallery: Path) -> None:
        path = photo_of(gallery, 8)
        page = visit(gallery, f"#emotion=love&photo={path}", loads=[path])
        assert page.text_content("#name") == path
        assert page.inner_text("#place") == "3 of 10"


class TestLook:
    @staticmethod
    def background(page: Page) -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in re.findall(r"\d+", colour)[:3])

    @pytest.mark.parametrize(("scheme", "other"), [("light", "Dark"), ("dark", "Light")])
    def test_as_the_system_says_until_it_is_chosen(
        self, visit: Any, gallery: Path, scheme: str, other: str
    ) -> None:
        page = visit(gallery, color_scheme=scheme)
        is_dark = scheme == "dark"
        assert (self.background(page) < 100) is is_dark
        assert page.inner_text("#theme") == other
        page.keyboard.press("t")
        assert (self.background(page) < 100) is not is_dark
        page.reload()
        assert (self.background(page) < 100) is not is_dark
        page.click("#theme")
        assert (self.background(page) < 100) is is_dark

    def test_no_photo_is_cut_and_each_row_is_filled(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery)
        boxes = page.evaluate(
            """[...document.querySelectorAll('#gallery section:nth-of-type(1) .tile')].map(one => {
                const box = one.getBoundingClientRect();
                return [box.top, box.right, box.width / box.height];
            })"""
        )
        for index, (_, _, ratio) in enumerate(boxes):
            assert ratio == pytest.approx((96 + 4 * index) / 64, rel=0.02)
        rows: dict[int, float] = {}
        for top, right, _ in boxes:
            rows[round(top)] = max(right, rows.get(round(top), 0))
        *full, _ = rows.values()
        assert full
        assert max(full) == pytest.approx(min(full), abs=2)

    def test_narrow_nothing_reaches_out_of_the_window(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery)
        for width in (320, 700, 1000):
            page.set_viewport_size({"width": width, "height": 600})
            assert page.evaluate("document.documentElement.scrollWidth") <= width

    def test_on_paper_every_photo_that_is_shown(self, visit: Any, gallery: Path) -> None:
        page = visit(gallery, "#emotion=love&emotion=fear")
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator(".tile:visible img").count() == 20
        assert not page.is_visible("#filters")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of 5,000 photos."""
    folder = tmp_path_factory.mktemp("large")
    paths = [draw_photo(folder / f"{index}.jpg", index, size=(48, 32)) for index in range(50)]
    writer = GalleryWriter(str(folder / "page.html"), FIVE, photos=5000)
    for index in range(5000):
        writer.write(row(paths[index % 50], FIVE.names[index % 5], 1 - index / 10_000))
    writer.finish()
    return folder / "page.html"


class TestThousands:
    @staticmethod
    def live(page: Page) -> int:
        return page.locator(".tile img").count()

    def test_pictures_only_near_the_window(self, visit: Any, large: Path) -> None:
        page = visit(large)
        assert page.inner_text("#count") == "5,000 shown"
        expect(page.locator(".tile img").first).to_be_visible()
        assert 0 < self.live(page) < 200
        for place in (5, 10, 1, 2, 3, 4, 6, 7, 8, 9):
            page.evaluate(f"scrollTo(0, {place / 10} * document.documentElement.scrollHeight)")
            wait_until(page, IN_VIEW_IS_DRAWN)
            assert 0 < self.live(page) < 200
        page.click("#labels button:has-text('sadness')")
        wait_until(page, IN_VIEW_IS_DRAWN)
        assert page.inner_text("#count") == "1,000 of 5,000 shown"
        page.keyboard.press("g")
        page.keyboard.press("End")
        wait_until(page, IN_VIEW_IS_DRAWN)
        assert self.live(page) < 200


# the thumbnail and the photo itself
BOTH_ARE_DRAWN = """[...document.querySelectorAll('.frame img')].every(
    one => one.naturalWidth === 96
)"""

IN_VIEW_IS_DRAWN = """() => {
    const tiles = [...document.querySelectorAll('#gallery li:not([hidden])')].filter(one => {
        const box = one.getBoundingClientRect();
        return box.height && box.bottom > 0 && box.top < innerHeight;
    });
    return tiles.length && tiles.every(one => one.querySelector('img')?.naturalWidth);
}"""
