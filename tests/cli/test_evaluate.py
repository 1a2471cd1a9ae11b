"""``emotag evaluate`` as a person calls it."""

import contextlib
import io
import os
import re
import shutil
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from sklearn.metrics import accuracy_score, f1_score, recall_score

from emotag.emotions import LabelSet
from tests.chromium import open_chromium
from tests.cli.labelled import draw_labelled, read_csv, read_json, write_manifest
from tests.cli.program import Outcome, run_here
from tests.tagging.small_bundle import save_small_bundle

Emotag = Callable[..., Outcome]

LABELS = ("fear", "happiness", "love", "sadness")
SCRIPT = "<script>alert(1)<!--.png"


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """One whole evaluation of ./data with broken photos in it: the folder, and what was said."""
    folder = tmp_path_factory.mktemp("evaluate")
    save_small_bundle(folder / "models" / "small", learnt_sentiment=True)
    draw_labelled(folder / "data", LABELS, 6)
    os.rename(folder / "data/love/0.png", folder / "data/love" / SCRIPT)
    (folder / "data/love/empty.jpg").write_bytes(b"")
    (folder / "data/fear/text.jpg").write_text("Dear diary,")
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_here("evaluate", "small")
    return folder, Outcome(code, out.getvalue(), err.getvalue())


@pytest.fixture
def data(inside: Path) -> Path:
    """The current folder with ./small and ./data: four labels, three photos each."""
    save_small_bundle(inside / "small")
    draw_labelled(inside / "data", LABELS, 3)
    return inside / "data"


