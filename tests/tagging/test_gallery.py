"""What a page is made of: which photos it keeps, what it says of each, and its file."""

import base64
import io
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from emotag.emotions import FIVE, LabelSet
from emotag.errors import StorageError
from emotag.tagging.gallery import GalleryWriter, Surest
from emotag.tagging.rows import Row
from tests.conftest import as_ordinary_user, draw_photo


def tagged(path: Path | str, emotion: str = "fear", confidence: float = 0.8) -> Row:
    rest = (1 - confidence) / (len(FIVE) - 1)
    return Row(
        str(path),
        "tagged",
        emotion=emotion,
        confidence=confidence,
        sentiment=str(FIVE.sentiment(emotion)),
        p_positive=0.25,
        probabilities=tuple(confidence if name == emotion else rest for name in FIVE.names),
        model="small",
    )


def data_of(page: Path | str) -> dict[str, Any]:
    text = Path(page).read_text(encoding="utf-8")
    content = text.partition('id="data">')[2].partition("</script>")[0]
    data = json.loads(content)
    assert isinstance(data, dict)
    return data


def thumbnails_of(page: Path | str) -> list[str]:
    text = Path(page).read_text(encoding="utf-8")
    blocks = re.findall(r'<script type="text/plain" id="block-(\d+)">(.*?)</script>', text, re.S)
    assert [int(number) for number, _ in blocks] == list(range(len(blocks)))
    return [line for _, block in blocks for line in block.removesuffix("\n").split("\n")]


class TestSurest:
    @given(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), max_size=60),
        st.integers(1, 20),
    )
    def test_the_surest_of_each_group_and_no_group_cut_for_a_larger_one(
        self, given: list[tuple[str, int]], room: int
    ) -> None:
        surest = Surest(room)
        for emotion, confidence in given:
            surest.add(Row("", "tagged", emotion=emotion, confidence=confidence / 20))
        kept = {group: surest.rows(group) for group in "abc"}
        assert sum(map(len, kept.values())) == min(room, len(given))
        assert surest.counts == Counter(emotion for emotion, _ in given)
        largest = max(map(len, kept.values()))
        for group, rows in kept.items():
            every = sorted((number for name, number in given if name == group), reverse=True)
            assert [row.confidence for row in rows] == [n / 20 for n in every[: len(rows)]]
            if len(rows) < len(every):
                assert len(rows) >= largest - 1

    def test_of_equal_ones_the_first(self) -> None:
        surest = Surest(2)
        for path in "abc":
            surest.add(Row(path, "tagged", emotion="fear", confidence=0.5))
        assert [row.path for row in surest.rows("fear")] == ["a", "b"]


