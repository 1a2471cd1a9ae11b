"""Pretrained weights fetched over HTTP, checked, and put where they are looked for.

Own code, since ``torch.hub.download_url_to_file`` and pooch both begin again at zero
after a cut, torch's has no timeout, and pooch takes no part of a checksum.

What came so far stands beside the file as ``FILE.partial``, and the next call goes on
from there. No note is kept of which version on the server it began with: the checksum
of the whole tells, and pieces that do not match are fetched once more from zero.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from emotag.backbones.transfers import Progress, Transfer, TransferFailure
from emotag.errors import EmotagError, ModelError, StorageError, WeightsError
from emotag.locks import locked

__all__ = ["OTHER_COPY", "check_file", "fetch_file"]

# How many hexadecimal digits there must be, and can be.
_DIGITS = {"sha256": (8, 64), "sha1": (40, 40)}


OTHER_COPY = ", or name another copy with --weights FILE"
"""What else can be done where weights of a backbone are missing or damaged."""


def fetch_file(
    url: str,
    path: str,
    *,
    size: int | None,
    digest: str,
    progress: Progress | None = None,
    timeout: float = 30.0,
    name: str = "",
    otherwise: str = OTHER_COPY,
    backoff: float = 1.0,
) -> str:
    """Download a file that takes its name only once its checksum is right.

    A connection that breaks is taken up where it broke, also by a later call
    after this one failed or was killed. Of several processes that want the same
    file, one fetches it while the others wait. Proxies are those of the environment.

    Parameters
    ----------
    url : str
        Its address, by http or https.
    path : str
        The file to be; missing folders are made. If it is there with the right
        checksum, nothing is fetched; with another one, it is replaced.
    size : int or None
        In bytes, where it is known.
    digest : str
        ``sha256:`` with the first 8 to 64 hexadecimal digits, or ``sha1:`` with
        40. Empty if it is not known beforehand: then the caller must check what
        came, as nothing else tells whether its pieces match.
    progress : callable, optional
        Called with the bytes that are there, and with how many there will be or None.
    timeout : float, default=30.0
        Seconds without a byte after which a connection counts as broken.
    name : str, optional
        Whose weights they are, for messages.
    otherwise : str, default=OTHER_COPY
        What else can be done, for messages; empty if nothing.
    backoff : float, default=1.0
        Seconds before the second try; before each further one it is twice as long.

    Returns
    -------
    str
        `path`.

    Raises
    ------
    ModelError
        The digest is not of such a form.
    WeightsError
        The file cannot be fetched, or is not the one that was meant. The message
        says why, and where to put the file by hand.
    StorageError
        The file cannot be written.
    """
    _wanted(digest)
    if _is_right(path, digest):
        return path
    report = progress or _ignore
    transfer = Transfer(url, f"{path}.partial", size, report, timeout=timeout, backoff=backoff)
    try:
        with _writing(path):
            os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
            with locked(f"{path}.lock", lambda: _watch(transfer)):
                # another process may have fetched it meanwhile
                if not _is_right(path, digest):
                    _fetch_whole(transfer, digest)
                    _place(transfer.path, path)
    except TransferFailure as failure:
        raise WeightsError(_cannot_fetch(transfer, path, name, failure, otherwise)) from failure
    return path


def check_file(path: str, digest: str = "", *, otherwise: str = OTHER_COPY) -> str:
    """Return the SHA-256 of a file, once its checksum is the one that it should have.

    A file is read once in a process, as long as its size and time stay the same.

    Parameters
    ----------
    path : str
        The file.
    digest : str, optional
        As `fetch_file` takes it. By default the file may be any.
    otherwise : str, default=OTHER_COPY
        As `fetch_file` takes it.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    ModelError
        The digest is not of such a form.
    WeightsError
        The file cannot be read, or its checksum is another.

    Examples
    --------
    >>> import os
    >>> check_file(os.devnull, "sha256:e3b0c442")
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    algorithm, wanted = _wanted(digest)
    try:
        found = _digest_of(path, algorithm)
        if found.startswith(wanted):
            return _digest_of(path, "sha256")
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}.") from error
    raise WeightsError(
        f"{path} is damaged, or not the file that was meant: its {algorithm} is {found}, not "
        f"{_as_told(algorithm, wanted)}. Delete it and fetch it again{otherwise}."
    )


def _wanted(digest: str) -> tuple[str, str]:
    """Return the algorithm and the digits of a digest; an empty one fits every file."""
    if not digest:
        return "sha256", ""
    algorithm, _, digits = digest.lower().partition(":")
    fewest, most = _DIGITS.get(algorithm, (1, 0))
    if not fewest <= len(digits) <= most or not re.fullmatch("[0-9a-f]*", digits):
        raise ModelError(
            f"The digest {digest!r} cannot be checked; give sha256: and the first 8 to 64 "
            "hexadecimal digits, or sha1: and all 40."
        )
    return algorithm, digits


def _as_told(algorithm: str, digits: str) -> str:
    return digits if len(digits) == _DIGITS[algorithm][1] else f"{digits}…"


def _digest_of(path: str, algorithm: str) -> str:
    state = os.stat(path)
    return _read_digest(os.path.realpath(path), algorithm, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _read_digest(path: str, algorithm: str, size: int, mtime_ns: int) -> str:  # noqa: ARG001
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _is_right(path: str, digest: str) -> bool:
    try:
        check_file(path, digest)
    except WeightsError:
        return False
    return True


def _fetch_whole(transfer: Transfer, digest: str) -> None:
    """Fetch all bytes; if they came in pieces that do not match, once more from zero."""
    algorithm, wanted = _wanted(digest)
    for is_last in (False, True):
        transfer.run()
        with open(transfer.path, "rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found.startswith(wanted):
            return
        size = transfer.done
        transfer.discard()
        if is_last or not transfer.is_pieced:
            raise TransferFailure(
                f"the {algorithm} of the {size:,} bytes that came is {found}, not "
                f"{_as_told(algorithm, wanted)}"
            )


def _place(partial: str, path: str) -> None:
    # the folder is not flushed too: at worst, the file goes by its partial name again
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


@contextmanager
def _writing(path: str) -> Iterator[None]:
    """Turn an error of writing into one that names the file."""
    try:
        yield
    except (EmotagError, BrokenPipeError):
        raise
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error


def _watch(transfer: Transfer) -> None:
    """Report how far the process is that holds the lock."""
    if done := transfer.done:
        transfer.progress(done, transfer.size)


def _cannot_fetch(
    transfer: Transfer, path: str, name: str, reason: Exception, otherwise: str
) -> str:
    whose = f"The weights of {name}" if name else "The weights"
    again = " Try again to go on from there." if transfer.done else ""
    return (
        f"{whose} cannot be fetched from {transfer.url}: {reason}.{again} Without a network, put "
        f"that file at {path}{otherwise}."
    )


def _ignore(done: int, total: int | None) -> None:
    pass
