"""The service, a client of it, and a ledger, for tests of the collection."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from emotag.flickr.client import FlickrClient
from emotag.flickr.keys import Credentials
from emotag.flickr.ledger import FetchLedger, open_fetch_ledger
from emotag.flickr.transport import Patience
from tests.flickr.service import KEY, Flickr

QUICK = Patience(base_seconds=0.01, most_seconds=0.05, read_seconds=2.0, try_seconds=2.0)
"""Waits that a test can wait for."""

Connect = Callable[[Flickr], FlickrClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return what makes a client of a service."""
    with ExitStack() as stack:

        def client_of(flickr: Flickr) -> FlickrClient:
            credentials = Credentials(KEY, flickr.secret or "")
            client = FlickrClient(
                credentials,
                api_url=flickr.api_url,
                patience=QUICK,
                generator=random.Random(0),
            )
            return stack.enter_context(closing(client))

        yield client_of


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[FetchLedger]:
    """A ledger in a folder of its own."""
    (tmp_path / "data").mkdir()
    with open_fetch_ledger(str(tmp_path / "data")) as opened:
        yield opened
