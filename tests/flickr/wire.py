"""Answers over HTTP on loopback, also those that break off, drag on or never end."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.flickr.faults import Answer

__all__ = ["Request", "serve_answers"]

_PIECE = 65536
_FLOOD = 1 << 30


@dataclass(frozen=True)
class Request:
    """What a client asks for; `path` has the query with it."""

    method: str
    path: str
    headers: Message
    body: bytes


@contextmanager
def serve_answers(answer: Callable[[Request], Answer], ending: threading.Event) -> Iterator[int]:
    """Run a server and yield its port.

    Parameters
    ----------
    answer : callable
        What to say to a request; called from many threads.
    ending : threading.Event
        Set at the end, so that nothing is waited for any more.
    """

    class Handler(_Handler):
        find_answer = staticmethod(answer)
        is_over = ending

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            ending.set()
            server.shutdown()
            server.hang_up()
            thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    # so that the end waits for the threads of all connections
    daemon_threads = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def close_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().close_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep for later."""
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections break, as the tests want it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # head and body are two writes: without it the second waits for the first to be acknowledged
    disable_nagle_algorithm = True
    find_answer: Callable[[Request], Answer]
    is_over: threading.Event

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, self.headers, body)
        with suppress(ConnectionError):
            self._say(self.find_answer(request))

    do_GET = do_POST = _answer  # noqa: N815

    def _say(self, answer: Answer) -> None:
        if answer.is_reset:
            self._reset()
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(_FLOOD if answer.is_endless else len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if answer.is_endless:
            self._flood(answer.body)
        elif answer.seconds:
            self._write_slowly(answer)
        else:
            self.wfile.write(answer.body[: answer.cut])
        self.close_connection = self.close_connection or answer.cut is not None

    def _flood(self, body: bytes) -> None:
        self.close_connection = True
        self.wfile.write(body)
        for _ in range(_FLOOD // _PIECE):
            if self.is_over.is_set():
                return
            self.wfile.write(bytes(_PIECE))

    def _write_slowly(self, answer: Answer) -> None:
        pieces = 20
        size = len(answer.body) // pieces + 1
        for start in range(0, len(answer.body), size):
            self.is_over.wait(answer.seconds / pieces)
            self.wfile.write(answer.body[start : start + size])

    def _reset(self) -> None:
        # closed with nothing left to linger for, the connection is reset
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        for stream in (self.rfile, self.wfile, self.connection):
            stream.close()
