"""A run goes on where an earlier one was stopped, and ends with the same bytes."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from emotag.bundle import engine
from emotag.bundle.folder import open_bundle
from emotag.errors import StorageError
from emotag.photos.places import state_of
from emotag.tagging import judging, run
from emotag.tagging.ledger import ledger_path, open_ledger, run_fingerprint
from tests.cli.program import command
from tests.conftest import draw_photo
from tests.tagging.small_bundle import save_small_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_small_bundle(tmp_path_factory.mktemp("bundle") / "small"))


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "cache"))
    (tmp_path / "photos").mkdir()
    for index in range(20):
        draw_photo(tmp_path / f"photos/{index}.jpg", index)
    draw_photo(tmp_path / "photos/small.png", 1, size=(8, 8))
    (tmp_path / "photos/broken.jpg").write_bytes(b"\xff\xd8\xff")
    return sorted(str(path) for path in (tmp_path / "photos").iterdir())


def tag(
    bundle: str, photos: list[str], output: str, *, max_pixels: int = 10**8, fresh: bool = False
) -> tuple[list[run.Row], list[str]]:
    """Return the rows, and the photos that were decoded for them."""
    opened = open_bundle(bundle)
    crew = judging.gather_crew(opened, photos=photos, max_pixels=max_pixels)
    decoded: list[str] = []
    usual = engine.try_decoding

    def decode(path, *arguments, **options):  # type: ignore[no-untyped-def]
        decoded.append(path)
        return usual(path, *arguments, **options)

    computation = run_fingerprint(opened.config, explain=False, max_pixels=max_pixels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "try_decoding", decode)
        with open_ledger(output, computation, pytest.fail, fresh=fresh) as ledger:
            rows = list(run.tag_found(photos, crew, opened.config, ledger=ledger))
    return rows, sorted(decoded)


def test_a_second_run_reads_only_what_failed(
    bundle: str, photos: list[str], tmp_path: Path
) -> None:
    output = str(tmp_path / "tags.csv")
    rows, decoded = tag(bundle, photos, output)
    assert decoded == photos
    broken = [path for path in photos if path.endswith("broken.jpg")]
    assert tag(bundle, photos, output) == (rows, broken)
    assert tag(bundle, photos, output, fresh=True) == (rows, photos)
    # another output knows nothing of it
    assert tag(bundle, photos, str(tmp_path / "other.csv")) == (rows, photos)


def test_only_what_has_changed_is_done_again(
    bundle: str, photos: list[str], tmp_path: Path
) -> None:
    output = str(tmp_path / "tags.csv")
    photos = [path for path in photos if not path.endswith("broken.jpg")]
    tag(bundle, photos, output)
    changed, moved, deleted, replaced = photos[:4]
    draw_photo(Path(changed), 99)
    os.rename(moved, f"{moved}.moved.jpg")
    os.remove(deleted)
    # other content of the same size, with its time set back
    state = os.stat(replaced)
    content = bytearray(Path(replaced).read_bytes())
    content[-10] ^= 1
    Path(replaced).write_bytes(content)
    os.utime(replaced, ns=(state.st_atime_ns, state.st_mtime_ns))
    now = [path for path in photos if path not in (moved, deleted)] + [f"{moved}.moved.jpg"]
    expected, _ = tag(bundle, now, str(tmp_path / "undisturbed.csv"))
    rows, decoded = tag(bundle, now, output)
    assert rows == expected
    assert decoded == sorted([changed, replaced, f"{moved}.moved.jpg"])
    # what is gone is forgotten
    with closing(sqlite3.connect(ledger_path(output))) as connection, connection:
        known = {os.fsdecode(path) for (path,) in connection.execute("SELECT path FROM photos")}
    assert known == set(now)


def test_another_option_or_model_is_another_run(
    bundle: str, photos: list[str], tmp_path: Path
) -> None:
    output = str(tmp_path / "tags.csv")
    tag(bundle, photos, output)
    assert tag(bundle, photos, output, max_pixels=10**7)[1] == photos
    other = str(tmp_path / "other")
    shutil.copytree(bundle, other)
    config = Path(other, "config.json")
    config.write_text(config.read_text().replace('"small"', '"other"'))
    assert tag(other, photos, output, max_pixels=10**7)[1] == photos


def test_another_process_knows_it_again(bundle: str) -> None:
    # sets come in another order there
    code = (
        "import sys; from emotag.bundle.folder import open_bundle; "
        "from emotag.tagging.ledger import run_fingerprint; "
        "print(run_fingerprint(open_bundle(sys.argv[1]).config, explain=False, max_pixels=5))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code, bundle],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


def test_two_runs_to_one_output(bundle: str, tmp_path: Path, photos: list[str]) -> None:
    output = str(tmp_path / "tags.csv")
    link = tmp_path / "link.csv"
    link.symlink_to(output)
    with open_ledger(output, "one", pytest.fail) as first:
        assert first is not None
        for name in (output, str(link)):
            with (
                pytest.raises(StorageError) as caught,
                open_ledger(name, "one", pytest.fail),
            ):
                pass
            assert str(caught.value) == f"Another run of emotag writes to {name}; wait for it."
    with open_ledger(output, "one", pytest.fail) as second:
        assert second is not None


@pytest.mark.parametrize("damage", [b"no data base " * 500, b""])
def test_a_damaged_ledger(bundle: str, photos: list[str], tmp_path: Path, damage: bytes) -> None:
    output = str(tmp_path / "tags.csv")
    tag(bundle, photos, output)
    for name in Path(ledger_path(output)).parent.iterdir():
        name.unlink()
    Path(ledger_path(output)).write_bytes(damage)
    said: list[str] = []
    with open_ledger(output, "one", said.append) as ledger:
        assert (ledger is None) == bool(damage)
    assert bool(said) == bool(damage)


def test_outcomes_that_make_no_sense_are_not_taken(
    bundle: str, photos: list[str], tmp_path: Path
) -> None:
    output = str(tmp_path / "tags.csv")
    rows, _ = tag(bundle, photos, output)
    with closing(sqlite3.connect(ledger_path(output))) as connection, connection:
        connection.execute("UPDATE photos SET outcome = 'nonsense'")
    assert tag(bundle, photos, output) == (rows, photos)


def test_a_ledger_that_can_be_written_no_more(
    bundle: str, photos: list[str], tmp_path: Path
) -> None:
    said: list[str] = []
    opened = open_bundle(bundle)
    crew = judging.gather_crew(opened, photos=photos)
    with open_ledger(str(tmp_path / "tags.csv"), "one", said.append) as ledger:
        assert ledger is not None
        ledger._connection.execute("DROP TABLE photos")
        rows = list(run.tag_found(photos, crew, opened.config, ledger=ledger))
    assert len(rows) == len(photos)
    assert said == ["no such table: photos"]


def test_no_output_has_no_ledger() -> None:
    with open_ledger(None, "one", pytest.fail) as ledger:
        assert ledger is None


def test_what_emotag_changed_itself_is_not_read_again(
    bundle: str, photos: list[str], tmp_path: Path
) -> None:
    output = str(tmp_path / "tags.csv")
    sound = [path for path in photos if not path.endswith(("broken.jpg", "small.png"))]
    rows, _ = tag(bundle, sound, output)
    computation = run_fingerprint(open_bundle(bundle).config, explain=False, max_pixels=10**8)
    states = [(path, str(state_of(path))) for path in sound[:3]]
    for path, _ in states:
        draw_photo(path, 99)
    with open_ledger(output, computation, pytest.fail) as ledger:
        assert ledger is not None
        ours, gone, other = states
        ledger.renew(*ours, str(state_of(ours[0])))
        # after it was written, someone else has changed it
        ledger.renew(*gone, "")
        # what was said was said of another state than the one that was changed
        ledger.renew(other[0], "1:2:3", str(state_of(other[0])))
    again, decoded = tag(bundle, sound, output)
    assert decoded == sorted([gone[0], other[0]])
    assert again[0] == rows[0]


def test_what_is_not_there_has_no_identity(tmp_path: Path) -> None:
    assert state_of(str(tmp_path / "gone")) is None
    assert state_of("nul\0byte") is None


def ledger_name(folder: Path, ending: str) -> str:
    return os.path.basename(ledger_path(str(folder / f"tags.{ending}")))


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "kills"), [("csv", 20), ("jsonl", 4), ("parquet", 4)])
def test_killed_at_any_moment(bundle: str, tmp_path: Path, ending: str, kills: int) -> None:
    """The same command again and again, killed each time, ends as one undisturbed run does."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(30):
        draw_photo(folder / f"{index}.jpg", index)
    for index in range(30, 1500):
        os.link(folder / f"{index % 30}.jpg", folder / f"{index}.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")

    def start(cache: str, output: str) -> subprocess.Popen[bytes]:
        arguments = ["tag", "photos", "-m", bundle, "-q", "-o", output]
        environment = os.environ | {"EMOTAG_CACHE": str(tmp_path / cache)}
        with open(tmp_path / "stderr", "ab") as stderr:
            return subprocess.Popen(
                command(*arguments), cwd=tmp_path, env=environment, stderr=stderr
            )

    def noted() -> tuple[int, int]:
        """Return how many photos the notes know, and of how many computations."""
        notes = tmp_path / "two" / "ledgers" / ledger_name(tmp_path, ending)
        if not notes.exists():
            return 0, 0
        query = "SELECT COUNT(*), COUNT(DISTINCT computation) FROM photos"
        with closing(sqlite3.connect(notes)) as connection, suppress(sqlite3.OperationalError):
            # killed before it had made the table, it has noted nothing
            return connection.execute(query).fetchone()
        return 0, 0

    began = time.monotonic()
    assert start("one", f"expected.{ending}").wait() == 3
    usual = time.monotonic() - began
    rng = random.Random(0)
    killed = 0
    # once more where the last ones came before anything was noted
    while killed < kills or noted()[0] <= 100:
        assert killed < kills + 50, "nothing is noted"
        process = start("two", f"tags.{ending}")
        time.sleep(rng.uniform(0.2, 1.0) * usual)
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            # it was done before: begin anew, so that each kill has something to interrupt
            shutil.rmtree(tmp_path / "two")
            os.remove(tmp_path / f"tags.{ending}")
            usual *= 0.9
            continue
        killed += 1
    _, computations = noted()
    assert computations == 1
    assert start("two", f"tags.{ending}").wait() == 3
    found, expected = (tmp_path / f"{name}.{ending}" for name in ("tags", "expected"))
    assert found.read_bytes() == expected.read_bytes()
    assert not list(tmp_path.glob(".tags*"))
    assert (tmp_path / "stderr").read_bytes() == b""


def test_a_run_with_another_cache_is_kept_away(
    bundle: str, photos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = str(tmp_path / ("a" * 60 + ".csv"))
    other = str(tmp_path / ("a" * 60 + "b.csv"))
    with open_ledger(output, "one", pytest.fail):
        monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "elsewhere"))
        with pytest.raises(StorageError) as caught, open_ledger(output, "one", pytest.fail):
            pass
        # of a name that begins alike
        with open_ledger(other, "one", pytest.fail) as ledger:
            assert ledger is not None
    assert str(caught.value) == f"Another run of emotag writes to {output}; wait for it."
    assert not list(tmp_path.glob(".a*"))
