"""Flickr's REST API and its static photo host, over real HTTP on loopback.

As far as the public documentation describes them (https://www.flickr.com/services/api/): a few
methods, in JSON only, for calls in nobody's name, signed or not.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.flickr.faults import (
    HOSTILE_RECORDS,
    HOSTILE_TITLES,
    UNAVAILABLE,
    Answer,
    Fault,
    Faults,
    passing_faults,
    redirect,
)
from tests.flickr.pictures import (
    SUFFIXES,
    PublicPhoto,
    draw_jpeg,
    draw_unavailable,
    make_photos,
)
from tests.flickr.searching import CAP, Archive, describe_photo, describe_sizes, search
from tests.flickr.signature import read_authorization, sign
from tests.flickr.wire import Request, serve_answers

__all__ = [
    "HOSTILE_RECORDS",
    "HOSTILE_TITLES",
    "KEY",
    "LICENCES",
    "SECRET",
    "Fault",
    "Faults",
    "Flickr",
    "PublicPhoto",
    "draw_jpeg",
    "make_photos",
    "passing_faults",
    "serve_flickr",
]

KEY = "0123456789abcdef0123456789abcdef"
SECRET = "fedcba9876543210"
_REST = "/services/rest/"

_DEEDS = "https://creativecommons.org/licenses"
_DEDICATION = "https://creativecommons.org/publicdomain"
LICENCES: tuple[tuple[int, str, str], ...] = (
    (0, "All Rights Reserved", ""),
    (4, "Attribution License", f"{_DEEDS}/by/2.0/"),
    (6, "Attribution-NoDerivs License", f"{_DEEDS}/by-nd/2.0/"),
    (3, "Attribution-NonCommercial-NoDerivs License", f"{_DEEDS}/by-nc-nd/2.0/"),
    (2, "Attribution-NonCommercial License", f"{_DEEDS}/by-nc/2.0/"),
    (1, "Attribution-NonCommercial-ShareAlike License", f"{_DEEDS}/by-nc-sa/2.0/"),
    (5, "Attribution-ShareAlike License", f"{_DEEDS}/by-sa/2.0/"),
    (7, "No known copyright restrictions", "https://www.flickr.com/commons/usage/"),
    (8, "United States Government Work", "http://www.usa.gov/copyright.shtml"),
    (9, "Public Domain Dedication (CC0)", f"{_DEDICATION}/zero/1.0/"),
    (10, "Public Domain Mark", f"{_DEDICATION}/mark/1.0/"),
    (11, "CC BY 4.0", f"{_DEEDS}/by/4.0/"),
    (12, "CC BY-SA 4.0", f"{_DEEDS}/by-sa/4.0/"),
    (13, "CC BY-ND 4.0", f"{_DEEDS}/by-nd/4.0/"),
    (14, "CC BY-NC 4.0", f"{_DEEDS}/by-nc/4.0/"),
    (15, "CC BY-NC-SA 4.0", f"{_DEEDS}/by-nc-sa/4.0/"),
    (16, "CC BY-NC-ND 4.0", f"{_DEEDS}/by-nc-nd/4.0/"),
)
"""What `flickr.photos.licenses.getInfo` lists: id, name and URL."""

_MESSAGES = {
    1: "Photo not found",
    3: "Parameterless searches have been disabled. Please use flickr.photos.getRecent instead.",
    10: "Sorry, the Flickr search API is not currently available.",
    96: "Invalid signature",
    97: "Missing signature",
    100: "Invalid API Key (Key not found)",
    105: "Service currently unavailable",
    106: "Write operation failed",
    201: "There was an unexpected problem servicing your request",
}


@dataclass
class Flickr:
    """What a test sees of the service.

    Attributes
    ----------
    api_url, static_url : str
        The whole REST endpoint, and the base before ``/{server}/…``. They are two hosts.
    archive : Archive
        The photos; `add` and `remove` change them while it runs.
    key, secret : str
        What it lets in. Without a secret no signature is good.
    faults : Faults
        What goes wrong; may be changed or replaced while it runs.
    latency : float
        Seconds before every answer.
    cap : int
        How many photos of one search it gives at most.
    calls : list of dict
        The parameters of each call so far, with ``time`` and whether it was ``signed``.
    static_requests : list of str
        The paths of the pictures asked for so far.
    agents : set of str
        The User-Agents that have asked.
    most_at_once : Counter
        How many requests each of ``api`` and ``static`` has had to answer at the same time.
    """

    archive: Archive
    key: str = KEY
    secret: str | None = None
    faults: Faults = field(default_factory=Faults)
    latency: float = 0.0
    cap: int = CAP
    api_url: str = ""
    static_url: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    static_requests: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    most_at_once: Counter[str] = field(default_factory=Counter)
    ending: threading.Event = field(default_factory=threading.Event, repr=False)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _now: Counter[str] = field(default_factory=Counter, repr=False)
    _nonces: set[tuple[str, ...]] = field(default_factory=set, repr=False)

    def forget_requests(self) -> None:
        """Forget what was asked so far."""
        with self.lock:
            self.calls.clear()
            self.static_requests.clear()
            self.agents.clear()
            self.most_at_once.clear()

    def asked(self, method: str) -> list[dict[str, Any]]:
        """Return the calls of a method, as ``photos.search``."""
        return [call for call in list(self.calls) if call.get("method") == f"flickr.{method}"]

    def answer_api(self, request: Request) -> Answer:
        """Answer what comes to the API's host."""
        url = urlsplit(request.path)
        if url.path != _REST:
            return Answer(b"Not found.", 404, "text/plain")
        parameters = parse_qsl(url.query, keep_blank_values=True)
        if "application/x-www-form-urlencoded" in request.headers.get("Content-Type", ""):
            parameters += parse_qsl(request.body.decode(), keep_blank_values=True)
        with self._working("api", request):
            authorization = request.headers.get("Authorization", "")
            return self.answer_call(request.method, parameters, authorization)

    def answer_static(self, request: Request) -> Answer:
        """Answer what comes to the static host."""
        if request.method != "GET":
            return Answer(b"Only GET.", 405, "text/plain")
        with self._working("static", request):
            return self.answer_picture(unquote(urlsplit(request.path).path))

    @contextmanager
    def _working(self, place: str, request: Request) -> Iterator[None]:
        """Count a request as one that is being worked on, and wait as long as that takes."""
        with self.lock:
            self.agents.add(request.headers.get("User-Agent", ""))
            self._now[place] += 1
            self.most_at_once[place] = max(self.most_at_once[place], self._now[place])
        try:
            self.ending.wait(self.latency)
            yield
        finally:
            with self.lock:
                self._now[place] -= 1

    def answer_call(
        self, method: str, parameters: list[tuple[str, str]], authorization: str
    ) -> Answer:
        """Note a call and answer it."""
        oauth = read_authorization(authorization)
        named = dict(parameters)
        with self.lock:
            self.calls.append(named | {"time": time.time(), "signed": oauth is not None})
            # whatever goes wrong later, the nonce has been used
            refusal = self._check_signature(method, parameters, oauth)
            request = json.dumps(sorted(parameters))
            name = named.get("method", "")
            fault = self.faults.of_call(request, named.get("photo_id", ""), name)
            if fault is not None and fault.kind == "error":
                return _write(named, _fail(fault.code))
            answer = refusal or _write(named, self._respond(named, oauth))
        return answer if fault is None else fault.spoil(answer, self.api_url)

    def _check_signature(
        self, method: str, parameters: list[tuple[str, str]], oauth: dict[str, str] | None
    ) -> Answer | None:
        if oauth is None or oauth.get("oauth_consumer_key") != self.key:
            return None
        signature = sign(method, self.api_url, parameters, oauth, self.secret or "")
        if self.secret is None or signature != oauth.get("oauth_signature"):
            if self.faults.says_oauth_problem:
                return Answer(b"oauth_problem=signature_invalid", 401, "text/plain")
            return _write(dict(parameters), _fail(96))
        once = tuple(oauth.get(f"oauth_{name}", "") for name in ("timestamp", "nonce"))
        if once in self._nonces:
            return Answer(b"oauth_problem=nonce_used", 401, "text/plain")
        self._nonces.add(once)
        return None

    def _respond(self, parameters: dict[str, str], oauth: dict[str, str] | None) -> dict[str, Any]:
        key = parameters.get("api_key", "") if oauth is None else oauth.get("oauth_consumer_key")
        if parameters.get("format") != "json":
            return _fail(111, f'Format "{parameters.get("format", "")}" not found')
        if key != self.key:
            return _fail(100)
        if oauth is None and "api_sig" in parameters:
            # the signature of old, which was taken out of service
            return _fail(96)
        if oauth is None and self.faults.needs_signature:
            return _fail(97)
        return self._call(parameters)

    def _call(self, parameters: dict[str, str]) -> dict[str, Any]:
        method = parameters.get("method", "")
        if method == "flickr.photos.search":
            found = search(self.archive, parameters, self.faults, self.static_url, self.cap)
            if isinstance(found, int):
                # 1 means something else for other methods
                return _fail(found, "Too many tags in ALL query" if found == 1 else None)
            return found | {"stat": "ok"}
        if method == "flickr.photos.licenses.getInfo":
            listed = [{"id": str(at), "name": name, "url": url} for at, name, url in LICENCES]
            return {"licenses": {"license": listed}, "stat": "ok"}
        if method in ("flickr.photos.getInfo", "flickr.photos.getSizes"):
            return self._describe(method, parameters.get("photo_id", ""))
        return _fail(112, f'Method "{method}" not found')

    def _describe(self, method: str, photo_id: str) -> dict[str, Any]:
        photo = self.archive.photos.get(photo_id)
        if photo is None or photo_id in self.faults.deleted:
            return _fail(1)
        if method.endswith("getSizes"):
            return describe_sizes(photo, self.static_url) | {"stat": "ok"}
        licence = self.faults.licences.get(photo_id, photo.licence)
        return describe_photo(photo, licence) | {"stat": "ok"}

    def answer_picture(self, path: str) -> Answer:
        """Note a request for a picture and answer it."""
        url = self.static_url + path
        photo, suffix = self._find_picture(path)
        with self.lock:
            self.static_requests.append(path)
            fault = self.faults.of_picture(path, "" if photo is None else photo.id)
            is_deleted = photo is not None and photo.id in self.faults.deleted
            if is_deleted:
                self.faults.injected["static deleted"] += 1
        if path == UNAVAILABLE:
            return Answer(draw_unavailable(), content_type="image/png")
        if path == "/elsewhere.jpg":
            return Answer(draw_jpeg(0, 500, 375), content_type="image/jpeg")
        body = None if photo is None or is_deleted else photo.jpeg(suffix)
        if body is None:
            answer = redirect(UNAVAILABLE, url)
        else:
            answer = Answer(body, content_type="image/jpeg")
        return answer if fault is None else fault.spoil(answer, url)

    def _find_picture(self, path: str) -> tuple[PublicPhoto | None, str]:
        match = re.fullmatch(r"/(\w+)/(\d+)_([^\W_]+)(?:_([a-z]))?\.jpg", path)
        if match is None:
            return None, ""
        server, photo_id, secret, suffix = match.groups(default="")
        photo = self.archive.photos.get(photo_id)
        if photo is None or (photo.server, photo.secret) != (server, secret):
            return None, ""
        return (photo, suffix) if suffix in SUFFIXES else (None, "")


