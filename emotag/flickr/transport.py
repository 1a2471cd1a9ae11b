"""Requests that wait and come back: for a busy server, a broken connection, a cut-off body."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NameResolutionError, ReadTimeoutError

from emotag.errors import FetchError
from emotag.retry_after import seconds_asked

__all__ = ["LONGEST_WAIT", "Patience", "PatientAdapter", "Stopped", "Unanswered"]

LONGEST_WAIT = 300.0
"""Seconds that a server may ask for; who asks for more is not waited for."""

# Answers that tell of the server's state, not of what was asked for.
_PASSING_STATUSES = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
# Those by which it asks everyone to hold back.
_BUSY_STATUSES = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
_PASSING_ERRORS = (
    requests.ConnectionError,
    requests.Timeout,
    HTTPError,
)
_HOSTS = 4
_CONNECTIONS = 32
_PIECE = 1 << 16
_BAD_CERTIFICATE = "its certificate is not accepted"
_AGAIN = "Run the same command again later."


class Unanswered(FetchError):
    """A server that gave no proper answer to any try, or that asks to wait too long.

    Parameters
    ----------
    host : str
        The server.
    reason : str
        What is wrong, in a few words without the host.
    seconds : float, optional
        How long it asks to wait, where that is too long: others need not ask it either.
    """

    def __init__(self, host: str, reason: str, *, seconds: float | None = None) -> None:
        super().__init__(host, reason)
        self.host = host
        self.reason = reason
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.host} gave no answer: {self.reason}. {_AGAIN}"


class Stopped(FetchError):
    """A wait that was ended, since nobody wants its outcome any more."""

    def __init__(self) -> None:
        super().__init__("Stopped before an answer came.")


@dataclass(frozen=True)
class Patience:
    """How long a server is borne with.

    Attributes
    ----------
    tries : int
        Requests at most, with the first.
    base_seconds : float
        The wait after the first failed try is at most this; it doubles after each further one.
    most_seconds : float
        No wait of our own choice is longer.
    longest_asked : float
        A server that asks for a longer wait is given up.
    connect_seconds, read_seconds : float
        Without a sign of life, until a try counts as failed.
    try_seconds : float
        Until a try counts as failed whose body still comes, but too slowly.
    most_bytes : int
        A larger body is refused.
    """

    tries: int = 6
    base_seconds: float = 1.0
    most_seconds: float = 60.0
    longest_asked: float = LONGEST_WAIT
    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    try_seconds: float = 60.0
    most_bytes: int = 32 * 2**20


@dataclass(frozen=True)
class _Failure:
    """Why a try failed, the seconds to wait at least, and whether that binds all threads."""

    reason: str
    seconds: float = 0.0
    is_for_all: bool = False


class PatientAdapter(HTTPAdapter):
    """A transport adapter that tries again, at growing distances, until there is an answer.

    It reads the whole body itself, so that one that breaks off is fetched again too. When a
    server answers 429 or 503, none of the threads that share the adapter asks it before the
    pause is over; if that is too long, none asks it at all. Waits between tries follow "full
    jitter": a random part of a bound that doubles [1]_. A redirect is an answer like any other.

    Parameters
    ----------
    patience : Patience, optional
        How long a server is borne with.
    before_try : callable, optional
        Called with the prepared request of each try, a copy of its own; may change it.
        Signatures belong here, as each is good for one request.
    stop : threading.Event, optional
        Once set, waits end at once and no try is begun.
    generator : random.Random, optional
        Where jitter comes from.

    References
    ----------
    .. [1] M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(
        self,
        patience: Patience | None = None,
        *,
        before_try: Callable[[PreparedRequest], object] | None = None,
        stop: threading.Event | None = None,
        generator: random.Random | None = None,
    ) -> None:
        super().__init__(pool_connections=_HOSTS, pool_maxsize=_CONNECTIONS)
        self.patience = patience or Patience()
        self._before_try = before_try
        self._stop = stop or threading.Event()
        self._generator = generator or random.Random()  # noqa: S311 - no secret
        # held for a look at the table only, never while a thread waits
        self._lock = threading.Lock()
        self._pauses: dict[str, float] = {}

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Return the answer, with its whole body.

        Parameters
        ----------
        request : PreparedRequest
            What to ask.
        *args, **kwargs
            As requests passes them. By default the timeouts are those of `patience`.

        Raises
        ------
        Unanswered
            No try had a proper answer, or the server asks to wait too long.
        Stopped
            The stop event was set.
        """
        host = urlsplit(request.url or "").netloc.rpartition("@")[2]
        for number in range(1, self.patience.tries + 1):
            self._wait_for_pause(host)
            outcome = self._try(host, request, args, kwargs)
            if isinstance(outcome, Response):
                return outcome
            seconds = max(outcome.seconds, self._jitter(number))
            if outcome.is_for_all:
                self._pause(host, seconds)
            elif number < self.patience.tries:
                self._sleep(seconds)
        tries = self.patience.tries
        raise Unanswered(host, f"{outcome.reason}, in {tries} {'try' if tries == 1 else 'tries'}")

    def back_off(self, number: int) -> None:
        """Wait as after the failed try of this number, from 1.

        Raises
        ------
        Stopped
            The stop event was set.
        """
        self._sleep(self._jitter(number))

    def _try(
        self, host: str, request: PreparedRequest, args: Any, kwargs: dict[str, Any]
    ) -> Response | _Failure:
        tried = request.copy()
        if self._before_try is not None:
            self._before_try(tried)
        try:
            response = self._ask(tried, args, kwargs)
        except _PASSING_ERRORS as error:
            if _is_certificate_refused(error):
                # none gets better by asking again
                raise Unanswered(host, _BAD_CERTIFICATE) from error
            return _Failure(_reason(error))
        except requests.RequestException as error:
            raise Unanswered(host, f"it cannot be asked ({error})") from error
        except _TooLargeError as error:
            raise Unanswered(host, str(error)) from error
        if response.status_code in _PASSING_STATUSES:
            return _read_failure(response)
        return response

    def _ask(self, request: PreparedRequest, args: Any, kwargs: dict[str, Any]) -> Response:
        patience = self.patience
        deadline = time.monotonic() + patience.try_seconds
        read_seconds = min(patience.read_seconds, patience.try_seconds)
        timeout = kwargs.get("timeout") or (patience.connect_seconds, read_seconds)
        options = kwargs | {"stream": True, "timeout": timeout}
        response = super().send(request, *args, **options)
        try:
            response._content = self._read(response, deadline)
        except BaseException:
            response.close()
            raise
        response._content_consumed = True
        return response

    def _read(self, response: Response, deadline: float) -> bytes:
        pieces, size = [], 0
        # what has come so far, piece by piece: a slow server would take its time to fill one
        while piece := response.raw.read1(_PIECE, decode_content=True):
            size += len(piece)
            if size > self.patience.most_bytes:
                raise _TooLargeError(f"more than {self.patience.most_bytes:,} bytes came")
            if time.monotonic() > deadline:
                raise requests.Timeout("the body came too slowly")
            pieces.append(piece)
        return b"".join(pieces)

    def _jitter(self, number: int) -> float:
        bound = self.patience.base_seconds * 2.0 ** (number - 1)
        return self._generator.uniform(0.0, min(bound, self.patience.most_seconds))

    def _pause(self, host: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._lock:
            self._pauses[host] = max(until, self._pauses.get(host, until))

    def _wait_for_pause(self, host: str) -> None:
        if self._stop.is_set():
            raise Stopped
        while (left := self._left_of_pause(host)) > 0.0:
            if left > self.patience.longest_asked:
                raise Unanswered(host, f"it asks to wait {left:,.0f} s, too long", seconds=left)
            # a little apart, so that not all threads come back at the same moment
            self._sleep(left + self._generator.uniform(0.0, self.patience.base_seconds))

    def _left_of_pause(self, host: str) -> float:
        with self._lock:
            return self._pauses.get(host, 0.0) - time.monotonic()

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped


class _TooLargeError(Exception):
    """A body that is larger than anything that was asked for."""


def _read_failure(response: Response) -> _Failure:
    status = response.status_code
    reason = f"the status is {status}"
    asked = seconds_asked(response.headers.get("Retry-After"), response.headers.get("Date"))
    return _Failure(reason, asked or 0.0, asked is not None or status in _BUSY_STATUSES)


def _is_certificate_refused(error: Exception) -> bool:
    # others of TLS are connections that break off
    return "certificate verify failed" in str(error).lower()


def _reason(error: Exception) -> str:
    """Return in plain words what went wrong with a try."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(cause, NameResolutionError):
        return "its name is not known; is there a network?"
    if isinstance(error, requests.Timeout | ReadTimeoutError):
        return "it did not answer in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy cannot be used"
    return "the connection failed or broke off"
