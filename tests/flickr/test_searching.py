"""Photos found page by page, from a service that repeats itself and counts badly."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from emotag.flickr.client import FlickrClient, SearchPage
from emotag.flickr.ledger import FetchLedger, open_fetch_ledger
from emotag.flickr.request import FetchRequest, parse_day
from emotag.flickr.searching import DUPLICATE, MALFORMED, OTHER_LICENCE, search_label
from tests.flickr.conftest import Connect
from tests.flickr.service import Faults, make_photos, serve_flickr

REQUEST = FetchRequest(
    queries={"love": "love"},
    licences=tuple(range(1, 17)),
    counts={"love": 10},
    until=parse_day("2025-01-01"),
)


def find(
    searcher: object, ledger: FetchLedger, wanted: int, request: FetchRequest = REQUEST
) -> list[str]:
    """Return the ids of the photos that a search comes up with, in their order."""
    if ledger.request() is None:
        ledger.keep_request(request)
    ledger.want("love", wanted)
    search_label(searcher, ledger, request, "love")  # type: ignore[arg-type]
    return [photo.id for photo in ledger.candidates("love")]


class Small:
    """A client that asks for small pages, so that few photos fill many."""

    def __init__(self, client: FlickrClient, per_page: int, stop_after: int = 10**9) -> None:
        self.client = client
        self.per_page = per_page
        self.left = stop_after

    def search(self, parameters: Mapping[str, str | int], page: int) -> SearchPage:
        """Ask, until it is told to stop."""
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return self.client.search({**parameters, "per_page": self.per_page}, page)


class SmallRequest(FetchRequest):
    """A request whose pages are as small."""

    @property
    def per_page(self) -> int:
        return 20


SMALL = SmallRequest(**{name: getattr(REQUEST, name) for name in REQUEST.to_dict()})


def test_the_most_interesting_first(connect: Connect, ledger: FetchLedger) -> None:
    photos = make_photos("love", 700)
    with serve_flickr(photos) as flickr:
        found = find(connect(flickr), ledger, 600)
        assert len(flickr.asked("photos.search")) == 2
    assert found == [p.id for p in sorted(photos, key=lambda photo: -photo.interest)]


def test_one_page_is_enough_for_few(connect: Connect, ledger: FetchLedger) -> None:
    with serve_flickr(make_photos("love", 1200)) as flickr:
        assert len(find(connect(flickr), ledger, 100)) == 500
        assert len(flickr.asked("photos.search")) == 1


@pytest.mark.parametrize("cap", [100, 150])
def test_more_than_the_service_gives_of_a_query(
    connect: Connect, ledger: FetchLedger, cap: int
) -> None:
    photos = make_photos("love", 1000)
    with serve_flickr(photos, cap=cap) as flickr:
        found = find(Small(connect(flickr), 20), ledger, 10**6, SMALL)
        calls = len(flickr.asked("photos.search"))
    assert sorted(found) == sorted(photo.id for photo in photos)
    assert len(set(found)) == len(found)
    assert ledger.is_exhausted("love")
    assert calls < 250


def test_pages_that_hold_more_than_the_service_gives_of_a_query(
    connect: Connect, ledger: FetchLedger
) -> None:
    photos = make_photos("love", 1500)
    with serve_flickr(photos, cap=400) as flickr:
        assert len(find(connect(flickr), ledger, 10**6)) == 1500


def test_slices_are_drawn_from_evenly(connect: Connect, ledger: FetchLedger) -> None:
    with serve_flickr(make_photos("love", 1000), cap=100) as flickr:
        find(Small(connect(flickr), 20), ledger, 300, SMALL)
    places = [ledger.place("love", photo.id) for photo in ledger.candidates("love")]
    # first what the whole gave, then the two halves in turn, rank by rank
    assert {part for part, _ in places[:100]} == {1}
    later = places[100:]
    assert {part for part, _ in later} > {2, 3}
    by_level = [rank for _, rank in later]
    assert by_level[:20] == sorted(by_level[:20])


@pytest.mark.parametrize("factors", [(1.7,), (0.2,), (3.0, 0.0, 0.5)])
def test_totals_are_not_relied_on(
    connect: Connect, ledger: FetchLedger, factors: tuple[float, ...]
) -> None:
    photos = make_photos("love", 300)
    with serve_flickr(photos, faults=Faults(total_factors=factors)) as flickr:
        assert len(find(Small(connect(flickr), 20), ledger, 10**6, SMALL)) == 300
        # 15 pages, and little more to make sure that there are no others
        assert len(flickr.asked("photos.search")) < 80


def test_a_licence_that_was_not_asked_for_is_left_out(
    connect: Connect, ledger: FetchLedger
) -> None:
    photos = make_photos("love", 100, licences=(4, 0, 1))
    request = replace(REQUEST, licences=(4,))
    with serve_flickr(photos, faults=Faults(ignored={"license"})) as flickr:
        found = find(connect(flickr), ledger, 10**6, request)
    assert sorted(found) == sorted(photo.id for photo in photos if photo.licence == 4)
    assert ledger.passed("love")[OTHER_LICENCE] == 66


def test_hostile_records_and_doubled_ones_are_counted(
    connect: Connect, ledger: FetchLedger
) -> None:
    photos = make_photos("love", 100)
    faults = Faults(hostile=4, duplicates=10, overlap=3, numbers_as_strings=True)
    with serve_flickr(photos, faults=faults) as flickr:
        found = find(Small(connect(flickr), 20), ledger, 10**6, SMALL)
        injected = flickr.faults.injected
    assert sorted(found) == sorted(photo.id for photo in photos)
    assert all(photo.isdecimal() for photo in found)
    assert ledger.passed("love")[MALFORMED] > 0
    assert ledger.passed("love")[DUPLICATE] > 0
    assert injected


def test_what_is_left_out_is_counted_once(connect: Connect, ledger: FetchLedger) -> None:
    photos = make_photos("love", 300, licences=(4, 4, 0))
    faults = Faults(ignored={"license"}, hostile=10)
    request = SmallRequest(**{**vars(SMALL), "licences": (4,)})
    with serve_flickr(photos, cap=60, faults=faults) as flickr:
        assert len(find(Small(connect(flickr), 20), ledger, 10**6, request)) == 200
    assert ledger.passed("love")[OTHER_LICENCE] == 100
    assert 0 < ledger.passed("love")[MALFORMED] <= faults.injected["hostile"]


def test_forgotten_photos_are_not_found(connect: Connect, ledger: FetchLedger) -> None:
    photos = make_photos("love", 30)
    with serve_flickr(photos) as flickr:
        ledger.keep_request(REQUEST)
        ledger.want("love", 100)
        search_label(connect(flickr), ledger, REQUEST, "love", forgotten={photos[3].id})
    assert len(ledger.candidates("love")) == 29
    assert photos[3].id not in {photo.id for photo in ledger.candidates("love")}


@pytest.mark.parametrize("stops", [1, 7, 20])
def test_a_search_that_is_stopped_asks_nothing_twice(
    connect: Connect, tmp_path: Path, stops: int
) -> None:
    photos = make_photos("love", 600)
    ways = []
    for name, after in (("straight", 10**9), ("stopped", stops)):
        folder = tmp_path / name
        folder.mkdir()
        with serve_flickr(photos, cap=100) as flickr:
            client, found = connect(flickr), None
            while found is None:
                try:
                    with open_fetch_ledger(str(folder)) as ledger:
                        found = find(Small(client, 20, after), ledger, 400, SMALL)
                except KeyboardInterrupt:
                    continue
            asked = [
                (call["min_upload_date"], call["max_upload_date"], call["page"])
                for call in flickr.asked("photos.search")
            ]
            assert len(set(asked)) == len(asked)
            ways.append((found, asked))
    assert ways[0] == ways[1]


def test_nothing_at_all(connect: Connect, ledger: FetchLedger) -> None:
    with serve_flickr([]) as flickr:
        assert find(connect(flickr), ledger, 10) == []
    assert ledger.is_exhausted("love")
