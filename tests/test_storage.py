"""Files and folders that appear whole or not at all, and data bases shared by processes."""

import errno
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emotag import storage
from emotag.errors import PhotosNotFoundError, StorageError
from emotag.storage import (
    cache_folder,
    open_database,
    remove_partial,
    replace_file,
    replace_folder,
)
from tests.conftest import as_ordinary_user

SCHEMA = "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB); CREATE INDEX by ON facts (value)"

FULL = "the disk is full. Make room, and run the same command again."


def write(path: str | os.PathLike[str], content: bytes) -> None:
    with replace_file(os.fspath(path)) as file:
        file.write(content)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def mask(bits: int) -> Iterator[None]:
    before = os.umask(bits)
    try:
        yield
    finally:
        os.umask(before)


def start_python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    )


def kill_when_ready(code: str, *arguments: str) -> None:
    """Start code that says when it is in the middle, and let it be killed there."""
    process = start_python(code, *arguments)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


class TestReplaceFile:
    def test_a_new_file_appears_with_what_was_written(self, tmp_path: Path) -> None:
        write(tmp_path / "tags.csv", b"path,emotion\n")
        assert (tmp_path / "tags.csv").read_bytes() == b"path,emotion\n"
        assert os.listdir(tmp_path) == ["tags.csv"]

    def test_until_it_is_whole_the_old_content_stands(self, tmp_path: Path) -> None:
        path = tmp_path / "tags.csv"
        path.write_bytes(b"old")
        with replace_file(str(path)) as file:
            file.write(b"new")
            file.flush()
            assert path.read_bytes() == b"old"
        assert path.read_bytes() == b"new"

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
    @pytest.mark.parametrize("existed", [True, False])
    def test_a_failure_leaves_what_was_there_and_nothing_else(
        self, tmp_path: Path, error: type[BaseException], existed: bool
    ) -> None:
        path = tmp_path / "tags.csv"
        if existed:
            path.write_bytes(b"old")
        with pytest.raises(error), replace_file(str(path)) as file:  # noqa: PT012
            file.write(b"half")
            raise error
        assert os.listdir(tmp_path) == (["tags.csv"] if existed else [])
        assert not existed or path.read_bytes() == b"old"

    def test_a_killed_process_leaves_the_old_content(self, tmp_path: Path) -> None:
        path = tmp_path / "tags.csv"
        path.write_bytes(b"old")
        code = """
import sys, time
from emotag.storage import replace_file
with replace_file(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("ready", flush=True)
    time.sleep(60)
"""
        kill_when_ready(code, str(path))
        assert path.read_bytes() == b"old"
        write(path, b"new")
        assert path.read_bytes() == b"new"

    @pytest.mark.parametrize(("bits", "expected"), [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
    def test_permissions_are_those_of_any_new_file(
        self, tmp_path: Path, bits: int, expected: int
    ) -> None:
        with mask(bits):
            write(tmp_path / "tags.csv", b"")
        assert mode_of(tmp_path / "tags.csv") == expected

    def test_a_link_stays_and_what_it_leads_to_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "real" / "tags.csv").write_bytes(b"old")
        (tmp_path / "link.csv").symlink_to("real/tags.csv")
        write(tmp_path / "link.csv", b"new")
        assert (tmp_path / "link.csv").is_symlink()
        assert (tmp_path / "real" / "tags.csv").read_bytes() == b"new"
        assert sorted(os.listdir(tmp_path)) == ["link.csv", "real"]
        assert os.listdir(tmp_path / "real") == ["tags.csv"]

    def test_a_broken_link_makes_the_file_that_it_names(self, tmp_path: Path) -> None:
        (tmp_path / "link.csv").symlink_to("later.csv")
        write(tmp_path / "link.csv", b"new")
        assert (tmp_path / "later.csv").read_bytes() == b"new"

    def test_a_hard_link_elsewhere_keeps_the_old_content(self, tmp_path: Path) -> None:
        (tmp_path / "tags.csv").write_bytes(b"old")
        os.link(tmp_path / "tags.csv", tmp_path / "backup.csv")
        write(tmp_path / "tags.csv", b"new")
        assert (tmp_path / "backup.csv").read_bytes() == b"old"

    def test_a_device_is_written_to_and_stays_one(self) -> None:
        write(os.devnull, b"gone")
        assert stat.S_ISCHR(os.stat(os.devnull).st_mode)

    def test_a_pipe_is_written_to_and_stays_one(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe.csv"
        os.mkfifo(path)
        received = []
        reader = threading.Thread(target=lambda: received.append(path.read_bytes()))
        reader.start()
        write(path, b"rows")
        reader.join()
        assert received == [b"rows"]
        assert stat.S_ISFIFO(path.stat().st_mode)
        assert os.listdir(tmp_path) == ["pipe.csv"]

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_a_full_device_is_named(self) -> None:
        with pytest.raises(StorageError) as caught:
            write("/dev/full", b"rows")
        assert str(caught.value) == f"/dev/full cannot be written: {FULL}"

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "missing" / "tags.csv"
        with pytest.raises(StorageError) as caught:
            write(path, b"")
        assert str(caught.value) == (
            f"{path} cannot be written: its folder is not there. Make it, and run the same command "
            "again."
        )

    def test_a_folder_in_the_files_place_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="cannot be written: Is a directory"):
            write(tmp_path, b"")

    def test_a_folder_that_may_not_be_written_is_named(self, open_folder: Path) -> None:
        path = open_folder / "closed" / "tags.csv"
        path.parent.mkdir(mode=0o555)
        with as_ordinary_user(), pytest.raises(StorageError) as caught:
            write(path, b"")
        assert str(caught.value) == f"{path} cannot be written: Permission denied."

    def test_a_disk_that_fills_up_is_said_of_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "tags.csv"
        with pytest.raises(StorageError) as caught, replace_file(str(path)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert str(caught.value) == f"{path} cannot be written: {FULL}"
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        "error",
        [
            PhotosNotFoundError("There is no photo in x."),
            FileNotFoundError(errno.ENOENT, "No such file or directory", "other.csv"),
            BrokenPipeError(errno.EPIPE, "Broken pipe"),
        ],
    )
    def test_an_error_about_something_else_is_not_blamed_on_the_file(
        self, tmp_path: Path, error: OSError
    ) -> None:
        with pytest.raises(type(error)) as caught, replace_file(str(tmp_path / "tags.csv")):
            raise error
        assert caught.value is error
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize(
        "name",
        ["x" * 255, "🎉" * 63, 'a, "b"\nc\'', "-o", " "],
        ids=["longest", "longest of emoji", "marks", "option", "space"],
    )
    def test_every_name_that_a_file_can_have(self, tmp_path: Path, name: str) -> None:
        write(tmp_path / name, b"new")
        write(tmp_path / name, b"newer")
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: b"newer"}

    def test_a_name_that_is_not_utf8(self, tmp_path: Path) -> None:
        path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.csv")
        write(os.fsdecode(path), b"new")
        assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9.csv"]

    def test_a_path_without_a_folder_lies_in_the_current_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        write("tags.csv", b"new")
        assert (tmp_path / "tags.csv").read_bytes() == b"new"


