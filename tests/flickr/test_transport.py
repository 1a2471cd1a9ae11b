"""Requests that are made again until there is an answer, and waits that bind all threads."""

import random
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from email.utils import formatdate
from typing import Any

import pytest
import requests

from emotag.errors import FetchError
from emotag.flickr.session import PatientSession, make_session
from emotag.flickr.transport import Patience, Stopped, Unanswered
from tests.servers import Answer, serve

BODY = bytes(range(256)) * 40
QUICK = Patience(base_seconds=0.001, read_seconds=5.0, try_seconds=5.0)


@contextmanager
def session(patience: Patience = QUICK, **options: Any) -> Iterator[PatientSession]:
    with closing(make_session("emotag/test", patience=patience, **options)) as made:
        yield made


def refused(status: int = 503, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(b"Try later.", status=status, headers=named)


class Longest(random.Random):
    """Always the upper bound: no wait is shorter by chance."""

    def random(self) -> float:
        return 1.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with a certificate for localhost, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout {path} -out {path}"
    )
    subprocess.run(command.split(), capture_output=True, check=True)
    return str(path)


@pytest.fixture
def tls(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class TestAnswers:
    def test_a_good_answer_is_returned_with_its_body(self) -> None:
        with serve(Answer(BODY)) as server, session() as asking:
            answer = asking.get(server.url)
            assert (answer.status_code, answer.content) == (200, BODY)
            assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
    def test_what_tells_of_the_request_is_returned_at_once(self, status: int) -> None:
        with serve(refused(status)) as server, session() as asking:
            answer = asking.get(server.url)
            assert (answer.status_code, answer.content) == (status, b"Try later.")
            assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_what_tells_of_the_server_is_asked_again(self, status: int) -> None:
        with serve(refused(status), refused(status), Answer(BODY)) as server, session() as asking:
            assert asking.get(server.url).content == BODY
            assert len(server.requests) == 3

    def test_a_server_that_never_recovers_is_given_up(self) -> None:
        with serve(refused(500)) as server, session() as asking:
            with pytest.raises(Unanswered) as caught:
                asking.get(server.url)
            host = server.url.split("/")[2]
            assert str(caught.value) == (
                f"{host} gave no answer: the status is 500, in 6 tries. "
                "Run the same command again later."
            )
            assert caught.value.seconds is None
            assert isinstance(caught.value, FetchError)
            assert len(server.requests) == 6


class TestBrokenConnections:
    @pytest.mark.parametrize("tells_length", [True, False])
    @pytest.mark.parametrize("cut", [0, 1, 5000])
    def test_a_body_that_breaks_off_is_fetched_again(self, cut: int, tells_length: bool) -> None:
        broken = Answer(BODY, cut=cut, tells_length=tells_length)
        with serve(broken, broken, Answer(BODY)) as server, session() as asking:
            assert asking.get(server.url).content == BODY
            assert len(server.requests) == 3

    @pytest.mark.parametrize("raw", [b"\r\n", b"no HTTP at all\r\n\r\n"])
    def test_an_answer_that_is_none_is_asked_for_again(self, raw: bytes) -> None:
        with serve(Answer(raw=raw), Answer(BODY)) as server, session() as asking:
            assert asking.get(server.url).content == BODY

    def test_damaged_compression_is_asked_for_again(self) -> None:
        damaged = Answer(BODY, headers={"Content-Encoding": "gzip"})
        with serve(damaged, Answer(BODY)) as server, session() as asking:
            assert asking.get(server.url).content == BODY

    def test_nobody_listens(self) -> None:
        with serve(Answer()) as server:
            url = server.url
        with session() as asking, pytest.raises(Unanswered, match="failed or broke off, in 6"):
            asking.get(url)

    def test_a_name_that_is_not_known(self) -> None:
        with session() as asking, pytest.raises(Unanswered, match="is there a network"):
            asking.get("http://photos.invalid/1.jpg")

    def test_a_stranger_is_not_trusted_and_not_asked_again(self, tls: ssl.SSLContext) -> None:
        with (
            serve(Answer(BODY), tls=tls) as server,
            session(Patience(base_seconds=60.0)) as asking,
            pytest.raises(Unanswered, match="its certificate is not accepted"),
        ):
            asking.get(server.url)

    def test_https_that_breaks_off_is_asked_again(
        self, certificate: str, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
        with serve(Answer(BODY, cut=9), Answer(BODY), tls=tls) as server, session() as asking:
            assert asking.get(server.url).content == BODY
            assert len(server.requests) == 2

    def test_a_proxy_that_is_none_is_not_asked_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://")
        with (
            session(Patience(base_seconds=60.0)) as asking,
            pytest.raises(Unanswered, match=r"it cannot be asked \(.*proxy"),
        ):
            asking.get("http://photos.invalid/1.jpg")

    def test_a_proxy_that_does_not_answer_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with serve(Answer()) as server:
            monkeypatch.setenv("http_proxy", server.url)
        with session() as asking, pytest.raises(Unanswered, match="the proxy cannot be used, in 6"):
            asking.get("http://photos.invalid/1.jpg")

    def test_a_server_that_falls_silent(self) -> None:
        patience = Patience(base_seconds=0.001, read_seconds=0.1)
        silent = Answer(BODY, stall=100)
        with serve(silent, Answer(BODY)) as server, session(patience) as asking:
            assert asking.get(server.url).content == BODY
        said = "did not answer in time, in 6 tries"
        with (
            serve(silent) as server,
            session(patience) as asking,
            pytest.raises(Unanswered, match=said),
        ):
            asking.get(server.url)

    def test_a_body_that_trickles_has_a_deadline(self) -> None:
        # each piece comes in time, and all of them would take ten seconds
        trickle = Answer(b"x" * 4096 * 100, pause=0.1)
        patience = Patience(tries=2, base_seconds=0.001, read_seconds=5.0, try_seconds=0.3)
        started = time.monotonic()
        with serve(trickle) as server, session(patience) as asking:
            with pytest.raises(Unanswered, match="did not answer in time, in 2 tries"):
                asking.get(server.url)
            assert time.monotonic() - started < 3.0

    def test_a_body_without_end_is_cut(self) -> None:
        patience = Patience(most_bytes=len(BODY) - 1)
        for tells_length in (True, False):
            with serve(Answer(BODY, tells_length=tells_length)) as server:
                with session(patience) as asking, pytest.raises(Unanswered, match="more than"):
                    asking.get(server.url)
                assert len(server.requests) == 1
        with serve(Answer(BODY)) as server, session(Patience(most_bytes=len(BODY))) as asking:
            assert asking.get(server.url).content == BODY


class TestWaits:
    def test_retry_after_in_seconds_is_obeyed(self) -> None:
        with serve(refused(429, Retry_After="1"), Answer(BODY)) as server, session() as asking:
            started = time.monotonic()
            assert asking.get(server.url).content == BODY
            assert 1.0 <= time.monotonic() - started < 3.0

    def test_retry_after_by_a_date_is_obeyed(self) -> None:
        with session() as asking:
            until = formatdate(int(time.time()) + 2, usegmt=True)
            with serve(refused(503, Retry_After=until), Answer(BODY)) as server:
                started = time.monotonic()
                assert asking.get(server.url).content == BODY
                assert 0.9 <= time.monotonic() - started < 4.0

    @pytest.mark.parametrize("text", ["", "soon", "-5", "0", "Wed, 21 Oct 2015 07:28:00 GMT"])
    def test_a_retry_after_that_says_nothing_costs_nothing(self, text: str) -> None:
        with serve(refused(429, Retry_After=text), Answer(BODY)) as server, session() as asking:
            started = time.monotonic()
            assert asking.get(server.url).content == BODY
            assert time.monotonic() - started < 1.0

    @pytest.mark.parametrize("text", ["3600", "9" * 400, "Fri, 31 Dec 2199 23:59:59 GMT"])
    def test_too_long_a_wait_is_not_waited_for(self, text: str) -> None:
        with serve(refused(429, Retry_After=text)) as server, session() as asking:
            for _ in range(3):
                with pytest.raises(Unanswered, match=r"it asks to wait .* s, too long") as caught:
                    asking.get(server.url)
                assert caught.value.seconds is not None
                assert caught.value.seconds > 3500
            # who was told once does not ask for the next photo
            assert len(server.requests) == 1

    def test_waits_double_up_to_a_bound(self) -> None:
        patience = Patience(tries=5, base_seconds=0.1, most_seconds=0.2)
        with serve(refused(500)) as server, session(patience, generator=Longest()) as asking:
            started = time.monotonic()
            with pytest.raises(Unanswered):
                asking.get(server.url)
            # 0.1, 0.2, 0.2, 0.2
            assert 0.7 <= time.monotonic() - started < 2.0

    def test_a_pause_binds_all_threads(self) -> None:
        with serve(refused(429, Retry_After="1"), Answer(BODY)) as server, session() as asking:
            times: list[float] = []

            def get(delay: float) -> bytes:
                time.sleep(delay)
                content = asking.get(server.url).content
                times.append(time.monotonic() - started)
                return content

            started = time.monotonic()
            with ThreadPoolExecutor(8) as pool:
                contents = list(pool.map(get, [0.0, *[0.3] * 7]))
            assert contents == [BODY] * 8
            assert min(times) >= 1.0
            # nobody asked meanwhile: one refusal, then one good answer for each
            assert len(server.requests) == 9

    def test_a_pause_binds_that_host_only(self) -> None:
        with serve(refused(429, Retry_After="2")) as busy, serve(Answer(BODY)) as free:
            stop = threading.Event()
            with session(stop=stop) as asking, ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(asking.get, busy.url)
                while not busy.requests:
                    time.sleep(0.01)
                started = time.monotonic()
                assert asking.get(free.url).content == BODY
                assert time.monotonic() - started < 1.0
                stop.set()
                with pytest.raises(Stopped):
                    waiting.result()

    def test_a_trouble_of_one_request_does_not_hold_others(self) -> None:
        patience = Patience(base_seconds=2.0)
        with serve(refused(500), Answer(BODY)) as server:
            stop = threading.Event()
            options: dict[str, Any] = {"stop": stop, "generator": Longest()}
            with session(patience, **options) as asking, ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(asking.get, server.url)
                while not server.requests:
                    time.sleep(0.01)
                started = time.monotonic()
                assert asking.get(server.url).content == BODY
                assert time.monotonic() - started < 1.0
                stop.set()
                with pytest.raises(Stopped):
                    waiting.result()

    def test_who_stops_waits_no_longer(self) -> None:
        stop = threading.Event()
        with serve(refused(429, Retry_After="200")) as server, session(stop=stop) as asking:
            with ThreadPoolExecutor(4) as pool:
                waiting = [pool.submit(asking.get, server.url) for _ in range(4)]
                while not server.requests:
                    time.sleep(0.01)
                started = time.monotonic()
                stop.set()
                for one in waiting:
                    with pytest.raises(Stopped, match="Stopped before an answer came"):
                        one.result()
                assert time.monotonic() - started < 5.0
            before = len(server.requests)
            with pytest.raises(Stopped):
                asking.get(server.url)
            assert len(server.requests) == before


def test_each_try_is_prepared_anew_from_the_same_request() -> None:
    numbers = iter(range(10))

    def number_it(request: requests.PreparedRequest) -> None:
        assert "X-Try" not in request.headers
        request.headers["X-Try"] = str(next(numbers))

    answers = refused(500), Answer(BODY, cut=5), Answer(BODY)
    with serve(*answers) as server, session(before_try=number_it) as asking:
        asking.get(server.url)
        assert [headers["X-Try"] for headers in server.requests] == ["0", "1", "2"]
