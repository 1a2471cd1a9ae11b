import contextlib
import csv
import inspect
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from emotag.bundle.config import CONFIG, NETWORK
from emotag.cli.tag import tag
from emotag.cli.tag_output import check_target
from emotag.cli.tag_takers import check_page
from emotag.emotions import FIVE, LabelSet
from emotag.errors import StorageError
from emotag.photos.decoding import MAX_PIXELS
from emotag.tagging.gallery import PHOTOS
from emotag.tagging.rows import column_names, path_text
from tests.cli.program import command, run, run_here, terminal
from tests.conftest import draw_photo
from tests.tagging.small_bundle import save_small_bundle

NASTY = [
    "comma, quote\" and 'single'.jpg",
    "two\nlines.jpg",
    "carriage\rreturn.jpg",
    "новая фотография 😀.jpg",
    "\x1b[31mred[bold]:smile:.jpg",
    "photo\u202egpj.jpg",
    os.fsdecode(b"caf\xe9.jpg"),
]

HEADER = ",".join(column_names(FIVE))


@pytest.fixture(autouse=True)
def _model(small_bundle, inside):
    """Let --model small name a real but tiny model, in the current folder's ./models."""
    os.makedirs("models")
    os.symlink(small_bundle, "models/small")


@pytest.fixture
def mixed(inside):
    """Seven sound photos, one too small, three broken, and files that are none."""
    folder = inside / "mixed"
    (folder / "sub").mkdir(parents=True)
    for index in range(1, 12):
        draw_photo(folder / f"img{index}.jpg", index)
    (folder / "img2.jpg").write_bytes(b"")
    (folder / "img3.jpg").write_text("Dear diary,")
    (folder / "img4.jpg").write_bytes((folder / "img5.jpg").read_bytes()[:500])
    draw_photo(folder / "sub" / "tiny.png", 12, size=(8, 8))
    (folder / "notes.txt").write_text("text")
    (folder / "README").write_text("text")
    (folder / ".hidden.jpg").write_bytes(b"")
    return folder


