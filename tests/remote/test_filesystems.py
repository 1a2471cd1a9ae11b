"""Which paths are URLs, and what is said where nothing reads them."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from emotag.errors import MissingExtraError, PlaceError
from emotag.remote.filesystems import (
    attempt,
    is_remote,
    is_s3,
    local_path,
    no_attempt_once_stopped,
    open_filesystem,
)
from tests.s3 import KEYS, S3

LACKING = """
import sys
sys.modules["{module}"] = None
from emotag.errors import MissingExtraError
from emotag.remote.filesystems import open_filesystem
try:
    open_filesystem("{url}")
except MissingExtraError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket/a.jpg", True),
        ("HTTPS://host/a.jpg", True),
        ("zip://a.jpg::s3://bucket/b.zip", True),
        ("simplecache::s3://bucket/b.zip", True),
        ("a/b.jpg", False),
        ("C://photos", False),
        ("./odd://name", False),
        ("a::b", False),
    ],
)
def test_is_remote(path: str, expected: bool) -> None:
    assert is_remote(path) is expected


def test_a_file_url_is_a_path(tmp_path: Path) -> None:
    odd = tmp_path / "100%25.jpg"
    odd.touch()
    assert local_path(f"file://{odd}") == str(odd)
    assert local_path("file:///photos/a%20b.jpg") == "/photos/a b.jpg"
    assert local_path("file://localhost/photos/a.jpg") == "/photos/a.jpg"
    assert local_path("s3://bucket/a%20b.jpg") == "s3://bucket/a%20b.jpg"


def test_is_s3() -> None:
    assert is_s3("S3://bucket")
    assert not is_s3("gs://bucket")


@pytest.mark.parametrize(
    ("module", "url"),
    [
        ("fsspec", "gs://bucket/a.jpg"),
        ("s3fs", "s3://bucket/a.jpg"),
        ("aiohttp", "https://host/a.jpg"),
    ],
)
def test_what_is_missing_has_a_command(module: str, url: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", LACKING.format(module=module, url=url)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == f"{url} needs more; type: pip install 'emotag[remote]'\n"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nix://a.jpg", "nix://a.jpg cannot be read: nothing is known that reads nix://."),
        (
            "zip://a.jpg::s3://bucket/b.zip",
            "zip://a.jpg::s3://bucket/b.zip cannot be read: it is a chain of places; name the "
            "archive alone, as s3://bucket/photos.zip, and emotag opens it.",
        ),
    ],
)
def test_what_nothing_reads_is_refused(url: str, message: str) -> None:
    with pytest.raises(PlaceError) as error:
        open_filesystem(url)
    assert str(error.value) == message


def test_a_server_has_one_file_system(s3: S3) -> None:
    first, path = open_filesystem("s3://one/a.jpg")
    assert (first, path) == (open_filesystem("s3://two/b.jpg")[0], "one/a.jpg")


def test_no_credentials_are_said_once(s3: S3, bucket: str, monkeypatch, tmp_path: Path) -> None:
    from emotag.remote import filesystems, reading

    url = s3.put(bucket, "b.jpg", b"12345")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(filesystems, "_filesystems", {})
    with pytest.raises(PlaceError) as error:
        reading.describe(url)
    assert error.value.reason == "Unable to locate credentials"
    assert not s3.requests


def test_a_backend_that_is_missing_says_what_to_install() -> None:
    if importlib.util.find_spec("gcsfs"):
        pytest.skip("needs a place without gcsfs")
    with pytest.raises(MissingExtraError) as error:
        open_filesystem("gs://bucket/a.jpg")
    assert str(error.value) == (
        "gs://bucket/a.jpg needs more: Please install gcsfs to access Google Storage."
    )


def test_a_backend_that_lacks_something_itself_says_so() -> None:
    if importlib.util.find_spec("paramiko"):
        pytest.skip("needs a place without paramiko")
    with pytest.raises(MissingExtraError) as error:
        open_filesystem("sftp://host/a.jpg")
    assert str(error.value) == (
        'sftp://host/a.jpg needs more: SFTPFileSystem requires "paramiko" to be installed.'
    )


def test_a_server_that_cannot_be_reached_is_said() -> None:
    with pytest.raises(PlaceError) as error:
        open_filesystem("ftp://127.0.0.1:1/a.jpg")
    assert error.value.reason == "the connection failed"


def test_a_public_bucket_needs_no_credentials(s3: S3, bucket: str, tmp_path: Path) -> None:
    url = s3.put(bucket, "b.jpg", b"12345")
    s3.client.put_object_acl(Bucket=bucket, Key="b.jpg", ACL="public-read")
    keys = [name for name in KEYS if "KEY" in name]
    environment = {name: value for name, value in os.environ.items() if name not in keys}
    code = f"from emotag.remote.reading import describe; print(describe({url!r}).size)"
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"FSSPEC_S3_ANON": "true", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == "5\n"


def test_what_a_person_has_set_for_fsspec_stays(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.config import conf

    from emotag.remote import filesystems

    monkeypatch.setattr(filesystems, "_filesystems", {})
    monkeypatch.setitem(conf, "s3", {"config_kwargs": {"s3": {"addressing_style": "path"}}})
    filesystem, _ = open_filesystem("s3://bucket/a.jpg")
    assert filesystem.config_kwargs["s3"] == {"addressing_style": "path"}
    assert filesystem.config_kwargs["retries"] == {"max_attempts": 0}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("odd\nand more"), "odd"),
        (OSError(5, "Input/output error"), "the server says: Input/output error"),
        (RuntimeError(), "RuntimeError"),
        (ValueError("no such thing."), "no such thing"),
    ],
)
def test_whatever_a_backend_raises_is_a_reason(error: Exception, reason: str, monkeypatch) -> None:
    monkeypatch.setattr("emotag.remote.filesystems._PAUSES", (0.0,))

    class Backend:
        async_impl = False
        attempts = 0

        def fail(self) -> None:
            self.attempts += 1
            raise error

    backend = Backend()
    with pytest.raises(PlaceError) as raised:
        attempt("odd://a", backend, backend.fail)
    assert raised.value.reason == reason
    assert backend.attempts == (1 if isinstance(error, ValueError) else 2)


class Stalling:
    """A server that fails, and is stopped by Ctrl-C meanwhile."""

    async_impl = True
    attempts = 0

    def fail(self) -> None:
        self.attempts += 1
        if self.attempts == 1:
            os.kill(os.getpid(), signal.SIGINT)
        raise ConnectionError


def test_ctrl_c_ends_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotag.remote.filesystems._PAUSES", (60.0, 60.0))
    server = Stalling()
    reasons = []

    def read() -> None:
        with pytest.raises(PlaceError) as error:
            attempt("s3://bucket/a.jpg", server, server.fail)
        reasons.append(error.value.reason)

    thread = threading.Thread(target=read)

    def run_until_stopped() -> None:
        with no_attempt_once_stopped():
            try:
                thread.start()
                time.sleep(30)
            finally:
                thread.join(10)

    with pytest.raises(KeyboardInterrupt):
        run_until_stopped()
    assert (reasons, server.attempts) == (["stopped"], 1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.setattr("emotag.remote.filesystems._PAUSES", (0.0, 0.0))
    read()
    assert server.attempts == 4, "later, it is as it was"


def test_another_thread_is_told_of_no_signal() -> None:
    def run() -> None:
        with no_attempt_once_stopped():
            done.append(True)

    done: list[bool] = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done == [True]
