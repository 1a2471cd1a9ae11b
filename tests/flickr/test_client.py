"""The calls of the API, against the service of the tests and against answers that make no sense."""

import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from emotag.errors import FetchError
from emotag.flickr.client import FlickrClient, Refused, api_address
from emotag.flickr.keys import Credentials
from emotag.flickr.quota import Quota
from emotag.flickr.records import EXTRAS, parse_record
from emotag.flickr.transport import Patience, Stopped, Unanswered
from tests.flickr.service import (
    KEY,
    LICENCES,
    SECRET,
    Fault,
    Faults,
    Flickr,
    make_photos,
    passing_faults,
    serve_flickr,
)

QUICK = Patience(base_seconds=0.001, read_seconds=5.0, try_seconds=5.0)
UNSIGNED = Credentials(KEY)
SIGNED = Credentials(KEY, SECRET)
LOVE: dict[str, str | int] = {"text": "love", "extras": EXTRAS, "per_page": 10}
EITHER = pytest.mark.parametrize("credentials", [UNSIGNED, SIGNED], ids=["unsigned", "signed"])


@pytest.fixture(scope="module")
def _service() -> Iterator[Flickr]:
    with serve_flickr(make_photos("love", 45), secret=SECRET) as running:
        yield running


@pytest.fixture
def service(_service: Flickr) -> Flickr:
    """The service with 45 photos of love, with which nothing goes wrong so far."""
    _service.faults = Faults()
    _service.forget_requests()
    return _service


@contextmanager
def client(url: str, credentials: Credentials = UNSIGNED, **options: Any) -> Iterator[FlickrClient]:
    options = {"patience": QUICK} | options
    with closing(FlickrClient(credentials, api_url=url, **options)) as made:
        yield made


