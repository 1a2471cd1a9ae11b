"""Shards, processes and clusters, as a person asks for them."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from distributed import Client

from tests.cli.program import command, run_here
from tests.cluster import dask_cluster
from tests.conftest import draw_photo
from tests.tagging.small_bundle import save_small_bundle


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seventy photos and a model in the current folder."""
    monkeypatch.chdir(tmp_path)
    save_small_bundle(tmp_path / "small")
    (tmp_path / "photos").mkdir()
    for index in range(70):
        draw_photo(tmp_path / "photos" / f"{index}.jpg", index)
    return tmp_path / "photos"


TAG = ("tag", "photos", "--model", "small")


@pytest.mark.parametrize("output", ["tags.csv", "tags.jsonl", "tags.parquet", "tags.parquet/"])
def test_shards_merged_are_the_bytes_of_one_run(
    photos: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not run_here(*TAG, "-o", f"whole-{output}", "-q")
    for number in (2, 3, 1):
        assert not run_here(*TAG, "-o", output, "--shard", f"{number}/3")
        assert f"When all shards are done: emotag merge {output}" in capsys.readouterr().err
    assert not run_here("merge", output)
    name = output.rstrip("/")
    assert capsys.readouterr().err == (
        f"70 rows written to {output}; {name}.parts can be deleted now.\n"
    )
    merged, whole = Path(name), Path(f"whole-{name}")
    if output.endswith("/"):
        merged, whole = merged / "part-00000.parquet", whole / "part-00000.parquet"
    assert merged.read_bytes() == whole.read_bytes()


def test_a_shard_that_is_run_again_reads_nothing_and_one_of_other_options_is_not_merged(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not run_here(*TAG, "-o", "tags.csv", "--shard", "1/2", "-q")
    assert not run_here(*TAG, "-o", "tags.csv", "--shard", "2/2", "-q", "--top", "2")
    assert run_here("merge", "tags.csv", "-q") == 1
    assert capsys.readouterr().err == (
        "emotag: The parts in tags.csv.parts are not of the same model and options; "
        "run all again.\n"
    )
    assert not os.path.exists("tags.csv")


def test_a_folder_of_parquet_with_something_else_in_it_is_left_alone(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not run_here(*TAG, "-o", "tags.parquet/", "-q")
    assert not run_here(*TAG, "-o", "tags.parquet", "-q"), "it is a folder of parts already"
    Path("tags.parquet/notes.txt").write_text("mine")
    assert run_here(*TAG, "-o", "tags.parquet/", "-q") == 1
    assert capsys.readouterr().err == (
        "emotag: tags.parquet/ cannot be written: it holds other files than parts of Parquet, "
        "which would be lost; choose another name.\n"
    )
    assert sorted(os.listdir("tags.parquet")) == ["notes.txt", "part-00000.parquet"]


def test_processes_write_the_same_bytes(photos: Path) -> None:
    assert not run_here(*TAG, "-o", "threads.csv", "-q")
    assert not run_here(*TAG, "-o", "processes.csv", "-q", "--processes", "2")
    assert Path("processes.csv").read_bytes() == Path("threads.csv").read_bytes()


@pytest.mark.parametrize("act", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_on_processes_says_one_line(photos: Path, act: signal.Signals) -> None:
    for index in range(70, 20_000):
        os.link(photos / f"{index % 70}.jpg", photos / f"{index}.jpg")
    process = subprocess.Popen(
        command(*TAG, "-o", "tags.csv", "--processes", "2"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(photos.parent.glob(".tags.csv.*")) and process.poll() is None:
        time.sleep(0.01)
    time.sleep(1)
    os.killpg(process.pid, act)
    _, err = process.communicate(timeout=60)
    lines = [line for line in err.splitlines() if not line.startswith("Tagging")]
    assert process.returncode == 130
    assert len(lines) == 1
    assert lines[0].startswith("emotag: Stopped after ")


def test_a_cluster_of_which_a_worker_dies_writes_the_same_bytes(photos: Path) -> None:
    for index in range(70, 1500):
        os.link(photos / f"{index % 70}.jpg", photos / f"{index}.jpg")
    assert not run_here(*TAG, "-o", "threads.csv", "-q")
    with dask_cluster() as address, Client(address, set_as_default=False) as client:
        client.wait_for_workers(2)
        first, _ = client.run(os.getpid).values()
        process = subprocess.Popen(command(*TAG, "-o", "cluster.csv", "-q", "--dask", address))
        while not any(client.processing().values()) and process.poll() is None:
            time.sleep(0.01)
        os.kill(first, signal.SIGKILL)
        assert process.wait(timeout=120) == 0
    assert Path("cluster.csv").read_bytes() == Path("threads.csv").read_bytes()


def test_there_is_no_scheduler(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("emotag.parallel.cluster._SECONDS", 0.5)
    assert run_here(*TAG, "--dask", "tcp://127.0.0.1:1") == 1
    assert capsys.readouterr().err == (
        "emotag: There is no Dask scheduler at tcp://127.0.0.1:1; start one by: dask scheduler\n"
    )


def test_processes_and_a_cluster_exclude_each_other(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(*TAG, "--processes", "2", "--dask", "tcp://127.0.0.1:1") == 2
    assert "--processes and --dask exclude each other." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sidecar", "photo.xmp"], "--sidecar goes with --xmp only."),
        (["--no-backup"], "--no-backup goes with --embed only."),
        (["--html-photos", "4"], "--html-photos goes with --html only."),
        (["--html", "a.html", "--shard", "1/2"], "--html does not go with --shard:"),
        (["--dask", ""], "--dask needs the address of a scheduler."),
    ],
)
def test_options_that_would_be_ignored_or_undo_each_other(
    photos: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert run_here(*TAG, *options) == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("content", [None, "", "{}", "{", "[]"])
def test_what_is_no_file_of_a_scheduler(
    photos: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    if content is not None:
        Path("it.json").write_text(content)
    assert run_here(*TAG, "--dask", "it.json") == 1
    assert capsys.readouterr().err == (
        "emotag: it.json is no file of a Dask scheduler; it writes one by: dask scheduler "
        "--scheduler-file it.json\n"
    )


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("photos")])
def test_a_folder_of_parquet_replaces_no_file_and_no_link(
    photos: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], None]
) -> None:
    make(Path("tags.parquet"))
    assert run_here(*TAG, "-o", "tags.parquet/") == 1
    assert capsys.readouterr().err == (
        "emotag: tags.parquet/ cannot be written: tags.parquet is there, and is no folder.\n"
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["tag", "photos", "-o", "s3://a/b.parquet/"], "a folder of files is written to a disk"),
        (["tag", "photos", "--html", "s3://a/b.html"], "a page is written to a disk only."),
        (["merge", "s3://a/b.csv"], "shards write beside their file, which must be on a disk"),
        (["untag", "s3://a/b"], "s3://a/b is no file of this disk; emotag writes none there."),
    ],
)
def test_what_a_bucket_does_not_take(
    photos: Path, capsys: pytest.CaptureFixture[str], command: list[str], message: str
) -> None:
    assert run_here(*command) == 1
    assert message in capsys.readouterr().err
