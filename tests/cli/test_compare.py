"""``emotag compare`` as a person calls it."""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import emotag.features.cnn
from emotag.evaluation.contestants import RecipeFitter
from tests.chromium import open_chromium
from tests.cli.labelled import draw_labelled, read_csv, read_json, write_manifest
from tests.cli.program import Outcome, run, run_here
from tests.cli.test_evaluate import rows_of, visited, without

Emotag = Callable[..., Outcome]

TWO = ("love", "fear")
FOLDS = ("--models", "lite0,svm@lite0", "--folds", "3", "-q")


@dataclass
class Counts:
    """What was computed: photos sent through a network, and models fitted."""

    photos: list[str] = field(default_factory=list)
    fits: list[str] = field(default_factory=list)


@contextlib.contextmanager
def counted() -> Iterator[Counts]:
    """Count what is computed in this process while the body runs."""
    counts = Counts()
    run_batch, fit = emotag.features.cnn._run_batch, RecipeFitter.__call__

    def count_photos(items: Sequence[tuple[bytes, str]], *rest: Any) -> Any:
        counts.photos += [path for _, path in items]
        return run_batch(items, *rest)

    def count_fits(self: RecipeFitter, name: str, *rest: Any) -> Any:
        counts.fits.append(name)
        return fit(self, name, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emotag.features.cnn, "_run_batch", count_photos)
        patch.setattr(RecipeFitter, "__call__", count_fits)
        yield counts


@contextlib.contextmanager
def own_cache(folder: Path, exported: Path) -> Iterator[None]:
    """Let a cache be used in which nothing is but the exported networks, which take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMOTAG_CACHE", str(folder))
        (exported / "networks").mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        (folder / "networks").symlink_to(exported / "networks")
        yield


@dataclass
class Compared:
    """A comparison of two heads on one backbone, in three folds."""

    folder: Path
    outcome: Outcome
    counts: Counts
    cache: Path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of all tests, with the network in it."""
    return tmp_path_factory.getbasetemp() / "cache"


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> Compared:
    folder = tmp_path_factory.mktemp("compare")
    draw_labelled(folder / "data", TWO, 9, spread=70)
    out, err = io.StringIO(), io.StringIO()
    with (
        own_cache(folder / "cache", exported),
        counted() as counts,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        contextlib.chdir(folder),
    ):
        code = run_here("compare", "data", *FOLDS, "-o", "whole")
    return Compared(folder, Outcome(code, out.getvalue(), err.getvalue()), counts, folder / "cache")


def numbers(folder: Path, name: str) -> dict[str, Any]:
    """Return a report's JSON but for when and how it was made."""
    return without(read_json(folder / name / "report.json"), "date", "command")


