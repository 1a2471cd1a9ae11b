import contextlib
import csv
import io
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotag.bundle.folder import open_bundle
from emotag.cli.fit_output import print_data, print_report, print_saved
from emotag.dataset import load_dataset, split_dataset
from emotag.emotions import LabelSet
from emotag.errors import UnreadablePhoto
from emotag.evaluation.report import judge
from tests.cli.program import Outcome, command, run_here, terminal
from tests.tagging.small_bundle import save_small_bundle


def draw(folder, colours, count):
    """Draw photos of noise around a colour for each label."""
    for label, colour in colours.items():
        os.makedirs(folder / label)
        for index in range(count):
            noise = np.random.default_rng([index, *colour]).integers(-30, 31, (48, 64, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{index}.png")


def without_progress(text):
    """Return the lines of a log but those that a slow machine has and a fast one has not."""
    return [line for line in text.splitlines() if not line.startswith("Photos: ")]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """One whole fit on ./data with broken photos in it: the current folder, and what was said."""
    folder = tmp_path_factory.mktemp("fit")
    draw(folder / "data", {"love": (200, 40, 40), "fear": (30, 30, 160)}, 12)
    (folder / "data/love/empty.jpg").write_bytes(b"")
    (folder / "data/fear/text.jpg").write_text("Dear diary,")
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("EMOTAG_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_here("fit")
    return folder, Outcome(code, out.getvalue(), "\n".join(without_progress(err.getvalue())))


@pytest.mark.slow
class TestFit:
    def test_names_the_broken_photos_and_counts_the_others(self, fitted):
        _, outcome = fitted
        assert outcome.code == 0
        lines = outcome.err.splitlines()
        assert sorted(lines[:2]) == [
            "left out: data/fear/text.jpg: not a photo but text",
            "left out: data/love/empty.jpg: empty file",
        ]
        table = [line.split() for line in lines[2:5]]
        assert table[0] == ["label", "sentiment", "to", "fit", "on", "to", "judge", "with"]
        assert [row[:2] for row in table[1:]] == [["love", "positive"], ["fear", "negative"]]
        counts = np.array([row[2:] for row in table[1:]], dtype=int)
        assert counts.sum(axis=1).tolist() == [12, 12]
        assert (counts[:, 1] >= 2).all()

    def test_says_what_it_is_doing_and_how_to_go_on(self, fitted):
        _, outcome = fitted
        assert outcome.err.splitlines()[5:] == [
            "Fitting lite0 …",
            "Judging …",
            "Saving …",
            "",
            "Saved to models/lite0 (the one that was judged).",
            "Tag with it: emotag tag --model models/lite0 ./photos",
        ]

    def test_reports_figures_beside_their_baselines(self, fitted):
        _, outcome = fitted
        assert re.match(r"\nJudged on \d photos it has not seen \(\d independent\)", outcome.out)
        for title in (
            "accuracy",
            "… of the majority label",
            "balanced accuracy",
            "sentiment accuracy (folded)",
            "… of the majority sentiment",
            "recall of love",
            "recall of fear",
        ):
            pattern = rf"\n {re.escape(title)} +\d\.\d{{3}}  \[\d\.\d{{3}}, \d\.\d{{3}}\]"
            assert re.search(pattern, outcome.out), title
        assert "\nThese are few photos: the true intervals are wider.\n" in outcome.out
        matrix = outcome.out.partition("(rows actual, columns predicted):\n\n")[2].splitlines()
        assert matrix[0].split() == ["love", "fear"]
        assert [row.split()[0] for row in matrix[1:]] == ["love", "fear"]

    def test_learns_what_colour_tells(self, fitted):
        _, outcome = fitted
        assert re.search(r"\n accuracy +1\.000 ", outcome.out)

    def test_the_model_says_what_it_was_made_of(self, fitted):
        folder, outcome = fitted
        config = open_bundle(str(folder / "models/lite0")).config
        assert (config.name, config.recipe) == ("lite0", "lite0")
        assert config.label_set.names == ("love", "fear")
        judged = sum(config.data["photos_judged_on"].values())
        assert f"Judged on {judged} photos" in outcome.out
        assert sum(config.data["photos_fitted_on"].values()) == 24 - judged
        assert config.metrics["held-out photos"]["accuracy"]["value"] == 1

    def test_the_model_tags(self, fitted, emotag, monkeypatch):
        folder, _ = fitted
        monkeypatch.chdir(folder)
        outcome = emotag("tag", "data", "-m", "lite0", "-o", "tags.csv")
        assert outcome.code == 3
        with open("tags.csv", newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["status"] == "tagged"]
        assert len(rows) == 24
        for row in rows:
            label = Path(row["path"]).parent.name
            assert row["emotion"] == label
            assert row["sentiment"] == {"love": "positive", "fear": "negative"}[label]

    def test_the_model_is_listed(self, fitted, emotag, monkeypatch):
        folder, _ = fitted
        monkeypatch.chdir(folder)
        assert "\n  lite0       love, fear (lite0 on lite0; models/lite0)" in emotag("models").out

    def test_a_second_fit_is_refused_at_once(self, fitted, emotag, monkeypatch):
        folder, _ = fitted
        monkeypatch.chdir(folder)
        before = os.stat("models/lite0").st_ino
        # before the data are looked for
        outcome = emotag("fit", "no-such-data")
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err == (
            "emotag: models/lite0 exists already; choose another name, or --force to replace it.\n"
        )
        assert os.stat("models/lite0").st_ino == before

    def test_nothing_else_is_left_behind(self, fitted):
        folder, _ = fitted
        assert os.listdir(folder / "models") == ["lite0"]


@pytest.mark.slow
def test_force_refit_label_file_and_quiet(emotag, inside, labelled_folder):
    """A model is replaced by one that was fitted on all photos, with the sentiments as told."""
    Path("labels.toml").write_text('positive = ["fear"]\nnegative = ["love"]\n')
    save_small_bundle("models/mine")
    outcome = emotag(
        *("fit", labelled_folder, "--out", "models/mine", "--force", "--refit", "--quiet"),
        *("--label-file", "labels.toml"),
    )
    assert outcome.code == 0, outcome.err
    assert "Features" not in outcome.err
    assert "Fitting" not in outcome.err
    assert "Saved to models/mine (fitted once more on all photos)." in outcome.err
    config = open_bundle("models/mine").config
    assert config.name == "mine"
    assert config.data["photos_fitted_on"] == {"fear": 12, "love": 12}
    assert sum(config.data["photos_judged_on"].values()) == 6
    assert config.data["refit_on_all"] is True
    tagged = emotag("tag", labelled_folder / "fear/0.jpg", "-m", "mine")
    # a dozen photos each, all told apart, do not justify a confidence of 1
    assert re.search(r",fear,0\.[89]\d*,positive,", tagged.out)


@pytest.mark.slow
def test_ctrl_c_while_saving_leaves_no_half_model(inside, labelled_folder):
    process = subprocess.Popen(
        command("fit", labelled_folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    reader = threading.Thread(target=process.stdout.read)
    reader.start()
    seen = ""
    while "Saving …" not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    reader.join()
    process.stdout.close()
    process.stderr.close()
    assert process.wait(60) == 130
    assert rest == (
        "emotag: Stopped; no model was saved. Features computed so far are kept, "
        "so the same command goes on from there.\n"
    )
    assert not Path("models").exists() or os.listdir("models") == []


class TestRefusals:
    @pytest.fixture(autouse=True)
    def _data(self, inside, labelled_folder):
        shutil.copytree(labelled_folder, "data")

    def refused(self, emotag, *arguments):
        outcome = emotag("fit", *arguments)
        assert (outcome.code, outcome.out) == (1, "")
        (line,) = without_progress(outcome.err)
        assert not os.path.exists("models/lite0")
        return line.removeprefix("emotag: ")

    def test_no_data_folder(self, emotag):
        shutil.rmtree("data")
        assert self.refused(emotag).startswith("data does not exist; emotag fits on folders of")

    def test_one_label(self, emotag):
        shutil.rmtree("data/fear")
        assert self.refused(emotag) == (
            "All photos have the label 'love'; a model needs at least two to tell apart."
        )

    @pytest.mark.parametrize(
        ("count", "said"), [(3, "and 4 are needed to hold a part out"), (5, "fewer than the 5")]
    )
    def test_too_few_photos_of_a_label(self, emotag, count, said):
        for index in range(count, 12):
            os.remove(f"data/fear/{index}.jpg")
        line = self.refused(emotag)
        assert re.match(r"The label 'fear' has [34] photos", line)
        assert said in line

    def test_no_photo_can_be_read(self, emotag):
        for path in Path("data").rglob("*.jpg"):
            # each its own, so that none is taken for a copy
            path.write_bytes(b"\xff\xd8\xff" + str(path).encode())
        assert self.refused(emotag).startswith("None of the photos can be read; the first: data/")

    def test_an_unknown_model(self, emotag):
        said = self.refused(emotag, "--model", "lite1")
        assert said.startswith(
            "Unknown model 'lite1'; choose from linear, svm, concepts, fused, finetune, "
        )
        assert said.endswith(" Did you mean 'lite0'?")

    def test_a_backbone_for_a_name_that_has_its_own(self, emotag):
        said = self.refused(emotag, "--model", "vgg16", "--backbone", "lite0")
        assert said.startswith("The model 'vgg16' stands on vgg16 and takes no other backbone; ")

    def test_an_option_of_fine_tuning_for_another_model(self, emotag):
        said = self.refused(emotag, "--epochs", "3")
        assert said == "--epochs can be set for a network that is trained only."

    def test_an_unknown_target(self, emotag):
        said = self.refused(emotag, "--target", "mood")
        assert said == "Unknown target 'mood'; choose from emotion, sentiment."

    def test_weights_that_are_not_there(self, emotag):
        said = self.refused(emotag, "--model", "resnet50", "--weights", "nope.pth")
        assert said == "The weights nope.pth cannot be read: it does not exist."

    def test_a_label_file_that_is_not_there_or_does_not_fit(self, emotag):
        assert self.refused(emotag, "--label-file", "nope.toml") == (
            "The label file nope.toml cannot be read: No such file or directory."
        )
        Path("labels.toml").write_text('positive = ["sun"]\nnegative = ["love"]\n')
        assert self.refused(emotag, "--label-file", "labels.toml") == (
            "The photos are labelled fear, which the label file does not have; it has sun, love."
        )

    def test_columns_that_a_manifest_lacks(self, emotag):
        rows = [f"{label}/{index}.jpg,{label}" for label in ("love", "fear") for index in range(12)]
        Path("data/photos.csv").write_text("\n".join(["file,label", *rows]))
        assert self.refused(emotag, "--label-column", "mood").startswith(
            "data/photos.csv has no column 'mood'"
        )
        assert self.refused(emotag, "--group-column", "owner").startswith(
            "data/photos.csv has no column 'owner'"
        )
        assert self.refused(emotag, "--split-column", "part").startswith(
            "data/photos.csv has no column 'part'"
        )

    @pytest.mark.parametrize("target", ["data", "data/love", "notes.txt", "mixed"])
    def test_force_replaces_nothing_but_a_model(self, emotag, target):
        Path("notes.txt").write_text("mine")
        save_small_bundle("mixed")
        Path("mixed/photo.jpg").write_text("mine")
        before = sorted(str(path) for path in Path().rglob("*"))
        said = self.refused(emotag, "--out", target, "--force")
        assert said.startswith(f"{target} is not a saved model, or holds other files too")
        assert sorted(str(path) for path in Path().rglob("*")) == before

    def test_a_place_where_nothing_can_be_written(self, emotag):
        said = self.refused(emotag, "--out", "data/love/0.jpg/a/model")
        assert said == (
            "data/love/0.jpg/a/model cannot be written: "
            f"{os.getcwd()}/data/love/0.jpg is not a folder."
        )


class TestPrinting:
    @pytest.fixture
    def loaded(self, inside, labelled_folder):
        rows = [f"{label}/{index}.jpg,{label}" for label in ("love", "fear") for index in range(12)]
        for index in range(3):
            rows[index] = rows[index].partition(",")[0] + ","
        (labelled_folder / "photos.csv").write_text("\n".join(["file,label", *rows]))
        return load_dataset([str(labelled_folder)])

    def test_photos_without_a_label_are_counted(self, loaded, capsys):
        train, test = split_dataset(loaded.labelled)
        print_data(loaded, train, test, [], LabelSet(["love", "fear"]))
        lines = capsys.readouterr().err.splitlines()
        assert lines[0] == "left out: 3 photos without a label"
        assert lines[2].split() == ["love", "-", *map(str, (train.counts["love"], 2))]

    def test_of_many_broken_photos_some_are_named(self, loaded, capsys):
        failures = [UnreadablePhoto(f"{index}\n.jpg", "empty file") for index in range(12)]
        train, test = split_dataset(loaded.labelled)
        print_data(loaded, train, test, failures, LabelSet(["love", "fear"]))
        lines = capsys.readouterr().err.splitlines()
        assert lines[0] == "left out: 0\\n.jpg: empty file"
        assert lines[9] == "left out: 9\\n.jpg: empty file"
        assert lines[10] == "left out: 2 more that cannot be read"

    def test_of_unknown_sentiment_is_told_with_what_to_type(self, capsys):
        print_saved("models/weather", LabelSet(["sun", "rain"]), refit=False)
        said = capsys.readouterr().err
        assert "--label-file FILE.toml" in said
        print_saved("models/mine", LabelSet(["love", "fear"], ["love"], ["fear"]), refit=False)
        assert "--label-file" not in capsys.readouterr().err

    def test_labels_are_printed_as_they_are_and_in_full(self, capsys):
        names = [
            "[red]angry[/red]",
            ":smile:",
            "文字",
            *(f"a rather long label {i}" for i in "abcde"),
        ]
        proba = np.eye(len(names))[np.arange(80) % len(names)]
        report = judge(proba, names * 10, label_set=LabelSet(names))
        print_report(report)
        out = capsys.readouterr().out
        assert "few photos" not in out
        assert "sentiment" not in out
        matrix = out.partition("predicted):\n\n")[2].splitlines()
        assert len(matrix) == len(names) + 1
        for name, line in zip(names, matrix[1:], strict=True):
            assert line.startswith(f" {name} ")
            assert name in matrix[0]
            assert f" recall of {name} " in out

    def test_a_terminal_gets_tables_that_fit(self):
        names = [f"a rather long label {letter}" for letter in "abcde"]
        report = judge(np.eye(5), names, label_set=LabelSet(names))
        with terminal() as screen:
            print_report(report)
        matrix = screen.text.partition("predicted):")[2]
        assert max(map(len, matrix.splitlines())) <= 80
        assert "a rather" in matrix

    def test_no_interval_is_a_dash(self, capsys):
        report = judge(np.eye(2), ["sun", "rain"], [1, 1], label_set=LabelSet(["sun", "rain"]))
        print_report(report)
        assert re.search(r"\n accuracy +1\.000  - ", capsys.readouterr().out)


@pytest.mark.slow
def test_sentiment_as_the_target(emotag, inside):
    draw(inside / "data", {"love": (200, 40, 40), "fear": (30, 30, 160)}, 12)
    outcome = emotag("fit", "--target", "sentiment", "--quiet")
    assert outcome.code == 0
    config = open_bundle("models/lite0-sentiment").config
    assert config.label_set.names == ("positive", "negative")
    tagged = emotag("tag", "data/fear/0.png", "-m", "lite0-sentiment", "-o", "-", "-q")
    row = next(csv.DictReader(io.StringIO(tagged.out)))
    assert (row["emotion"], row["sentiment"]) == ("negative", "negative")