class TestEvaluate:
    def test_writes_a_page_figures_and_numbers(self, judged: tuple[Path, Outcome]) -> None:
        folder, outcome = judged
        report = folder / "reports" / "small"
        assert sorted(os.listdir(report)) == [
            "figures",
            "metrics.csv",
            "predictions.csv",
            "report.html",
            "report.json",
            "unreadable.csv",
        ]
        names = ("accuracies", "confusion", "confusion-sentiment", "reliability", "shortcuts")
        assert sorted(os.listdir(report / "figures")) == sorted(
            f"{name}.{kind}" for name in names for kind in ("png", "svg")
        )
        assert outcome.err.endswith(
            "The report is " + os.path.join("reports", "small", "report.html") + "\n"
        )

    def test_the_json_has_figures_with_intervals(self, judged: tuple[Path, Outcome]) -> None:
        folder, _ = judged
        report = read_json(folder / "reports/small/report.json")
        assert (report["model"], report["n_photos"], report["n_groups"]) == ("small", 24, 24)
        assert (report["data"], report["split"]) == ("data", "all photos")
        assert report["command"] == "emotag evaluate small"
        for name in (
            "accuracy",
            "balanced_accuracy",
            "macro_f1",
            "top_2_accuracy",
            "log_loss",
            "calibration_error",
            "majority_baseline",
            "prior_accuracy",
            "sentiment_accuracy",
            "trained_sentiment_accuracy",
        ):
            figure = report["metrics"][name]
            assert figure["low"] <= figure["value"] <= figure["high"], name
        assert report["metrics"]["majority_baseline"]["value"] == 0.25
        rows = read_csv(folder / "reports/small/metrics.csv")
        assert {row["metric"]: float(row["value"]) for row in rows} == {
            name: figure["value"] for name, figure in report["metrics"].items()
        }

    def test_the_figures_are_scikit_learns(self, judged: tuple[Path, Outcome]) -> None:
        folder, _ = judged
        report = read_json(folder / "reports/small/report.json")
        rows = read_csv(folder / "reports/small/predictions.csv")
        actual, predicted = ([row[name] for row in rows] for name in ("actual", "predicted"))
        assert 0 < accuracy_score(actual, predicted) < 1, "else nothing is tested"
        for name, value in {
            "accuracy": accuracy_score(actual, predicted),
            "balanced_accuracy": recall_score(actual, predicted, labels=LABELS, average="macro"),
            "macro_f1": f1_score(actual, predicted, average="macro"),
        }.items():
            assert report["metrics"][name]["value"] == pytest.approx(value, abs=1e-5), name

    def test_says_what_tag_says(
        self, judged: tuple[Path, Outcome], emotag: Emotag, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, _ = judged
        monkeypatch.chdir(folder)
        assert emotag("tag", "data", "-m", "small", "-o", "tags.csv", "-q").code == 3
        tagged = {row["path"]: row for row in read_csv("tags.csv") if row["status"] == "tagged"}
        rows = read_csv("reports/small/predictions.csv")
        assert {row["path"] for row in rows} == set(tagged)
        for row in rows:
            said = tagged[row["path"]]
            assert row["predicted"] == said["emotion"]
            probability = float(row[f"p_{row['predicted']}"])
            assert probability == pytest.approx(float(said["confidence"]), abs=1e-4)

    def test_unreadable_photos_are_counted_and_listed(self, judged: tuple[Path, Outcome]) -> None:
        folder, outcome = judged
        assert outcome.code == 3
        assert "2 photos could not be read; unreadable.csv says why.\n" in outcome.err
        assert read_json(folder / "reports/small/report.json")["n_unreadable"] == 2
        assert sorted(
            map(tuple, map(dict.values, read_csv(f"{folder}/reports/small/unreadable.csv")))
        ) == [
            (os.path.join("data", "fear", "text.jpg"), "not a photo but text"),
            (os.path.join("data", "love", "empty.jpg"), "empty file"),
        ]
        page = (folder / "reports/small/report.html").read_text(encoding="utf-8")
        assert "not a photo but text" in page

    def test_prints_figures_beside_the_baseline(self, judged: tuple[Path, Outcome]) -> None:
        _, outcome = judged
        figure = r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]"
        for title in (
            "accuracy",
            "balanced accuracy",
            "macro F1",
            "sentiment, folded",
            "sentiment, trained",
            "always the most frequent",
        ):
            assert re.search(rf"^{title} +{figure}$", outcome.out, re.MULTILINE), title
        sentences = read_json(judged[0] / "reports/small/report.json")["sentences"]
        assert "24 photos" in sentences[0]
        assert outcome.out.endswith("".join(f"{sentence}\n" for sentence in sentences))

    def test_the_page_in_a_browser(self, judged: tuple[Path, Outcome]) -> None:
        folder, _ = judged
        path = folder / "reports/small/report.html"
        with open_chromium() as browser, visited(browser.new_page(), path) as page:
            assert page.locator("h1").inner_text() == "small on 24 photos"
            loves = [
                row
                for row in read_csv(path.with_name("predictions.csv"))
                if row["actual"] == "love"
            ]
            (said,) = (row["predicted"] for row in loves if row["path"].endswith(SCRIPT))
            together = [os.path.basename(row["path"]) for row in loves if row["predicted"] == said]
            name = f"labelled love, predicted {said}"
            page.locator("#model-0").get_by_role("button", name=name).first.click()
            shown = page.locator(".cell:visible .path").all_inner_texts()
            assert sorted(text.replace("\n", "").rpartition("/")[2] for text in shown) == sorted(
                together
            )
            pictures = page.locator(".cell:visible img")
            page.wait_for_timeout(200)
            assert pictures.count() == len(together)
            for index in range(len(together)):
                assert pictures.nth(index).evaluate("one => one.naturalWidth") > 0
            links = page.locator("#model-0 a[href]").evaluate_all(
                "all => all.map(one => one.getAttribute('href'))"
            )
            photos = {link for link in links if not link.startswith(("#", "http"))}
            assert photos
            for link in photos:
                assert (path.parent / urllib.parse.unquote(link)).is_file(), link

    def test_an_existing_report_is_refused_unless_forced(
        self, judged: tuple[Path, Outcome], emotag: Emotag, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, _ = judged
        monkeypatch.chdir(folder)
        before = os.stat("reports/small").st_ino
        outcome = emotag("evaluate", "small")
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err == (
            "emotag: reports/small exists already; choose another name, or --force to replace it.\n"
        )
        assert os.stat("reports/small").st_ino == before
        assert emotag("evaluate", "small", "-o", "other", "-q").code == 3
        made = os.stat("other").st_ino
        assert emotag("evaluate", "small", "-o", "other", "--force", "-q").code == 3
        assert os.stat("other").st_ino != made
        first, second = (read_json(f"{name}/report.json") for name in ("reports/small", "other"))
        assert without(first, "command", "date") == without(second, "command", "date")

    @pytest.mark.parametrize("holds", ["photos", "a report and notes"])
    def test_what_is_no_report_is_never_replaced(
        self,
        judged: tuple[Path, Outcome],
        emotag: Emotag,
        monkeypatch: pytest.MonkeyPatch,
        holds: str,
    ) -> None:
        folder, _ = judged
        monkeypatch.chdir(folder)
        out = folder / holds
        if holds == "photos":
            shutil.copytree("data", out)
        else:
            shutil.copytree("reports/small", out)
            (out / "notes.txt").write_text("mine")
        before = sorted(path.name for path in out.rglob("*"))
        outcome = emotag("evaluate", "small", "-o", str(out), "--force")
        assert outcome.code == 1
        assert outcome.err.endswith(
            "holds something else than a report, which would be lost; choose another name with "
            "--out.\n"
        )
        assert sorted(path.name for path in out.rglob("*")) == before


@contextlib.contextmanager
def visited(page: Page, path: Path) -> Iterator[Page]:
    """Open a page; in the end nothing was noted, run or fetched."""
    problems: list[str] = []
    wanted: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: wanted.append(request.url))
    page.goto(path.as_uri())
    yield page
    assert problems == []
    assert [url for url in wanted if not url.startswith("data:")] == [path.as_uri()]


