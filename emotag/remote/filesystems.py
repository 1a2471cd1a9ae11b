"""fsspec's file systems, opened one way, and asked again where a network failed."""

import errno
import os
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from emotag.errors import MissingExtraError, PlaceError
from emotag.interrupts import on_interrupt

__all__ = [
    "MISSING",
    "attempt",
    "is_remote",
    "is_s3",
    "local_path",
    "no_attempt_once_stopped",
    "open_filesystem",
    "protocol_of",
    "url_above",
    "without_slash",
]

Result = TypeVar("Result")

MISSING = "does not exist (any more)"
"""The reason where a server says that there is nothing."""

# A single letter is a drive of Windows.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)(?:://|::.*://)")
_CHAIN = re.compile(r"::[A-Za-z][A-Za-z0-9+.-]*://")
_S3 = ("s3", "s3a")
_WEB = ("http", "https")

# Seconds before each further attempt, of which a part is random, so that many threads
# do not come back together: 4.5 to 6.7 seconds in all.
_PAUSES = (0.3, 1.2, 3.0)
_CONNECT_SECONDS = 10
_READ_SECONDS = 20
_CONNECTIONS = 64

# What a server says that it will say again.
_FINAL = (
    FileExistsError,
    FileNotFoundError,
    ImportError,
    IsADirectoryError,
    LookupError,
    NotADirectoryError,
    NotImplementedError,
    PermissionError,
    TypeError,
    ValueError,
)
_FINAL_NUMBERS = (errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.ENAMETOOLONG, errno.EMSGSIZE)

_filesystems: dict[tuple[object, ...], Any] = {}
_opening = threading.Lock()
_one_at_a_time = threading.RLock()
_stopped = threading.Event()


def is_remote(path: str) -> bool:
    """Return whether a path is a URL.

    Examples
    --------
    >>> is_remote("s3://bucket/photos"), is_remote("C:/photos"), is_remote("./photos")
    (True, False, False)
    """
    return "://" in path and _SCHEME.match(path) is not None


def is_s3(url: str) -> bool:
    """Return whether a URL is that of an S3 bucket."""
    return protocol_of(url) in _S3


def protocol_of(url: str) -> str:
    """Return what stands before ``://``, in lower case."""
    return url.partition("://")[0].lower()


def without_slash(url: str) -> str:
    """Return a URL without slashes at its end, but for those of ``://``.

    Examples
    --------
    >>> without_slash("s3://bucket/photos/"), without_slash("memory://")
    ('s3://bucket/photos', 'memory://')
    """
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}{rest.rstrip('/')}"


def url_above(url: str) -> str:
    """Return a URL such that a slash and a name after it are the URL of what is below.

    Examples
    --------
    >>> url_above("s3://bucket/photos/"), url_above("memory://")
    ('s3://bucket/photos', 'memory:/')
    """
    bare = without_slash(url)
    return bare.removesuffix("/") if bare.endswith("://") else bare


def local_path(path: str) -> str:
    """Return the path of a ``file://`` URL, and every other path as it is.

    Examples
    --------
    >>> local_path("file:///photos/a%20b.jpg")
    '/photos/a b.jpg'
    >>> local_path("./photos/a%20b.jpg")
    './photos/a%20b.jpg'
    """
    scheme, mark, rest = path.partition("://")
    if not mark or scheme.lower() not in ("file", "local"):
        return path
    if os.path.lexists(rest):
        return rest
    # imported here: it takes some milliseconds that most runs need not spend
    from urllib.request import url2pathname

    return url2pathname(rest.removeprefix("localhost"))