@contextmanager
def serve_body(*bodies: bytes, status: int = 200) -> Iterator[tuple[str, list[bytes]]]:
    """Answer calls with these bodies, the last one for ever; yield the URL and what was asked."""
    asked: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Print nothing."""

        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            body = bodies[min(len(asked), len(bodies)) - 1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 307:
                self.send_header("Location", "http://evil.invalid/")
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/rest/", asked
        finally:
            server.shutdown()
            thread.join()


def page_of(**changes: Any) -> bytes:
    photos = {"page": 1, "pages": 1, "perpage": 10, "total": 1, "photo": [{"id": "1"}]} | changes
    return json.dumps({"photos": photos, "stat": "ok"}).encode()


def failure(code: object, message: object = "It went wrong.") -> bytes:
    return json.dumps({"stat": "fail", "code": code, "message": message}).encode()


class TestCalls:
    @EITHER
    def test_a_search_gives_its_pages(self, service: Flickr, credentials: Credentials) -> None:
        with client(service.api_url, credentials) as flickr:
            pages = [flickr.search(LOVE, page) for page in range(1, 6)]
            assert [len(page.photos) for page in pages] == [10, 10, 10, 10, 5]
            assert {(page.total, page.pages) for page in pages} == {(45, 5)}
            ids = {photo["id"] for page in pages for photo in page.photos}
            assert ids == set(service.archive.photos)
            assert all(parse_record(photo) for page in pages for photo in page.photos)
            assert flickr.calls == len(service.calls) == 5

    def test_a_secret_signs_and_a_key_alone_is_sent(self, service: Flickr) -> None:
        with client(service.api_url, SIGNED) as flickr:
            flickr.search(LOVE)
        with client(service.api_url, UNSIGNED) as flickr:
            flickr.search(LOVE)
        signed, unsigned = service.calls
        assert signed["signed"]
        assert "api_key" not in signed
        assert not unsigned["signed"]
        assert unsigned["api_key"] == KEY
        assert {signed["format"], unsigned["format"]} == {"json"}

    @EITHER
    @pytest.mark.parametrize("text", ["sad OR \u00e4ngstlich", "a&b=c+d%20~*'!", "\U0001f600 \n\t"])
    def test_any_text_arrives_as_it_is(
        self, service: Flickr, credentials: Credentials, text: str
    ) -> None:
        with client(service.api_url, credentials) as flickr:
            flickr.search({"text": text})
        assert service.calls[-1]["text"] == text

    @EITHER
    def test_the_licences(self, service: Flickr, credentials: Credentials) -> None:
        with client(service.api_url, credentials) as flickr:
            found = flickr.licences()
        assert {licence["id"] for licence in found} == {str(number) for number, *_ in LICENCES}

    def test_numbers_may_come_as_text(self, service: Flickr) -> None:
        service.faults.numbers_as_strings = True
        with client(service.api_url) as flickr:
            page = flickr.search(LOVE, 2)
        assert (page.total, page.pages) == (45, 5)

    def test_it_says_who_asks(self, service: Flickr) -> None:
        with client(service.api_url, contact="someone@example.org") as flickr:
            flickr.licences()
        (agent,) = service.agents
        assert agent.startswith("emotag/")
        assert agent.endswith(" (+someone@example.org)")

    def test_several_threads_may_call(self, service: Flickr) -> None:
        with client(service.api_url, SIGNED) as flickr:
            with ThreadPoolExecutor(8) as pool:
                pages = list(pool.map(lambda page: flickr.search(LOVE, page), range(1, 6)))
            assert sum(len(page.photos) for page in pages) == 45
            assert flickr.calls == 5

    def test_instances_do_not_share_their_sessions(self, service: Flickr) -> None:
        with client(service.api_url, SIGNED) as one, client(service.api_url, UNSIGNED) as other:
            one.licences()
            other.licences()
            one.licences()
        assert [call["signed"] for call in service.calls] == [True, False, True]


class TestAddress:
    def test_the_environment_names_another(
        self, service: Flickr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("EMOTAG_FLICKR_API_URL", raising=False)
        assert api_address() == "https://api.flickr.com/services/rest/"
        monkeypatch.setenv("EMOTAG_FLICKR_API_URL", service.api_url)
        with closing(FlickrClient(UNSIGNED, patience=QUICK)) as flickr:
            assert flickr.licences()

    @pytest.mark.parametrize(
        "url", ["rest", "ftp://flickr.com/", "http://", "http://[bad", "file:///x"]
    )
    def test_what_is_none_is_refused(self, url: str) -> None:
        with pytest.raises(FetchError, match="is no address of an API; give the whole one"):
            FlickrClient(UNSIGNED, api_url=url)


class TestTroubleOnTheWay:
    @EITHER
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "status", "status": 429},
            {"kind": "status", "status": 429, "retry_after": 1},
            {"kind": "status", "status": 503, "retry_after": 0, "as_date": True},
            {"kind": "status", "status": 500},
            {"kind": "cut"},
            {"kind": "reset"},
            {"kind": "slow", "seconds": 0.2},
            {"kind": "empty"},
            {"kind": "html"},
            {"kind": "invalid"},
            {"kind": "error", "code": 105},
            {"kind": "error", "code": 106},
            {"kind": "error", "code": 10},
            {"kind": "error", "code": 0},
            {"kind": "error", "code": 201},
        ],
        ids=lambda fault: "-".join(map(str, fault.values())),
    )
    def test_what_passes_is_asked_again(
        self, service: Flickr, credentials: Credentials, fault: dict[str, Any]
    ) -> None:
        # signed again, too: the service takes no nonce twice
        service.faults = Faults(api=[Fault(**fault, first=2)])
        with client(service.api_url, credentials) as flickr:
            assert len(flickr.search(LOVE).photos) == 10
            # a slow answer is one all the same
            tries = 1 if fault["kind"] == "slow" else 3
            assert flickr.calls == len(service.calls) == tries
        assert service.faults.injected.total() == min(tries, 2)

    @EITHER
    def test_all_kinds_at_once_lose_nothing(
        self, service: Flickr, credentials: Credentials
    ) -> None:
        service.faults = passing_faults(2)
        with client(service.api_url, credentials) as flickr:
            for _ in range(6):
                pages = [flickr.search(LOVE, page) for page in range(1, 6)]
                assert sum(len(page.photos) for page in pages) == 45

    def test_a_service_that_stays_down_is_said(self, service: Flickr) -> None:
        service.faults = Faults(api=[Fault("error", code=105)])
        with client(service.api_url) as flickr, pytest.raises(FetchError) as caught:
            flickr.search(LOVE)
        assert str(caught.value) == (
            "Flickr gave no answer to flickr.photos.search that can be used, in 5 tries: "
            "105: Service currently unavailable. Run the same command again later."
        )
        assert len(service.calls) == 5

    def test_a_long_pause_is_said(self, service: Flickr) -> None:
        service.faults = Faults(api=[Fault("status", status=429, retry_after=4000)])
        with client(service.api_url) as flickr:
            with pytest.raises(Unanswered, match="it asks to wait 4,000 s, too long") as caught:
                flickr.search(LOVE)
            assert caught.value.seconds == pytest.approx(4000.0, abs=5.0)
        assert len(service.calls) == 1

    def test_who_stops_waits_no_longer(self, service: Flickr) -> None:
        service.faults = Faults(api=[Fault("error", code=105)])
        stop = threading.Event()
        patience = Patience(base_seconds=1000.0, most_seconds=1000.0)
        with (
            client(service.api_url, stop=stop, patience=patience) as flickr,
            ThreadPoolExecutor(1) as pool,
        ):
            waiting = pool.submit(flickr.search, LOVE)
            while not service.calls:
                time.sleep(0.01)
            stop.set()
            with pytest.raises(Stopped):
                waiting.result(30)

    def test_each_try_counts_against_the_quota(self, service: Flickr) -> None:
        service.faults = Faults(api=[Fault("status", status=500, first=3)])
        with Quota(None, KEY) as quota, client(service.api_url, quota=quota) as flickr:
            before = quota.left
            flickr.licences()
            assert before - quota.left == flickr.calls == 4

    def test_a_redirect_takes_the_key_nowhere(self) -> None:
        with serve_body(b"", status=307) as (url, asked), client(url) as flickr:
            with pytest.raises(Refused, match="gave no answer, but the status 307"):
                flickr.licences()
            assert len(asked) == 1


class TestAnswersThatMakeNoSense:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"5",
            b'"text"',
            b"{}",
            b'{"stat": "ok"}',
            b'{"stat": "fail"}',
            b'{"stat": "fail", "code": "x", "message": "y"}',
            b'{"stat": "fail", "code": null, "message": null}',
            b'{"stat": ["ok"], "photos": {}}',
            b'{"stat": "ok", "photos": []}',
            b'{"stat": "ok", "photos": {}}',
            b"\xff\xfe{}",
            b"[" * 100_000,
            b'jsonFlickrApi({"stat": "ok"})',
            page_of(total=None),
            page_of(total=True),
            page_of(total=-1),
            page_of(total=1.5),
            page_of(total="many"),
            page_of(total="9" * 5000),
            page_of(pages=[1]),
            page_of(pages="\u0661"),
            page_of(photo=None),
            page_of(photo={"id": "1"}),
            page_of(photo=[["id", "1"]]),
        ],
        ids=lambda body: body[:24].decode("ascii", "replace"),
    )
    def test_they_are_asked_for_again_and_then_said(self, body: bytes) -> None:
        with serve_body(body, page_of()) as (url, asked), client(url) as flickr:
            assert flickr.search(LOVE).photos == [{"id": "1"}]
            assert len(asked) == 2
        with serve_body(body) as (url, asked), client(url) as flickr:
            with pytest.raises(FetchError, match="that can be used, in 5 tries: "):
                flickr.search(LOVE)
            assert len(asked) == 5

    def test_of_the_other_calls_too(self) -> None:
        with (
            serve_body(page_of()) as (url, _),
            client(url) as flickr,
            pytest.raises(FetchError, match="the answer has no 'licenses'"),
        ):
            flickr.licences()


class TestRefusals:
    def test_a_wrong_key(self, service: Flickr) -> None:
        for credentials in (Credentials("f" * 32), Credentials("f" * 32, SECRET)):
            with client(service.api_url, credentials) as flickr, pytest.raises(Refused) as caught:
                flickr.search(LOVE)
            assert str(caught.value) == (
                "Flickr refuses your key (100: Invalid API Key (Key not found)). To store "
                "another, type: emotag fetch --setup"
            )
            assert caught.value.code == 100
        assert len(service.calls) == 2

    def test_a_wrong_secret(self, service: Flickr) -> None:
        with client(service.api_url, Credentials(KEY, "0" * 16)) as flickr:
            with pytest.raises(
                Refused, match=r"the secret of your key \(96: Invalid sig"
            ) as caught:
                flickr.search(LOVE)
            assert caught.value.code == 96
            service.faults.says_oauth_problem = True
            with pytest.raises(Refused, match=r"your key or its secret \(status 401\)\. To store"):
                flickr.search(LOVE)

    def test_no_secret_where_one_is_needed(self, service: Flickr) -> None:
        service.faults.needs_signature = True
        with client(service.api_url) as flickr:
            with pytest.raises(Refused, match="97: Missing signature") as caught:
                flickr.search(LOVE)
            assert caught.value.code == 97

    def test_a_search_for_nothing(self, service: Flickr) -> None:
        with client(service.api_url) as flickr:
            with pytest.raises(
                Refused, match=r"Flickr refuses flickr\.photos\.search \(3: Param"
            ) as caught:
                flickr.search({})
            assert caught.value.code == 3
        assert len(service.calls) == 1

    @pytest.mark.parametrize("code", [2, 11, 98, 111, 112, 116, "999", -1])
    def test_any_other_is_told_with_its_code(self, code: object) -> None:
        with serve_body(failure(code)) as (url, asked), client(url) as flickr:
            with pytest.raises(Refused) as caught:
                flickr.search(LOVE)
            assert str(caught.value) == (
                f"Flickr refuses flickr.photos.search ({code}: It went wrong.)."
            )
            assert caught.value.code == int(str(code))
            assert len(asked) == 1

    @pytest.mark.parametrize(("status", "said"), [(404, "the status 404"), (403, "status 403")])
    def test_a_status(self, status: int, said: str) -> None:
        with serve_body(b"gone", status=status) as (url, asked), client(url) as flickr:
            with pytest.raises(Refused, match=said) as caught:
                flickr.search(LOVE)
            assert caught.value.code is None
            assert len(asked) == 1

    def test_a_hostile_message_is_made_harmless(self) -> None:
        message = f"\x1b[31m\r\n\u202e{KEY}, {SECRET.upper()} " + "x" * 5000
        with (
            serve_body(failure(5, message)) as (url, _),
            client(url, SIGNED) as flickr,
            pytest.raises(Refused) as caught,
        ):
            flickr.search(LOVE)
        said = str(caught.value)
        assert said.isprintable()
        assert "(5: [31m…, … xxx" in said
        assert len(said) < 300


class TestSecrecy:
    def test_nothing_tells_the_key(
        self, service: Flickr, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Whatever goes wrong, and however much is logged."""
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        root = logging.getLogger()
        before = root.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        said: list[str] = []
        try:
            for fault in (
                None,
                Fault("status", status=401),
                Fault("status", status=500),
                Fault("html"),
                Fault("error", code=100),
                Fault("error", code=5),
            ):
                service.faults = Faults(api=[] if fault is None else [fault])
                for credentials in (UNSIGNED, SIGNED):
                    with client(service.api_url, credentials) as flickr:
                        said.append(repr(flickr))
                        try:
                            said.append(repr(flickr.search(LOVE)))
                        except FetchError:
                            said.append(traceback.format_exc())
            with (
                serve_body(f"{KEY}&{SECRET}".encode(), status=400) as (url, _),
                client(url, SIGNED) as flickr,
                pytest.raises(Refused),
            ):
                flickr.search(LOVE)
        finally:
            root.removeHandler(handler)
            root.setLevel(before)
        logged = stream.getvalue()
        # it does log: urllib3 tells of each request, without the form
        assert "POST" in logged
        for text in (*said, logged, *capfd.readouterr()):
            assert KEY not in text
            assert SECRET not in text

    def test_nothing_is_printed_where_nobody_set_up_logging(self, service: Flickr) -> None:
        code = (
            "import sys\n"
            "from emotag.flickr.client import FlickrClient\n"
            "from emotag.flickr.keys import find_credentials\n"
            "try: FlickrClient(find_credentials()).search({})\n"
            "except OSError as error: print(error)\n"
        )
        environment = os.environ | {
            "FLICKR_API_KEY": KEY,
            "FLICKR_API_SECRET": SECRET,
            "EMOTAG_FLICKR_API_URL": service.api_url,
        }
        service.faults = Faults(api=[Fault("status", status=401)])
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == (
            "Flickr refuses your key or its secret (status 401). To store another, type: emotag "
            "fetch --setup\n"
        )
        assert done.stderr == ""


def test_the_other_commands_load_none_of_it() -> None:
    code = (
        "import sys, emotag, emotag.cli.main\n"
        "print([name for name in ('flickrapi', 'requests', 'oauthlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
