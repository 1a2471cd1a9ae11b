"""The service of the tests, asked by clients that no one here wrote."""

import io
import itertools
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any

import flickrapi
import imagehash
import pytest
import requests
from PIL import Image

from tests.flickr.pictures import SUFFIXES
from tests.flickr.service import (
    HOSTILE_RECORDS,
    HOSTILE_TITLES,
    KEY,
    LICENCES,
    SECRET,
    Fault,
    Faults,
    Flickr,
    PublicPhoto,
    draw_jpeg,
    make_photos,
    passing_faults,
    serve_flickr,
)

EXTRAS = (
    "license,owner_name,date_upload,date_taken,tags,views,media,description,o_dims,geo,"
    "url_sq,url_q,url_t,url_s,url_n,url_w,url_m,url_z,url_c,url_l"
)
PHOTOS = (
    PublicPhoto("11", title="Fear of heights", tags="sky tower", interest=3, uploaded=1000),
    PublicPhoto("12", title="A scary dog", tags="dog scary", interest=5, uploaded=2000, licence=6),
    PublicPhoto("13", title="Dog", text="full of fear", interest=1, uploaded=3000, licence=0),
    PublicPhoto("14", title="Tower", tags="tower newyork", interest=9, uploaded=4000, licence=15),
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    # flickrapi writes whole answers there
    logging.getLogger("flickrapi").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("flickrapi").setLevel(logging.NOTSET)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def flickr() -> Iterator[Flickr]:
    with serve_flickr(PHOTOS, secret=SECRET) as flickr:
        yield flickr


class Unsigned:
    """Leaves requests as they are; flickrapi asks it for the key, to write it to the log."""

    client = SimpleNamespace(client_key=KEY)

    def __call__(self, request: Any) -> Any:
        return request


def connect(
    flickr: Flickr, session: requests.Session, key: str = KEY, secret: str = SECRET
) -> flickrapi.FlickrAPI:
    api = flickrapi.FlickrAPI(key, secret, format="parsed-json", store_token=False, timeout=10)
    api.REST_URL = flickr.api_url
    api.flickr_oauth.session = session
    return api


def call(flickr: Flickr, session: requests.Session, method: str, /, **parameters: Any) -> Any:
    answer = session.post(flickr.api_url, data=form(method, **parameters), timeout=10)
    assert answer.status_code == 200
    return answer.json()


def form(method: str, /, **parameters: Any) -> dict[str, Any]:
    return {
        "method": f"flickr.{method}",
        "api_key": KEY,
        "format": "json",
        "nojsoncallback": 1,
    } | parameters


def search(flickr: Flickr, session: requests.Session, **parameters: Any) -> list[str]:
    found = call(flickr, session, "photos.search", **parameters)
    return [photo["id"] for photo in found["photos"]["photo"]]


def picture(flickr: Flickr, session: requests.Session, photo: str, ending: str = "") -> Any:
    url = f"{flickr.static_url}/65535/{photo}_0a1b2c3d4e{ending}.jpg"
    return session.get(url, allow_redirects=False, timeout=10)


def test_flickrapi_is_understood_signed(flickr: Flickr, session: requests.Session) -> None:
    api = connect(flickr, session)
    found = api.photos.search(text="dog & café = ~100% OR tower", sort="date-posted-asc")
    assert [photo["id"] for photo in found["photos"]["photo"]] == ["11", "14"]
    assert found["stat"] == "ok"
    (asked,) = flickr.asked("photos.search")
    assert asked["signed"]
    assert asked["text"] == "dog & café = ~100% OR tower"
    assert "api_key" not in asked


def test_flickrapi_is_understood_unsigned(flickr: Flickr, session: requests.Session) -> None:
    api = connect(flickr, session)
    api.flickr_oauth.oauth = Unsigned()
    found = api.photos.search(api_key=KEY, text="dog")
    assert {photo["id"] for photo in found["photos"]["photo"]} == {"12", "13"}
    assert not flickr.calls[0]["signed"]
    assert abs(flickr.calls[0]["time"] - time.time()) < 60


@pytest.mark.parametrize(
    ("key", "secret", "code"), [(KEY, "0" * 16, 96), ("f" * 32, SECRET, 100), ("", "", 100)]
)
def test_flickrapi_is_refused(
    flickr: Flickr, session: requests.Session, key: str, secret: str, code: int
) -> None:
    with pytest.raises(flickrapi.FlickrError) as error:
        connect(flickr, session, key, secret).photos.search(text="dog")
    assert error.value.code == code


def test_without_a_secret_no_signature_is_good(session: requests.Session) -> None:
    with serve_flickr(PHOTOS) as flickr:
        with pytest.raises(flickrapi.FlickrError) as error:
            connect(flickr, session, secret="").photos.search(text="dog")
        assert error.value.code == 96
        assert len(search(flickr, session, text="dog")) == 2


def test_a_wrong_signature_may_be_an_oauth_problem(
    flickr: Flickr, session: requests.Session
) -> None:
    flickr.faults.says_oauth_problem = True
    with pytest.raises(flickrapi.FlickrError, match="Status code 401"):
        connect(flickr, session, secret="0" * 16).photos.search(text="dog")


def test_a_nonce_serves_once(flickr: Flickr, session: requests.Session) -> None:
    api = connect(flickr, session)
    request = requests.Request("POST", flickr.api_url, data=form("photos.search", text="dog"))
    request.auth = api.flickr_oauth.oauth
    signed = session.prepare_request(request)
    # even where the first answer does not arrive
    flickr.faults.api.append(Fault("status", first=1, status=503))
    assert session.send(signed, timeout=10).status_code == 503
    again = session.send(signed, timeout=10)
    assert (again.status_code, again.text) == (401, "oauth_problem=nonce_used")
    assert session.send(session.prepare_request(request), timeout=10).json()["stat"] == "ok"


def test_signatures_cover_the_query_of_a_get(flickr: Flickr, session: requests.Session) -> None:
    auth = connect(flickr, session).flickr_oauth.oauth
    parameters = form("photos.search", text="a dog")
    answer = session.get(flickr.api_url, params=parameters, auth=auth, timeout=10)
    assert [photo["id"] for photo in answer.json()["photos"]["photo"]] == ["12"]


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"api_key": "nonsense"}, 100, "Invalid API Key (Key not found)"),
        ({"api_key": "nonsense", "method": "no"}, 100, "Invalid API Key (Key not found)"),
        ({"api_sig": "0" * 32}, 96, "Invalid signature"),
        ({"method": "flickr.no"}, 112, 'Method "flickr.no" not found'),
        ({"format": "yaml"}, 111, 'Format "yaml" not found'),
        ({"method": "flickr.photos.getInfo", "photo_id": "5"}, 1, "Photo not found"),
        ({"method": "flickr.photos.getSizes"}, 1, "Photo not found"),
        (
            {"nonsense": "dog"},
            3,
            "Parameterless searches have been disabled. "
            "Please use flickr.photos.getRecent instead.",
        ),
        ({"tags": ",".join("x" * 21), "tag_mode": "all"}, 1, "Too many tags in ALL query"),
    ],
)
def test_failed_calls(
    flickr: Flickr,
    session: requests.Session,
    parameters: dict[str, str],
    code: int,
    message: str,
) -> None:
    answer = call(flickr, session, "photos.search", **parameters)
    assert answer == {"stat": "fail", "code": code, "message": message}