def without(report: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in names}


class TestLabels:
    def test_unknown_ones_are_named_and_a_map_offered(self, data: Path, emotag: Emotag) -> None:
        os.rename("data/happiness", "data/happy")
        outcome = emotag("evaluate", "small", "data", "-q")
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err == (
            "emotag: The photos are labelled happy, which the model does not know; it knows love, "
            "happiness, violence, fear, sadness. To take one for another: --map happy=happiness\n"
        )
        assert not os.path.exists("reports")

    def test_a_map_lets_them_be_known(self, data: Path, emotag: Emotag) -> None:
        os.rename("data/happiness", "data/happy")
        os.rename("data/sadness", "data/sad")
        mapped = ("--map", "happy=happiness", "--map", "sad = sadness")
        assert emotag("evaluate", "small", "data", *mapped, "-q", "-o", "r").code == 0
        counts = read_json("r/report.json")["counts"]
        assert counts == {"love": 3, "happiness": 3, "violence": 0, "fear": 3, "sadness": 3}

    @pytest.mark.parametrize("text", ["joy", "joy=", "=happiness", "="])
    def test_a_map_of_another_form_is_refused(self, data: Path, emotag: Emotag, text: str) -> None:
        outcome = emotag("evaluate", "small", "data", "--map", text)
        assert outcome.code == 1
        assert outcome.err == (
            f"emotag: --map takes LABEL=NAME, such as joy=happiness, not {text!r}.\n"
        )

    def test_a_model_of_sentiment_is_judged_on_what_emotions_fold_into(
        self, data: Path, emotag: Emotag
    ) -> None:
        save_small_bundle("feeling", LabelSet.from_names(["positive", "negative"]), name="feeling")
        outcome = emotag("evaluate", "feeling", "data", "-q", "-o", "r")
        assert (outcome.code, outcome.err) == (0, "")
        report = read_json("r/report.json")
        assert report["counts"] == {"positive": 6, "negative": 6}
        by_path = {row["path"]: row["actual"] for row in read_csv("r/predictions.csv")}
        assert by_path["data/love/0.png"] == by_path["data/happiness/0.png"] == "positive"
        assert by_path["data/fear/0.png"] == by_path["data/sadness/0.png"] == "negative"

    def test_no_label_at_all(self, data: Path, emotag: Emotag) -> None:
        write_manifest(data, [{**row, "label": ""} for row in rows_of(data)])
        outcome = emotag("evaluate", "small", "data")
        assert outcome.code == 1
        assert outcome.err == "emotag: No photo has a label, so there is nothing to judge with.\n"


class TestRefused:
    def test_an_unknown_model(self, data: Path, emotag: Emotag) -> None:
        outcome = emotag("evaluate", "smal", "data")
        assert outcome.code == 1
        assert outcome.err.startswith("emotag: ")
        assert "smal" in outcome.err
        assert "Traceback" not in outcome.err

    def test_no_folder(self, data: Path, emotag: Emotag) -> None:
        outcome = emotag("evaluate", "small", "gone")
        assert outcome.code == 1
        assert outcome.err.startswith("emotag: gone does not exist")

    def test_photos_of_which_none_can_be_read(self, data: Path, emotag: Emotag) -> None:
        for path in data.rglob("*.png"):
            path.write_bytes(b"")
        outcome = emotag("evaluate", "small", "data", "-q")
        assert outcome.code == 1
        assert outcome.err.startswith("emotag: No photo can be read; the first: data/fear/")
        assert not os.path.exists("reports")