def fill(folder: str, content: str) -> None:
    Path(folder, "part").mkdir()
    Path(folder, "part", "model.onnx").write_text(content)


def make(path: Path, content: str, *, force: bool = False) -> None:
    with replace_folder(str(path), force=force) as beside:
        fill(beside, content)


def content_of(path: Path) -> str:
    return (path / "part" / "model.onnx").read_text()


class TestReplaceFolder:
    def test_a_new_folder_appears_whole_with_its_parents(self, tmp_path: Path) -> None:
        target = tmp_path / "models" / "mine"
        with replace_folder(str(target)) as beside:
            assert os.listdir(beside) == []
            fill(beside, "new")
            assert not target.exists()
        assert content_of(target) == "new"
        assert os.listdir(tmp_path / "models") == ["mine"]

    @pytest.mark.parametrize("kind", ["folder", "file", "link", "broken link"])
    def test_whatever_exists_is_refused_and_kept(self, tmp_path: Path, kind: str) -> None:
        target = tmp_path / "mine"
        self.put(target, kind)
        before = sorted(os.listdir(tmp_path))
        with pytest.raises(StorageError) as caught:
            make(target, "new")
        assert str(caught.value) == (
            f"{target} exists already; choose another name, or --force to replace it."
        )
        assert sorted(os.listdir(tmp_path)) == before

    @pytest.mark.parametrize("kind", ["folder", "file", "link", "broken link"])
    def test_by_force_it_is_replaced_with_nothing_left(self, tmp_path: Path, kind: str) -> None:
        target = tmp_path / "mine"
        self.put(target, kind)
        make(target, "new", force=True)
        assert content_of(target) == "new"
        assert not target.is_symlink()
        assert set(os.listdir(tmp_path)) <= {"mine", "elsewhere"}
        if kind == "link":
            assert content_of(tmp_path / "elsewhere") == "old"

    @staticmethod
    def put(target: Path, kind: str) -> None:
        """Let something of this kind stand at `target`."""
        folder = target if kind == "folder" else target.with_name("elsewhere")
        if kind in ("folder", "link"):
            folder.mkdir()
            fill(str(folder), "old")
        if kind == "file":
            target.write_text("old")
        if kind.endswith("link"):
            target.symlink_to("elsewhere")

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    def test_a_failure_leaves_the_old_folder_and_nothing_else(
        self, tmp_path: Path, error: type[BaseException]
    ) -> None:
        make(tmp_path / "mine", "old")
        with pytest.raises(error), replace_folder(str(tmp_path / "mine"), force=True) as beside:  # noqa: PT012
            fill(beside, "half")
            raise error
        assert content_of(tmp_path / "mine") == "old"
        assert os.listdir(tmp_path) == ["mine"]

    def test_a_killed_process_leaves_the_old_folder(self, tmp_path: Path) -> None:
        make(tmp_path / "mine", "old")
        code = """
import os, sys, time
from emotag.storage import replace_folder
with replace_folder(sys.argv[1], force=True) as beside:
    open(os.path.join(beside, "half"), "w").close()
    print("ready", flush=True)
    time.sleep(60)
"""
        kill_when_ready(code, str(tmp_path / "mine"))
        assert content_of(tmp_path / "mine") == "old"
        assert os.listdir(tmp_path / "mine") == ["part"]
        make(tmp_path / "mine", "new", force=True)
        assert content_of(tmp_path / "mine") == "new"

    def test_what_appears_meanwhile_is_not_overwritten(self, tmp_path: Path) -> None:
        def make_late() -> None:
            with replace_folder(str(tmp_path / "mine")) as beside:
                fill(beside, "late")
                make(tmp_path / "mine", "early")

        with pytest.raises(StorageError, match="exists already"):
            make_late()
        assert content_of(tmp_path / "mine") == "early"
        assert os.listdir(tmp_path) == ["mine"]

    def test_a_swap_that_fails_puts_the_old_folder_back(self, tmp_path: Path) -> None:
        def make_and_lose() -> None:
            with replace_folder(str(tmp_path / "mine"), force=True) as beside:
                os.rmdir(beside)

        make(tmp_path / "mine", "old")
        with pytest.raises(StorageError, match="cannot be written: its folder is not there"):
            make_and_lose()
        assert content_of(tmp_path / "mine") == "old"
        assert os.listdir(tmp_path) == ["mine"]

    @pytest.mark.parametrize("path", ["", ".", "..", "../here/"])
    @pytest.mark.parametrize("force", [True, False])
    def test_the_folder_one_works_in_is_never_replaced(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, force: bool
    ) -> None:
        (tmp_path / "here").mkdir()
        (tmp_path / "here" / "precious").write_text("kept")
        monkeypatch.chdir(tmp_path / "here")
        with pytest.raises(StorageError) as caught, replace_folder(path, force=force):
            pass
        reason = "is the current folder or holds it" if force else "exists already"
        assert f"{path or '.'} {reason}" in str(caught.value)
        assert (tmp_path / "here" / "precious").read_text() == "kept"

    @pytest.mark.parametrize(("bits", "expected"), [(0o022, 0o755), (0o077, 0o700)])
    def test_permissions_are_those_of_any_new_folder(
        self, tmp_path: Path, bits: int, expected: int
    ) -> None:
        with mask(bits):
            make(tmp_path / "mine", "new")
        assert mode_of(tmp_path / "mine") == expected

    def test_a_folder_that_may_not_be_written_is_named(self, open_folder: Path) -> None:
        (open_folder / "closed").mkdir(mode=0o555)
        path = open_folder / "closed" / "models" / "mine"
        with as_ordinary_user(), pytest.raises(StorageError) as caught:
            make(path, "new")
        assert str(caught.value) == f"{path} cannot be written: Permission denied."

    def test_a_file_among_the_parents_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "models").write_text("a file")
        with pytest.raises(StorageError, match=r"models/mine cannot be written: "):
            make(tmp_path / "models" / "mine", "new")

    def test_a_disk_that_fills_up_is_said_of_the_folder(self, tmp_path: Path) -> None:
        path = tmp_path / "mine"
        with pytest.raises(StorageError) as caught, replace_folder(str(path)) as beside:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), f"{beside}/model.onnx")
        assert str(caught.value) == f"{path} cannot be written: {FULL}"
        assert os.listdir(tmp_path) == []

    def test_an_error_about_something_else_is_not_blamed_on_the_folder(
        self, tmp_path: Path
    ) -> None:
        error = FileNotFoundError(errno.ENOENT, "No such file or directory", "/photos/x.jpg")
        with pytest.raises(FileNotFoundError) as caught, replace_folder(str(tmp_path / "mine")):
            raise error
        assert caught.value is error
        assert os.listdir(tmp_path) == []

    def test_a_name_as_long_as_can_be(self, tmp_path: Path) -> None:
        make(tmp_path / ("m" * 255), "old")
        make(tmp_path / ("m" * 255), "new", force=True)
        assert [content_of(path) for path in tmp_path.iterdir()] == ["new"]


