"""The Flickr API as the few calls that emotag makes, with every answer looked at closely."""

import logging
import os
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from flickrapi import FlickrAPI, FlickrError
from requests import PreparedRequest

from emotag.errors import FetchError
from emotag.flickr.keys import Credentials
from emotag.flickr.quota import Quota
from emotag.flickr.session import make_session, user_agent
from emotag.flickr.transport import Patience

__all__ = ["API_URL", "FlickrClient", "Refused", "SearchPage", "api_address"]

Result = TypeVar("Result")

API_URL = "https://api.flickr.com/services/rest/"
"""The REST endpoint of the service."""

_TRIES = 5
# "Service currently unavailable" and its kin. (Flickr, the error codes of photos.search.)
_PASSING_CODES = {0, 10, 105, 106, 201}
_KEY_CODE = 100
_SECRET_CODES = {96, 97}
_REFUSED_STATUSES = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
# What flickrapi raises over an answer that is no JSON, or not of the form that it expects.
_RUBBISH = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
# They write whole requests and answers, with the key.
_TALKATIVE = ("flickrapi", "oauthlib", "requests_oauthlib")
_SETUP = "type: emotag fetch --setup"
_LONGEST = 200
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


class Refused(FetchError):
    """A call that the service understood and refuses.

    Parameters
    ----------
    message : str
        What is said.
    code : int or None
        The service's number for the reason; None where it answered by a status alone.
    """

    def __init__(self, message: str, code: int | None) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class SearchPage:
    """One page of what a search finds.

    Attributes
    ----------
    total, pages : int
        What the service says that there are; not to be relied on.
    photos : list of dict
        As they came.
    """

    total: int
    pages: int
    photos: list[dict[str, Any]]