class TestPage:
    def test_photos_by_emotion_the_surest_first(self, tmp_path: Path) -> None:
        photos = [draw_photo(tmp_path / f"{index}.jpg", index) for index in range(4)]
        gallery = GalleryWriter(str(tmp_path / "page.html"), FIVE)
        gallery.write(tagged(photos[0], "fear", 0.5))
        gallery.write(tagged(photos[1], "love", 0.4))
        gallery.write(tagged(photos[2], "fear", 0.9))
        uncertain = (0.1, 0.3, 0.2, 0.2, 0.2)
        gallery.write(Row(photos[3], "uncertain", confidence=0.3, probabilities=uncertain))
        done: list[int] = []
        gallery.finish(advance=done.append)
        assert (sum(done), gallery.total, gallery.shown) == (4, 4, 4)
        data = data_of(tmp_path / "page.html")
        assert [photo["file"] for photo in data["photos"]] == ["1.jpg", "2.jpg", "0.jpg", "3.jpg"]
        assert data["groups"] == [
            {"label": 0, "count": 1, "from": 0, "to": 1},
            {"label": 3, "count": 2, "from": 1, "to": 3},
            {"label": None, "count": 1, "from": 3, "to": 4},
        ]
        assert (data["left"], data["refused"]) == (0, [])
        first, *_, last = data["photos"]
        assert first | {"colour": ""} == {
            "path": photos[1],
            "file": "1.jpg",
            "link": "1.jpg",
            "label": 0,
            "best": 0,
            "confidence": 0.4,
            "sentiment": "positive",
            "positive": 0.25,
            "probabilities": [0.4, 0.15, 0.15, 0.15, 0.15],
            "because": "",
            "reason": "",
            "width": 96,
            "height": 64,
            "colour": "",
        }
        assert (last["label"], last["best"], last["positive"]) == (None, 1, None)

    def test_a_thumbnail_for_each_photo_in_order(self, tmp_path: Path) -> None:
        colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)] * 30
        gallery = GalleryWriter(str(tmp_path / "page.html"), FIVE)
        for index, colour in enumerate(colours):
            Image.new("RGB", (40, 40), colour).save(tmp_path / f"{index}.png")
            gallery.write(tagged(tmp_path / f"{index}.png", "fear", 0.9 - index / 1000))
        os.remove(tmp_path / "50.png")
        gallery.finish(jobs=2)
        thumbnails = thumbnails_of(tmp_path / "page.html")
        assert len(thumbnails) == len(colours)
        assert thumbnails.pop(50) == ""
        for colour, content in zip(colours[:50] + colours[51:], thumbnails, strict=True):
            with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
                assert picture.convert("RGB").getpixel((20, 20)) == pytest.approx(colour, abs=6)
        gone = data_of(tmp_path / "page.html")["photos"][50]
        assert (gone["link"], gone["colour"], gone["width"]) == ("", "", 0)

    def test_what_was_not_tagged_is_listed_with_the_reason(self, tmp_path: Path) -> None:
        gallery = GalleryWriter(str(tmp_path / "page.html"), FIVE)
        for index in range(600):
            gallery.write(Row(f"{index}.jpg", "failed", "damaged: \x1b"))
        gallery.write(Row(os.fsdecode(b"caf\xe9\n.jpg"), "skipped", "too small"))
        gallery.finish()
        data = data_of(tmp_path / "page.html")
        skipped, failed = data["refused"]
        assert skipped == {
            "status": "skipped",
            "count": 1,
            "rows": [{"path": "caf%E9\\n.jpg", "reason": "too small"}],
        }
        assert (failed["count"], len(failed["rows"])) == (600, 500)
        assert failed["rows"][0] == {"path": "0.jpg", "reason": "damaged: \\x1b"}
        assert (data["photos"], data["total"], gallery.shown) == ([], 0, 0)

    def test_what_there_is_no_room_for(self, tmp_path: Path) -> None:
        gallery = GalleryWriter(str(tmp_path / "page.html"), FIVE, photos=3)
        for index in range(5):
            gallery.write(tagged(f"{index}.jpg", "fear", index / 10))
        gallery.write(tagged("love.jpg", "love", 0.1))
        gallery.finish()
        data = data_of(tmp_path / "page.html")
        assert [photo["path"] for photo in data["photos"]] == ["love.jpg", "4.jpg", "3.jpg"]
        assert (data["left"], data["total"]) == (3, 6)
        assert (gallery.total, gallery.shown) == (6, 3)

    def test_the_same_bytes_every_time(self, tmp_path: Path) -> None:
        pages = set()
        for jobs in (1, 2, 4):
            gallery = GalleryWriter(str(tmp_path / "page.html"), FIVE)
            for index in range(70):
                gallery.write(tagged(draw_photo(tmp_path / f"{index}.jpg", index)))
            gallery.finish(jobs=jobs)
            pages.add((tmp_path / "page.html").read_bytes())
        assert len(pages) == 1

    def test_labels_of_any_kind(self, tmp_path: Path) -> None:
        labels = LabelSet(["</script>", "uncertain"])
        gallery = GalleryWriter(str(tmp_path / "page.htm"), labels)
        gallery.write(Row("a.jpg", "tagged", emotion="uncertain", probabilities=(0.2, 0.8)))
        gallery.finish()
        data = data_of(tmp_path / "page.htm")
        assert data["labels"] == ["</script>", "uncertain"]
        assert data["groups"] == [{"label": 1, "count": 1, "from": 0, "to": 1}]


class TestFile:
    def test_a_name_that_is_no_page_s(self) -> None:
        with pytest.raises(StorageError) as refusal:
            GalleryWriter("photo.jpg", FIVE)
        assert str(refusal.value) == (
            "photo.jpg: a page is HTML, so let its name end in .html or .htm."
        )

    def test_what_was_there_stays_if_it_cannot_be_made(self, tmp_path: Path) -> None:
        page = tmp_path / "page.html"
        page.write_text("before")
        gallery = GalleryWriter(str(page), FIVE)
        gallery.write(tagged(draw_photo(tmp_path / "a.jpg", 1)))

        def stop(count: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            gallery.finish(advance=stop)
        assert sorted(os.listdir(tmp_path)) == ["a.jpg", "page.html"]
        assert page.read_text() == "before"

    def test_a_folder_that_is_gone_or_closed(self, tmp_path: Path, open_folder: Path) -> None:
        page = str(tmp_path / "gone" / "page.html")
        with pytest.raises(
            StorageError, match=r"page\.html cannot be written: its folder is not there"
        ):
            GalleryWriter(page, FIVE).finish()
        (open_folder / "closed").mkdir(mode=0o755)
        page = str(open_folder / "closed" / "page.html")
        with (
            as_ordinary_user(),
            pytest.raises(StorageError, match=r"cannot be written: Permission denied"),
        ):
            GalleryWriter(page, FIVE).finish()