def _fail(code: int, message: str | None = None) -> dict[str, Any]:
    return {"stat": "fail", "code": code, "message": message or _MESSAGES.get(code, "Failed")}


def _write(parameters: dict[str, str], answer: dict[str, Any]) -> Answer:
    text = json.dumps(answer)
    if parameters.get("nojsoncallback") == "1":
        return Answer(text.encode())
    callback = parameters.get("jsoncallback", "jsonFlickrApi")
    return Answer(f"{callback}({text})".encode(), content_type="text/javascript; charset=utf-8")


@contextmanager
def serve_flickr(
    photos: Iterable[PublicPhoto],
    *,
    key: str = KEY,
    secret: str | None = None,
    faults: Faults | None = None,
    latency: float = 0.0,
    cap: int = CAP,
) -> Iterator[Flickr]:
    """Run the service.

    Parameters
    ----------
    photos : iterable of PublicPhoto
        What it knows.
    key, secret : str
        What it lets in. Without a secret no signature is good.
    faults : Faults, optional
        What goes wrong.
    latency : float, default=0
        Seconds before every answer.
    cap : int
        How many photos of one search it gives at most.
    """
    flickr = Flickr(
        Archive(photos), key, secret, Faults() if faults is None else faults, latency, cap
    )

    with (
        serve_answers(flickr.answer_api, flickr.ending) as api_port,
        serve_answers(flickr.answer_static, flickr.ending) as static_port,
    ):
        flickr.api_url = f"http://127.0.0.1:{api_port}{_REST}"
        flickr.static_url = f"http://127.0.0.1:{static_port}"
        yield flickr
