"""Bytes fetched over HTTP into a file, going on where an earlier try stopped."""

import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse, InvalidURL, responses
from typing import IO, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from emotag.retry_after import seconds_asked

__all__ = ["Progress", "Transfer", "TransferFailure"]

CHUNK = 1 << 20
TRIES = 5
"""As many tries in a row may bring nothing new."""
LONGEST_WAIT = 60.0
"""A server that asks for more seconds of patience is not asked again."""

Progress = Callable[[int, int | None], None]


class TransferFailure(Exception):
    """The bytes cannot be fetched, for a reason in a few words."""


class _Interruption(TransferFailure):
    """They could not be fetched this time; another try may go better."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass
class Transfer:
    """A file on its way.

    Parameters
    ----------
    url : str
        Its address.
    path : str
        Where what came so far is written; what stands there is gone on from.
    size : int or None
        Of the whole, in bytes, where it is known.
    progress : callable
        Called with the bytes that are there, and with how many there will be or None.
    timeout : float
        Seconds without a byte after which a connection counts as broken.
    backoff : float
        Seconds before the second try; before each further one it is twice as long.

    Attributes
    ----------
    is_pieced : bool
        Whether what is there came in several answers, which may not match.
    """

    url: str
    path: str
    size: int | None
    progress: Progress
    timeout: float
    backoff: float
    is_pieced: bool = field(default=False, init=False)
    # tells the version on the server of which the last bytes are
    _validator: str = field(default="", init=False)
    # a server that never answered is hardly worth another try
    _has_answered: bool = field(default=False, init=False)

    @property
    def done(self) -> int:
        """How many bytes are there."""
        with suppress(FileNotFoundError):
            return os.path.getsize(self.path)
        return 0

    def discard(self) -> None:
        """Forget what came so far."""
        with suppress(FileNotFoundError):
            os.remove(self.path)

    def run(self) -> None:
        """Try until all bytes are there, or several tries in a row bring nothing new.

        Raises
        ------
        TransferFailure
            They cannot be fetched; what came so far is kept.
        OSError
            They cannot be written.
        """
        self._refuse_other_schemes()
        failures, farthest = 0, self.done
        while True:
            try:
                return self._go_on()
            except _Interruption as interruption:
                failures = 1 if self.done > farthest else failures + 1
                farthest = max(self.done, farthest)
                if failures >= TRIES:
                    raise
                wait = self.backoff * 2 ** (failures - 1)
                time.sleep(wait if interruption.wait is None else interruption.wait)

    def _refuse_other_schemes(self) -> None:
        try:
            parts = urlsplit(self.url)
        except ValueError as error:
            raise TransferFailure("that is no valid address") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TransferFailure("only addresses of http and https are fetched")

    def _go_on(self) -> None:
        """Ask for what is missing, and write it."""
        begin = self.done
        if begin and begin == self.size:
            self.is_pieced = True
            return
        with self._ask(begin) as response:
            self._has_answered = True
            if begin and response.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                # nothing is missing, unless what is there is of another version
                self.is_pieced = True
                return
            if response.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                raise _refusal(response.status, response.headers)
            if response.status == HTTPStatus.OK:
                begin = 0
            elif _first_byte(response.headers) != begin:
                self.discard()
                raise _Interruption("the server sends another part than it was asked for")
            self._validator = _validator(response.headers)
            self.is_pieced = begin > 0
            self._receive(response, begin)

    def _ask(self, begin: int) -> HTTPResponse:
        """Return the server's answer to the request for all bytes from one on."""
        headers = {"User-Agent": "emotag"}
        if begin:
            headers["Range"] = f"bytes={begin}-"
        if begin and self._validator:
            headers["If-Range"] = self._validator
        try:
            request = Request(self.url, headers=headers)  # noqa: S310
            return cast(HTTPResponse, _opener().open(request, timeout=self.timeout))
        except HTTPError as error:
            # an answer too
            return cast(HTTPResponse, error)
        except URLError as error:
            said = self._explain(error.reason)
            raise (_Interruption if self._has_answered else TransferFailure)(said) from error
        except (InvalidURL, ValueError) as error:
            raise TransferFailure("that is no valid address") from error
        except (HTTPException, OSError) as error:
            raise _Interruption(self._explain(error)) from error

    def _explain(self, error: BaseException | str) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer came within {self.timeout:g} s"
        if isinstance(error, HTTPException) and not isinstance(error, OSError):
            return "what the server answers is no HTTP"
        return getattr(error, "strerror", None) or str(error)

    def _receive(self, response: HTTPResponse, begin: int) -> None:
        """Write the bytes of an answer, up to the end that it announces."""
        end = None if response.length is None else begin + response.length
        total, done = self.size if end is None else end, begin
        with open(self.path, "ab" if begin else "wb") as file:
            self.progress(done, total)
            while end is None or done < end:
                chunk = self._read(response, _of(done, total))
                if not chunk:
                    break
                file.write(chunk)
                # a process that is killed leaves all that came
                file.flush()
                done += len(chunk)
                self.progress(done, total)
        if total is not None and done < total:
            raise _Interruption(f"the connection broke off after {_of(done, total)}")

    def _read(self, response: HTTPResponse, there: str) -> bytes:
        try:
            return response.read1(CHUNK)
        except TimeoutError as error:
            raise _Interruption(f"no byte came for {self.timeout:g} s after {there}") from error
        except (HTTPException, OSError) as error:
            raise _Interruption(f"the connection broke off after {there}") from error


class _Redirects(HTTPRedirectHandler):
    """Followed to http and https only, and never from https to http."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in ("https", req.type):
            raise HTTPError(req.full_url, code, msg, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    """Return what opens addresses of http and https, and no others."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        _Redirects(),
        HTTPErrorProcessor(),
        HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _refusal(status: int, headers: Message) -> TransferFailure:
    """Return what to raise for an answer that brings no bytes."""
    said = f"the server answers {status} {responses.get(status, '')}".rstrip()
    if status < HTTPStatus.BAD_REQUEST and (location := headers.get("Location")):
        return TransferFailure(f"the server sends on to {location!r}, where it is not followed")
    if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
        return TransferFailure(said)
    wait = seconds_asked(headers.get("Retry-After"), None)
    if wait is not None and wait > LONGEST_WAIT:
        return TransferFailure(f"{said} and asks to come back in {wait:,.0f} s")
    return _Interruption(said, wait)


def _first_byte(headers: Message) -> int | None:
    found = re.match(r"bytes (\d{1,18})-", headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _validator(headers: Message) -> str:
    """Return what If-Range takes: an ETag that stands for the very bytes, or a date."""
    etag: str = headers.get("ETag", "")
    return etag if etag.startswith('"') else str(headers.get("Last-Modified", ""))


def _of(done: int, total: int | None) -> str:
    return f"{done:,} bytes" if total is None else f"{done:,} of {total:,} bytes"
