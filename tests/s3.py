"""A real S3 protocol server on loopback, behind a proxy that fails where a test says so."""

import http.client
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import unquote

KEYS = {
    "AWS_ACCESS_KEY_ID": "someone",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_numbers = count()


@dataclass
class Fault:
    """What goes wrong with some requests.

    Attributes
    ----------
    method, path : str
        Of which requests; the path and query need only hold it.
    times : int
        With how many of them.
    after : int
        How many of them go well before.
    status : int
        Answered instead, with `code` in S3's own XML; 0 asks the server.
    code : str
        S3's name for what is wrong.
    cut : int, optional
        After how many bytes of the body the connection is closed, as if nothing were wrong.
    is_reset : bool
        Whether it is broken off instead: before any answer, or after `cut`.
    seconds : float
        How long nothing comes.
    """

    method: str
    path: str
    times: int = 1
    after: int = 0
    status: int = 0
    code: str = "InternalError"
    cut: int | None = None
    is_reset: bool = False
    seconds: float = 0.0


@dataclass
class S3:
    """What a test sees of the server.

    Attributes
    ----------
    url : str
        Of the proxy, for ``AWS_ENDPOINT_URL``.
    client : boto3 client
        Asks the server itself, past the proxy.
    requests : list of str
        Method, path and query of each request so far.
    faults : list of Fault
        What goes wrong.
    delay : float
        Seconds before every answer.
    """

    url: str
    client: Any
    requests: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    delay: float = 0.0

    def new_bucket(self) -> str:
        """Make a bucket and return its name."""
        # without digits, so that no test's pattern for photos finds it in its name
        name = "bucket-" + "".join(chr(ord("a") + int(digit)) for digit in str(next(_numbers)))
        self.client.create_bucket(Bucket=name)
        return name

    def reset(self) -> None:
        """Let nothing go wrong any more, and forget what was asked."""
        self.requests.clear()
        self.faults.clear()
        self.delay = 0.0

    def put(self, bucket: str, key: str, content: bytes) -> str:
        """Store an object and return its URL."""
        self.client.put_object(Bucket=bucket, Key=key, Body=content)
        return f"s3://{bucket}/{key}"

    def get(self, bucket: str, key: str) -> bytes:
        """Return an object."""
        content: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def uploads(self, bucket: str) -> list[Any]:
        """Return the uploads that were begun and neither finished nor taken back."""
        return self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])

    def asked(self, method: str, path: str = "") -> list[str]:
        """Return the requests of a method whose path holds something."""
        return [line for line in self.requests if line.startswith(f"{method} ") and path in line]

    def fault_of(self, line: str) -> Fault | None:
        """Note a request, and return what goes wrong with it."""
        self.requests.append(line)
        for fault in self.faults:
            if fault.times and line.startswith(f"{fault.method} ") and fault.path in line:
                if fault.after:
                    fault.after -= 1
                else:
                    fault.times -= 1
                    return fault
        return None


@contextmanager
def serve_s3() -> Iterator[S3]:
    """Run the server and the proxy."""
    import boto3
    from moto.server import ThreadedMotoServer

    # it would print a line for each request
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        region_name=KEYS["AWS_DEFAULT_REGION"],
    )
    s3 = S3("", client)
    lock = threading.Lock()

    class Handler(_Handler):
        script, upstream, noting = s3, port, lock

    with _Proxy(("127.0.0.1", 0), Handler) as proxy:
        s3.url = f"http://127.0.0.1:{proxy.server_address[1]}"
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield s3
        finally:
            proxy.shutdown()
            thread.join()
            client.close()
            server.stop()


class _Proxy(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections break, as the tests want it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # two writes an answer: without it the second waits for the first to be acknowledged
    disable_nagle_algorithm = True
    script: S3
    upstream: int
    noting: Any

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.noting:
            fault = self.script.fault_of(f"{self.command} {unquote(self.path)}")
        time.sleep(self.script.delay if fault is None else fault.seconds)
        with suppress(ConnectionError):
            if fault is not None and fault.is_reset and fault.cut is None:
                self._reset()
            elif fault is not None and fault.status:
                self._say(fault.status, {}, _error(fault.code))
            else:
                self._say(*self._ask(body), fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _say(
        self, status: int, headers: dict[str, str], body: bytes, fault: Fault | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("connection", "content-length", "date", "server"):
                self.send_header(name, value)
        length = len(body)
        if self.command == "HEAD":
            length = int(headers.get("Content-Length", 0))
            body = b""
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if fault is None or fault.cut is None:
            self.wfile.write(body)
            return
        self.wfile.write(body[: fault.cut])
        self.close_connection = True
        if fault.is_reset:
            self._reset()

    def _reset(self) -> None:
        self.wfile.flush()
        # closed with nothing left to linger for, the connection is reset
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        for stream in (self.rfile, self.wfile, self.connection):
            stream.close()


def _error(code: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f"<Error><Code>{code}</Code><Message>It went wrong.</Message></Error>"
    ).encode()