def rows_of(data: Path, **columns: Callable[[int], str]) -> list[dict[str, str]]:
    """Return a manifest's rows, with columns of what functions say of a row's number."""
    files = sorted(path.relative_to(data).as_posix() for path in data.rglob("*.png"))
    return [
        {"file": file, **{name: say(index) for name, say in columns.items()}}
        for index, file in enumerate(files)
    ]


class TestManifest:
    def test_only_the_split_test_is_judged_unless_all_is_asked(
        self, data: Path, emotag: Emotag
    ) -> None:
        write_manifest(data, rows_of(data, split=lambda i: ("train", "val", "test")[i % 3]))
        assert emotag("evaluate", "small", "data", "-q", "-o", "r").code == 0
        report = read_json("r/report.json")
        assert (report["split"], report["n_photos"]) == ("the split test", 4)
        assert {os.path.basename(row["path"]) for row in read_csv("r/predictions.csv")} == {"2.png"}
        assert emotag("evaluate", "small", "data", "--all", "-q", "-o", "all").code == 0
        report = read_json("all/report.json")
        assert (report["split"], report["n_photos"]) == ("all photos", 12)

    def test_columns_of_other_names(self, data: Path, emotag: Emotag) -> None:
        rows = rows_of(data, mood=lambda _: "love", owner=lambda i: f"o{i % 4}")
        write_manifest(data, [{**row, "label": ""} for row in rows])
        columns = ("--label-column", "mood", "--group-column", "owner")
        assert emotag("evaluate", "small", "data", *columns, "-q", "-o", "r").code == 0
        report = read_json("r/report.json")
        assert (report["counts"]["love"], report["n_groups"]) == (12, 4)

    def test_depicted_and_evoked_are_judged_apart(self, data: Path, emotag: Emotag) -> None:
        write_manifest(data, rows_of(data, kind=lambda i: ("Depicted", "evoked", "")[i % 3]))
        assert emotag("evaluate", "small", "data", "-q", "-o", "r").code == 0
        by_kind = read_json("r/report.json")["by_kind"]
        rows = read_csv("r/predictions.csv")
        for kind, name in (("depicted", "0.png"), ("evoked", "1.png")):
            hits = [row["actual"] == row["predicted"] for row in rows if row["path"].endswith(name)]
            assert by_kind[kind]["accuracy"]["value"] == sum(hits) / 4
        assert "Depicted and evoked" in Path("r/report.html").read_text(encoding="utf-8")

    def test_who_made_a_photo_stands_under_it_and_its_licence_is_kept(
        self, data: Path, emotag: Emotag
    ) -> None:
        licence = ("CC BY-ND 2.0", "CC BY-NC 2.0", "CC BY 2.0")
        rows = rows_of(
            data,
            title=lambda i: f"Photo {i}",
            owner_name=lambda _: "Ada <b>",
            licence_name=lambda i: licence[i % 3],
            licence_url=lambda _: "https://creativecommons.org/",
            page=lambda i: f"https://flickr.com/{i}",
        )
        write_manifest(data, rows)
        assert emotag("evaluate", "small", "data", "-q", "-o", "r").code == 0
        page = Path("r/report.html").read_text(encoding="utf-8")
        assert "Ada &lt;b&gt;" in page
        assert "Ada <b>" not in page
        assert 'href="https://flickr.com/0"' in page
        assert "not for commercial use" in page
        assert "Left out" not in page
        assert count_pictures(page) == 12
        assert emotag("evaluate", "small", "data", "-q", "-o", "p", "--publication").code == 0
        page = Path("p/report.html").read_text(encoding="utf-8")
        assert "Left out: its licence forbids derivatives." in page
        assert count_pictures(page) == 8
        assert 'href="https://flickr.com/0"' in page


def count_pictures(page: str) -> int:
    """Return how many different photos a page shows."""
    return len(set(re.findall(r'data-picture="?(\d+)', page)))
