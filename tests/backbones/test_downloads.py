"""Weights that are fetched whole and right, or not at all, with one message that says why."""

import hashlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from emotag.backbones.downloads import check_file, fetch_file
from emotag.errors import ModelError, StorageError, WeightsError
from tests.conftest import as_ordinary_user
from tests.servers import Answer, serve

BODY = bytes(range(256)) * 400
OTHER = BODY[::-1]
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER_SHA256 = hashlib.sha256(OTHER).hexdigest()
SHA1 = hashlib.sha1(BODY).hexdigest()
DIGEST = f"sha256:{SHA256}"

FETCH = """
import sys
from emotag.backbones.downloads import fetch_file
url, path, digest = sys.argv[1:]
fetch_file(url, path, size=None, digest=digest)
"""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def fetch(
    url: str,
    path: Path,
    digest: str = DIGEST,
    *,
    size: int | None = len(BODY),
    progress: Callable[[int, int | None], None] | None = None,
    name: str = "vgg16",
) -> str:
    return fetch_file(
        url,
        str(path),
        size=size,
        digest=digest,
        progress=progress,
        timeout=10,
        name=name,
        backoff=0.001,
    )


def said(url: str, path: Path, reason: str, again: str = "", name: str = " of vgg16") -> str:
    return (
        f"The weights{name} cannot be fetched from {url}: {reason}.{again} Without a network, "
        f"put that file at {path}, or name another copy with --weights FILE."
    )


