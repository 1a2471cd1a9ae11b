"""The signature of a request as RFC 5849 (OAuth 1.0) describes it, checked from the other side."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote

__all__ = ["read_authorization", "sign"]

_PAIR = re.compile(r'(\w+)="([^"]*)"')


def read_authorization(header: str) -> dict[str, str] | None:
    """Return the parameters of an OAuth header, or None if it is another header (section 3.5.1)."""
    scheme, _, pairs = header.partition(" ")
    if scheme.lower() != "oauth":
        return None
    return {name: unquote(value) for name, value in _PAIR.findall(pairs)}


def sign(
    method: str, url: str, parameters: Iterable[tuple[str, str]], oauth: dict[str, str], secret: str
) -> str:
    """Return the HMAC-SHA1 signature that a request should carry (sections 3.4.1 and 3.4.2).

    Parameters
    ----------
    method, url : str
        Of the request; the URL without its query.
    parameters : iterable of pairs of str
        Those of the query and of the form.
    oauth : dict
        Those of the header.
    secret : str
        The key's; there is no token, so its secret is empty.
    """
    header = [pair for pair in oauth.items() if pair[0] not in ("realm", "oauth_signature")]
    pairs = sorted((_encode(name), _encode(value)) for name, value in [*parameters, *header])
    normalised = "&".join(f"{name}={value}" for name, value in pairs)
    base = "&".join(_encode(part) for part in (method.upper(), url, normalised))
    digest = hmac.new(f"{_encode(secret)}&".encode(), base.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _encode(text: str) -> str:
    # section 3.6: all but these, and in capitals
    return quote(text, safe="-._~")