def test_a_signature_may_be_missing(flickr: Flickr, session: requests.Session) -> None:
    flickr.faults.needs_signature = True
    assert call(flickr, session, "photos.search", text="dog")["code"] == 97
    assert connect(flickr, session).photos.search(text="dog")["stat"] == "ok"


def test_get_post_and_jsonp(flickr: Flickr, session: requests.Session) -> None:
    parameters = form("photos.search", text="dog")
    posted = session.post(flickr.api_url, data=parameters, timeout=10)
    got = session.get(flickr.api_url, params=parameters, timeout=10)
    assert posted.json() == got.json()
    del parameters["nojsoncallback"]
    called = session.get(flickr.api_url, params=parameters, timeout=10)
    assert called.text == f"jsonFlickrApi({got.text})"
    assert session.get(flickr.api_url + "x", timeout=10).status_code == 404
    assert session.put(flickr.api_url, timeout=10).status_code == 501
    assert session.post(flickr.static_url, timeout=10).status_code == 405


def test_licences_are_listed(flickr: Flickr, session: requests.Session) -> None:
    listed = call(flickr, session, "photos.licenses.getInfo")["licenses"]["license"]
    assert sorted(int(licence["id"]) for licence in listed) == list(range(17))
    assert {"id": "15", "name": "CC BY-NC-SA 4.0", "url": LICENCES[-2][2]} in listed


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"text": "dog"}, "12 13"),
        ({"text": "DOG scary"}, "12"),
        ({"text": "dog tower"}, ""),
        ({"text": "fear OR scary"}, "11 12 13"),
        ({"text": "scary dog OR tower"}, "11 12 14"),
        ({"text": "fear or scary"}, ""),
        ({"tags": "tower"}, "11 14"),
        ({"tags": "dog,New York"}, "12 14"),
        ({"tags": "tower,sky", "tag_mode": "all"}, "11"),
        ({"license": "4,15"}, "11 14"),
        ({"license": "5"}, ""),
        ({"text": "dog", "licence": "4"}, "12 13"),
        ({"min_upload_date": 2000}, ""),
        ({"min_upload_date": "1970-01-01 00:33:20"}, "12 13 14"),
        ({"max_upload_date": "1970-01-01 00:50:00"}, "11 12 13"),
        ({"text": "dog", "media": "videos"}, ""),
        ({"text": "dog", "media": "photos"}, "12 13"),
        ({"user_id": "12345678@N00"}, "11 12 13 14"),
        ({"user_id": "1@N00"}, ""),
    ],
)
def test_searches(
    flickr: Flickr, session: requests.Session, parameters: dict[str, Any], expected: str
) -> None:
    assert sorted(search(flickr, session, **parameters)) == expected.split()


