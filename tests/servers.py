"""A real HTTP server on loopback whose answers a test writes down beforehand."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIECE = 4096


@dataclass(frozen=True)
class Answer:
    """What the server says to one request.

    Attributes
    ----------
    body : bytes
        The whole of it, whatever range is asked for.
    status : int
        With 200, a Range is answered with 206 or 416.
    headers : mapping of str to str
        Besides the usual ones. An ``ETag`` or ``Last-Modified`` is compared with If-Range.
    knows_ranges : bool
        Whether a Range is listened to.
    tells_length : bool
        Whether there is a Content-Length; otherwise the body comes in chunks.
    cut, stall : int, optional
        Before which byte of `body` the connection is closed, or nothing comes any more
        until the server ends.
    pause : float
        Seconds between two pieces of the body.
    raw : bytes
        Sent as it is, instead of everything else.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    knows_ranges: bool = True
    tells_length: bool = True
    cut: int | None = None
    stall: int | None = None
    pause: float = 0.0
    raw: bytes = b""


class Server:
    """What a test sees of a running server.

    Attributes
    ----------
    url : str
        Its address, with a slash at the end.
    requests : list of Message
        The headers of each request so far, in order; its path stands under ``:path``.
    """

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self.url = ""
        self.requests: list[Any] = []
        self.ending = threading.Event()
        self._answers = answers
        self._lock = threading.Lock()

    @property
    def ranges(self) -> list[str | None]:
        """The Range of each request so far."""
        return [request["Range"] for request in self.requests]

    def will_answer(self, *answers: Answer) -> None:
        """Write down other answers for the requests to come."""
        with self._lock:
            self.requests.clear()
            self._answers = answers

    def next_answer(self, request: Any) -> Answer:
        """Note a request; return its answer, which is the last one for ever at the end."""
        with self._lock:
            self.requests.append(request)
            return self._answers[min(len(self.requests), len(self._answers)) - 1]


@contextmanager
def serve(*answers: Answer, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run a server that gives these answers, one a request, and the last one from then on.

    Parameters
    ----------
    *answers : Answer
        In order.
    port : int, default=0
        Where to listen; by default where no one else does.
    tls : ssl.SSLContext, optional
        With it, the server speaks https as ``localhost``.
    """
    server = Server(answers)

    class Handler(_Handler):
        script = server

    with _QuietServer(("127.0.0.1", port), Handler) as http:
        port = http.server_address[1]
        server.url = f"http://127.0.0.1:{port}/"
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
            server.url = f"https://localhost:{port}/"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            http.shutdown()
            thread.join()


class _QuietServer(ThreadingHTTPServer):
    # so that the end waits for the threads of all requests
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients go away in the middle, as the tests want it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""

    def do_GET(self) -> None:
        self.close_connection = True
        self.headers[":path"] = self.path
        answer = self.script.next_answer(self.headers)
        with suppress(ConnectionError):
            if answer.raw:
                self.wfile.write(answer.raw)
                return
            begin, status = self._range(answer)
            self._say_head(answer, begin, status)
            if status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._send_body(answer, begin)

    def _range(self, answer: Answer) -> tuple[int, int]:
        """Return where the answer begins, and its status."""
        asked = self.headers["Range"]
        if asked is None or not answer.knows_ranges or answer.status != HTTPStatus.OK:
            return 0, answer.status
        condition = self.headers["If-Range"]
        if condition not in (None, answer.headers.get("ETag"), answer.headers.get("Last-Modified")):
            return 0, answer.status
        begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        if begin >= len(answer.body):
            return begin, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        return begin, HTTPStatus.PARTIAL_CONTENT

    def _say_head(self, answer: Answer, begin: int, status: int) -> None:
        self.send_response(status)
        size = len(answer.body)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
        elif answer.tells_length:
            self.send_header("Content-Length", str(size - begin))
        else:
            self.send_header("Transfer-Encoding", "chunked")
        if status == HTTPStatus.PARTIAL_CONTENT and "Content-Range" not in answer.headers:
            self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
        self.send_header("Connection", "close")
        self.end_headers()

    def _send_body(self, answer: Answer, begin: int) -> None:
        ends = (end for end in (answer.cut, answer.stall, len(answer.body)) if end is not None)
        last = min(ends)
        for start in range(begin, last, PIECE):
            piece = answer.body[start : min(start + PIECE, last)]
            if not answer.tells_length:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece)
            self.wfile.write(piece)
            if answer.pause:
                self.script.ending.wait(answer.pause)
        if answer.stall is not None:
            self.script.ending.wait()
        elif last == len(answer.body) and not answer.tells_length:
            self.wfile.write(b"0\r\n\r\n")