@contextlib.contextmanager
def no_root():
    """Be a user to whom permissions matter."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


class TestRows:
    def test_every_photo_is_one_row_in_natural_order(self, emotag, mixed):
        outcome = emotag("tag", "mixed", "-m", "small", "-o", "tags.csv")
        assert (outcome.code, outcome.out) == (3, "")
        rows = read_csv("tags.csv")
        assert [(row["path"], row["status"]) for row in rows] == [
            ("mixed/img1.jpg", "tagged"),
            ("mixed/img2.jpg", "failed"),
            ("mixed/img3.jpg", "failed"),
            ("mixed/img4.jpg", "failed"),
            *((f"mixed/img{index}.jpg", "tagged") for index in range(5, 12)),
            ("mixed/sub/tiny.png", "skipped"),
        ]
        for row in rows:
            assert bool(row["reason"]) == (row["status"] != "tagged")
            assert row["model"] == "small"

    def test_same_bytes_on_every_run_for_any_number_of_threads(self, emotag, inside):
        (inside / "photos").mkdir()
        for index in range(40):
            draw_photo(inside / "photos" / f"{index}.jpg", index)
        (inside / "photos" / "7.jpg").write_bytes(b"")
        for ending in ("csv", "jsonl", "parquet"):
            contents = set()
            for number, jobs in enumerate(("1", "2", "4", "4")):
                name = f"tags{number}.{ending}"
                outcome = emotag("tag", "photos", "-m", "small", "-j", jobs, "-q", "-o", name)
                assert (outcome.code, outcome.out, outcome.err) == (3, "", "")
                contents.add(Path(name).read_bytes())
            assert len(contents) == 1

    def test_a_pipe_gets_csv(self, emotag, mixed):
        piped = emotag("tag", "mixed", "-m", "small")
        asked = emotag("tag", "mixed", "-m", "small", "-o", "-")
        emotag("tag", "mixed", "-m", "small", "-o", "tags.csv")
        assert piped.out == asked.out == Path("tags.csv").read_text()
        assert piped.out.startswith(HEADER + "\n")

    def test_colours_asked_for_do_not_get_into_a_pipe(self, mixed):
        environment = {**os.environ, "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}
        outcome = run("tag", "mixed/img1.jpg", "-m", "small", env=environment)
        assert outcome.out.startswith(HEADER + "\nmixed/img1.jpg,tagged,,")

    def test_several_paths_patterns_and_exclusions(self, emotag, mixed):
        arguments = ("tag", "-m", "small", "-q", "-o", "tags.csv")
        emotag(*arguments, "mixed/img9.jpg", "mixed/img1*.jpg", "mixed/img1.jpg")
        names = [Path(row["path"]).name for row in read_csv("tags.csv")]
        assert names == ["img9.jpg", "img1.jpg", "img10.jpg", "img11.jpg"]
        emotag(*arguments, "mixed", "--exclude", "img?.jpg", "--exclude", "sub")
        names = [Path(row["path"]).name for row in read_csv("tags.csv")]
        assert names == ["img10.jpg", "img11.jpg"]

    def test_names_that_hurt_are_read_back_everywhere(self, emotag, inside):
        (inside / "n").mkdir()
        for seed, name in enumerate(NASTY):
            draw_photo(inside / "n" / name, seed)
        expected = sorted(path_text(f"n/{name}") for name in NASTY)
        for ending in ("csv", "jsonl", "parquet"):
            outcome = emotag("tag", "n", "-m", "small", "-o", f"tags.{ending}")
            assert outcome.code == 0, outcome.err
            assert not re.search("[\x1b\u202e]", outcome.err)
        options = arrow_csv.ParseOptions(newlines_in_values=True)
        found = {
            "csv": [row["path"] for row in read_csv("tags.csv")],
            "pandas": pandas.read_csv("tags.csv")["path"].tolist(),
            "pyarrow": arrow_csv.read_csv("tags.csv", parse_options=options)["path"].to_pylist(),
            "json": [
                json.loads(line)["path"]
                for line in Path("tags.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
            ],
            "parquet": parquet.read_table("tags.parquet")["path"].to_pylist(),
        }
        assert {reader: sorted(paths) for reader, paths in found.items()} == dict.fromkeys(
            found, expected
        )

    def test_a_name_that_is_not_utf8_may_be_typed(self, inside):
        draw_photo(inside / NASTY[-1], 1)
        outcome = run("tag", NASTY[-1], "-m", "small", cwd=inside)
        assert outcome.code == 0
        assert outcome.out.splitlines()[1].startswith("caf%E9.jpg,tagged,,")
        os.rename(inside / NASTY[-1], inside / os.fsdecode(b"photo.j\xe9"))
        outcome = run("tag", os.fsdecode(b"photo.j\xe9"), "-m", "small", cwd=inside)
        assert outcome.code == 0, outcome.err
        assert ",tagged,JPEG under the ending .j%E9," in outcome.out

    def test_labels_positive_and_negative(self, emotag, inside):
        save_small_bundle("models/mood", LabelSet(["negative", "positive"]))
        draw_photo("a.jpg", 1)
        outcome = emotag("tag", "a.jpg", "-m", "mood")
        header, row = csv.reader(outcome.out.splitlines())
        assert header[-4:] == ["sentiment", "p_positive", "p_negative", "model"]
        assert float(row[-3]) + float(row[-2]) == pytest.approx(1, abs=1e-3)


class TestSummary:
    def test_of_a_mixed_folder(self, emotag, mixed):
        lines = emotag("tag", "mixed", "-m", "small", "-o", "tags.csv").err.splitlines()
        assert lines[0] == ""
        assert re.fullmatch(
            r"12 photos in \d+\.\d s \(.+/s\): 8 tagged, 1 skipped, 3 failed\.", lines[1]
        )
        assert lines[2] == "Left aside, no photos: 1 .txt, 1 without an ending."
        assert lines[3] == "Left aside, hidden: 1."
        text = "\n".join(lines)
        rows = [row for row in read_csv("tags.csv") if row["status"] == "tagged"]
        for column in ("emotion", "sentiment"):
            for value in {row[column] for row in rows}:
                count = sum(row[column] == value for row in rows)
                assert re.search(rf"\n  {value} +{count} +{count / 8:.0%}  [█]+\n", text)
        surest = max(rows, key=lambda row: float(row["confidence"]))
        least = min(rows, key=lambda row: float(row["confidence"]))
        for title, row in (("Surest", surest), ("Least sure", least)):
            assert re.search(rf"{title}:\n  0\.\d\d  {row['emotion']} +{row['path']}\n", text)
        refused = text.partition("Not tagged:\n")[2].splitlines()
        assert refused[:2] == [
            "  failed   mixed/img2.jpg: empty file",
            "  failed   mixed/img3.jpg: not a photo but text",
        ]
        assert refused[2].startswith("  failed   mixed/img4.jpg: damaged: ")
        assert refused[3].startswith("  skipped  mixed/sub/tiny.png: too small: 8 x 8 pixels")
        assert lines[-1] == "Written to tags.csv."

    def test_of_one_photo(self, emotag, inside):
        draw_photo("a.jpg", 1)
        outcome = emotag("tag", "a.jpg", "-m", "small")
        assert outcome.code == 0
        assert re.match(r"\n1 photo in \d+\.\d s \(.+/s\): 1 tagged\.\n\n  \w", outcome.err)
        assert "Surest" not in outcome.err
        assert "Left aside" not in outcome.err
        assert "Not tagged" not in outcome.err

    def test_only_skipped_photos_are_no_failure(self, emotag, inside):
        draw_photo("tiny.jpg", 1, size=(8, 8))
        outcome = emotag("tag", "tiny.jpg", "-m", "small")
        assert outcome.code == 0
        assert "0 tagged, 1 skipped." in outcome.err
        assert outcome.out.splitlines()[1].startswith('tiny.jpg,skipped,"too small: 8 x 8')
        assert "%" not in outcome.err

    def test_labels_of_unknown_sentiment(self, emotag, inside):
        save_small_bundle("models/weather", LabelSet(["sunshine and showers", "rain"]))
        for seed in range(8):
            draw_photo(f"{seed}.jpg", seed)
        outcome = emotag("tag", ".", "-m", "weather", "-o", "tags.csv")
        assert outcome.code == 0
        assert "positive" not in outcome.err
        assert {row["sentiment"] for row in read_csv("tags.csv")} == {""}
        # columns stay columns, however long a label is
        starts = {line.index("%") for line in outcome.err.splitlines() if "%" in line}
        assert len(starts) == 1

    def test_a_very_long_list_is_summed_up(self, emotag, inside):
        (inside / "many").mkdir()
        for index in range(3000):
            (inside / "many" / f"{index}.jpg").write_bytes(b"")
        for ending in "abcdefg":
            (inside / "many" / f"x.{ending}").write_text("text")
        outcome = emotag("tag", "many", "-m", "small", "-o", "tags.parquet")
        assert outcome.code == 3
        assert "3000 photos in " in outcome.err
        assert ": 0 tagged, 3000 failed." in outcome.err
        assert "  … and 2990 more; -o FILE lists them all." in outcome.err
        assert re.search(r"Left aside, no photos: (1 \.\w, ){5}…\.", outcome.err)
        assert outcome.err.count("empty file") == 10
        table = parquet.read_table("tags.parquet")
        assert table["path"].to_pylist() == [f"many/{index}.jpg" for index in range(3000)]

    def test_quiet_says_nothing_but_errors(self, emotag, mixed):
        outcome = emotag("tag", "mixed", "-m", "small", "-q", "-o", "tags.csv")
        assert (outcome.code, outcome.out, outcome.err) == (3, "", "")
        outcome = emotag("tag", "nowhere", "-m", "small", "-q")
        assert (outcome.code, outcome.err) == (1, "emotag: nowhere does not exist.\n")

    def test_a_folder_that_cannot_be_searched_is_listed(self, emotag, inside):
        draw_photo("a.jpg", 1)
        handle = os.open(".", os.O_RDONLY)
        for _ in range(20):  # deeper than a path may be long
            os.mkdir("d" * 250, dir_fd=handle)
            inner = os.open("d" * 250, os.O_RDONLY, dir_fd=handle)
            os.close(handle)
            handle = inner
        os.close(handle)
        outcome = emotag("tag", inside, "-m", "small")
        assert outcome.code == 3
        assert "could not be searched: File name too long" in outcome.err
        assert outcome.out.count(",tagged,") == 1


class TestTerminal:
    def test_shows_rows_then_the_summary_then_what_to_type(self, mixed):
        with terminal() as screen:
            assert run_here("tag", "mixed", "-m", "small") == 3
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", screen.text)
        assert re.search(r"\w+ +0\.\d\d  (positive|negative)  mixed/img1\.jpg\n", text)
        assert re.search(r"failed +-     -         mixed/img2\.jpg  \(empty file\)\n", text)
        assert re.search(r"skipped +-     -         mixed/sub/tiny\.png  \(too small", text)
        assert text.index("mixed/img11.jpg") < text.index("12 photos in")
        assert text.endswith(
            "To keep the tags: emotag tag … -o tags.csv (or .jsonl, .parquet), or --xmp\n"
        )
        assert "path,status" not in text

    def test_names_stay_on_their_line(self, inside):
        (inside / "n").mkdir()
        for seed, name in enumerate(NASTY):
            draw_photo(inside / "n" / name, seed)
        with terminal() as screen:
            assert run_here("tag", "n", "-m", "small", "-q") == 0
        assert len(screen.text.splitlines()) == len(NASTY)
        assert "n/\\x1b[31mred[bold]:smile:.jpg\n" in screen.text
        assert "n/two\\nlines.jpg\n" in screen.text
        assert "n/caf%E9.jpg\n" in screen.text

    def test_a_file_gets_the_rows_and_the_terminal_the_rest(self, mixed):
        with terminal() as screen:
            assert run_here("tag", "mixed", "-m", "small", "-o", "tags.csv") == 3
        assert "To keep the tags" not in screen.text
        assert screen.text.endswith("Written to tags.csv.\n")
        assert len(read_csv("tags.csv")) == 12

    def test_csv_asked_for_is_not_mixed_with_a_bar(self, mixed):
        with terminal() as screen:
            assert run_here("tag", "mixed", "-m", "small", "-o", "-") == 3
        rows = screen.text.partition("\n\n")[0].splitlines()
        assert rows[0] == HEADER
        assert len(rows) == 13

    def test_rows_go_to_stdout_where_stderr_is_a_log(self, mixed, capsys, monkeypatch):
        with terminal() as screen:
            monkeypatch.setattr(sys, "stderr", sys.__stderr__)
            assert run_here("tag", "mixed/img1.jpg", "-m", "small", "-q") == 0
        assert screen.text.endswith("  mixed/img1.jpg\n")

    def test_a_real_terminal_shows_a_bar(self, mixed):
        """In a process of its own, whose rich finds the terminal by itself."""
        master, slave = os.openpty()
        process = subprocess.Popen(
            command("tag", "mixed", "-m", "small"), stdin=slave, stdout=slave, stderr=slave
        )
        os.close(slave)
        seen = b""
        try:
            while block := os.read(master, 65536):
                seen += block
        except OSError:
            pass
        os.close(master)
        assert process.wait() == 3
        text = seen.decode()
        assert "Tagging" in text
        assert "12 photos in " in text


class TestTargets:
    def test_an_existing_file_is_replaced(self, emotag, mixed):
        Path("tags.csv").write_text("old")
        assert emotag("tag", "mixed/img1.jpg", "-m", "small", "-o", "tags.csv").code == 0
        assert read_csv("tags.csv")[0]["status"] == "tagged"
        assert sorted(os.listdir()) == ["mixed", "models", "tags.csv"]

    @pytest.mark.parametrize(
        ("target", "reason"),
        [
            ("tags.xls", ": emotag writes .csv, .jsonl, .parquet, so let the name end in one of"),
            ("tags", ": emotag writes .csv, .jsonl, .parquet, so let the name end in one of"),
            ("mixed", " cannot be written: it is a folder."),
            ("folder.csv", " cannot be written: it is a folder."),
            ("nowhere/tags.csv", " cannot be written: there is no folder nowhere."),
            ("mixed/img1.jpg/tags.csv", " cannot be written: there is no folder mixed/img1.jpg."),
        ],
    )
    def test_what_cannot_be_written_is_refused_before_the_work(self, emotag, mixed, target, reason):
        os.mkdir("folder.csv")
        outcome = emotag("tag", "no-such-photos", "-m", "no-such-model", "-o", target)
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.startswith(f"emotag: {target}{reason}")
        assert len(outcome.err.splitlines()) == 1

    def test_a_folder_without_permission_is_refused(self, inside):
        os.mkdir("locked", 0o555)
        with no_root(), pytest.raises(StorageError) as caught:
            check_target("locked/tags.csv")
        assert str(caught.value) == (
            "locked/tags.csv cannot be written: no permission for the folder locked."
        )

    def test_a_device_is_written_to_and_never_replaced(self, emotag, mixed):
        before = os.stat("/dev/null")
        outcome = emotag("tag", "mixed/img1.jpg", "-m", "small", "-o", "/dev/null")
        assert outcome.code == 0
        assert os.stat("/dev/null").st_rdev == before.st_rdev

    def test_a_pipe_is_written_to_and_never_replaced(self, mixed):
        os.mkfifo("pipe.jsonl")
        with subprocess.Popen(["cat", "pipe.jsonl"], stdout=subprocess.PIPE) as cat:
            outcome = run("tag", "mixed/img1.jpg", "-m", "small", "-q", "-o", "pipe.jsonl")
            assert outcome.code == 0, outcome.err
            assert json.loads(cat.stdout.read())["status"] == "tagged"

    def test_a_link_stays_and_its_file_is_replaced(self, emotag, mixed):
        os.mkdir("elsewhere")
        os.symlink("elsewhere/tags.csv", "link.csv")
        assert emotag("tag", "mixed/img1.jpg", "-m", "small", "-o", "link.csv").code == 0
        assert os.path.islink("link.csv")
        assert len(read_csv("elsewhere/tags.csv")) == 1


class TestNothingToTag:
    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("mixxed", "mixxed does not exist. Did you mean mixed?"),
            ("mixed/img99.jpg", "mixed/img99.jpg does not exist. Did you mean mixed/img9.jpg?"),
            ("*.heic", "*.heic does not exist."),
        ],
    )
    def test_a_path_that_does_not_exist(self, emotag, mixed, path, said):
        outcome = emotag("tag", path, "-m", "small", "-o", "tags.csv")
        assert (outcome.code, outcome.err) == (1, f"emotag: {said}\n")
        assert not os.path.exists("tags.csv")

    def test_an_empty_folder(self, emotag, inside):
        os.mkdir("empty")
        outcome = emotag("tag", "empty", "-m", "small")
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.startswith("emotag: There is no photo in empty. emotag reads JPEG,")


class TestModels:
    def test_one_that_is_not_there(self, emotag, mixed):
        outcome = emotag("tag", "mixed", "-m", "smal")
        assert outcome.code == 1
        assert outcome.err == (
            "emotag: There is no model 'smal', neither as a folder nor under ./models; "
            "at hand: default, small. Did you mean 'small'?\n"
        )

    def test_a_folder_that_is_none(self, emotag, mixed):
        outcome = emotag("tag", "mixed", "-m", "mixed")
        assert (outcome.code, outcome.err) == (
            1,
            "emotag: mixed is no model: it has no config.json.\n",
        )

    @pytest.mark.parametrize("name", [NETWORK, CONFIG])
    def test_one_that_was_altered(self, emotag, mixed, name):
        folder = save_small_bundle("altered")
        with open(os.path.join(folder, name), "ab") as file:
            file.write(b"x")
        outcome = emotag("tag", "mixed", "-m", "altered", "-o", "tags.csv")
        assert (outcome.code, outcome.out) == (1, "")
        assert outcome.err.startswith("emotag: The model altered is refused: ")
        assert len(outcome.err.splitlines()) == 1
        assert not os.path.exists("tags.csv")

    def test_the_default_one(self, emotag, sample_photos, inside):
        outcome = emotag("tag", *sample_photos, "-q")
        assert outcome.code == 0
        assert outcome.out.count(",tagged,") == 2


@pytest.fixture
def many(inside):
    """Hard links of a photo, more than are tagged in the time a test looks away."""
    (inside / "many").mkdir()
    first = draw_photo(inside / "many" / "0.jpg", 0, size=(1600, 1200))
    for index in range(1, 4000):
        os.link(first, inside / "many" / f"{index}.jpg")
    return inside / "many"


class TestStopping:
    def start(self, target):
        process = subprocess.Popen(
            command("tag", "many", "-m", "small", "-o", target),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while not any(os.path.getsize(path) for path in Path().glob(f".{target}*")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        return process

    @pytest.mark.parametrize(
        ("old", "said"), [(None, "tags.csv was not written"), ("old", "tags.csv is as it was")]
    )
    def test_ctrl_c_leaves_what_was_there(self, many, old, said):
        if old:
            Path("tags.csv").write_text(old)
        process = self.start("tags.csv")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (130, "")
        (line,) = err.splitlines()
        assert re.fullmatch(
            rf"emotag: Stopped after \d+ of 4000 photos; {said}, and no photo was changed\. "
            r"The same command goes on from there\.",
            line,
        )
        assert sorted(os.listdir()) == ["many", "models", *(["tags.csv"] if old else [])]
        assert not old or Path("tags.csv").read_text() == old

    def test_asked_to_end_it_leaves_no_half_file(self, many):
        process = self.start("tags.csv")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert err.startswith("emotag: Stopped after ")
        assert sorted(os.listdir()) == ["many", "models"]

    def test_ctrl_c_here(self, emotag, many):
        """As above, in this process."""
        process = os.getpid()

        def wait():
            while not any(os.path.getsize(path) for path in Path().glob(".tags.csv*")):
                time.sleep(0.01)
            os.kill(process, signal.SIGINT)

        thread = threading.Thread(target=wait)
        thread.start()
        outcome = emotag("tag", "many", "-m", "small", "-o", "tags.csv")
        thread.join()
        assert outcome.code == 130
        assert "; tags.csv was not written, and no photo was changed. " in outcome.err
        assert sorted(os.listdir()) == ["many", "models"]

    @pytest.mark.parametrize(
        ("old", "said"), [(None, "page.html was not written"), ("old", "page.html is as it was")]
    )
    def test_ctrl_c_while_the_page_is_made(self, emotag, many, old, said):
        if old:
            Path("page.html").write_text(old)

        def wait():
            while not list(Path().glob(".page.html*")):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=wait)
        thread.start()
        outcome = emotag("tag", "many", "-m", "small", "-o", "tags.csv", "--html", "page.html")
        thread.join()
        assert outcome.code == 130
        assert outcome.err.endswith(f"emotag: Stopped: {said}; no photo was changed.\n")
        # the tags were done before
        assert len(read_csv("tags.csv")) == 4000
        left = ["many", "models", *(["page.html"] if old else []), "tags.csv"]
        assert sorted(os.listdir()) == left
        assert not old or Path("page.html").read_text() == old

    def test_ctrl_c_while_a_pipe_is_written(self, emotag, many):
        """Whoever reads the rows presses it on the first."""
        os.mkfifo("rows.csv")

        def read():
            with open("rows.csv", "rb") as rows:
                rows.read(1)
                os.kill(os.getpid(), signal.SIGINT)
                while rows.read(65536):
                    pass

        reader = threading.Thread(target=read)
        reader.start()
        outcome = emotag("tag", "many", "-m", "small", "-o", "rows.csv")
        reader.join()
        assert outcome.code == 130
        assert re.fullmatch(
            r"emotag: Stopped after \d+ of 4000 photos; no photo was changed\. "
            r"The same command starts from the beginning\.\n",
            outcome.err,
        )

    def test_a_reader_who_has_enough(self, many):
        process = subprocess.Popen(
            command("tag", "many", "-m", "small"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout.readline() == f"{HEADER}\n".encode()
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(60) == 1

    def test_a_reader_who_has_left_before(self, many, monkeypatch, capsys):
        reading, writing = os.pipe()
        os.close(reading)
        # typer replaces the streams
        monkeypatch.setattr(sys, "stderr", sys.stderr)
        with open(writing, "w") as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            assert run_here("tag", "many/1.jpg", "-m", "small") == 1
            os.dup2(os.open(os.devnull, os.O_WRONLY), writing)
        assert capsys.readouterr().err == ""


class TestFullDisk:
    @pytest.mark.parametrize("target", ["tags.csv", "tags.jsonl", "tags.parquet"])
    def test_the_old_file_stays(self, inside, target):
        (inside / "photos").mkdir()
        for index in range(400):
            (inside / "photos" / f"{index}.jpg").write_bytes(b"")
        Path(target).write_text("old")
        outcome = run(
            "tag",
            "photos",
            "-m",
            "small",
            "-o",
            target,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
        )
        assert (outcome.code, outcome.out) == (1, "")
        # the notes of the run do not fit either, which ends nothing
        noted, said = outcome.err.splitlines()
        assert noted.startswith("What is done cannot be noted, so a later run starts from the ")
        assert said == f"emotag: {inside}/{target} cannot be written: File too large."
        assert Path(target).read_text() == "old"
        assert sorted(os.listdir()) == sorted(["models", "photos", target])

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_stdout(self, mixed):
        with open("/dev/full", "wb") as full:
            outcome = run("tag", "mixed", "-m", "small", stdout=full)
        assert outcome.code == 1
        assert outcome.err == "emotag: stdout cannot be written: No space left on device.\n"

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_stdout_here(self, mixed, monkeypatch, capsys):
        with open("/dev/full", "w") as full, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", full)
            assert run_here("tag", "mixed", "-m", "small", "-q") == 1
        assert capsys.readouterr().err == (
            "emotag: stdout cannot be written: No space left on device.\n"
        )

    def test_stdout_closed(self, mixed):
        outcome = run("tag", "mixed", "-m", "small", preexec_fn=lambda: os.close(1))
        assert outcome.code == 1
        assert outcome.err == (
            "emotag: stdout is closed, so the tags have no place to go; name one with -o.\n"
        )

    def test_stdout_closed_here(self, mixed, monkeypatch, capsys):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", None)
            assert run_here("tag", "mixed", "-m", "small") == 1
        assert "stdout is closed" in capsys.readouterr().err


def test_the_limit_on_pixels_is_that_of_the_library():
    # written out in the command, which must not load the decoder to show its help
    assert inspect.signature(tag).parameters["max_pixels"].default == MAX_PIXELS


class TestSureOrNot:
    def test_in_every_output(self, emotag, inside):
        draw_photo(inside / "one.jpg", 1)
        for name in ("tags.csv", "tags.jsonl", "tags.parquet"):
            outcome = emotag(
                "tag", "one.jpg", "-m", "small", "--min-confidence", "1", "--top", "2", "-o", name
            )
            assert outcome.code == 0
            assert "1 photo in" in outcome.err
            assert "0 tagged, 1 uncertain." in outcome.err
        frame = pandas.read_csv("tags.csv")
        assert list(frame.columns) == [*HEADER.split(","), "top"]
        (row,) = frame.to_dict("records")
        assert row["status"] == "uncertain"
        assert pandas.isna(row["emotion"])
        assert pandas.isna(row["sentiment"])
        assert 0 < row["confidence"] < 1
        first, second = row["top"].split("; ")
        assert float(first.split()[1]) >= float(second.split()[1])
        (line,) = map(json.loads, Path("tags.jsonl").read_text().splitlines())
        assert (line["status"], line["emotion"], line["top"]) == ("uncertain", None, row["top"])
        (record,) = parquet.read_table("tags.parquet").to_pylist()
        assert (record["emotion"], record["top"]) == (None, row["top"])

    @pytest.mark.parametrize("value", ["-0.1", "1.5", "nan", "much"])
    def test_what_is_no_probability(self, emotag, inside, value):
        draw_photo(inside / "one.jpg", 1)
        outcome = emotag("tag", "one.jpg", "-m", "small", "--min-confidence", value)
        assert outcome.code == 2
        assert "--min-confidence" in outcome.err


class TestPage:
    def test_beside_the_rows(self, emotag, mixed):
        outcome = emotag("tag", "mixed", "-m", "small", "--html", "page.html", "-o", "tags.csv")
        assert (outcome.code, outcome.out) == (3, "")
        assert re.search(r"^Page: page\.html, 8 photos, \d+\.\d kB\.$", outcome.err, re.M)
        page = Path("page.html").read_text(encoding="utf-8")
        assert page.endswith("</html>\n")
        for row in read_csv("tags.csv"):
            assert f'"path":"{row["path"]}"' in page
        # without -o as well, and the same
        outcome = emotag("tag", "mixed", "-m", "small", "--html", "page.html", "-q")
        assert (outcome.code, outcome.err) == (3, "")
        assert outcome.out == Path("tags.csv").read_text()
        assert Path("page.html").read_text(encoding="utf-8") == page

    def test_what_there_is_no_room_for_is_said(self, emotag, mixed):
        arguments = ("tag", "mixed", "-m", "small", "-o", "tags.csv", "--html", "page.html")
        outcome = emotag(*arguments, "--html-photos", "5")
        assert "Page: page.html, 5 photos," in outcome.err
        assert (
            "3 photos of 8 left out of the page, the least sure ones; --html-photos N takes more.\n"
        ) in outcome.err
        assert emotag(*arguments, "--html-photos", "0").code == 2

    @pytest.mark.parametrize(
        ("target", "reason"),
        [
            ("mixed", "mixed cannot be written: it is a folder."),
            ("no/page.html", "no/page.html cannot be written: there is no folder no."),
            ("mixed/img1.jpg", "mixed/img1.jpg: a page is HTML, so let its name end in .html or"),
            ("-", "-: a page is HTML, so let its name end in .html or .htm."),
        ],
    )
    def test_what_cannot_be_written_is_refused_before_the_work(self, emotag, mixed, target, reason):
        outcome = emotag("tag", "mixed", "-m", "no such model", "--html", target, "-o", "tags.csv")
        assert outcome.code == 1
        assert outcome.err.startswith(f"emotag: {reason}")
        assert not os.path.exists("tags.csv")

    def test_a_folder_without_permission_is_refused(self, inside):
        os.mkdir("locked", 0o555)
        with no_root(), pytest.raises(StorageError) as caught:
            check_page("locked/page.html")
        assert str(caught.value) == (
            "locked/page.html cannot be written: no permission for the folder locked."
        )

    def test_the_number_of_photos_is_that_of_the_library(self):
        # written out in the command, which must not load the pages to show its help
        option = inspect.signature(tag).parameters["page_photos"].annotation.__metadata__[0]
        assert option.show_default == str(PHOTOS)