def test_searches_by_kind_and_place(flickr: Flickr, session: requests.Session) -> None:
    flickr.archive.add(
        [
            PublicPhoto("21", title="new"),
            PublicPhoto("22", title="new", content_type=1, longitude=2.0, latitude=48.0),
            PublicPhoto("23", title="new", safety=2),
            PublicPhoto("24", title="new", media="video", content_type=3),
            PublicPhoto("25", title="new", taken="2020-02-03 04:05:06"),
        ]
    )

    def found(**parameters: Any) -> list[str]:
        return sorted(search(flickr, session, text="new", **parameters))

    assert found(safe_search=3) == ["21", "22", "24", "25"]
    assert found(content_types="0,1") == ["21", "22", "25"]
    assert found(content_type=2) == ["22"]
    assert found(content_type=7) == ["21", "22", "24", "25"]
    assert found(bbox="0,40,10,50") == ["22"]
    assert found(min_taken_date="2020-02-03 04:05:06") == ["25"]
    assert found(max_taken_date="2020-02-03 04:05:05") == ["21", "22", "24"]
    flickr.archive.remove(["21", "24"])
    assert found() == ["22", "25"]


@pytest.mark.parametrize(("low", "high"), [(2000, 2999), (2000, 3000), (2001, 3000)])
def test_both_ends_of_a_range_are_in_it(session: requests.Session, low: int, high: int) -> None:
    base = 1_500_000_000
    photos = [replace(photo, uploaded=base + photo.uploaded) for photo in PHOTOS]
    with serve_flickr(photos) as flickr:
        numbers = search(flickr, session, min_upload_date=base + low, max_upload_date=base + high)
        dates = [str(datetime.fromtimestamp(base + at, UTC))[:19] for at in (low, high)]
        texts = search(flickr, session, min_upload_date=dates[0], max_upload_date=dates[1])
    assert numbers == texts == ["13"] * (high == 3000) + ["12"] * (low == 2000)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", "14 13 12 11"),
        ("nonsense", "14 13 12 11"),
        ("date-posted-asc", "11 12 13 14"),
        ("date-posted-desc", "14 13 12 11"),
        ("interestingness-desc", "14 12 11 13"),
        ("interestingness-asc", "13 11 12 14"),
    ],
)
def test_orders(flickr: Flickr, session: requests.Session, sort: str, expected: str) -> None:
    found = search(flickr, session, user_id="12345678@N00", sort=sort)
    assert found == expected.split()