class TestDatabase:
    def test_it_is_made_with_its_folders_and_keeps_what_it_is_told(self, tmp_path: Path) -> None:
        path = str(tmp_path / "a" / "b" / "facts.sqlite")
        with closing(open_database(path, SCHEMA, 1)) as database:
            database.execute("INSERT INTO facts VALUES ('x', x'00')")
        with closing(open_database(path, SCHEMA, 1)) as database:
            assert database.execute("SELECT * FROM facts").fetchall() == [("x", b"\0")]
            assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    @pytest.mark.parametrize("version", [1, 3])
    def test_another_version_is_made_anew(self, tmp_path: Path, version: int) -> None:
        path = str(tmp_path / "facts.sqlite")
        with closing(open_database(path, SCHEMA, 2)) as database:
            database.execute("INSERT INTO facts VALUES ('x', x'00')")
        schema = 'CREATE TABLE "other" (name TEXT);\n\nCREATE TABLE last (name TEXT);'
        with closing(open_database(path, schema, version)) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            assert sorted(tables.fetchall()) == [("last",), ("other",)]
            assert database.execute("PRAGMA user_version").fetchone() == (version,)

    def test_a_schema_that_fails_changes_nothing(self, tmp_path: Path) -> None:
        path = str(tmp_path / "facts.sqlite")
        with closing(open_database(path, SCHEMA, 1)) as database:
            database.execute("INSERT INTO facts VALUES ('x', x'00')")
        with pytest.raises(StorageError, match="syntax error"):
            open_database(path, "CREATE TABLE facts (name TEXT); CREATE TABEL", 2)
        with closing(open_database(path, SCHEMA, 1)) as database:
            assert database.execute("SELECT name FROM facts").fetchall() == [("x",)]

    @settings(
        max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(content=st.binary(min_size=16, max_size=200))
    def test_a_file_that_is_no_database_is_named_and_kept(
        self, tmp_path: Path, content: bytes
    ) -> None:
        path = tmp_path / "facts.sqlite"
        path.write_bytes(content)
        with pytest.raises(StorageError) as caught:
            open_database(str(path), SCHEMA, 1)
        assert str(caught.value) == (
            f"{path} cannot be used: file is not a database. If it is damaged, delete it; "
            "EMOTAG_CACHE names another place."
        )
        assert path.read_bytes() == content

    def test_a_damaged_database_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "facts.sqlite"
        open_database(str(path), SCHEMA, 1).close()
        content = bytearray(path.read_bytes())
        content[100:] = b"\xff" * (len(content) - 100)
        path.write_bytes(content)
        with pytest.raises(StorageError, match="cannot be used: database disk image is malformed"):
            open_database(str(path), SCHEMA, 2)

    def test_a_folder_in_its_place_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="cannot be opened: unable to open database file"):
            open_database(str(tmp_path), SCHEMA, 1)

    def test_a_file_among_the_parents_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("a file")
        with pytest.raises(StorageError, match=r"cache/facts\.sqlite cannot be opened"):
            open_database(str(tmp_path / "cache" / "facts.sqlite"), SCHEMA, 1)

    def test_one_that_may_only_be_read_is_named(self, open_folder: Path) -> None:
        path = open_folder / "closed" / "facts.sqlite"
        open_database(str(path), SCHEMA, 1).close()
        path.chmod(0o444)
        path.parent.chmod(0o555)
        with as_ordinary_user(), pytest.raises(StorageError, match=f"^{path} cannot be used: "):
            open_database(str(path), SCHEMA, 2)

    def test_it_waits_while_another_process_makes_the_same_file(self, tmp_path: Path) -> None:
        path = str(tmp_path / "facts.sqlite")
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("CREATE TABLE before (name TEXT)")
            other.execute("BEGIN IMMEDIATE")
            release = threading.Timer(0.3, other.execute, ["COMMIT"])
            release.start()
            started = time.monotonic()
            open_database(path, SCHEMA, 1).close()
            assert time.monotonic() - started > 0.2
            release.join()

    def test_tables_that_another_process_makes_meanwhile_are_kept(self, tmp_path: Path) -> None:
        path = str(tmp_path / "facts.sqlite")
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            other.execute("PRAGMA journal_mode = WAL")
            other.execute("BEGIN IMMEDIATE")
            other.execute("CREATE TABLE facts (name TEXT)")
            other.execute("INSERT INTO facts VALUES ('early')")
            other.execute("PRAGMA user_version = 1")
            release = threading.Timer(0.3, other.execute, ["COMMIT"])
            release.start()
            with closing(open_database(path, SCHEMA, 1)) as database:
                assert database.execute("SELECT name FROM facts").fetchall() == [("early",)]
            release.join()

    def test_it_does_not_wait_for_ever(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(storage, "BUSY_SECONDS", 0.1)
        path = str(tmp_path / "facts.sqlite")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("CREATE TABLE before (name TEXT)")
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="cannot be used: database is locked"):
                open_database(path, SCHEMA, 1)

    def test_four_processes_at_once_lose_nothing(self, tmp_path: Path) -> None:
        path = str(tmp_path / "cache" / "facts.sqlite")
        code = f"""
import sys
from emotag.storage import open_database
print("ready", flush=True)
sys.stdin.readline()
for index in range(50):
    database = open_database(sys.argv[1], {SCHEMA!r}, 4)
    database.execute("INSERT INTO facts VALUES (?, x'00')", (f"{{sys.argv[2]}} {{index}}",))
    database.close()
"""
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", code, path, str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for number in range(4)
        ]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        for process in processes:
            process.communicate(b"go\n")
        assert [process.returncode for process in processes] == [0] * 4
        with closing(open_database(path, SCHEMA, 4)) as database:
            names = {name for (name,) in database.execute("SELECT name FROM facts")}
        assert names == {f"{number} {index}" for number in range(4) for index in range(50)}

    def test_a_killed_writer_blocks_no_one(self, tmp_path: Path) -> None:
        path = str(tmp_path / "facts.sqlite")
        code = f"""
import sys, time
from emotag.storage import open_database
database = open_database(sys.argv[1], {SCHEMA!r}, 1)
database.execute("INSERT INTO facts VALUES ('whole', x'00')")
database.execute("BEGIN IMMEDIATE")
database.execute("INSERT INTO facts VALUES ('half', x'00')")
print("ready", flush=True)
time.sleep(60)
"""
        kill_when_ready(code, path)
        with closing(open_database(path, SCHEMA, 1)) as database:
            assert database.execute("SELECT name FROM facts").fetchall() == [("whole",)]