class TestFetch:
    @pytest.mark.parametrize(
        "digest", [DIGEST, f"sha256:{SHA256[:8]}", f"SHA256:{SHA256[:9].upper()}", f"sha1:{SHA1}"]
    )
    def test_a_right_file_takes_its_name(self, tmp_path: Path, digest: str) -> None:
        path = tmp_path / "hub" / "checkpoints" / "vgg16.pth"
        with serve(Answer(BODY)) as server:
            assert fetch(server.url, path, digest) == str(path)
        assert path.read_bytes() == BODY
        assert os.listdir(path.parent) == ["vgg16.pth"]

    def test_without_a_digest_any_file_will_do(self, tmp_path: Path) -> None:
        (tmp_path / "vgg16.pth.partial").write_bytes(BODY[:1000])
        with serve(Answer(BODY)) as server:
            fetch(server.url, tmp_path / "vgg16.pth", "")
            fetch(server.url, tmp_path / "vgg16.pth", "")
        assert server.ranges == ["bytes=1000-"]
        assert (tmp_path / "vgg16.pth").read_bytes() == BODY

    def test_a_path_without_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with serve(Answer(BODY)) as server:
            assert fetch(server.url, Path("vgg16.pth")) == "vgg16.pth"
        assert os.listdir() == ["vgg16.pth"]

    def test_permissions_are_those_of_any_new_file(self, tmp_path: Path) -> None:
        (tmp_path / "any").touch()
        with serve(Answer(BODY)) as server:
            fetch(server.url, tmp_path / "vgg16.pth")
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        assert len(modes) == 1

    def test_progress_is_told_and_may_be_left_out(self, tmp_path: Path) -> None:
        seen: list[tuple[int, int | None]] = []
        with serve(Answer(BODY)) as server:
            fetch(
                server.url,
                tmp_path / "vgg16.pth",
                progress=lambda done, total: seen.append((done, total)),
            )
        assert (seen[0], seen[-1]) == ((0, len(BODY)), (len(BODY), len(BODY)))

    def test_a_right_file_is_not_fetched_again(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        path.write_bytes(BODY)
        with serve(Answer(BODY)) as server:
            assert fetch(server.url, path) == str(path)
        assert server.requests == []

    def test_a_damaged_file_is_replaced_once_the_right_one_is_there(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        path.write_bytes(OTHER)
        with serve(Answer(status=404), Answer(BODY)) as server:
            with pytest.raises(WeightsError):
                fetch(server.url, path)
            assert path.read_bytes() == OTHER
            fetch(server.url, path)
        assert path.read_bytes() == BODY

    def test_a_link_is_replaced_and_what_it_leads_to_stays(self, tmp_path: Path) -> None:
        (tmp_path / "theirs.pth").write_bytes(OTHER)
        (tmp_path / "vgg16.pth").symlink_to("theirs.pth")
        with serve(Answer(BODY)) as server:
            fetch(server.url, tmp_path / "vgg16.pth")
        assert (tmp_path / "vgg16.pth").read_bytes() == BODY
        assert (tmp_path / "theirs.pth").read_bytes() == OTHER

    @pytest.mark.parametrize("size", [1, len(BODY) - 1, len(BODY) + 1])
    def test_the_checksum_decides_and_not_the_size_that_was_said(
        self, tmp_path: Path, size: int
    ) -> None:
        path = tmp_path / "vgg16.pth"
        (tmp_path / "vgg16.pth.partial").write_bytes(BODY[:size])
        with serve(Answer(BODY, tells_length=False)) as server:
            fetch(server.url, path, size=size)
        assert path.read_bytes() == BODY


class TestGoingOn:
    def test_a_cut_is_gone_on_from(self, tmp_path: Path) -> None:
        with serve(Answer(BODY, cut=30_000), Answer(BODY)) as server:
            fetch(server.url, tmp_path / "vgg16.pth")
        assert server.ranges == [None, "bytes=30000-"]
        assert (tmp_path / "vgg16.pth").read_bytes() == BODY

    def test_after_the_last_try_the_next_call_goes_on(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        with serve(Answer(BODY, cut=30_000)) as server:
            with pytest.raises(WeightsError) as caught:
                fetch(server.url, path)
            assert str(caught.value) == said(
                server.url,
                path,
                "the connection broke off after 30,000 of 102,400 bytes",
                " Try again to go on from there.",
            )
            assert os.listdir(tmp_path) == ["vgg16.pth.partial"]
            server.will_answer(Answer(BODY))
            fetch(server.url, path)
        assert server.ranges == ["bytes=30000-"]
        assert path.read_bytes() == BODY
        assert os.listdir(tmp_path) == ["vgg16.pth"]

    def test_ctrl_c_leaves_what_came(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"

        def interrupt(done: int, total: int | None) -> None:
            if done >= 30_000:
                raise KeyboardInterrupt

        with serve(Answer(BODY, stall=30_000), Answer(BODY)) as server:
            with pytest.raises(KeyboardInterrupt):
                fetch(server.url, path, progress=interrupt)
            assert os.listdir(tmp_path) == ["vgg16.pth.partial"]
            fetch(server.url, path)
        assert server.ranges == [None, "bytes=30000-"]
        assert path.read_bytes() == BODY

    @pytest.mark.parametrize("killer", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
    def test_a_killed_process_is_gone_on_from(self, tmp_path: Path, killer: int) -> None:
        path = tmp_path / "vgg16.pth"
        partial = tmp_path / "vgg16.pth.partial"
        with serve(Answer(BODY, stall=30_000), Answer(BODY)) as server:
            command = [sys.executable, "-c", FETCH, server.url, str(path), DIGEST]
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
                while not partial.exists() or partial.stat().st_size < 30_000:
                    assert process.poll() is None
                    time.sleep(0.01)
                process.send_signal(killer)
            assert process.returncode == -killer
            assert not path.exists()
            fetch(server.url, path)
        assert server.ranges == [None, "bytes=30000-"]
        assert path.read_bytes() == BODY
        assert os.listdir(tmp_path) == ["vgg16.pth"]

    @pytest.mark.parametrize("size", [len(BODY), None])
    def test_one_killed_between_the_last_byte_and_the_name(
        self, tmp_path: Path, size: int | None
    ) -> None:
        (tmp_path / "vgg16.pth.partial").write_bytes(BODY)
        with serve(Answer(BODY)) as server:
            fetch(server.url, tmp_path / "vgg16.pth", size=size)
        assert (tmp_path / "vgg16.pth").read_bytes() == BODY
        assert os.listdir(tmp_path) == ["vgg16.pth"]

    @pytest.mark.parametrize("length", [1000, len(BODY), len(BODY) + 1])
    def test_pieces_of_two_versions_are_fetched_once_more_from_zero(
        self, tmp_path: Path, length: int
    ) -> None:
        (tmp_path / "vgg16.pth.partial").write_bytes((OTHER * 2)[:length])
        with serve(Answer(BODY)) as server:
            fetch(server.url, tmp_path / "vgg16.pth")
        assert server.ranges[-1] is None
        assert (tmp_path / "vgg16.pth").read_bytes() == BODY

    def test_and_once_only(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        (tmp_path / "vgg16.pth.partial").write_bytes(BODY[:1000])
        cut = Answer(OTHER, cut=30_000)
        with serve(Answer(OTHER), cut, Answer(OTHER)) as server, pytest.raises(WeightsError) as e:
            fetch(server.url, path)
        assert str(e.value) == said(
            server.url,
            path,
            f"the sha256 of the 102,400 bytes that came is {OTHER_SHA256}, not {SHA256}",
        )
        assert server.ranges == ["bytes=1000-", None, "bytes=30000-"]
        assert os.listdir(tmp_path) == []


class TestFailures:
    def test_a_wrong_file_is_not_placed_and_both_digests_are_told(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        with serve(Answer(OTHER)) as server, pytest.raises(WeightsError) as caught:
            fetch(server.url, path)
        assert str(caught.value) == said(
            server.url,
            path,
            f"the sha256 of the 102,400 bytes that came is {OTHER_SHA256}, not {SHA256}",
        )
        assert len(server.requests) == 1
        assert os.listdir(tmp_path) == []

    def test_a_part_of_a_digest_is_told_as_one(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16-397923af.pth"
        with serve(Answer(b"<html>")) as server, pytest.raises(WeightsError) as caught:
            fetch(server.url, path, "sha256:397923af")
        found = hashlib.sha256(b"<html>").hexdigest()
        assert str(caught.value) == said(
            server.url, path, f"the sha256 of the 6 bytes that came is {found}, not 397923af…"
        )

    def test_a_file_that_is_gone(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        with serve(Answer(b"no", status=404)) as server, pytest.raises(WeightsError) as caught:
            fetch(server.url, path)
        assert str(caught.value) == said(server.url, path, "the server answers 404 Not Found")
        assert os.listdir(tmp_path) == []

    def test_a_server_in_trouble_is_asked_again(self, tmp_path: Path) -> None:
        trouble = Answer(b"no", status=500)
        with serve(trouble, trouble, Answer(BODY)) as server:
            fetch(server.url, tmp_path / "vgg16.pth")
        assert (tmp_path / "vgg16.pth").read_bytes() == BODY

    def test_no_server_and_no_name(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/vgg16.pth"
        path = tmp_path / "checkpoints" / "vgg16.pth"
        with pytest.raises(WeightsError) as caught:
            fetch(url, path, name="")
        assert str(caught.value) == said(url, path, "Connection refused", name="")
        assert caught.value.__cause__ is not None

    def test_an_address_of_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "there.pth").write_bytes(BODY)
        url = (tmp_path / "there.pth").as_uri()
        with pytest.raises(WeightsError) as caught:
            fetch(url, tmp_path / "vgg16.pth")
        assert str(caught.value) == said(
            url, tmp_path / "vgg16.pth", "only addresses of http and https are fetched"
        )

    @pytest.mark.parametrize(
        "digest",
        [
            "sha256:",
            "sha256:397923a",
            f"sha256:{'0' * 65}",
            "sha256:397923ag",
            "sha256:39792\uff13af",
            "sha1:397923af",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        ],
    )
    def test_a_digest_of_another_form_is_refused(self, tmp_path: Path, digest: str) -> None:
        with serve(Answer(BODY)) as server, pytest.raises(ModelError) as caught:
            fetch(server.url, tmp_path / "vgg16.pth", digest)
        assert str(caught.value) == (
            f"The digest {digest!r} cannot be checked; give sha256: and the first 8 to 64 "
            "hexadecimal digits, or sha1: and all 40."
        )
        assert server.requests == []


class TestStorage:
    def test_a_folder_that_may_not_be_written(self, open_folder: Path) -> None:
        path = open_folder / "closed" / "vgg16.pth"
        path.parent.mkdir(mode=0o555)
        with (
            serve(Answer(BODY)) as server,
            as_ordinary_user(),
            pytest.raises(StorageError) as caught,
        ):
            fetch(server.url, path)
        assert str(caught.value) == f"{path} cannot be written: Permission denied."
        assert server.requests == []

    def test_a_right_file_in_a_folder_that_may_not_be_written(self, open_folder: Path) -> None:
        path = open_folder / "closed" / "vgg16.pth"
        path.parent.mkdir()
        path.write_bytes(BODY)
        path.parent.chmod(0o555)
        with as_ordinary_user():
            assert fetch("http://weights.invalid/", path) == str(path)

    def test_a_file_among_the_parents(self, tmp_path: Path) -> None:
        (tmp_path / "hub").write_text("a file")
        path = tmp_path / "hub" / "checkpoints" / "vgg16.pth"
        with serve(Answer(BODY)) as server, pytest.raises(StorageError) as caught:
            fetch(server.url, path)
        assert str(caught.value) == f"{path} cannot be written: Not a directory."

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
    def test_a_disk_that_is_full(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        (tmp_path / "vgg16.pth.partial").symlink_to("/dev/full")
        with serve(Answer(BODY)) as server, pytest.raises(StorageError) as caught:
            fetch(server.url, path)
        assert str(caught.value) == f"{path} cannot be written: No space left on device."
        assert len(server.requests) == 1
        assert os.listdir(tmp_path) == ["vgg16.pth.partial"]

    def test_a_file_that_grows_too_large_is_gone_on_from(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        code = (
            f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))\n{FETCH}"
        )
        with serve(Answer(BODY)) as server:
            command = [sys.executable, "-c", code, server.url, str(path), DIGEST]
            failed = subprocess.run(command, capture_output=True, text=True, check=False)
            assert failed.stderr.splitlines()[-1] == (
                f"emotag.errors.StorageError: {path} cannot be written: File too large."
            )
            assert os.listdir(tmp_path) == ["vgg16.pth.partial"]
            fetch(server.url, path)
        assert server.ranges == [None, "bytes=30000-"]
        assert path.read_bytes() == BODY

    def test_a_folder_in_the_files_place(self, tmp_path: Path) -> None:
        with serve(Answer(BODY)) as server, pytest.raises(StorageError) as caught:
            fetch(server.url, tmp_path)
        assert str(caught.value) == f"{tmp_path} cannot be written: Is a directory."


class TestTogether:
    def test_of_two_processes_one_fetches_and_both_have_it(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        with serve(Answer(BODY, pause=0.02)) as server:
            command = [sys.executable, "-c", FETCH, server.url, str(path), DIGEST]
            processes = [subprocess.Popen(command) for _ in range(2)]
            assert [process.wait() for process in processes] == [0, 0]
        assert len(server.requests) == 1
        assert path.read_bytes() == BODY
        assert os.listdir(tmp_path) == ["vgg16.pth"]

    def test_who_waits_sees_how_far_the_other_is(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        begun, seen = threading.Event(), threading.Event()

        def watch(done: int, total: int | None) -> None:
            assert (done, total) == (30_000, len(BODY))
            seen.set()

        def wait() -> None:
            fetch(server.url, path, progress=watch)

        def work(done: int, total: int | None) -> None:
            if done == 30_000:
                begun.set()
                assert seen.wait(10)

        with serve(Answer(BODY, cut=30_000), Answer(BODY)) as server:
            first = threading.Thread(target=lambda: fetch(server.url, path, progress=work))
            first.start()
            assert begun.wait(10)
            second = threading.Thread(target=wait)
            second.start()
            first.join()
            second.join()
        assert path.read_bytes() == BODY
        assert len(server.requests) == 2

    def test_one_goes_on_where_a_killed_one_stopped(self, tmp_path: Path) -> None:
        path = tmp_path / "vgg16.pth"
        partial = tmp_path / "vgg16.pth.partial"
        with serve(Answer(BODY, stall=30_000), Answer(BODY)) as server:
            command = [sys.executable, "-c", FETCH, server.url, str(path), DIGEST]
            with subprocess.Popen(command) as first:
                while not partial.exists() or partial.stat().st_size < 30_000:
                    assert first.poll() is None
                    time.sleep(0.01)
                with subprocess.Popen(command) as second:
                    time.sleep(0.2)
                    assert second.poll() is None
                    first.kill()
        assert second.returncode == 0
        assert server.ranges == [None, "bytes=30000-"]
        assert path.read_bytes() == BODY
        assert os.listdir(tmp_path) == ["vgg16.pth"]


class TestCheckFile:
    @pytest.mark.parametrize(
        "digest",
        ["", DIGEST, f"sha256:{SHA256[:8]}", f"sha256:{SHA256[:12].upper()}", f"sha1:{SHA1}"],
    )
    def test_it_returns_the_whole_sha256(self, tmp_path: Path, digest: str) -> None:
        (tmp_path / "vgg16.pth").write_bytes(BODY)
        assert check_file(str(tmp_path / "vgg16.pth"), digest) == SHA256

    @pytest.mark.parametrize(
        ("digest", "told"),
        [
            (f"sha256:{OTHER_SHA256}", f"its sha256 is {SHA256}, not {OTHER_SHA256}"),
            ("sha256:397923af", f"its sha256 is {SHA256}, not 397923af…"),
            (f"sha1:{'0' * 40}", f"its sha1 is {SHA1}, not {'0' * 40}"),
        ],
    )
    def test_another_checksum_is_told(self, tmp_path: Path, digest: str, told: str) -> None:
        path = tmp_path / "vgg16.pth"
        path.write_bytes(BODY)
        with pytest.raises(WeightsError) as caught:
            check_file(str(path), digest)
        assert str(caught.value) == (
            f"{path} is damaged, or not the file that was meant: {told}. Delete it and fetch it "
            "again, or name another copy with --weights FILE."
        )

    def test_a_digest_of_another_form_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="The digest 'md5:0' cannot be checked"):
            check_file(str(tmp_path), "md5:0")

    @pytest.mark.parametrize(("name", "why"), [("no.pth", "No such file or"), (".", "Is a")])
    def test_what_cannot_be_read(self, tmp_path: Path, name: str, why: str) -> None:
        with pytest.raises(WeightsError) as caught:
            check_file(f"{tmp_path}/{name}", DIGEST)
        assert str(caught.value) == f"{tmp_path}/{name} cannot be read: {why} directory."

    def test_a_file_is_read_once_until_it_changes(self, tmp_path: Path) -> None:
        path, link = tmp_path / "vgg16.pth", tmp_path / "link.pth"
        path.write_bytes(BODY)
        link.symlink_to(path)
        assert check_file(str(path), DIGEST) == SHA256
        before = path.stat()
        # the same size and time: no one would see that it is another, unless it were read
        path.write_bytes(OTHER)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert check_file(str(path)) == check_file(str(link)) == SHA256
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        assert check_file(str(path)) == check_file(str(link)) == OTHER_SHA256


def test_torch_is_not_needed() -> None:
    code = "import sys, emotag.backbones.downloads; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