def test_what_has_a_word_more_often_is_more_relevant(
    flickr: Flickr, session: requests.Session
) -> None:
    flickr.archive.add([PublicPhoto("31", title="dog dog", tags="dog")])
    assert search(flickr, session, text="dog", sort="relevance")[0] == "31"


def test_pages_fit_together(session: requests.Session) -> None:
    photos = make_photos("love", 1203)
    by_interest = sorted(photos, key=lambda photo: -photo.interest)
    with serve_flickr(photos) as flickr:
        pages = [
            call(
                flickr,
                session,
                "photos.search",
                text="love",
                sort="interestingness-desc",
                per_page=900,
                page=page,
            )["photos"]
            for page in (1, 2, 3)
        ]
        assert len(search(flickr, session, text="love")) == 100
        assert len(search(flickr, session, text="love", bbox="-180,-90,180,90")) == 0
        flickr.archive.add([replace(photo, latitude=1.0, longitude=1.0) for photo in photos])
        assert len(search(flickr, session, text="love", bbox="0,0,2,2", per_page=500)) == 250
    found = [photo["id"] for page in pages for photo in page["photo"]]
    assert found == [photo.id for photo in by_interest]
    assert [[page[name] for name in ("page", "pages", "perpage", "total")] for page in pages] == [
        [number, 3, 500, 1203] for number in (1, 2, 3)
    ]


def test_beyond_the_cap_photos_come_again(session: requests.Session) -> None:
    with serve_flickr(make_photos("love", 95), cap=50) as flickr:
        pages = [
            call(flickr, session, "photos.search", text="love", per_page=20, page=page)["photos"]
            for page in range(1, 6)
        ]
        assert flickr.faults.injected == {"repeated page": 2}
    assert {page["total"] for page in pages} == {95}
    assert {page["pages"] for page in pages} == {5}
    assert [len(page["photo"]) for page in pages] == [20, 20, 10, 10, 10]
    assert pages[2]["photo"] == pages[3]["photo"] == pages[4]["photo"]
    assert len({photo["id"] for page in pages for photo in page["photo"]}) == 50


def test_an_empty_result(flickr: Flickr, session: requests.Session) -> None:
    found = call(flickr, session, "photos.search", text="nothing of the kind")["photos"]
    assert found == {"page": 1, "pages": 0, "perpage": 100, "total": 0, "photo": []}


def test_a_record_is_as_the_service_writes_it(session: requests.Session) -> None:
    photo = PublicPhoto("11", title="A", width=500, height=600, views=7, tags="a b")
    with serve_flickr([photo]) as flickr:
        (bare,) = call(flickr, session, "photos.search", text="A")["photos"]["photo"]
        (full,) = call(flickr, session, "photos.search", text="A", extras=EXTRAS)["photos"]["photo"]
        base = f"{flickr.static_url}/65535/11_0a1b2c3d4e"
    assert bare == {
        "id": "11",
        "owner": "12345678@N00",
        "secret": "0a1b2c3d4e",
        "server": "65535",
        "farm": 66,
        "title": "A",
        "ispublic": 1,
        "isfriend": 0,
        "isfamily": 0,
    }
    assert (full["license"], full["ownername"], full["views"]) == ("4", "Someone", "7")
    assert (full["dateupload"], full["datetaken"]) == ("1262304000", "2010-01-01 00:00:00")
    urls = {name: value for name, value in full.items() if name.startswith("url_")}
    endings = {"sq": "_s", "q": "_q", "t": "_t", "s": "_m", "n": "_n", "w": "_w", "m": ""}
    assert urls == {f"url_{letter}": f"{base}{end}.jpg" for letter, end in endings.items()}
    assert (full["width_m"], full["height_m"]) == (417, 500)