def test_the_cache_lies_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTAG_CACHE", "/big/disk")
    assert cache_folder() == "/big/disk"


@pytest.mark.skipif(sys.platform != "linux", reason="the platform's own folder is asked for")
@pytest.mark.parametrize("said", [None, ""])
def test_otherwise_the_cache_lies_where_the_platform_says(
    monkeypatch: pytest.MonkeyPatch, said: str | None
) -> None:
    monkeypatch.delenv("EMOTAG_CACHE")
    if said is not None:
        monkeypatch.setenv("EMOTAG_CACHE", said)
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/me/.cache")
    assert cache_folder() == "/home/me/.cache/emotag"


class TestRemovePartial:
    """What killed processes left, and nothing else."""

    def test_only_what_replace_file_and_replace_folder_name_so(self, tmp_path: Path) -> None:
        kept = [
            ".a.csv.my-notes.partial",
            ".a.csv.x.csv.0123456789abcdef.partial",
            ".a.csv.0123456789abcdef.partial.txt",
            "a.csv",
        ]
        for name in [
            *kept,
            ".a.csv.0123456789abcdef.partial",
            ".a.csv.fedcba9876543210.partial.old",
        ]:
            (tmp_path / name).touch()
        (tmp_path / ".a.csv.1111111111111111.partial").mkdir()
        remove_partial(str(tmp_path / "a.csv"))
        assert sorted(os.listdir(tmp_path)) == sorted(kept)

    def test_names_that_begin_alike_have_files_of_their_own(self, tmp_path: Path) -> None:
        one, other = (str(tmp_path / ("a" * 60 + end)) for end in ("1.csv", "2.csv"))
        with replace_file(one) as file:
            file.write(b"1")
            remove_partial(other)
        assert Path(one).read_bytes() == b"1"

    def test_what_was_set_aside_is_put_back(self, tmp_path: Path) -> None:
        old = tmp_path / ".a.parquet.0123456789abcdef.partial.old"
        old.mkdir()
        (old / "part-00000.parquet").write_bytes(b"mine")
        remove_partial(str(tmp_path / "a.parquet"))
        assert (tmp_path / "a.parquet" / "part-00000.parquet").read_bytes() == b"mine"
        assert os.listdir(tmp_path) == ["a.parquet"]

    def test_what_another_process_writes_is_left(self, tmp_path: Path) -> None:
        path = str(tmp_path / "a.jpg")
        code = (
            "import sys; from emotag.storage import replace_file\n"
            "with replace_file(sys.argv[1]) as file:\n"
            "    print('writing', flush=True); sys.stdin.read(); file.write(b'whole')"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            remove_partial(path, is_shared=True)
            process.communicate()
        assert Path(path).read_bytes() == b"whole"
        assert os.listdir(tmp_path) == ["a.jpg"]

    def test_what_a_dead_process_left_is_removed_at_once(self, tmp_path: Path) -> None:
        (tmp_path / f".a.jpg.{16 * '0'}.partial").touch()
        remove_partial(str(tmp_path / "a.jpg"), is_shared=True)
        assert os.listdir(tmp_path) == []

    def test_where_no_lock_tells_what_is_young_is_left(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        young, idle = (tmp_path / f".a.jpg.{16 * sign}.partial" for sign in "01")
        young.touch()
        idle.touch()
        os.utime(idle, (0, 0))

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr("fcntl.flock", refuse)
        remove_partial(str(tmp_path / "a.jpg"), is_shared=True)
        assert os.listdir(tmp_path) == [young.name]
