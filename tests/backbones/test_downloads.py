"""Downloads as a whole: a real server on loopback, cuts, kills and wrong content."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from emotag.backbones.downloads import check_file, fetch_file
from emotag.errors import ModelError, StorageError, WeightsError
from tests.servers import Answer, Server, serve

BODY = bytes(range(256)) * 400
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"


def fetch(server: Server, path: Path, digest: str = DIGEST, **options: object) -> str:
    arguments = {"size": len(BODY), "digest": digest, "backoff": 0.01, "name": "small"} | options
    return fetch_file(f"{server.url}net.pth", str(path), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "digest", [DIGEST, DIGEST[:15], f"sha1:{hashlib.sha1(BODY).hexdigest()}", ""]
)
def test_whole(tmp_path: Path, digest: str) -> None:
    path = tmp_path / "cache" / "net.pth"
    with serve(Answer(BODY)) as server:
        assert fetch(server, path, digest) == str(path)
        assert fetch(server, path, digest) == str(path)
        assert len(server.requests) == 1
    assert path.read_bytes() == BODY
    assert not list(path.parent.glob("*.partial"))


def test_cut_off_once(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    headers = {"ETag": '"one"'}
    with serve(Answer(BODY, headers=headers, cut=40_960), Answer(BODY, headers=headers)) as server:
        fetch(server, path)
        assert server.ranges == [None, "bytes=40960-"]
    assert path.read_bytes() == BODY


def test_cut_off_always_and_gone_on_from_later(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    with serve(Answer(BODY, cut=0)) as server:
        server.will_answer(Answer(BODY, cut=8192), Answer(BODY, cut=0, knows_ranges=False))
        with pytest.raises(WeightsError) as caught:
            fetch(server, path)
        assert not path.exists()
        start = f"The weights of small cannot be fetched from {server.url}net.pth: "
        assert str(caught.value).startswith(start)
        assert str(caught.value).endswith(
            f"Without a network, put that file at {path}, or name another copy with --weights FILE."
        )
        server.will_answer(Answer(BODY))
        fetch(server, path)
    assert path.read_bytes() == BODY


def test_another_content(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    with serve(Answer(b"x" * len(BODY))) as server, pytest.raises(WeightsError) as caught:
        fetch(server, path)
    found = hashlib.sha256(b"x" * len(BODY)).hexdigest()
    assert f"is {found}, not {DIGEST.removeprefix('sha256:')}" in str(caught.value)
    assert list(tmp_path.glob("net.pth*")) in ([], [tmp_path / "net.pth.lock"])


def test_changed_on_the_server_between_two_tries(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    (tmp_path / "net.pth.partial").write_bytes(b"of another version")
    with serve(Answer(BODY)) as server:
        fetch(server, path)
        assert server.ranges == ["bytes=18-", None]
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("status", [404, 410, 403])
def test_not_there(tmp_path: Path, status: int) -> None:
    with serve(Answer(status=status)) as server:
        with pytest.raises(WeightsError, match=str(status)):
            fetch(server, tmp_path / "net.pth")
        assert len(server.requests) == 1


def test_busy_at_first(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    busy = Answer(status=503, headers={"Retry-After": "0"})
    with serve(busy, Answer(status=500), Answer(BODY)) as server:
        fetch(server, path)
        assert len(server.requests) == 3
    assert path.read_bytes() == BODY


def test_slow_is_waited_for_and_silent_is_not(tmp_path: Path) -> None:
    with serve(Answer(BODY, pause=0.01)) as server:
        fetch(server, tmp_path / "slow.pth", timeout=5.0)
    with serve(Answer(BODY, stall=4096)) as server, pytest.raises(WeightsError):
        fetch(server, tmp_path / "silent.pth", timeout=0.2)


def test_no_server(tmp_path: Path) -> None:
    with serve(Answer(BODY)) as server:
        pass
    with pytest.raises(WeightsError, match="refused"):
        fetch(server, tmp_path / "net.pth")


@pytest.mark.parametrize(
    "digest", ["md5:00", "sha256:12", f"sha1:{'0' * 8}", "0" * 64, f"sha256:{'g' * 64}"]
)
def test_digests_that_cannot_be_checked(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ModelError) as caught:
        fetch_file("http://127.0.0.1:9/", str(tmp_path / "x"), size=None, digest=digest)
    assert str(caught.value).startswith(f"The digest {digest!r} cannot be checked; give sha256: ")


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with serve(Answer(BODY)) as server, pytest.raises(StorageError) as caught:
        fetch(server, tmp_path / "cache" / "net.pth")
    assert str(caught.value).startswith(f"{tmp_path}/cache/net.pth cannot be written: ")


def test_killed_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    script = textwrap.dedent("""
        import sys
        from emotag.backbones.downloads import fetch_file
        url, path, digest = sys.argv[1:]
        fetch_file(url, path, size=None, digest=digest,
                   progress=lambda done, total: print(done, flush=True))
    """)
    with serve(Answer(BODY, pause=0.05)) as server:
        command = [sys.executable, "-c", script, f"{server.url}net.pth", str(path), DIGEST]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            while int(process.stdout.readline()) < 8192:
                pass
            process.send_signal(signal.SIGKILL)
        assert not path.exists()
        kept = os.path.getsize(f"{path}.partial")
        assert kept > 0
        server.will_answer(Answer(BODY))
        fetch(server, path)
        assert server.ranges == [f"bytes={kept}-"]
    assert path.read_bytes() == BODY


def test_two_at_once(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    found: list[str] = []
    with serve(Answer(BODY, pause=0.005)) as server:
        threads = [
            threading.Thread(target=lambda: found.append(fetch(server, path))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 1
    assert found == [str(path)] * 2
    assert path.read_bytes() == BODY


def test_check_file(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(BODY)
    assert f"sha256:{check_file(str(path), DIGEST[:20])}" == DIGEST
    with pytest.raises(WeightsError) as caught:
        check_file(str(path), "sha256:00000000")
    assert str(caught.value) == (
        f"{path} is damaged, or not the file that was meant: its sha256 is "
        f"{DIGEST.removeprefix('sha256:')}, not 00000000…. Delete it and fetch it again, or name "
        "another copy with --weights FILE."
    )
    with pytest.raises(WeightsError) as caught:
        check_file(str(tmp_path / "none"))
    assert str(caught.value) == f"{tmp_path}/none cannot be read: No such file or directory."