class FlickrClient:
    """The calls, for several threads at once.

    A secret signs each request; without one, the key is sent alone. Requests that fail on the
    way are tried again by the transport, and answers that make no sense, or that say that the
    service is down, by the client.

    Parameters
    ----------
    credentials : Credentials
        The key.
    api_url : str, optional
        The whole endpoint; by default `api_address`.
    quota : Quota, optional
        Waited for before each request, also a repeated one.
    contact : str, optional
        As `user_agent` takes it.
    patience : Patience, optional
        How long the service is borne with.
    stop : threading.Event, optional
        Once set, waits end at once.
    generator : random.Random, optional
        Where jitter comes from.

    Raises
    ------
    FetchError
        `api_url` is no address, or `contact` cannot be sent.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        api_url: str | None = None,
        quota: Quota | None = None,
        contact: str = "",
        patience: Patience | None = None,
        stop: threading.Event | None = None,
        generator: random.Random | None = None,
    ) -> None:
        _silence_libraries()
        self._credentials = credentials
        self._quota = quota
        self._lock = threading.Lock()
        self._calls = 0
        self._session = make_session(
            user_agent(contact),
            patience=patience,
            before_try=self._prepare_try,
            stop=stop,
            generator=generator,
        )
        self._api = FlickrAPI(
            credentials.key, credentials.secret, format="parsed-json", store_token=False
        )
        self._api.REST_URL = _checked_address(api_url or api_address())
        # each try is signed anew, by us: a signature is good for one request
        self._sign = self._api.flickr_oauth.oauth if credentials.secret else None
        self._api.flickr_oauth.oauth = _Unsigned()
        # in place of one that all instances share
        self._api.flickr_oauth.session = self._session

    @property
    def calls(self) -> int:
        """How many requests were made, also repeated ones."""
        return self._calls

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def search(self, parameters: Mapping[str, str | int], page: int = 1) -> SearchPage:
        """Return one page of a search.

        Parameters
        ----------
        parameters : mapping of str to str or int
            Of ``flickr.photos.search``, without the page.
        page : int, default=1
            Which one.

        Raises
        ------
        Refused
            The service refuses the key or the parameters.
        FetchError
            There was no answer that makes sense.
        """
        return self._call("flickr.photos.search", _read_page, {**parameters, "page": page})

    def licences(self) -> list[dict[str, Any]]:
        """Return the licences that the service knows; raises as `search`."""
        return self._call("flickr.photos.licenses.getInfo", _read_licences, {})

    def _call(
        self, method: str, read: Callable[[dict[str, Any]], Result], parameters: dict[str, Any]
    ) -> Result:
        for number in range(1, _TRIES + 1):
            try:
                return read(self._ask(method, parameters))
            except _Passing as failure:
                reason = str(failure)
            if number < _TRIES:
                self._session.adapter.back_off(number)
        raise FetchError(
            f"Flickr gave no answer to {method} that can be used, in {_TRIES} tries: {reason}. "
            "Run the same command again later."
        )

    def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        sent = parameters if self._sign else {**parameters, "api_key": self._credentials.key}
        try:
            # read in a step of its own, so that only what is wrong with it counts as rubbish
            content = self._api.do_flickr_call(method, format="json", **sent)
        except FlickrError as error:
            raise _explain_status(str(error)) from None
        answer = self._parse(method, content)
        if not isinstance(answer, dict) or answer.get("stat") != "ok":
            raise _Passing("what came does not say that it is an answer")
        return answer

    def _parse(self, method: str, content: bytes) -> object:
        try:
            answer: object = self._api.parse_json(content)
        except FlickrError as error:
            # without its cause: a service may repeat the key in what it says
            raise self._explain(method, error) from None
        except _RUBBISH:
            raise _Passing("what came is not JSON in the API's form") from None
        return answer

    def _explain(self, method: str, error: Any) -> Exception:
        """Return the error to raise for one that the service reports."""
        code, message = error.code, self._message(str(error))
        if code is None or code in _PASSING_CODES:
            return _Passing(message)
        if code == _KEY_CODE:
            return Refused(f"Flickr refuses your key ({message}). To store another, {_SETUP}", code)
        if code in _SECRET_CODES:
            return Refused(
                f"Flickr refuses the secret of your key ({message}). To store another, {_SETUP}",
                code,
            )
        return Refused(f"Flickr refuses {method} ({message}).", code)

    def _message(self, text: str) -> str:
        shown = "".join(letter for letter in text if letter.isprintable())
        shown = self._credentials.hide(shown).removeprefix("Error: ").strip()
        return f"{shown[:_LONGEST]}…" if len(shown) > _LONGEST else shown

    def _prepare_try(self, request: PreparedRequest) -> None:
        if self._quota is not None:
            self._quota.take()
        with self._lock:
            self._calls += 1
        if self._sign is not None:
            self._sign(request)
            request.prepare_content_length(request.body)


class _Unsigned:
    """Stands where flickrapi keeps what signs a request, and the key that it would show."""

    client = SimpleNamespace(client_key="…")

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        return request


class _Passing(Exception):
    """An answer that may be better next time."""


def api_address() -> str:
    """Return the endpoint: ``EMOTAG_FLICKR_API_URL``, or that of the service."""
    return os.environ.get("EMOTAG_FLICKR_API_URL") or API_URL


def _checked_address(url: str) -> str:
    try:
        requests.Request("POST", url).prepare()
        is_web = urlsplit(url).scheme.lower() in ("http", "https")
    except (requests.RequestException, ValueError):
        is_web = False
    if not is_web:
        raise FetchError(
            f"{url!r} is no address of an API; give the whole one, as {API_URL} "
            "(EMOTAG_FLICKR_API_URL)."
        )
    return url


def _silence_libraries() -> None:
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _explain_status(message: str) -> FetchError:
    """Return the error for an answer that is not the API's; flickrapi tells the status alone."""
    found = re.search(r"Status code (\d+)", message)
    status = int(found[1]) if found else 0
    if status in _REFUSED_STATUSES:
        return Refused(
            f"Flickr refuses your key or its secret (status {status}). To store another, {_SETUP}",
            None,
        )
    return Refused(f"Flickr's API gave no answer, but the status {status or 'of an error'}.", None)


def _read_page(answer: dict[str, Any]) -> SearchPage:
    found = _mapping(answer, "photos")
    return SearchPage(
        total=_whole(found, "total"),
        pages=_whole(found, "pages"),
        photos=_mappings(found, "photo"),
    )


def _read_licences(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return _mappings(_mapping(answer, "licenses"), "license")


def _mapping(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise _Passing(f"the answer has no {name!r}")
    return value


def _mappings(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = parent.get(name)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise _Passing(f"the answer has no list of {name!r}")
    return values


def _whole(parent: dict[str, Any], name: str) -> int:
    # what is not said counts as nothing: no number of the service's is relied on
    value = parent.get(name, 0)
    # it writes some of them as text
    if isinstance(value, bool) or not _NUMBER.fullmatch(str(value)):
        raise _Passing(f"in the answer, {name!r} is no number")
    return int(value)