def open_filesystem(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, one for each server in a process, and the path in it.

    Raises
    ------
    MissingExtraError
        What reads such URLs is not installed.
    PlaceError
        Nothing reads such URLs, or they are not understood.
    """
    if _CHAIN.search(url):
        raise PlaceError(
            url,
            "it is a chain of places; name the archive alone, as s3://bucket/photos.zip, and "
            "emotag opens it",
        )
    try:
        from fsspec import get_filesystem_class

        kind = get_filesystem_class(protocol_of(url))
    except ImportError as error:
        raise _missing(url, error) from error
    except ValueError as error:
        raise PlaceError(url, f"nothing is known that reads {protocol_of(url)}://") from error
    try:
        named = kind._get_kwargs_from_urls(url)
        # fsspec's own cache has one instance a thread, and each would sign in anew
        key = (os.getpid(), kind, *sorted(named.items()))
        with _opening:
            if key not in _filesystems:
                _filesystems[key] = _make(kind, url, named)
        return _filesystems[key], kind._strip_protocol(url)
    except ImportError as error:
        raise _missing(url, error) from error
    except Exception as error:
        raise PlaceError(url, _reason(error)) from error


def attempt(url: str, filesystem: Any, action: Callable[[], Result]) -> Result:
    """Return what an action on a place returns, after some more attempts where a network failed.

    Parameters
    ----------
    url : str
        The place, for the message.
    filesystem : fsspec.AbstractFileSystem
        One that is not made for several threads does one thing at a time.
    action : callable
        What to do; it may be done several times.

    Raises
    ------
    PlaceError
        It failed for good; the reason is in plain words.
    """
    for pause in (*_PAUSES, None):
        if _stopped.is_set():
            raise PlaceError(url, "stopped")
        try:
            if filesystem.async_impl:
                return action()
            with _one_at_a_time:
                return action()
        except PlaceError:
            raise
        except Exception as error:
            if pause is None or not _may_pass(error):
                raise PlaceError(url, _reason(error)) from error
        _stopped.wait(pause * random.uniform(1.0, 1.5))  # noqa: S311 - no secret
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def no_attempt_once_stopped() -> Iterator[None]:
    """Let Ctrl-C end the patience of all threads: who stops a run need not wait for a server."""
    with on_interrupt(_stopped.set):
        try:
            yield
        finally:
            _stopped.clear()


def _make(kind: Any, url: str, named: dict[str, Any]) -> Any:
    options: dict[str, Any] = {}
    if is_s3(url):
        options = {"use_listings_cache": False, "config_kwargs": _s3_config()}
    elif protocol_of(url) in _WEB:
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS)
        options = {"use_listings_cache": False, "client_kwargs": {"timeout": timeout}}
    filesystem = kind(**(options | named), skip_instance_cache=True)
    if is_s3(url):
        # it would try each of ours five times
        filesystem.retries = 1
    return filesystem


def _s3_config() -> dict[str, Any]:
    """Return botocore's options: what a person has set for fsspec, and ours."""
    from fsspec.config import conf

    return {
        **conf.get("s3", {}).get("config_kwargs", {}),
        "retries": {"max_attempts": 0},
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _READ_SECONDS,
        "max_pool_connections": _CONNECTIONS,
    }


def _missing(url: str, error: ImportError) -> MissingExtraError:
    # s3fs, which the extra brings, brings what https:// needs
    if is_s3(url) or protocol_of(url) in _WEB or error.name == "fsspec":
        return MissingExtraError(f"{url} needs more; type: pip install 'emotag[remote]'")
    return MissingExtraError(f"{url} needs more: {_first_line(error).rstrip('.')}.")


def _root(error: BaseException) -> BaseException:
    """Return what went wrong: some say that there is nothing where no server could be reached."""
    cause = error.__cause__
    if cause is None or not isinstance(error, FileNotFoundError):
        return error
    return cause if _is_connection(cause) or getattr(cause, "status", 404) != 404 else error


def _may_pass(error: BaseException) -> bool:
    """Return whether another attempt may fare better."""
    error = _root(error)
    if isinstance(error, _FINAL):
        return False
    if isinstance(error, OSError) and error.errno in _FINAL_NUMBERS:
        return False
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status in (408, 425, 429) or status >= 500
    # botocore's own are such as that there are no credentials; but for those of the connection
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
    return ("botocore", "BotoCoreError") not in kinds or _is_connection(error)


def _reason(error: BaseException) -> str:
    """Return in plain words what went wrong."""
    error = _root(error)
    if isinstance(error, FileNotFoundError):
        return MISSING
    if isinstance(error, PermissionError):
        return "no permission"
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return "the server did not answer in time"
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return _reason_of_status(status)
    if isinstance(error, OSError) and error.errno is not None and not _is_connection(error):
        return f"the server says: {(error.strerror or _first_line(error)).rstrip('.')}"
    if _is_connection(error):
        return "the connection failed"
    return _first_line(error).rstrip(".")


def _reason_of_status(status: int) -> str:
    if status in (401, 403):
        return "no permission"
    return f"the server answered with the status {status}"


def _is_connection(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(
        names
        & {"ConnectionError", "HTTPClientError", "ClientConnectionError", "ClientPayloadError"}
    )


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
