"""The key that Flickr gives a person: found, checked, and stored for that person alone."""

import os
import re
import shlex
import stat
import tomllib
from contextlib import suppress
from dataclasses import dataclass

from emotag.errors import FetchError, StorageError
from emotag.storage import replace_file

__all__ = ["Credentials", "credentials_path", "find_credentials", "store_credentials"]

_WORD = re.compile(r"[0-9A-Za-z_.~-]{1,128}", re.ASCII)
_KEY_DIGITS = 32
_SECRET_DIGITS = 16
_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700
_MOST_BYTES = 65536
_KEY_VARIABLE = "FLICKR_API_KEY"
_SECRET_VARIABLE = "FLICKR_API_SECRET"  # noqa: S105 - a name
_HOW = (
    "Get one at https://www.flickr.com/services/apps/create/ (it costs nothing for what is not "
    "commercial), then type: emotag fetch --setup"
)


@dataclass(frozen=True, repr=False)
class Credentials:
    """A key of the Flickr API, and its secret. Neither is shown.

    Parameters
    ----------
    key : str
        Flickr's have 32 hexadecimal digits; space around them is dropped.
    secret : str, optional
        Flickr's have 16 hexadecimal digits. Without it, requests are not signed.

    Raises
    ------
    FetchError
        They can be none, or are exchanged; the message does not repeat them.

    Examples
    --------
    >>> Credentials("0123456789abcdef0123456789abcdef", "0123456789abcdef")
    Credentials(key=…, secret=…)
    """

    key: str
    secret: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.key.strip())
        object.__setattr__(self, "secret", self.secret.strip())
        if _is_hexadecimal(self.key, _SECRET_DIGITS) and _is_hexadecimal(self.secret, _KEY_DIGITS):
            raise FetchError(
                f"The key has {_SECRET_DIGITS} digits, as a secret has; are the two exchanged?"
            )
        # whether they are good is for the service to say
        if not _WORD.fullmatch(self.key):
            raise FetchError(_malformed("key", self.key, _KEY_DIGITS))
        if self.secret and not _WORD.fullmatch(self.secret):
            raise FetchError(_malformed("secret", self.secret, _SECRET_DIGITS))

    def __repr__(self) -> str:
        return f"Credentials(key=…, secret={'…' if self.secret else repr('')})"

    def hide(self, text: str) -> str:
        """Return a text without the key and the secret, should they be in it.

        Examples
        --------
        >>> Credentials("0123456789abcdef" * 2).hide("0123456789ABCDEF0123456789ABCDEF is unknown")
        '… is unknown'
        """
        for word in filter(None, (self.key, self.secret)):
            text = re.sub(re.escape(word), "…", text, flags=re.IGNORECASE)
        return text


def credentials_path() -> str:
    """Return the file of the stored key, in ``EMOTAG_CONFIG`` or the platform's own folder."""
    folder = os.environ.get("EMOTAG_CONFIG")
    if not folder:
        # imported here: most commands never need it
        from platformdirs import user_config_dir

        folder = user_config_dir("emotag", appauthor=False)
    return os.path.join(folder, "flickr.toml")


def find_credentials() -> Credentials:
    """Return the key: that of the environment, or else the stored one.

    ``FLICKR_API_KEY`` and ``FLICKR_API_SECRET`` count together: a secret that is stored is not
    taken for a key of the environment.

    Raises
    ------
    FetchError
        There is none, it is malformed, or others may read the file.
    """
    key, secret = os.environ.get(_KEY_VARIABLE, ""), os.environ.get(_SECRET_VARIABLE, "")
    if key.strip():
        return _check(key, secret, f"in {_KEY_VARIABLE} and {_SECRET_VARIABLE}")
    if secret.strip():
        raise FetchError(f"{_SECRET_VARIABLE} is set, but not {_KEY_VARIABLE}; set both, or none.")
    path = credentials_path()
    stored = _read(path)
    if not stored:
        raise FetchError(f"Flickr answers only those who have a key. {_HOW}")
    return _check(stored.get("key"), stored.get("secret", ""), f"in {path}")


def store_credentials(credentials: Credentials) -> str:
    """Store a key for this user alone, in place of an earlier one, and return the path.

    Raises
    ------
    StorageError
        It cannot be written.
    """
    path = credentials_path()
    content = f'key = "{credentials.key}"\nsecret = "{credentials.secret}"\n'
    try:
        os.makedirs(os.path.dirname(path), mode=_PRIVATE_FOLDER, exist_ok=True)
        is_new = _make_private(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from error
    try:
        # it takes the permissions of what it replaces
        with replace_file(path) as file:
            file.write(content.encode())
    except BaseException:
        if is_new:
            with suppress(OSError):
                os.remove(path)
        raise
    return path


def _make_private(path: str) -> bool:
    """Let nobody else read a file, which is made if it is not there; return whether it was."""
    is_new = not os.path.exists(path)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, _PRIVATE_FILE))
    os.chmod(path, _PRIVATE_FILE)
    return is_new


def _read(path: str) -> dict[str, object]:
    """Return what is stored; nothing, if the file is not there or empty."""
    try:
        with open(path, "rb") as file:
            _refuse_open(path, os.fstat(file.fileno()).st_mode)
            return tomllib.loads(file.read(_MOST_BYTES).decode())
    except FileNotFoundError:
        return {}
    except FetchError:
        raise
    except OSError as error:
        raise FetchError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError:
        # without its cause, which may hold a part of the file
        raise FetchError(
            f"{path} is damaged; type your key again with: emotag fetch --setup"
        ) from None


def _refuse_open(path: str, mode: int) -> None:
    # Windows has no such permissions; its folder of settings is the user's own
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise FetchError(
            f"{path} is open to others, so your Flickr key in it is not used. Type: "
            f"chmod 600 {shlex.quote(path)}"
        )


def _check(key: object, secret: object, where: str) -> Credentials:
    try:
        return Credentials(*(word if isinstance(word, str) else "" for word in (key, secret)))
    except FetchError as error:
        raise FetchError(f"What is {where} is no key of Flickr. {error}") from None


def _is_hexadecimal(text: str, digits: int) -> bool:
    return re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", text) is not None


def _malformed(what: str, text: str, digits: int) -> str:
    has = "others among them" if text else "none"
    return (
        f"A {what} has {digits} hexadecimal digits (0-9, a-f); this one has {has}. "
        "https://www.flickr.com/services/apps/ shows yours."
    )
