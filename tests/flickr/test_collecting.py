"""The whole collection under faults and stops: the same set, whatever happens on the way."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from emotag.errors import FetchError
from emotag.flickr.collecting import Collector, Outcome
from emotag.flickr.downloading import Downloader
from emotag.flickr.ledger import open_fetch_ledger
from emotag.flickr.request import FetchRequest, parse_day
from emotag.flickr.selecting import Selection
from emotag.flickr.session import make_session, user_agent
from tests.flickr.conftest import QUICK, Connect
from tests.flickr.service import Fault, Faults, Flickr, make_photos, passing_faults, serve_flickr

LABELS = ("love", "fear", "sad")
REQUEST = FetchRequest(
    queries={"love": "love", "fear": "fear", "sadness": "sad"},
    licences=tuple(range(1, 17)),
    counts=dict.fromkeys(("love", "fear", "sadness"), 30),
    until=parse_day("2025-01-01"),
)
PHOTOS = [photo for label in LABELS for photo in make_photos(label, 60)]


class Stopping:
    """A watcher that ends the process, so to speak, after some pictures."""

    def __init__(self, after: int = 10**9) -> None:
        self.left = after
        self.states: Counter[str] = Counter()

    def searched(self, label: str, found: int) -> None:
        """Hear that photos were found."""

    def planned(self, label: str, wanted: int, have: int) -> None:
        """Hear how many there shall be."""

    def came(self, outcome: Outcome) -> None:
        """Stop in the middle."""
        self.states[outcome.state] += 1
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


Collect = Callable[..., Selection]


@pytest.fixture
def collecting(connect: Connect) -> Iterator[Collect]:
    """Return what collects from a service into a folder."""
    with ExitStack() as stack:

        def collect(
            flickr: Flickr,
            folder: Path,
            request: FetchRequest = REQUEST,
            watcher: Stopping | None = None,
            **options: object,
        ) -> Selection:
            session = make_session(user_agent(), patience=QUICK, generator=random.Random(0))
            stack.enter_context(closing(session))
            folder.mkdir(exist_ok=True)
            downloader = Downloader(session, flickr.static_url, str(folder))
            with open_fetch_ledger(str(folder)) as ledger:
                ledger.keep_request(request)
                return Collector(
                    str(folder),
                    request,
                    ledger,
                    connect(flickr),
                    downloader,
                    watcher or Stopping(),
                    **options,  # type: ignore[arg-type]
                ).collect()

        yield collect


def content(folder: Path) -> dict[str, str]:
    """Return the pictures in a folder with their checksums."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.jpg"))
    }


def test_every_label_gets_its_photos(collecting: Collect, tmp_path: Path) -> None:
    with serve_flickr(PHOTOS) as flickr:
        selection = collecting(flickr, tmp_path / "data")
        assert len(flickr.static_requests) == 90
    assert {label: len(photos) for label, photos in selection.chosen.items()} == {
        "love": 30,
        "fear": 30,
        "sadness": 30,
    }
    # the most interesting ones
    love = sorted((p for p in PHOTOS if "love" in p.title), key=lambda photo: -photo.interest)
    assert selection.chosen["love"] == [photo.id for photo in love[:30]]
    assert len(content(tmp_path / "data")) == 90


def test_a_second_time_nothing_is_asked(collecting: Collect, tmp_path: Path) -> None:
    with serve_flickr(PHOTOS) as flickr:
        first = collecting(flickr, tmp_path / "data")
        flickr.forget_requests()
        assert collecting(flickr, tmp_path / "data") == first
        assert not flickr.calls
        assert not flickr.static_requests


@pytest.mark.parametrize("seed", range(3))
def test_stopped_anywhere_under_faults_it_ends_with_the_same_set(
    collecting: Collect, tmp_path: Path, seed: int
) -> None:
    order = random.Random(seed)
    deleted = {photo.id for photo in order.sample(PHOTOS, 40)}
    with serve_flickr(PHOTOS, faults=Faults(deleted=deleted)) as flickr:
        straight = collecting(flickr, tmp_path / "straight")
    faults = replace(passing_faults(), deleted=deleted)
    with serve_flickr(PHOTOS, faults=faults) as flickr:
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                collecting(flickr, tmp_path / "stopped", watcher=Stopping(order.randint(0, 20)))
        stopped = collecting(flickr, tmp_path / "stopped")
        assert flickr.faults.injected.total() > len(deleted)
    assert stopped.chosen == straight.chosen
    assert content(tmp_path / "stopped") == content(tmp_path / "straight")
    assert not any(photo in deleted for photos in straight.chosen.values() for photo in photos)


