"""Bytes over real HTTP: cut off, stalled, refused, sent on, and gone on with."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from emotag.backbones.transfers import Transfer, TransferFailure
from tests.servers import Answer, serve

BODY = bytes(range(256)) * 400
SIZE = len(BODY)
OTHER = BODY[::-1]
ETAG = {"ETag": '"one"'}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def transfer(
    url: str,
    folder: Path,
    *,
    size: int | None = SIZE,
    timeout: float = 10.0,
    backoff: float = 0.001,
    seen: "list[tuple[int, int | None]] | None" = None,
) -> Transfer:
    reports = [] if seen is None else seen
    return Transfer(
        url,
        str(folder / "weights.partial"),
        size,
        lambda done, total: reports.append((done, total)),
        timeout=timeout,
        backoff=backoff,
    )


def content(folder: Path) -> bytes:
    return (folder / "weights.partial").read_bytes()


def why(job: Transfer) -> str:
    """Return the reason for which a transfer fails."""
    with pytest.raises(TransferFailure) as caught:
        job.run()
    return str(caught.value)


class TestWhole:
    def test_all_bytes_arrive_by_one_request(self, tmp_path: Path) -> None:
        with serve(Answer(BODY)) as server:
            job = transfer(server.url, tmp_path)
            job.run()
        assert content(tmp_path) == BODY
        assert server.ranges == [None]
        assert server.requests[0]["User-Agent"] == "emotag"
        assert not job.is_pieced

    @pytest.mark.parametrize("size", [SIZE, None, 7])
    def test_progress_goes_from_zero_to_what_the_server_announces(
        self, tmp_path: Path, size: int | None
    ) -> None:
        seen: list[tuple[int, int | None]] = []
        with serve(Answer(BODY)) as server:
            transfer(server.url, tmp_path, size=size, seen=seen).run()
        assert seen == sorted(seen)
        assert (seen[0], seen[-1]) == ((0, SIZE), (SIZE, SIZE))

    @pytest.mark.parametrize("size", [SIZE, None])
    def test_without_an_announcement_the_known_size_is_the_goal(
        self, tmp_path: Path, size: int | None
    ) -> None:
        seen: list[tuple[int, int | None]] = []
        with serve(Answer(BODY, tells_length=False)) as server:
            transfer(server.url, tmp_path, size=size, seen=seen).run()
        assert content(tmp_path) == BODY
        assert (seen[0], seen[-1]) == ((0, size), (SIZE, size))

    def test_a_server_that_never_ends_the_connection_is_left_at_the_end(
        self, tmp_path: Path
    ) -> None:
        with serve(Answer(BODY, stall=SIZE)) as server:
            transfer(server.url, tmp_path).run()
        assert content(tmp_path) == BODY

    def test_an_empty_file(self, tmp_path: Path) -> None:
        with serve(Answer(b"")) as server:
            transfer(server.url, tmp_path, size=None).run()
        assert content(tmp_path) == b""


class TestCutOff:
    @pytest.mark.parametrize("tells_length", [True, False])
    def test_it_goes_on_where_it_stopped(self, tmp_path: Path, tells_length: bool) -> None:
        cut = Answer(BODY, cut=30_000, tells_length=tells_length)
        with serve(cut, Answer(BODY, tells_length=tells_length)) as server:
            job = transfer(server.url, tmp_path)
            job.run()
        assert content(tmp_path) == BODY
        assert server.ranges == [None, "bytes=30000-"]
        assert job.is_pieced

    def test_it_goes_on_as_long_as_each_try_brings_more(self, tmp_path: Path) -> None:
        cuts = [Answer(BODY, cut=cut) for cut in range(10_000, SIZE, 10_000)]
        with serve(*cuts, Answer(BODY)) as server:
            transfer(server.url, tmp_path).run()
        assert content(tmp_path) == BODY
        assert len(server.requests) == 11

    def test_it_gives_up_when_five_tries_bring_nothing_new(self, tmp_path: Path) -> None:
        with serve(Answer(BODY, cut=30_000)) as server:
            reason = why(transfer(server.url, tmp_path))
        assert reason == "the connection broke off after 30,000 of 102,400 bytes"
        assert server.ranges == [None, *["bytes=30000-"] * 4]
        assert content(tmp_path) == BODY[:30_000]

    def test_without_any_known_size_the_bytes_are_told(self, tmp_path: Path) -> None:
        with serve(Answer(BODY, cut=30_000, tells_length=False)) as server:
            reason = why(transfer(server.url, tmp_path, size=None))
        assert reason == "the connection broke off after 30,000 bytes"

    def test_each_wait_is_twice_as_long_as_the_one_before(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[float] = []
        monkeypatch.setattr(time, "sleep", waits.append)
        cuts = [Answer(BODY, cut=cut) for cut in (9, 9, 9, 20, 20)]
        with serve(*cuts, Answer(BODY)) as server:
            transfer(server.url, tmp_path, backoff=0.5).run()
        assert waits == [0.5, 1.0, 2.0, 0.5, 1.0]

    def test_another_call_goes_on_too(self, tmp_path: Path) -> None:
        (tmp_path / "weights.partial").write_bytes(BODY[:1000])
        seen: list[tuple[int, int | None]] = []
        with serve(Answer(BODY)) as server:
            transfer(server.url, tmp_path, seen=seen).run()
        assert content(tmp_path) == BODY
        assert server.ranges == ["bytes=1000-"]
        assert seen[0] == (1000, SIZE)

    def test_a_server_that_knows_no_ranges_sends_all_again(self, tmp_path: Path) -> None:
        cut = Answer(BODY, cut=30_000, knows_ranges=False)
        with serve(cut, Answer(BODY, knows_ranges=False)) as server:
            job = transfer(server.url, tmp_path)
            job.run()
        assert content(tmp_path) == BODY
        assert server.ranges == [None, "bytes=30000-"]
        assert not job.is_pieced

    def test_without_ranges_shorter_and_longer_tries_end_too(self, tmp_path: Path) -> None:
        cuts = [Answer(BODY, cut=cut, knows_ranges=False) for cut in (9000, 5000) * 9]
        with serve(*cuts) as server:
            why(transfer(server.url, tmp_path))
        assert len(server.requests) == 5

    @pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
    def test_content_that_changed_meanwhile_is_fetched_from_zero(
        self, tmp_path: Path, header: str
    ) -> None:
        before = Answer(OTHER, cut=30_000, headers={header: '"one"'})
        with serve(before, Answer(BODY, headers={header: '"two"'})) as server:
            job = transfer(server.url, tmp_path)
            job.run()
        assert content(tmp_path) == BODY
        assert server.ranges == [None, "bytes=30000-"]
        assert server.requests[1]["If-Range"] == '"one"'
        assert not job.is_pieced

    def test_a_weak_etag_says_nothing_about_bytes(self, tmp_path: Path) -> None:
        weak = {"ETag": 'W/"one"', "Last-Modified": "Thu, 01 Jan 2015 00:00:00 GMT"}
        with serve(Answer(BODY, cut=30_000, headers=weak), Answer(BODY, headers=weak)) as server:
            transfer(server.url, tmp_path).run()
        assert server.requests[1]["If-Range"] == weak["Last-Modified"]

    def test_what_is_whole_already_is_not_asked_for(self, tmp_path: Path) -> None:
        (tmp_path / "weights.partial").write_bytes(BODY)
        with serve(Answer(BODY)) as server:
            job = transfer(server.url, tmp_path)
            job.run()
        assert server.requests == []
        assert job.is_pieced

    def test_what_is_whole_without_a_known_size_is_seen_by_the_servers_answer(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "weights.partial").write_bytes(BODY)
        with serve(Answer(BODY)) as server:
            job = transfer(server.url, tmp_path, size=None)
            job.run()
        assert server.ranges == [f"bytes={SIZE}-"]
        assert content(tmp_path) == BODY
        assert job.is_pieced

    def test_another_part_than_was_asked_for_is_not_put_in(self, tmp_path: Path) -> None:
        (tmp_path / "weights.partial").write_bytes(BODY[:1000])
        wrong = Answer(BODY, headers={"Content-Range": f"bytes 0-{SIZE - 1}/{SIZE}"})
        with serve(wrong, Answer(BODY)) as server:
            transfer(server.url, tmp_path).run()
        assert content(tmp_path) == BODY
        assert server.ranges == ["bytes=1000-", None]

    def test_a_server_that_always_sends_another_part_is_given_up(self, tmp_path: Path) -> None:
        with serve(Answer(BODY, status=206, headers={"Content-Range": "nonsense"})) as server:
            reason = why(transfer(server.url, tmp_path))
        assert reason == "the server sends another part than it was asked for"
        assert os.listdir(tmp_path) == []


class TestSlow:
    def test_a_trickle_is_waited_for(self, tmp_path: Path) -> None:
        with serve(Answer(BODY, pause=0.03)) as server:
            started = time.monotonic()
            transfer(server.url, tmp_path, timeout=0.4).run()
        assert time.monotonic() - started > 0.4
        assert content(tmp_path) == BODY
        assert server.ranges == [None]

    def test_a_stall_is_a_cut(self, tmp_path: Path) -> None:
        with serve(Answer(BODY, stall=30_000), Answer(BODY)) as server:
            transfer(server.url, tmp_path, timeout=0.2).run()
        assert content(tmp_path) == BODY
        assert server.ranges == [None, "bytes=30000-"]

    def test_stall_after_stall_is_given_up(self, tmp_path: Path) -> None:
        with serve(Answer(BODY, stall=30_000)) as server:
            reason = why(transfer(server.url, tmp_path, timeout=0.1))
        assert reason == "no byte came for 0.1 s after 30,000 of 102,400 bytes"
        assert content(tmp_path) == BODY[:30_000]

    def test_a_server_that_takes_the_call_and_says_nothing(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            reason = why(transfer(url, tmp_path, timeout=0.05))
        assert reason == "no answer came within 0.05 s"


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "said"),
        [(404, "404 Not Found"), (410, "410 Gone"), (403, "403 Forbidden"), (499, "499")],
    )
    def test_it_is_not_asked_again_for_what_is_not_there(
        self, tmp_path: Path, status: int, said: str
    ) -> None:
        with serve(Answer(b"no", status=status)) as server:
            reason = why(transfer(server.url, tmp_path))
        assert reason == f"the server answers {said}"
        assert len(server.requests) == 1
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_an_error_that_passes_is_waited_for(self, tmp_path: Path, status: int) -> None:
        trouble = Answer(b"later", status=status)
        with serve(trouble, trouble, Answer(BODY)) as server:
            transfer(server.url, tmp_path).run()
        assert content(tmp_path) == BODY
        assert len(server.requests) == 3

    @pytest.mark.parametrize(
        ("status", "said"), [(500, "500 Internal Server Error"), (429, "429 Too Many Requests")]
    )
    def test_an_error_that_does_not_pass_is_told(
        self, tmp_path: Path, status: int, said: str
    ) -> None:
        with serve(Answer(b"no", status=status)) as server:
            reason = why(transfer(server.url, tmp_path))
        assert reason == f"the server answers {said}"
        assert len(server.requests) == 5

    @pytest.mark.parametrize("later", ["0", "Thu, 01 Jan 2015 00:00:00 GMT", "-0000"])
    def test_the_server_says_how_long_to_wait(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: str
    ) -> None:
        waits: list[float] = []
        monkeypatch.setattr(time, "sleep", waits.append)
        with serve(Answer(status=503, headers={"Retry-After": later}), Answer(BODY)) as server:
            transfer(server.url, tmp_path, backoff=3.0).run()
        assert waits == [3.0 if later == "-0000" else 0.0]

    def test_a_date_to_come_is_waited_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[float] = []
        monkeypatch.setattr(time, "sleep", waits.append)
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
        with serve(Answer(status=503, headers={"Retry-After": later}), Answer(BODY)) as server:
            transfer(server.url, tmp_path).run()
        assert len(waits) == 1
        assert 30 < waits[0] <= 40

    def test_too_long_a_wait_is_left_to_the_user(self, tmp_path: Path) -> None:
        with serve(Answer(status=429, headers={"Retry-After": "3600"})) as server:
            reason = why(transfer(server.url, tmp_path))
        assert reason == (
            "the server answers 429 Too Many Requests and asks to come back in 3,600 s"
        )
        assert len(server.requests) == 1

    @pytest.mark.parametrize("raw", [b"SSH-2.0-OpenSSH_9.6\r\n", b"\0" * 70_000])
    def test_what_is_no_http(self, tmp_path: Path, raw: bytes) -> None:
        with serve(Answer(raw=raw)) as server:
            reason = why(transfer(server.url, tmp_path))
        assert reason == "what the server answers is no HTTP"

    def test_a_server_that_hangs_up_is_asked_again(self, tmp_path: Path) -> None:
        with serve(Answer(raw=b"\r\n"), Answer(BODY)) as server:
            transfer(server.url, tmp_path).run()
        assert content(tmp_path) == BODY

    def test_no_server_is_said_at_once(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        job = transfer(f"http://127.0.0.1:{port}/", tmp_path, backoff=60)
        assert why(job) == "Connection refused"

    def test_a_name_that_no_one_has_is_said_at_once(self, tmp_path: Path) -> None:
        reason = why(transfer("http://weights.invalid/", tmp_path, backoff=60))
        assert reason.startswith(("Name or service", "nodename nor servname", "Temporary failure"))

    def test_a_server_that_goes_away_in_the_middle_may_come_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[float] = []
        with ExitStack() as before, ExitStack() as after:
            first = before.enter_context(serve(Answer(BODY, cut=30_000)))
            port = int(first.url.rpartition(":")[2].strip("/"))

            def go_and_come_back(seconds: float) -> None:
                waits.append(seconds)
                if len(waits) == 1:
                    before.close()
                if len(waits) == 3:
                    after.enter_context(serve(Answer(BODY), port=port))

            monkeypatch.setattr(time, "sleep", go_and_come_back)
            transfer(first.url, tmp_path).run()
        assert content(tmp_path) == BODY
        assert len(waits) == 3

    def test_a_server_that_goes_away_in_the_middle_for_good(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with ExitStack() as stack:
            server = stack.enter_context(serve(Answer(BODY, cut=30_000)))
            monkeypatch.setattr(time, "sleep", lambda seconds: stack.close())
            assert why(transfer(server.url, tmp_path)) == "Connection refused"
        assert content(tmp_path) == BODY[:30_000]

    @pytest.mark.parametrize(
        "url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x", "/etc/hostname", "http://"]
    )
    def test_other_schemes_are_refused(self, tmp_path: Path, url: str) -> None:
        assert why(transfer(url, tmp_path)) == "only addresses of http and https are fetched"

    @pytest.mark.parametrize(
        "url", ["http://[1", "http://127.0.0.1:x/", "http://127.0.0.1/a b", "http://127.0.0.1/é"]
    )
    def test_what_is_no_address_is_refused(self, tmp_path: Path, url: str) -> None:
        assert why(transfer(url, tmp_path, backoff=60)) == "that is no valid address"


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_it_goes_where_it_is_sent(self, tmp_path: Path, status: int) -> None:
        (tmp_path / "weights.partial").write_bytes(BODY[:1000])
        moved = Answer(status=status, headers={"Location": "/there"})
        with serve(moved, Answer(BODY)) as server:
            transfer(f"{server.url}here", tmp_path).run()
        assert content(tmp_path) == BODY
        assert [request[":path"] for request in server.requests] == ["/here", "/there"]
        assert server.ranges == ["bytes=1000-"] * 2

    @pytest.mark.parametrize("where", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
    def test_other_schemes_are_not_followed(self, tmp_path: Path, where: str) -> None:
        with serve(Answer(status=302, headers={"Location": where})) as server:
            reason = why(transfer(server.url, tmp_path))
        assert reason == f"the server sends on to {where!r}, where it is not followed"
        assert len(server.requests) == 1

    def test_a_circle_is_left(self, tmp_path: Path) -> None:
        with serve(Answer(status=302, headers={"Location": "/"})) as server:
            reason = why(transfer(server.url, tmp_path))
        assert reason == "the server sends on to '/', where it is not followed"

    def test_nowhere_to_go_is_an_answer_without_bytes(self, tmp_path: Path) -> None:
        with serve(Answer(status=302)) as server:
            assert why(transfer(server.url, tmp_path)) == "the server answers 302 Found"


def test_the_proxy_of_the_environment_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(Answer(BODY)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        transfer("http://weights.invalid/vgg16.pth", tmp_path).run()
    assert content(tmp_path) == BODY
    assert [request[":path"] for request in proxy.requests] == ["http://weights.invalid/vgg16.pth"]


class TestTls:
    @pytest.fixture
    def certificate(self, tmp_path_factory: pytest.TempPathFactory) -> str:
        """A file with a certificate for localhost, and its key."""
        if shutil.which("openssl") is None:
            pytest.skip("needs openssl to make a certificate")
        path = tmp_path_factory.mktemp("tls") / "localhost.pem"
        command = (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
            f"-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout {path} -out {path}"
        )
        made = subprocess.run(command.split(), capture_output=True, check=True)
        assert made.returncode == 0
        return str(path)

    @pytest.fixture
    def tls(self, certificate: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        return context

    @pytest.fixture
    def _trusted(self, certificate: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", certificate)

    @pytest.mark.usefixtures("_trusted")
    def test_from_http_to_https(self, tmp_path: Path, tls: ssl.SSLContext) -> None:
        with (
            serve(Answer(BODY), tls=tls) as secure,
            serve(Answer(status=301, headers={"Location": secure.url})) as server,
        ):
            transfer(server.url, tmp_path).run()
        assert content(tmp_path) == BODY

    @pytest.mark.usefixtures("_trusted")
    def test_never_from_https_to_http(self, tmp_path: Path, tls: ssl.SSLContext) -> None:
        with (
            serve(Answer(BODY)) as plain,
            serve(Answer(status=301, headers={"Location": plain.url}), tls=tls) as secure,
        ):
            reason = why(transfer(secure.url, tmp_path))
        assert reason == f"the server sends on to {plain.url!r}, where it is not followed"
        assert plain.requests == []

    @pytest.mark.usefixtures("_trusted")
    def test_a_cut_is_gone_on_from(self, tmp_path: Path, tls: ssl.SSLContext) -> None:
        with serve(Answer(BODY, cut=30_000), Answer(BODY), tls=tls) as server:
            transfer(server.url, tmp_path).run()
        assert content(tmp_path) == BODY
        assert server.ranges == [None, "bytes=30000-"]

    def test_a_stranger_is_not_trusted(self, tmp_path: Path, tls: ssl.SSLContext) -> None:
        with serve(Answer(BODY), tls=tls) as server:
            reason = why(transfer(server.url, tmp_path, backoff=60))
        assert "certificate verify failed: self-signed certificate" in reason
        assert server.requests == []
