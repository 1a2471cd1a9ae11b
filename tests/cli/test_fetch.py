"""`emotag fetch` as a whole program, against the service on loopback."""

import csv
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emotag.dataset import load_dataset
from emotag.flickr.ledger import open_fetch_ledger
from tests.cli.program import Outcome, command, run, run_here, terminal
from tests.flickr.service import (
    HOSTILE_TITLES,
    KEY,
    SECRET,
    Fault,
    Faults,
    Flickr,
    PublicPhoto,
    make_photos,
    passing_faults,
    serve_flickr,
)

Emotag = Callable[..., Outcome]

QUERIES = ("love", "happiness", "violence", "fear", "sad")
LABELS = ("love", "happiness", "violence", "fear", "sadness")


def many(count: int = 30) -> list[PublicPhoto]:
    """Photos that each of the paper's queries finds."""
    return [photo for query in QUERIES for photo in make_photos(query, count)]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, inside: Path) -> Callable[[Flickr], None]:
    """Return what makes a service the one that the program asks, with a key."""
    monkeypatch.setenv("EMOTAG_CONFIG", str(inside / "config"))
    monkeypatch.setenv("EMOTAG_CACHE", str(inside / "cache"))

    def ask(flickr: Flickr) -> None:
        monkeypatch.setenv("EMOTAG_FLICKR_API_URL", flickr.api_url)
        monkeypatch.setenv("EMOTAG_FLICKR_STATIC_URL", flickr.static_url)
        monkeypatch.setenv("FLICKR_API_KEY", KEY)
        monkeypatch.setenv("FLICKR_API_SECRET", SECRET)

    return ask


@pytest.fixture
def flickr(at: Callable[[Flickr], None]) -> Iterator[Flickr]:
    """The service, asked by the program, with 30 photos of each of the paper's labels."""
    with serve_flickr(many(), secret=SECRET) as running:
        at(running)
        yield running