def test_a_label_that_runs_out(collecting: Collect, tmp_path: Path) -> None:
    photos = [*make_photos("love", 60), *make_photos("fear", 7)]
    with serve_flickr(photos) as flickr:
        chosen = collecting(flickr, tmp_path / "data").chosen
    assert [len(chosen[label]) for label in ("love", "fear", "sadness")] == [30, 7, 0]


def test_an_owners_share(collecting: Collect, tmp_path: Path) -> None:
    photos = make_photos("love", 60, owners=4)
    request = replace(REQUEST, queries={"love": "love"}, counts={"love": 30}, per_owner=5)
    owners = {photo.id: photo.owner for photo in photos}
    with serve_flickr(photos) as flickr:
        chosen = collecting(flickr, tmp_path / "data", request).chosen["love"]
    assert set(Counter(owners[photo] for photo in chosen).values()) == {5}
    assert len(chosen) == 20


def test_a_photo_under_two_labels_is_dropped_also_if_that_is_found_out_later(
    collecting: Collect, tmp_path: Path
) -> None:
    photos = make_photos("love", 40)
    both = [replace(photo, text="fear", tags=f"{photo.tags} fear") for photo in photos[:10]]
    with serve_flickr([*both, *photos[10:], *make_photos("fear", 40)]) as flickr:
        only = replace(REQUEST, queries={"love": "love"}, counts={"love": 30})
        collecting(flickr, tmp_path / "data", only)
        before = set(content(tmp_path / "data"))
        collecting(
            flickr,
            tmp_path / "data",
            replace(
                REQUEST,
                queries={"love": "love", "fear": "fear"},
                counts={"love": 30, "fear": 30},
            ),
        )
        after = set(content(tmp_path / "data"))
    names = {f"love/{photo.id}.jpg" for photo in both}
    assert before & names
    assert not after & names
    assert len([name for name in after if name.startswith("love/")]) == 30


def test_a_picture_that_is_lost_or_changed_comes_back(collecting: Collect, tmp_path: Path) -> None:
    with serve_flickr(PHOTOS) as flickr:
        chosen = collecting(flickr, tmp_path / "data").chosen["love"]
        before = content(tmp_path / "data")
        (tmp_path / "data" / "love" / f"{chosen[0]}.jpg").unlink()
        (tmp_path / "data" / "love" / f"{chosen[1]}.jpg").write_bytes(b"cut")
        flickr.forget_requests()
        collecting(flickr, tmp_path / "data")
        assert len(flickr.static_requests) == 2
    assert content(tmp_path / "data") == before


def test_failures_are_tried_again_the_next_time(collecting: Collect, tmp_path: Path) -> None:
    best = max((p for p in PHOTOS if "love" in p.title), key=lambda photo: photo.interest)
    faults = Faults(static=[Fault("html", ids={best.id})])
    with serve_flickr(PHOTOS, faults=faults) as flickr:
        watcher = Stopping()
        first = collecting(flickr, tmp_path / "data", watcher=watcher).chosen["love"]
        assert watcher.states["failed"] == 1
        assert best.id not in first
        assert len(first) == 30
        flickr.faults = Faults()
        second = collecting(flickr, tmp_path / "data").chosen["love"]
    assert second[0] == best.id
    assert second[1:] == first[:-1]
    assert len(list((tmp_path / "data" / "love").iterdir())) == 30


def test_a_server_that_gives_nothing_ends_it_soon(collecting: Collect, tmp_path: Path) -> None:
    with serve_flickr(PHOTOS, faults=Faults(static=[Fault("html")])) as flickr:
        with pytest.raises(FetchError, match="16 pictures in a row could not be fetched, the last"):
            collecting(flickr, tmp_path / "data")
        assert len(flickr.asked("photos.search")) == 3
        flickr.faults = Faults()
        assert sum(map(len, collecting(flickr, tmp_path / "data").chosen.values())) == 90


def test_what_a_kill_left_goes(collecting: Collect, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "love"
    folder.mkdir(parents=True)
    worst = min((p for p in PHOTOS if "love" in p.title), key=lambda photo: photo.interest)
    # half written, and written but not noted; the last is no one's but the user's
    (folder / f".5.jpg.{16 * '0'}.partial").touch()
    (folder / f"{worst.id}.jpg").touch()
    (folder / "mine.jpg").touch()
    with serve_flickr(PHOTOS) as flickr:
        chosen = collecting(flickr, tmp_path / "data").chosen["love"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(f"{photo}.jpg" for photo in chosen), "mine.jpg"]
    )


def test_only_a_few_at_a_time(collecting: Collect, tmp_path: Path) -> None:
    with serve_flickr(PHOTOS, latency=0.02) as flickr:
        collecting(flickr, tmp_path / "data", threads=3)
        assert flickr.most_at_once["static"] == 3
