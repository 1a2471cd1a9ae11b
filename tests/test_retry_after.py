"""What a Retry-After asks for, by a number or a date, and what it does not."""

import time
from email.utils import formatdate

import pytest

from emotag.retry_after import seconds_asked

NOON = "Wed, 21 Oct 2015 12:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("120", None, 120.0),
        (" 0 ", None, 0.0),
        ("Wed, 21 Oct 2015 12:01:00 GMT", NOON, 60.0),
        ("Wednesday, 21-Oct-15 12:01:00 GMT", NOON, 60.0),
        ("Wed, 21 Oct 2015 11:00:00 GMT", NOON, 0.0),
        ("9" * 400, None, float("inf")),
    ],
)
def test_seconds_and_dates(text: str, date: str | None, seconds: float) -> None:
    assert seconds_asked(text, date) == seconds


@pytest.mark.parametrize("text", [None, "", "soon", "-5", "1.5", "٣", "Wed, 99 Oct 2015"])
def test_what_says_nothing(text: str | None) -> None:
    assert seconds_asked(text, NOON) is None


def test_without_the_servers_clock_ours_counts() -> None:
    until = formatdate(time.time() + 60, usegmt=True)
    for date in (None, "", "noon"):
        assert seconds_asked(until, date) == pytest.approx(60.0, abs=2.0)