def test_pictures_have_the_sizes_that_are_said(flickr: Flickr, session: requests.Session) -> None:
    sizes = call(flickr, session, "photos.getSizes", photo_id="11")["sizes"]["size"]
    assert len(sizes) == len(SUFFIXES)
    for size in sizes:
        answer = session.get(size["source"], timeout=10)
        with Image.open(io.BytesIO(answer.content)) as image:
            assert (image.format, image.size) == ("JPEG", (size["width"], size["height"]))
    assert len(flickr.static_requests) == len(sizes)


def test_one_photo_is_described(flickr: Flickr, session: requests.Session) -> None:
    photo = call(flickr, session, "photos.getInfo", photo_id="12")["photo"]
    assert photo["title"] == {"_content": "A scary dog"}
    assert (photo["license"], photo["owner"]["nsid"]) == ("6", "12345678@N00")
    flickr.faults.deleted.add("12")
    assert call(flickr, session, "photos.getInfo", photo_id="12")["code"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "/65535/11_ffffffffff.jpg",
        "/1/11_0a1b2c3d4e.jpg",
        "/65535/99_0a1b2c3d4e.jpg",
        "/65535/12_0a1b2c3d4e.jpg",
        "/65535/13_0a1b2c3d4e_b.jpg",
        "/65535/11_0a1b2c3d4e_x.jpg",
        "/%2e%2e/%2e%2e/etc/passwd",
    ],
)
def test_what_is_not_there_is_sent_to_the_unavailable_picture(
    flickr: Flickr, session: requests.Session, path: str
) -> None:
    flickr.faults.deleted.add("12")
    flickr.archive.add([PublicPhoto("13", width=1000, height=1000)])
    answer = session.get(flickr.static_url + path, allow_redirects=False, timeout=10)
    location = f"{flickr.static_url}/pw/images/en-us/photo_unavailable.png"
    assert (answer.status_code, answer.headers["Location"]) == (302, location)
    followed = session.get(flickr.static_url + path, timeout=10)
    assert followed.status_code == 200
    with Image.open(io.BytesIO(followed.content)) as image:
        assert image.format == "PNG"


def test_a_status_may_say_how_long_to_wait(flickr: Flickr, session: requests.Session) -> None:
    flickr.faults.static = [
        Fault("status", first=1, status=429),
        Fault("status", first=2, status=429, retry_after=3),
        Fault("status", first=3, status=503, retry_after=3, as_date=True),
    ]
    waits = []
    for _ in range(3):
        answer = picture(flickr, session, "11")
        waits.append((answer.status_code, answer.headers.get("Retry-After")))
    assert waits[:2] == [(429, None), (429, "3")]
    seconds = parsedate_to_datetime(waits[2][1]).timestamp() - time.time()
    assert 2 < seconds <= 5
    assert picture(flickr, session, "11").status_code == 200
    assert flickr.faults.injected == {
        "static 429": 1,
        "static 429 seconds": 1,
        "static 503 date": 1,
    }


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_connections_break(flickr: Flickr, session: requests.Session, kind: Any) -> None:
    flickr.faults.static.append(Fault(kind, first=1))
    flickr.faults.api.append(Fault(kind, first=1))
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        picture(flickr, session, "11")
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        search(flickr, session, text="dog")
    assert picture(flickr, session, "11").status_code == 200
    assert search(flickr, session, text="dog") == ["13", "12"]
    assert flickr.faults.injected == {f"api {kind}": 1, f"static {kind}": 1}


