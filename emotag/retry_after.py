"""How long a server asks to be left alone."""

import time
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["seconds_asked"]


def seconds_asked(text: str | None, date: str | None) -> float | None:
    """Return what a Retry-After asks for: seconds, or until a date (RFC 9110, 10.2.3).

    Examples
    --------
    >>> seconds_asked("120", None)
    120.0
    >>> seconds_asked("Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT")
    30.0
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = _unix_time(text)
    if until is None:
        return None
    # by the server's clock where it tells it, since ours may be wrong
    now = _unix_time(date) if date else None
    return max(0.0, until - (time.time() if now is None else now))


def _unix_time(text: str) -> float | None:
    try:
        then = parsedate_to_datetime(text)
        # a date without a zone is in UTC
        return then.replace(tzinfo=then.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None
