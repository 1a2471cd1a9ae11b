"""What may be asked for, and what the service is asked then."""

from dataclasses import replace
from pathlib import Path

import pytest

from emotag.errors import DataError
from emotag.flickr.request import FetchRequest, choose_queries, parse_day, read_queries

REQUEST = FetchRequest(
    queries={"fear": "fear OR scary"},
    licences=(4, 5),
    counts={"fear": 10},
    until=parse_day("2024-01-01"),
)


def test_the_papers_five() -> None:
    assert choose_queries([]) == {
        "love": "love",
        "happiness": "happiness",
        "violence": "violence",
        "fear": "fear",
        "sadness": "sad",
    }


def test_queries_of_a_file_and_of_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "queries.toml"
    path.write_text('fear = "fear OR scary"\nawe = "awe"\n', encoding="utf-8")
    read = read_queries(str(path))
    assert choose_queries([], ["awe=awe, wonder"], read) == {
        "fear": "fear OR scary",
        "awe": "awe, wonder",
    }
    path.write_text('[queries]\nfear = "scary"\n', encoding="utf-8")
    assert read_queries(str(path)) == {"fear": "scary"}


@pytest.mark.parametrize(
    ("labels", "mapped", "message"),
    [
        (["love", "love"], [], "The label 'love' was given twice."),
        (["love", "Love"], [], "Two labels differ in capitals only"),
        (["../x"], [], "can be no label: it becomes a folder"),
        (["a/b"], [], "can be no label"),
        ([".."], [], "can be no label"),
        (["a."], [], "can be no label"),
        (["=a"], [], "can be no label"),
        (["README.md"], [], "a file of that name stands beside the folders"),
        ([""], [], "can be no label"),
        (["love"], ["fear=scary"], "Unknown label of a query 'fear'; choose from love."),
        (["love"], ["love"], "--query takes LABEL=QUERY"),
        (["love"], ["love="], "--query takes LABEL=QUERY"),
    ],
)
def test_labels_and_queries_that_are_refused(
    labels: list[str], mapped: list[str], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        choose_queries(labels, mapped)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("fear = scary", "is no TOML"),
        ("", "holds no queries; a line is: fear ="),
        ("fear = 3", "the query of 'fear' is no text"),
        ('fear = ""', "the query of 'fear' is no text"),
    ],
)
def test_files_of_queries_that_are_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "queries.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_queries(str(path))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_of_queries_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file or directory"):
        read_queries(str(tmp_path / "none.toml"))


def test_what_the_service_is_asked() -> None:
    asked = REQUEST.parameters("fear", 5, 9)
    assert asked["text"] == "fear OR scary"
    assert asked["license"] == "4,5"
    assert asked["sort"] == "interestingness-desc"
    assert (asked["min_upload_date"], asked["max_upload_date"]) == (5, 9)
    assert (asked["media"], asked["content_types"], asked["safe_search"]) == ("photos", "0", 1)
    assert asked["per_page"] == 500


def test_tags_place_and_dates() -> None:
    request = replace(
        REQUEST,
        by_tags=True,
        bbox="-10,40,5,50",
        taken_since="2020-01-01",
        taken_until="2020-12-31",
        safe_search="restricted",
    )
    asked = request.parameters("fear", 5, 9)
    assert (asked["tags"], asked["tag_mode"]) == ("fear OR scary", "any")
    assert "text" not in asked
    # where a place is asked for, the service gives half as many a page
    assert (asked["bbox"], asked["per_page"]) == ("-10,40,5,50", 250)
    assert asked["min_taken_date"] == "2020-01-01"
    assert asked["max_taken_date"] == "2020-12-31 23:59:59"
    assert asked["safe_search"] == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": 501}, "There is no size 501; choose from 100, 240, 320, 400, 500, 640"),
        ({"overlap": "dorp"}, "Unknown overlap 'dorp'; choose from drop, first, keep."),
        ({"safe_search": "on"}, "Unknown safe search 'on'"),
        ({"since": 2 * REQUEST.until}, "The first day of upload is after the last one."),
        ({"bbox": "1,2,3"}, "--bbox takes WEST,SOUTH,EAST,NORTH"),
        ({"bbox": "5,40,-10,50"}, "--bbox takes WEST,SOUTH,EAST,NORTH"),
        ({"taken_since": "2020"}, "'2020' is no day; write it as 2024-12-31."),
        ({"taken_until": "2020-02-30"}, "'2020-02-30' is no day"),
    ],
)
def test_requests_that_are_refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(DataError) as caught:
        replace(REQUEST, **changed)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_it_goes_through_json() -> None:
    assert FetchRequest.from_dict(REQUEST.to_dict()) == REQUEST


def test_in_what_two_requests_differ() -> None:
    other = replace(REQUEST, counts={"fear": 99}, until=REQUEST.until + 5)
    assert not REQUEST.differences(other)
    assert REQUEST.differences(replace(other, per_owner=1, by_tags=True)) == [
        "by tags",
        "per owner",
    ]