@pytest.mark.slow
class TestCompare:
    def test_writes_a_page_figures_and_numbers(self, compared: Compared) -> None:
        assert (compared.outcome.code, compared.outcome.err) == (0, "")
        report = compared.folder / "whole"
        for name in ("metrics", "predictions", "leaks", "unreadable"):
            assert (report / f"{name}.csv").is_file()
        assert {"accuracies.svg", "confusion.png"} <= set(os.listdir(report / "figures"))
        found = read_json(report / "report.json")
        assert list(found["models"]) == ["lite0", "svm@lite0"]
        for model in found["models"].values():
            assert model["n_photos"] == 18
            for name in ("accuracy", "balanced_accuracy", "macro_f1"):
                figure = model["metrics"][name]
                assert figure["low"] <= figure["value"] <= figure["high"]

    def test_both_are_judged_on_the_same_photos_each_once(self, compared: Compared) -> None:
        rows = read_csv(compared.folder / "whole/predictions.csv")
        paths = {
            model: [row["path"] for row in rows if row["model"] == model]
            for model in ("lite0", "svm@lite0")
        }
        assert paths["lite0"] == paths["svm@lite0"]
        assert len(set(paths["lite0"])) == len(paths["lite0"]) == 18

    def test_features_are_extracted_once_for_all_heads_and_folds(self, compared: Compared) -> None:
        assert Counter(Counter(compared.counts.photos).values()) == {1: 18}
        assert compared.counts.fits == ["lite0"] * 3 + ["svm@lite0"] * 3

    def test_says_what_may_be_concluded(self, compared: Compared) -> None:
        (two,) = read_json(compared.folder / "whole/report.json")["comparisons"]
        assert (two["first"], two["second"]) == ("lite0", "svm@lite0")
        assert {"p_value", "p_grouped", "p_holm"} <= set(two)
        rows = read_csv(compared.folder / "whole/predictions.csv")
        right = {
            name: [row["actual"] == row["predicted"] for row in rows if row["model"] == name]
            for name in ("lite0", "svm@lite0")
        }
        only_first = sum(a and not b for a, b in zip(*right.values(), strict=True))
        only_second = sum(b and not a for a, b in zip(*right.values(), strict=True))
        assert (two["n_only_first"], two["n_only_second"]) == (only_first, only_second)
        heading = compared.outcome.out.splitlines()[0].split()
        assert heading == ["lite0", "svm@lite0"]
        text = " ".join(compared.outcome.out.split())
        for sentence in read_json(compared.folder / "whole/report.json")["sentences"]:
            assert sentence in text

    def test_the_page_in_a_browser(self, compared: Compared) -> None:
        path = compared.folder / "whole/report.html"
        rows = read_csv(path.with_name("predictions.csv"))
        with open_chromium() as browser, visited(browser.new_page(), path) as page:
            assert page.locator("h1").inner_text() == "2 models on 18 photos"
            for number, model in enumerate(("lite0", "svm@lite0")):
                part = page.locator(f"#model-{number}")
                part.evaluate(OPEN_ALL)
                mine = [row for row in rows if row["model"] == model]
                wanted = sorted(
                    os.path.basename(row["path"])
                    for row in mine
                    if row["actual"] == row["predicted"] == "love"
                )
                part.get_by_role("button", name="labelled love, predicted love").first.click()
                shown = part.locator(".cell:visible .path").all_inner_texts()
                assert sorted(text.split("/")[-1].strip() for text in shown) == wanted[:12]

    def test_an_existing_report_is_refused_before_anything_is_fitted(
        self, compared: Compared, emotag: Emotag, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(compared.folder)
        with counted() as counts:
            outcome = emotag("compare", "data", *FOLDS, "-o", "whole")
        assert outcome.code == 1
        assert outcome.err == (
            "emotag: whole exists already; choose another name, or --force to replace it.\n"
        )
        assert counts == Counts()


@pytest.mark.slow
class TestStopped:
    def test_a_killed_one_goes_on_with_the_folds_it_has(
        self, compared: Compared, exported: Path, emotag: Emotag, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(compared.folder)
        with own_cache(compared.folder / "killed-cache", exported):
            program = [sys.executable, "-c", KILLED_AT_THE_FIFTH_FIT]
            done = subprocess.run(
                [*program, "compare", "data", *FOLDS, "-o", "killed"], check=False
            )
            assert done.returncode == -signal.SIGKILL
            assert not [name for name in os.listdir() if "killed" in name and "cache" not in name]
            with counted() as counts:
                assert emotag("compare", "data", *FOLDS, "-o", "killed").code == 0
        assert counts.fits == ["svm@lite0"] * 2
        assert counts.photos == []
        assert numbers(compared.folder, "killed") == numbers(compared.folder, "whole")
        for name in ("predictions.csv", "metrics.csv"):
            first, second = (compared.folder / run / name for run in ("killed", "whole"))
            assert first.read_bytes() == second.read_bytes()

    def test_another_seed_or_other_photos_are_fitted_anew(
        self, compared: Compared, emotag: Emotag, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(compared.folder)
        monkeypatch.setenv("EMOTAG_CACHE", str(compared.cache))
        with counted() as counts:
            assert emotag("compare", "data", *FOLDS, "--seed", "1", "-o", "seed").code == 0
        assert len(counts.fits) == 6
        assert counts.photos == []


OPEN_ALL = "part => [part, ...part.querySelectorAll('details')].forEach(one => (one.open = true))"

KILLED_AT_THE_FIFTH_FIT = """
import os, signal
from emotag.cli.main import main
from emotag.evaluation.contestants import RecipeFitter

fit, fits = RecipeFitter.__call__, []

def count(self, *arguments):
    fits.append(1)
    if len(fits) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return fit(self, *arguments)

RecipeFitter.__call__ = count
main()
"""


@pytest.mark.slow
def test_processes_find_what_one_finds(
    compared: Compared, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(compared.folder)
    with own_cache(compared.folder / "jobs-cache", exported):
        # in a process of its own: workers that other tests have left know another cache
        outcome = run("compare", "data", *FOLDS, "--jobs", "2", "-o", "jobs", timeout=300)
        kept = os.listdir(compared.folder / "jobs-cache" / "folds")
    assert (outcome.code, outcome.err) == (0, "")
    assert len(kept) == 6
    assert numbers(compared.folder, "jobs") == numbers(compared.folder, "whole")


@pytest.fixture
def data(inside: Path) -> Path:
    """The current folder with ./data: two labels, sixteen photos each."""
    draw_labelled(inside / "data", TWO, 16, seed=1, spread=60)
    return inside / "data"


class TestSplits:
    def judged(self) -> list[str]:
        return [row["path"] for row in read_csv("r/predictions.csv")]

    def test_by_group_is_the_usual_one(self, data: Path, emotag: Emotag) -> None:
        rows = rows_of(data, group=lambda i: f"g{i // 2}")
        write_manifest(data, rows)
        assert emotag("compare", "data", "--models", "lite0", "-q", "-o", "r").code == 0
        found = read_json("r/report.json")
        assert found["split"] == "a quarter held out, by group"
        assert (found["n_photos"], found["n_groups"]) == (8, 4)
        groups = {os.path.join("data", row["file"]): row["group"] for row in rows}
        assert sorted(Counter(groups[path] for path in self.judged()).values()) == [2, 2, 2, 2]

    def test_the_papers_has_copies_on_both_sides_and_says_so(
        self, data: Path, emotag: Emotag
    ) -> None:
        for path in list(data.rglob("*.png")):
            shutil.copy(path, path.with_name(f"copy-{path.name}"))
        outcome = emotag("compare", "data", "-m", "lite0", "--split", "paper", "-q", "-o", "r")
        assert outcome.code == 0
        leaks = [row for row in read_csv("r/leaks.csv") if row["distance"] == "0"]
        judged = set(self.judged())
        assert len(judged) == 16
        twins = {path for path in judged if twin(path) not in judged}
        assert twins, "else nothing is tested"
        assert twins <= {row["test"] for row in leaks}
        assert "of the 16 photos judged" in outcome.out
        page = Path("r/report.html").read_text(encoding="utf-8")
        assert "Photos on both sides" in page

    def test_the_manifests_is_taken_where_it_has_one(self, data: Path, emotag: Emotag) -> None:
        splits = ("train", "train", "val", "test")
        rows = rows_of(data, split=lambda i: splits[i % 4])
        write_manifest(data, rows)
        assert emotag("compare", "data", "-m", "lite0", "-q", "-o", "r").code == 0
        assert read_json("r/report.json")["split"] == "the split that the manifest gives"
        assert self.judged() == [f"data/{row['file']}" for row in rows if row["split"] == "test"]

    def test_each_source_is_left_out_once(self, data: Path, emotag: Emotag) -> None:
        rows = rows_of(data, source=lambda i: f"s{i % 2}")
        write_manifest(data, rows)
        options = ("-m", "lite0", "--split", "sources", "-q", "-o", "r")
        assert emotag("compare", "data", *options).code == 0
        found = read_json("r/report.json")
        assert found["n_photos"] == 32
        source = {f"data/{row['file']}": row["source"] for row in rows}
        assert [source[path] for path in self.judged()] == ["s0"] * 16 + ["s1"] * 16

    def test_unreadable_photos_are_counted_and_listed(self, data: Path, emotag: Emotag) -> None:
        (data / "love" / "text.jpg").write_text("Dear diary,")
        outcome = emotag("compare", "data", "-m", "lite0", "-q", "-o", "r")
        assert outcome.code == 3
        assert outcome.err == "1 photo could not be read; unreadable.csv says why.\n"
        assert read_csv("r/unreadable.csv") == [
            {"path": "data/love/text.jpg", "reason": "not a photo but text"}
        ]
        assert read_json("r/report.json")["n_unreadable"] == 1

    def test_a_learning_curve(self, data: Path, emotag: Emotag) -> None:
        options = ("-m", "lite0", "--learning-curve", "-q", "-o", "r")
        outcome = emotag("compare", "data", *options)
        assert outcome.code == 0
        points = read_json("r/report.json")["learning_curve"]
        counts = [(point["share"], point["n_photos"]) for point in points]
        assert counts[-1] == (1, 24)
        assert counts[0][1] >= 10, "five of each label are needed to fit on"
        assert len(counts) > 1
        assert os.path.isfile("r/figures/learning-curve.svg")
        page = Path("r/report.html").read_text(encoding="utf-8")
        assert "What more photos bring" in page


def twin(path: str) -> str:
    folder, name = os.path.split(path)
    other = name.removeprefix("copy-") if name.startswith("copy-") else f"copy-{name}"
    return os.path.join(folder, other)


class TestRefused:
    """Said in a line, before anything is computed."""

    @pytest.fixture(autouse=True)
    def _nothing_is_computed(self, data: Path) -> Iterator[None]:
        with counted() as counts:
            yield
        assert counts == Counts()
        assert not os.path.exists("reports")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("-m", "lite0,svm,lite0"), "The model 'lite0' is named twice."),
            (("-m", " , "), "No model is named; emotag models lists them."),
            (
                ("-m", "lite0", "--split", "paper", "--folds", "3"),
                "--folds does not go with --split paper.",
            ),
            (
                ("-m", "lite0", "--split", "given"),
                "The manifest gives no split: no photo has train, val or test in its column "
                "split. Choose another split, such as group.",
            ),
            (
                ("-m", "lite0", "--folds", "17"),
                "The label 'fear' has 16 photos in 16 independent groups, so that one of 17 folds "
                "would have none of it; ask for at most 16 folds, collect more of it, or leave it "
                "out.",
            ),
        ],
    )
    def test_what_makes_no_sense(
        self, emotag: Emotag, options: tuple[str, ...], message: str
    ) -> None:
        outcome = emotag("compare", "data", *options)
        assert (outcome.code, outcome.out, outcome.err) == (1, "", f"emotag: {message}\n")

    def test_an_unknown_model_names_the_choices(self, emotag: Emotag) -> None:
        outcome = emotag("compare", "data", "-m", "lite0,lit0")
        assert outcome.code == 1
        assert re.match(r"emotag: .*'lit0'.*lite0", outcome.err)

    def test_an_unknown_split_names_the_choices(self, emotag: Emotag) -> None:
        outcome = emotag("compare", "data", "-m", "lite0", "--split", "papers")
        assert outcome.code == 1
        assert re.match(r"emotag: .*'papers'.*paper", outcome.err)

    def test_sources_without_a_source(self, emotag: Emotag) -> None:
        outcome = emotag("compare", "data", "-m", "lite0", "--split", "sources")
        assert outcome.code == 1
        assert "have no source" in outcome.err

    def test_one_label(self, data: Path, emotag: Emotag) -> None:
        shutil.rmtree(data / "love")
        outcome = emotag("compare", "data", "-m", "lite0")
        assert outcome.code == 1
        assert outcome.err == (
            "emotag: The photos have 1 label, and at least two are needed to tell apart.\n"
        )


def test_a_learning_curve_of_few_photos_leaves_out_what_is_too_small(
    data: Path, emotag: Emotag
) -> None:
    for path in data.rglob("1?.png"):
        path.unlink()
    options = ("-m", "lite0", "--split", "paper", "--learning-curve", "-q", "-o", "r")
    assert emotag("compare", "data", *options).code == 0
    assert read_json("r/report.json")["learning_curve"][-1]["n_photos"] == 15
