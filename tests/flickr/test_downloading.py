"""Pictures from a static server that does all it can to send something else."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from PIL import Image

from emotag.errors import FetchError, StorageError
from emotag.flickr.downloading import Address, Downloader, Unavailable, addresses, parse_address
from emotag.flickr.records import Record
from emotag.flickr.session import make_session, user_agent
from tests.flickr.conftest import QUICK
from tests.flickr.service import Fault, Faults, Flickr, PublicPhoto, make_photos, serve_flickr

Fetch = Callable[[Flickr], Downloader]


@pytest.fixture
def fetching(tmp_path: Path) -> Iterator[Fetch]:
    """Return what makes a downloader for a service."""
    with ExitStack() as stack:

        def downloader_of(flickr: Flickr) -> Downloader:
            session = make_session(user_agent(), patience=QUICK, generator=random.Random(0))
            stack.enter_context(closing(session))
            return Downloader(session, flickr.static_url, str(tmp_path))

        yield downloader_of


def places(photo: PublicPhoto, size: int = 500, *, told: bool = True) -> list[Address]:
    """Return where a photo is to be had, with or without the service's word on its sizes."""
    longest = max(photo.width, photo.height)
    sides = [side for side in (100, 240, 320, 400, 500, 640, 800, 1024) if side <= longest]
    sizes = tuple((side, side) for side in sides) if told else ()
    return addresses(
        Record(photo.id, photo.server, photo.secret, photo.owner, 4, sizes=sizes), size
    )


@pytest.fixture
def photo() -> PublicPhoto:
    """A photo whose original is large."""
    return make_photos("love", 1, shapes=((1600, 1200),))[0]


@pytest.mark.parametrize(
    ("size", "width"), [(500, 500), (501, 640), (100, 100), (640, 640), (2000, 1024)]
)
def test_the_smallest_size_that_covers(
    photo: PublicPhoto, fetching: Fetch, tmp_path: Path, size: int, width: int
) -> None:
    with serve_flickr([photo]) as flickr:
        fetched = fetching(flickr)(places(photo, size), "love/1.jpg")
    with Image.open(tmp_path / "love" / "1.jpg") as image:
        assert image.size == (fetched.width, fetched.height) == (width, width * 3 // 4)
    assert fetched.size == os.path.getsize(tmp_path / "love" / "1.jpg")
    assert os.listdir(tmp_path / "love") == ["1.jpg"]


def test_the_next_smaller_one_where_that_is_not_there(fetching: Fetch, tmp_path: Path) -> None:
    photo = make_photos("love", 1, shapes=((450, 300),))[0]
    with serve_flickr([photo]) as flickr:
        fetched = fetching(flickr)(places(photo, told=False), "love/1.jpg")
        assert fetched.width == 400
        assert len(flickr.static_requests) == 2


def test_a_photo_that_is_gone(photo: PublicPhoto, fetching: Fetch, tmp_path: Path) -> None:
    with serve_flickr([photo], faults=Faults(deleted={photo.id})) as flickr:
        with pytest.raises(Unavailable):
            fetching(flickr)(places(photo), "love/1.jpg")
        # the picture in its place was not asked for
        assert not any("unavailable" in path for path in flickr.static_requests)
    assert not (tmp_path / "love").exists()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("elsewhere", "the server sends on to 'http://localhost:"),
        ("file", "the server sends on to 'file:///etc/passwd', where it is not followed"),
        ("loop", "the server sends from one address to the next"),
        ("html", "what came is no sound picture: it is no JPEG"),
        ("empty", "what came is no sound picture: it is empty"),
        ("truncated", "what came is no sound picture: damaged"),
        ("resized", "what came is no sound picture: it is 60 pixels long and not 500"),
        ("huge", "what came is no sound picture: 60000 x 60000 pixels are more than the limit"),
        ("flood", "gave no answer"),
        ("cut", "gave no answer"),
        ("reset", "gave no answer"),
    ],
)
def test_what_is_no_picture_is_never_kept(
    photo: PublicPhoto, fetching: Fetch, tmp_path: Path, kind: str, reason: str
) -> None:
    fault = Fault(kind)  # type: ignore[arg-type]
    with (
        serve_flickr([photo], faults=Faults(static=[fault])) as flickr,
        pytest.raises(FetchError) as caught,
    ):
        fetching(flickr)(places(photo), "love/1.jpg")
    assert reason in str(caught.value)
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize("kind", ["html", "empty", "truncated", "cut", "reset", "status"])
def test_what_goes_wrong_once_is_tried_again(
    photo: PublicPhoto, fetching: Fetch, kind: str
) -> None:
    fault = Fault(kind, first=1)  # type: ignore[arg-type]
    with serve_flickr([photo], faults=Faults(static=[fault])) as flickr:
        assert fetching(flickr)(places(photo), "love/1.jpg").width == 500
        assert len(flickr.static_requests) == 2


def test_a_folder_that_cannot_be_written(
    photo: PublicPhoto, fetching: Fetch, tmp_path: Path
) -> None:
    (tmp_path / "love").write_text("a file is in its place")
    with (
        serve_flickr([photo]) as flickr,
        pytest.raises(StorageError, match=r"love cannot be made: File exists"),
    ):
        fetching(flickr)(places(photo), "love/1.jpg")


@pytest.mark.parametrize(
    "url",
    [
        "file:///65535/5_a1b2c3_z.jpg/../../etc/passwd",
        "https://live.staticflickr.com/65535/../5_a1b2c3.jpg",
        "https://live.staticflickr.com/65535/5_a1b2c3.php",
        "https://live.staticflickr.com/65535/5_a1b2c3_z.jpg.exe",
        "http://[::1/65535/5_a1b2c3.jpg",
        "",
    ],
)
def test_addresses_of_no_picture(url: str) -> None:
    assert parse_address(url) is None


def test_an_address_is_taken_without_its_server() -> None:
    assert parse_address("http://127.0.0.1:9/65535/5_a1b2c3.jpg") == "/65535/5_a1b2c3.jpg"