def test_a_cut_body_says_its_whole_length(flickr: Flickr, session: requests.Session) -> None:
    whole = picture(flickr, session, "11").content
    flickr.faults.static.append(Fault("cut"))
    url = f"{flickr.static_url}/65535/11_0a1b2c3d4e.jpg"
    with session.get(url, stream=True, timeout=10) as answer:
        assert answer.headers["Content-Length"] == str(len(whole))
        assert answer.raw.read(len(whole) // 2) == whole[: len(whole) // 2]


def test_slow_bodies_arrive_whole(flickr: Flickr, session: requests.Session) -> None:
    whole = picture(flickr, session, "11").content
    flickr.faults.static.append(Fault("slow", seconds=0.3))
    begin = time.monotonic()
    assert picture(flickr, session, "11").content == whole
    assert time.monotonic() - begin >= 0.29


def test_a_flood_does_not_end(flickr: Flickr, session: requests.Session) -> None:
    flickr.faults.static.append(Fault("flood"))
    url = f"{flickr.static_url}/65535/11_0a1b2c3d4e.jpg"
    with session.get(url, stream=True, timeout=10) as answer:
        assert int(answer.headers["Content-Length"]) == 1 << 30
        assert len(answer.raw.read(5_000_000)) == 5_000_000


@pytest.mark.parametrize(
    ("kind", "size"),
    [("truncated", (500, 333)), ("resized", (60, 45)), ("empty", None), ("invalid", None)],
)
def test_pictures_are_wrong(
    flickr: Flickr, session: requests.Session, kind: Any, size: tuple[int, int] | None
) -> None:
    flickr.faults.static.append(Fault(kind))
    answer = picture(flickr, session, "11")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert len(answer.content) == int(answer.headers["Content-Length"])
    if size is None:
        with pytest.raises(OSError, match="cannot identify"):
            Image.open(io.BytesIO(answer.content))
        return
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == size
        if kind == "truncated":
            with pytest.raises(OSError, match="truncated"):
                image.load()


def test_a_picture_says_that_it_is_huge(flickr: Flickr, session: requests.Session) -> None:
    flickr.faults.static.append(Fault("huge"))
    content = picture(flickr, session, "11").content
    assert len(content) < 10_000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(content))


@pytest.mark.parametrize("place", ["api", "static"])
def test_a_page_comes_instead(flickr: Flickr, session: requests.Session, place: str) -> None:
    getattr(flickr.faults, place).append(Fault("html"))
    data = form("photos.search", text="dog")
    page = (
        session.post(flickr.api_url, data=data, timeout=10)
        if place == "api"
        else picture(flickr, session, "11")
    )
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("kind", ["invalid", "empty", "html", "truncated"])
def test_an_answer_is_no_json(flickr: Flickr, session: requests.Session, kind: Any) -> None:
    flickr.faults.api.append(Fault(kind))
    with pytest.raises(json.JSONDecodeError):
        connect(flickr, session).photos.search(text="dog")


@pytest.mark.parametrize("code", [10, 105, 106, 201])
def test_calls_fail_for_a_while(flickr: Flickr, session: requests.Session, code: int) -> None:
    flickr.faults.api.append(Fault("error", first=1, code=code))
    api = connect(flickr, session)
    with pytest.raises(flickrapi.FlickrError) as error:
        api.photos.search(text="dog")
    assert error.value.code == code
    assert api.photos.search(text="dog")["stat"] == "ok"
    assert flickr.faults.injected == {f"api error {code}": 1}


