"""The session: what it sends of its own, and what it does not do."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from emotag.errors import FetchError
from emotag.flickr.session import PatientSession, make_session, user_agent
from tests.servers import Answer, serve

BODY = b"A picture."


@contextmanager
def session() -> Iterator[PatientSession]:
    with closing(make_session("emotag/test")) as made:
        yield made


@pytest.mark.parametrize("location", ["/elsewhere", "http://other.example/", "file:///etc/passwd"])
def test_no_redirect_is_followed_whatever_the_caller_says(location: str) -> None:
    answers = Answer(status=302, headers={"Location": location}), Answer(BODY)
    with serve(*answers) as server, session() as asking:
        answer = asking.get(server.url, allow_redirects=True)
        assert (answer.status_code, answer.headers["Location"]) == (302, location)
        assert not answer.history
        assert len(server.requests) == 1


def test_nothing_of_the_user_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serve(Answer(BODY, headers={"Set-Cookie": "track=1"})) as server:
        assert requests.get(server.url, timeout=5).request.headers["Authorization"]
        with session() as asking:
            asking.get(server.url)
            asking.get(server.url)
        for headers in server.requests[1:]:
            assert headers["Authorization"] is None
            assert headers["Cookie"] is None
            assert headers["User-Agent"] == "emotag/test"


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(Answer(BODY)) as proxy, session() as asking:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert asking.get("http://photos.invalid/1.jpg").content == BODY
        assert proxy.requests[0][":path"] == "http://photos.invalid/1.jpg"


class TestUserAgent:
    def test_it_names_the_version_and_the_contact(self) -> None:
        from emotag import __version__

        assert user_agent() == f"emotag/{__version__}"
        assert user_agent(" https://example.org/me ") == (
            f"emotag/{__version__} (+https://example.org/me)"
        )

    @pytest.mark.parametrize("contact", ["a\r\nX-Evil: 1", "käthe@example.org", "a) (b", "a\0b"])
    def test_what_no_header_may_hold_is_refused(self, contact: str) -> None:
        with pytest.raises(FetchError, match="cannot be sent; give a mail address"):
            user_agent(contact)