def content(folder: str) -> dict[str, str]:
    """Return the pictures in a folder with their checksums."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*.jpg"))
    }


def manifest(folder: str) -> list[dict[str, str]]:
    """Return the rows of a manifest as the standard library reads them."""
    with open(f"{folder}/photos.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_five_emotions_into_data(emotag: Emotag, flickr: Flickr) -> None:
    done = emotag("fetch", "-n", "10")
    assert done.code == 0
    assert sorted(os.listdir("data")) == sorted(
        [*LABELS, "ATTRIBUTION.md", "README.md", "photos.csv", "fetch.sqlite"]
    )
    assert done.err.splitlines()[-1] == (
        "50 photos in data, 50 of them new; 6 calls of the API. Now: emotag fit data"
    )
    rows = manifest("data")
    assert Counter(row["label"] for row in rows) == dict.fromkeys(LABELS, 10)
    assert {row["query"] for row in rows if row["label"] == "sadness"} == {"sad"}
    assert {row["file"]: row["sha256"] for row in rows} == content("data")
    assert all(call["signed"] for call in flickr.calls)
    # the paper's data set: groups are owners, so that no one stands on both sides of a split
    dataset = load_dataset(["data"])
    assert dataset.counts == dict.fromkeys(sorted(LABELS), 10)
    groups = dict(zip(dataset.paths.tolist(), dataset.groups.tolist(), strict=True))
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row["owner"], set()).add(groups[f"data/{row['file']}"])
    assert {len(found) for found in sides.values()} == {1}
    assert len(set(groups.values())) == len(sides)


def test_again_nothing_is_asked(emotag: Emotag, flickr: Flickr) -> None:
    assert emotag("fetch", "-n", "5", "-q").code == 0
    before = Path("data/photos.csv").read_bytes()
    flickr.forget_requests()
    done = emotag("fetch", "-n", "5")
    assert (done.code, flickr.calls, flickr.static_requests) == (0, [], [])
    assert Path("data/photos.csv").read_bytes() == before


def test_more_of_each_and_another_label(emotag: Emotag, flickr: Flickr) -> None:
    assert emotag("fetch", "love", "-n", "5", "-q").code == 0
    first = set(content("data"))
    assert emotag("fetch", "love", "fear", "-n", "8", "-q").code == 0
    assert first < set(content("data"))
    assert Counter(row["label"] for row in manifest("data")) == {"love": 8, "fear": 8}
    # what is there is not thrown away since less is asked for, and each label has its number
    assert emotag("fetch", "fear", "happiness", "-n", "3", "-q").code == 0
    found = Counter(row["label"] for row in manifest("data"))
    assert found == {"love": 8, "fear": 8, "happiness": 3}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--per-owner", "3"], "data was filled by a request of another per owner; give the"),
        (["--license", "cc0"], "another licences"),
        (["--query", "love=amor"], "data was filled with 'love' searched by 'love', not 'amor'"),
        (["--size", "640", "--tags"], "another size, another by tags"),
        (["--until", "2015-01-01"], "was filled by photos that were uploaded until 20"),
        (["--until", "2015-01-01", "--update"], "was filled by photos that were uploaded until 20"),
    ],
)
def test_another_request_into_the_same_folder(
    emotag: Emotag, flickr: Flickr, arguments: list[str], message: str
) -> None:
    assert emotag("fetch", "love", "-n", "5", "-q").code == 0
    before = content("data")
    done = emotag("fetch", "love", "-n", "5", "-q", *arguments)
    assert done.code == 1
    assert message in done.err
    assert content("data") == before


def test_licences_narrow_the_search_and_are_checked(
    emotag: Emotag, at: Callable[[Flickr], None]
) -> None:
    photos = make_photos("love", 40, licences=(4, 9, 1, 0))
    with serve_flickr(photos, secret=SECRET, faults=Faults(ignored={"license"})) as flickr:
        at(flickr)
        done = emotag("fetch", "love", "-n", "100", "--license", "by,cc0")
    assert done.code == 0
    assert "  20 left out: a licence that was not asked for" in done.err
    assert "  there are no more on Flickr under this query: 20 were found" in done.err
    assert Counter(row["licence"] for row in manifest("data")) == {"4": 10, "9": 10}


def test_killed_under_faults_it_ends_with_the_same_set(
    flickr: Flickr, at: Callable[[Flickr], None]
) -> None:
    rng = random.Random(1)
    deleted = {photo.id for photo in rng.sample(many(), 20)}
    flickr.faults = Faults(deleted=deleted)
    assert run("fetch", "-n", "15", "-q", "--out", "straight").code == 0
    with serve_flickr(
        many(), secret=SECRET, faults=replace(passing_faults(), deleted=deleted)
    ) as bad:
        at(bad)
        for _ in range(4):
            process = subprocess.Popen(
                command("fetch", "-n", "15", "-q", "--out", "killed"), start_new_session=True
            )
            time.sleep(0.8 + rng.uniform(0, 1.0))
            process.kill()
            process.wait()
        done = run("fetch", "-n", "15", "-q", "--out", "killed")
        assert (done.code, done.out, done.err) == (0, "", "")
        injected = bad.faults.injected
    assert injected.total() - injected["static deleted"] > 10
    assert content("killed") == content("straight")
    kept = ("fetched", "slice")
    rows = [
        [{name: row[name] for name in row if name not in kept} for row in manifest(folder)]
        for folder in ("straight", "killed")
    ]
    assert rows[0] == rows[1]
    assert not [name for name in os.listdir("killed/love") if not name.endswith(".jpg")]


def test_ctrl_c_says_how_to_go_on(flickr: Flickr) -> None:
    flickr.latency = 0.2
    process = subprocess.Popen(
        command("fetch", "-n", "15"), stderr=subprocess.PIPE, start_new_session=True
    )
    while not flickr.static_requests:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1].decode().splitlines()[-1] == (
        "emotag: Stopped. What was fetched is kept, and the same command goes on from there."
    )
    assert process.returncode == 130
    flickr.latency = 0.0
    assert run("fetch", "-n", "15", "-q").code == 0
    assert len(content("data")) == 75


def test_ctrl_c_ends_a_wait_for_the_server(flickr: Flickr) -> None:
    flickr.faults = Faults(static=[Fault("status", status=429, retry_after=120)])
    process = subprocess.Popen(
        command("fetch", "love", "-n", "5"), stderr=subprocess.PIPE, start_new_session=True
    )
    while not flickr.static_requests:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=15)
    assert process.returncode == 130


def test_a_server_that_asks_to_come_back_much_later(emotag: Emotag, flickr: Flickr) -> None:
    flickr.faults = Faults(static=[Fault("status", status=429, retry_after=3600)])
    done = emotag("fetch", "love", "-n", "5")
    assert done.code == 1
    assert "3600" in done.err.replace(",", "")
    flickr.faults = Faults()
    assert emotag("fetch", "love", "-n", "5", "-q").code == 0
    assert len(content("data")) == 5


def test_what_fails_this_time_is_listed_and_the_status_is_3(emotag: Emotag, flickr: Flickr) -> None:
    best = max(make_photos("love", 30), key=lambda photo: photo.interest)
    flickr.faults = Faults(static=[Fault("html", ids={best.id})])
    done = emotag("fetch", "love", "-n", "5")
    assert done.code == 3
    assert f"1 not fetched this time:\n  love/{best.id}.jpg\n" in done.err
    assert "  1 left out: what came is no sound picture: it is no JPEG" in done.err
    assert len(content("data")) == 5


def test_two_at_once_are_refused(emotag: Emotag, flickr: Flickr) -> None:
    os.mkdir("data")
    with open_fetch_ledger("data"):
        done = emotag("fetch", "-n", "15", "-q")
    assert done.code == 1
    assert done.err == "emotag: Another emotag fetch is filling data; wait for it, or stop it.\n"
    assert not flickr.static_requests


class TestKey:
    def test_without_one_it_says_how_to_get_one(
        self, emotag: Emotag, flickr: Flickr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("FLICKR_API_KEY")
        monkeypatch.delenv("FLICKR_API_SECRET")
        done = emotag("fetch")
        assert done.code == 1
        assert "https://www.flickr.com/services/apps/create/" in done.err
        assert "emotag fetch --setup" in done.err
        assert len(done.err.splitlines()) == 1
        assert not os.path.exists("data")

    def test_setup_stores_it_for_the_user_alone(
        self, flickr: Flickr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("FLICKR_API_KEY")
        monkeypatch.delenv("FLICKR_API_SECRET")
        done = run("fetch", "--setup", input=f"{KEY}\n{SECRET}\n".encode())
        assert done.code == 0
        assert KEY not in done.err + done.out
        stored = Path("config/flickr.toml")
        assert stored.stat().st_mode & 0o777 == 0o600
        assert run("fetch", "love", "-n", "3", "-q").code == 0
        assert all(call["signed"] for call in flickr.calls)

    def test_a_wrong_one(
        self, emotag: Emotag, flickr: Flickr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FLICKR_API_KEY", "f" * 32)
        done = emotag("fetch", "love")
        assert done.code == 1
        assert "Flickr refuses your key" in done.err
        assert "f" * 32 not in done.err

    def test_it_is_in_nothing_that_a_run_writes(self, flickr: Flickr, inside: Path) -> None:
        flickr.faults = passing_faults(3)
        done = run("--debug", "fetch", "love", "-n", "8")
        assert done.code == 0
        broken = run("--debug", "fetch", "love", "--out", "other", "--license", "all")
        assert broken.code == 1
        said = (done.out + done.err + broken.out + broken.err).encode()
        written = [path.read_bytes() for path in inside.rglob("*") if path.is_file()]
        assert len(written) > 10
        for secret in (KEY, SECRET):
            assert not [text for text in (said, *written) if secret.encode() in text.lower()]


class TestHostile:
    def test_titles_and_records_stay_text_and_inside(
        self, emotag: Emotag, at: Callable[[Flickr], None], inside: Path
    ) -> None:
        photos = [
            replace(photo, title=title, owner_name=title, tags=title, text="love")
            for photo, title in zip(
                make_photos("love", len(HOSTILE_TITLES)), HOSTILE_TITLES, strict=True
            )
        ]
        faults = Faults(hostile=2, duplicates=3, numbers_as_strings=True)
        with serve_flickr(photos, secret=SECRET, faults=faults) as flickr:
            at(flickr)
            done = emotag("fetch", "love", "-n", "100")
        assert done.code == 0
        outside = {path.name for path in inside.iterdir()} - {"data", "cache", "config"}
        assert not outside
        assert len(content("data")) == len(photos)
        rows = manifest("data")
        for row in rows:
            for name in ("title", "owner_name", "tags"):
                assert not re.match(r"\s*[=+\-@]", row[name])
                assert not any(ord(mark) < 32 for mark in row[name])
        attribution = Path("data/ATTRIBUTION.md").read_text(encoding="utf-8")
        assert "<script>" not in attribution
        assert "\u202e" not in attribution
        assert len(load_dataset(["data"])) == len(photos)


class TestList:
    def test_the_same_set_elsewhere_without_a_key(
        self, emotag: Emotag, flickr: Flickr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert emotag("fetch", "-n", "6", "-q").code == 0
        monkeypatch.delenv("FLICKR_API_KEY")
        flickr.forget_requests()
        done = emotag("fetch", "--from", "data/photos.csv", "--out", "copy")
        assert (done.code, done.err) == (0, "30 of 30 photos are in copy.\n")
        assert not flickr.calls
        assert content("copy") == content("data")
        same = [name for name in manifest("data")[0] if name != "fetched"]
        assert [[row[name] for name in same] for row in manifest("copy")] == [
            [row[name] for name in same] for row in manifest("data")
        ]
        flickr.forget_requests()
        assert emotag("fetch", "--from", "data/photos.csv", "--out", "copy", "-q").code == 0
        assert not flickr.static_requests

    def test_a_list_that_stands_where_the_manifest_goes_is_kept(
        self, emotag: Emotag, flickr: Flickr
    ) -> None:
        assert emotag("fetch", "love", "-n", "6", "-q").code == 0
        os.mkdir("published")
        whole = Path("data/photos.csv").read_bytes()
        Path("published/photos.csv").write_bytes(whole)
        Path("published/README.md").write_text("by hand")
        flickr.faults = Faults(deleted={manifest("data")[0]["id"]})
        done = emotag("fetch", "--from", "published/photos.csv", "--out", "published")
        assert done.code == 0
        assert "The whole list is kept as published/listed.csv.\n" in done.err
        assert Path("published/listed.csv").read_bytes() == whole
        assert Path("published/README.md").read_text() == "by hand"
        assert len(manifest("published")) == 5

    @pytest.mark.parametrize("name", ["photos.csv", "README.md", "ATTRIBUTION.md"])
    def test_files_of_others_are_not_replaced(
        self, emotag: Emotag, flickr: Flickr, name: str
    ) -> None:
        assert emotag("fetch", "love", "-n", "2", "-q").code == 0
        os.mkdir("copy")
        Path("copy", name).write_text("mine")
        done = emotag("fetch", "--from", "data/photos.csv", "--out", "copy")
        assert done.code == 1
        assert f"copy holds a {name} that emotag fetch did not write" in done.err
        assert os.listdir("copy") == [name]

    def test_what_is_gone_or_changed_is_said(self, emotag: Emotag, flickr: Flickr) -> None:
        assert emotag("fetch", "love", "-n", "6", "-q").code == 0
        rows = manifest("data")
        gone, changed = rows[0], rows[1]
        flickr.faults = Faults(deleted={gone["id"]})
        text = Path("data/photos.csv").read_text(encoding="utf-8")
        Path("list.csv").write_text(text.replace(changed["sha256"], "0" * 64), encoding="utf-8")
        done = emotag("fetch", "--from", "list.csv", "--out", "copy")
        assert done.code == 0
        assert done.err == (
            "5 of 6 photos are in copy.\n"
            f"1 changed since:\n  {changed['file']}\n"
            f"1 gone:\n  {gone['file']}\n"
        )
        assert len(manifest("copy")) == 5

    @pytest.mark.parametrize(
        ("column", "value", "message"),
        [
            ("url", "file:///etc/passwd", "which is no picture of Flickr's"),
            ("url", "http://evil.example/x.jpg", "which is no picture of Flickr's"),
            ("file", "../../x.jpg", "x.jpg"),
            ("label", "../up", "can be no label"),
            ("id", "../5", "id"),
        ],
    )
    def test_lists_that_lead_elsewhere(
        self, emotag: Emotag, flickr: Flickr, inside: Path, column: str, value: str, message: str
    ) -> None:
        assert emotag("fetch", "love", "-n", "2", "-q").code == 0
        rows = manifest("data")
        rows[1][column] = value
        with open("list.csv", "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        before = sorted(map(str, inside.parent.rglob("*.jpg")))
        done = emotag("fetch", "--from", "list.csv", "--out", "copy")
        assert done.code == 1
        assert message in done.err
        assert "Traceback" not in done.err
        assert sorted(map(str, inside.parent.rglob("*.jpg"))) == before


class TestForget:
    def test_a_photo_goes_everywhere_and_for_good(self, emotag: Emotag, flickr: Flickr) -> None:
        assert emotag("fetch", "love", "-n", "6", "-q").code == 0
        photo = manifest("data")[2]
        page = photo["page"]
        done = emotag("fetch", "--forget", page)
        assert done.code == 0
        assert done.out == f"removed data/{photo['file']}\n"
        assert len(manifest("data")) == 5
        for path in Path("data").rglob("*"):
            if path.is_file() and path.name != "forgotten.txt":
                assert photo["id"].encode() not in path.read_bytes(), path
        assert Path("data/forgotten.txt").read_text() == f"{photo['id']}\n"
        assert emotag("fetch", "love", "-n", "6", "-q").code == 0
        assert len(manifest("data")) == 6
        assert photo["id"] not in {row["id"] for row in manifest("data")}

    def test_several_at_once(self, emotag: Emotag, flickr: Flickr) -> None:
        assert emotag("fetch", "love", "-n", "6", "-q").code == 0
        ids = [row["id"] for row in manifest("data")[:3]]
        assert emotag("fetch", "--forget", *ids).code == 0
        assert not {row["id"] for row in manifest("data")} & set(ids)
        assert Path("data/forgotten.txt").read_text().split() == sorted(ids, key=int)

    def test_one_that_was_killed_is_ended_by_the_next_run(
        self, emotag: Emotag, flickr: Flickr
    ) -> None:
        assert emotag("fetch", "love", "-n", "6", "-q").code == 0
        photo = manifest("data")[0]
        # as far as a kill may let it come, and as a list from elsewhere is laid down
        Path("data/forgotten.txt").write_text(f"{photo['id']}\n")
        assert emotag("fetch", "love", "-n", "6", "-q").code == 0
        assert photo["id"] not in {row["id"] for row in manifest("data")}
        assert not Path("data", photo["file"]).exists()

    def test_with_a_manifest_that_cannot_be_read_the_photo_goes_all_the_same(
        self, emotag: Emotag, flickr: Flickr
    ) -> None:
        assert emotag("fetch", "love", "-n", "6", "-q").code == 0
        photo = manifest("data")[0]
        Path("data/photos.csv").write_text("nothing\n")
        assert emotag("fetch", "--forget", photo["id"]).code == 1
        assert not Path("data", photo["file"]).exists()
        assert emotag("fetch", "love", "-n", "6", "-q").code == 0
        assert photo["id"] not in {row["id"] for row in manifest("data")}

    def test_what_it_cannot_be(self, emotag: Emotag, flickr: Flickr) -> None:
        done = emotag("fetch", "--forget", "../../x")
        assert done.code == 1
        assert "names no photo of Flickr" in done.err
        done = emotag("fetch", "--forget", "5", "--out", "nowhere")
        assert done.code == 1
        assert "There is no folder nowhere" in done.err

    def test_in_a_set_that_was_fetched_by_a_list(self, emotag: Emotag, flickr: Flickr) -> None:
        assert emotag("fetch", "love", "-n", "4", "-q").code == 0
        assert emotag("fetch", "--from", "data/photos.csv", "--out", "copy", "-q").code == 0
        photo = manifest("copy")[0]["id"]
        assert emotag("fetch", "--forget", photo, "--out", "copy").code == 0
        assert len(manifest("copy")) == 3
        done = emotag("fetch", "--from", "data/photos.csv", "--out", "copy")
        assert done.code == 0
        assert "1 gone:" in done.err
        assert len(content("copy")) == 3


def test_dry_run_writes_nothing(emotag: Emotag, flickr: Flickr) -> None:
    done = emotag("fetch", "love", "fear", "-n", "20", "--dry-run")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "love: about 30 photos, of which 20 wanted"
    assert re.fullmatch(
        r"About 40 photos, 4 MB, 0 min, and 2 or more calls of the API\. Nothing was fetched\.",
        lines[-1],
    )
    assert not os.path.exists("data")
    assert not flickr.static_requests


def test_update_looks_for_new_photos(emotag: Emotag, at: Callable[[Flickr], None]) -> None:
    old = make_photos("love", 10, uploaded=(1_300_000_000, 1_400_000_000))
    new = make_photos("love", 10, seed=1, uploaded=(1_500_000_000, 1_600_000_000))
    with serve_flickr(old, secret=SECRET) as flickr:
        at(flickr)
        arguments = ["fetch", "love", "-n", "15", "-q"]
        assert emotag(*arguments, "--until", "2015-01-01").code == 0
        assert len(content("data")) == 10
        flickr.archive.add(new)
        assert emotag(*arguments, "--until", "2015-01-01").code == 0
        assert len(content("data")) == 10
        assert emotag(*arguments, "--update").code == 0
    assert len(content("data")) == 15


def test_near_duplicates_and_their_owners_are_one_group(
    emotag: Emotag, at: Callable[[Flickr], None]
) -> None:
    photos = [
        replace(photo, owner=f"{number}@N00", picture=4242 if number in (7, 9) else None, tint=None)
        for number, photo in enumerate(make_photos("love", 12))
    ]
    with serve_flickr(photos, secret=SECRET) as flickr:
        at(flickr)
        assert emotag("fetch", "love", "-n", "12", "-q").code == 0
    rows = {row["id"]: row for row in manifest("data")}
    pair = [rows[photos[index].id] for index in (7, 9)]
    assert {row["duplicate_group"] for row in pair} == {"1"}
    assert pair[0]["group"] == pair[1]["group"]
    assert {row["duplicate_group"] for row in rows.values() if row not in pair} == {""}
    assert len({row["group"] for row in rows.values()}) == 11


def test_a_folder_with_a_manifest_of_someone_else(emotag: Emotag, flickr: Flickr) -> None:
    os.mkdir("data")
    Path("data/photos.csv").write_text("file,label\n", encoding="utf-8")
    done = emotag("fetch", "love")
    assert done.code == 1
    assert "holds a photos.csv that emotag fetch did not write" in done.err
    assert Path("data/photos.csv").read_text() == "file,label\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["../up"],
        ["love", "--query", "fear=scary"],
        ["--license", "by-nd-sa"],
        ["--size", "77"],
        ["--since", "yesterday"],
        ["--overlap", "both"],
        ["--bbox", "1,2"],
        ["--queries", "none.toml"],
        ["--from", "none.csv"],
        ["--contact", "me (at) home"],
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    emotag: Emotag, flickr: Flickr, arguments: list[str]
) -> None:
    done = emotag("fetch", *arguments)
    assert done.code == 1
    assert done.err.startswith("emotag: ")
    assert len(done.err.splitlines()) == 1
    assert not content(".")
    assert not os.path.exists("data/photos.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--forget", "5", "--dry-run"], "--forget does not go with --dry-run."),
        (["--from", "x.csv", "--dry-run"], "--from does not go with --dry-run."),
        (["love", "--from", "x.csv", "-n", "5"], "--from does not go with LABEL, --per-label."),
        (["--setup", "--update"], "--setup does not go with --update."),
    ],
)
def test_options_that_would_be_ignored(
    emotag: Emotag, flickr: Flickr, arguments: list[str], message: str
) -> None:
    done = emotag("fetch", *arguments)
    assert done.code == 2
    assert message in done.err


def test_labels_of_any_script(emotag: Emotag, at: Callable[[Flickr], None]) -> None:
    photos = [replace(photo, text="\u0921\u0930") for photo in make_photos("x", 5)]
    with serve_flickr(photos, secret=SECRET) as flickr:
        at(flickr)
        assert (
            emotag(
                "fetch",
                "\u0e01\u0e25\u0e31\u0e27",
                "-n",
                "5",
                "-q",
                "-Q",
                "\u0e01\u0e25\u0e31\u0e27=\u0921\u0930",
            ).code
            == 0
        )
    assert {row["label"] for row in manifest("data")} == {"\u0e01\u0e25\u0e31\u0e27"}


def test_whom_to_ask_is_told_to_the_servers_and_to_no_reader_of_the_data(
    emotag: Emotag, flickr: Flickr, inside: Path
) -> None:
    done = emotag("fetch", "love", "-n", "3", "-q", "--contact", "me@example.org")
    assert done.code == 0
    assert flickr.agents == {"emotag/0.1.0 (+me@example.org)"}
    for path in Path("data").rglob("*"):
        assert path.is_dir() or b"me@example.org" not in path.read_bytes()


def test_on_a_terminal(flickr: Flickr) -> None:
    flickr.latency = 0.03
    with terminal() as screen:
        code = run_here("fetch", "love", "fear", "-n", "20")
    assert code == 0
    assert "30 found" in screen.text
    assert "calls left this hour" in screen.text


@pytest.mark.slow
def test_from_fetch_to_fit_to_tag(at: Callable[[Flickr], None]) -> None:
    """Five labels under faults, killed twice; then fitted, and photos tagged by the result."""
    with serve_flickr(many(60), secret=SECRET, faults=passing_faults()) as flickr:
        at(flickr)
        for _ in range(2):
            process = subprocess.Popen(command("fetch", "-n", "40", "-q"), start_new_session=True)
            while len(flickr.static_requests) < 40:
                time.sleep(0.05)
            process.kill()
            process.wait()
            flickr.static_requests.clear()
        assert run("fetch", "-n", "40", "-q").code == 0
    fitted = run("fit", "data", "--model", "lite0", "--out", "model", "-q", timeout=400)
    assert fitted.code == 0
    tagged = run("tag", "data/love", "data/fear", "-m", "model", "-o", "tags.jsonl", "-q")
    assert tagged.code == 0
    rows = [json.loads(line) for line in Path("tags.jsonl").read_text().splitlines()]
    right = [row["emotion"] == Path(row["path"]).parent.name for row in rows]
    assert len(rows) == 80
    # the service's labels differ by colour
    assert sum(right) / len(right) > 0.6