def test_redirects(flickr: Flickr, session: requests.Session) -> None:
    def location(kind: Any) -> str:
        flickr.faults.static = [Fault(kind)]
        answer = picture(flickr, session, "11")
        assert answer.status_code == 302
        return str(answer.headers["Location"])

    port = flickr.static_url.rpartition(":")[2]
    assert location("unavailable") == (f"{flickr.static_url}/pw/images/en-us/photo_unavailable.png")
    assert location("file") == "file:///etc/passwd"
    assert location("loop") == f"{flickr.static_url}/65535/11_0a1b2c3d4e.jpg"
    assert location("elsewhere") == f"http://localhost:{port}/elsewhere.jpg"
    # who goes there gets a picture, and it is seen
    flickr.faults.static.clear()
    with Image.open(io.BytesIO(session.get(location("elsewhere"), timeout=10).content)) as image:
        assert image.format == "JPEG"
    assert flickr.static_requests[-1] == "/elsewhere.jpg"


def test_faults_choose_their_requests(flickr: Flickr, session: requests.Session) -> None:
    def statuses(fault: Fault, photos: str) -> list[int]:
        flickr.faults.static = [fault]
        return [picture(flickr, session, photo).status_code for photo in photos.split()]

    assert statuses(Fault("status", every=3), "11 11 11 11 11 11") == [200, 200, 500] * 2
    assert statuses(Fault("status", every=3, turn=1), "11 11 11 11") == [500, 200, 200, 500]
    assert statuses(Fault("status", first=2), "11 11 11") == [500, 500, 200]
    assert statuses(Fault("status", ids={"12"}), "11 12 12") == [200, 500, 500]
    assert statuses(Fault("status", at_most=1), "11 12 11 12") == [500, 500, 200, 200]
    assert statuses(Fault("status", ids={"12"}, first=1), "11 12 12") == [200, 500, 200]
    assert flickr.faults.injected == {"static 500": 11}
    flickr.faults = Faults(api=[Fault("error", method="flickr.photos.getInfo", code=105)])
    assert call(flickr, session, "photos.search", text="dog")["stat"] == "ok"
    assert call(flickr, session, "photos.getInfo", photo_id="11")["code"] == 105


def test_records_may_have_another_licence(flickr: Flickr, session: requests.Session) -> None:
    parameters = {"user_id": "12345678@N00", "license": "4", "extras": "license"}
    flickr.faults.ignored.add("license")
    assert len(search(flickr, session, **parameters)) == 4
    flickr.faults.ignored.clear()
    flickr.faults.licences = {"11": 0}
    (photo,) = call(flickr, session, "photos.search", **parameters)["photos"]["photo"]
    assert (photo["id"], photo["license"]) == ("11", "0")
    assert flickr.faults.injected == {"licence": 1}


def test_records_come_twice(session: requests.Session) -> None:
    with serve_flickr(make_photos("love", 30)) as flickr:
        once = search(flickr, session, text="love", per_page=30)
        flickr.faults.duplicates = 4
        twice = search(flickr, session, text="love", per_page=10)
        flickr.faults = Faults(overlap=3)
        pages = [
            search(flickr, session, text="love", per_page=10, page=page) for page in range(1, 5)
        ]
        found = call(flickr, session, "photos.search", text="love", per_page=10)["photos"]
    assert [photo for photo, _ in itertools.groupby(twice)] == once[:10]
    assert len(twice) == 12
    assert all(left[-3:] == right[:3] for left, right in itertools.pairwise(pages))
    assert pages[0][:7] + pages[1][:7] + pages[2][:7] + pages[3] == once
    assert (found["pages"], found["total"]) == (4, 30)


def test_totals_are_unreliable(session: requests.Session) -> None:
    with serve_flickr(make_photos("love", 30), faults=Faults(total_factors=(0.5, 2))) as flickr:
        pages = [
            call(flickr, session, "photos.search", text="love", per_page=10, page=page)["photos"]
            for page in (1, 2, 3)
        ]
    assert [(page["total"], page["pages"]) for page in pages] == [(60, 6), (15, 2), (60, 6)]
    assert len({photo["id"] for page in pages for photo in page["photo"]}) == 30


def test_hostile_records_come_beside(session: requests.Session) -> None:
    photos = [
        replace(photo, title=title)
        for photo, title in zip(make_photos("love", 60), HOSTILE_TITLES * 4, strict=False)
    ]
    with serve_flickr(photos, faults=Faults(hostile=2, numbers_as_strings=True)) as flickr:
        answer = call(flickr, session, "photos.search", tags="love", extras="license")["photos"]
        records = answer["photo"]
    assert (answer["total"], answer["perpage"]) == ("60", "100")
    ids = [photo.id for photo in photos]
    hostile = [record for record in records if record.get("id") not in ids]
    assert len(records) == 90
    assert len(hostile) == flickr.faults.injected["hostile"] == 30 > len(HOSTILE_RECORDS)
    titles = {record["title"] for record in records}
    assert titles == set(HOSTILE_TITLES)
    assert any("id" not in record for record in hostile)
    assert any(record.get("id") == "../../../../tmp/evil" for record in hostile)


def test_who_asks_again_gets_everything(session: requests.Session) -> None:
    photos = make_photos("love", 150)
    faults = passing_faults(every=3)
    with serve_flickr(photos, faults=faults) as flickr:

        def ask(ask_once: Any) -> Any:
            for _ in range(30):
                try:
                    answer = ask_once()
                    answer.raise_for_status()
                    content = answer.content
                    if content.startswith(b"{"):
                        found = answer.json()
                        assert found["stat"] == "ok"
                        return found
                    with Image.open(io.BytesIO(content)) as image:
                        image.load()
                        assert max(image.size) == 500
                        return image.size
                except (requests.RequestException, OSError, AssertionError, ValueError):
                    continue
            raise AssertionError

        sizes = []
        for page in range(1, 16):
            data = form("photos.search", text="love", extras="url_m", per_page=10, page=page)
            found = ask(lambda data=data: session.post(flickr.api_url, data=data, timeout=10))
            sizes += [
                ask(lambda photo=photo: session.get(photo["url_m"], timeout=10))
                for photo in found["photos"]["photo"]
            ]
    assert len(sizes) == 150
    assert {name for name in faults.injected if name.startswith("static")} == {
        f"static {fault.name}" for fault in faults.static
    }


def test_requests_are_noted(flickr: Flickr, session: requests.Session) -> None:
    session.headers["User-Agent"] = "someone"
    search(flickr, session, text="dog")
    picture(flickr, session, "11")
    assert flickr.agents == {"someone"}
    assert flickr.static_requests == ["/65535/11_0a1b2c3d4e.jpg"]
    assert flickr.most_at_once == {"api": 1, "static": 1}
    flickr.forget_requests()
    assert not flickr.calls
    assert not flickr.static_requests


def test_answers_may_take_their_time(session: requests.Session) -> None:
    with serve_flickr(PHOTOS, latency=0.2) as flickr:
        begin = time.monotonic()
        search(flickr, session, text="dog")
        assert time.monotonic() - begin >= 0.19


def test_photos_look_different() -> None:
    hashes = []
    for seed in range(300):
        with Image.open(io.BytesIO(draw_jpeg(seed, 320, 240))) as image:
            hashes.append(imagehash.phash(image))
    distances = [left - right for left, right in itertools.combinations(hashes, 2)]
    assert min(distances) > 6
    photos = [*make_photos("love", 2), PublicPhoto("1", picture=5), PublicPhoto("2", picture=5)]
    pictures = [photo.jpeg("") for photo in photos]
    assert pictures[2] == pictures[3]
    assert len(set(pictures)) == 3


def test_photos_of_a_label_are_the_same_each_time() -> None:
    photos = make_photos("love", 500, uploaded=(5, 5), owners=3, licences=(4, 0))
    assert photos == make_photos("love", 500, uploaded=(5, 5), owners=3, licences=(4, 0))
    assert len({photo.id for photo in photos}) == 500
    assert {photo.uploaded for photo in photos} == {5}
    assert len({photo.owner for photo in photos}) == 3
    assert {photo.licence for photo in photos} == {4, 0}
    others = make_photos("fear", 500) + make_photos("love", 500, seed=1)
    assert not {photo.id for photo in photos} & {photo.id for photo in others}
