import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotag.emotions import EKMAN6, FIVE, MIKELS8, LabelSet
from emotag.tagging.rows import Row, column_names, path_text, to_record

TAGGED = Row(
    path="photos/a.jpg",
    status="tagged",
    emotion="fear",
    confidence=0.123456,
    sentiment="negative",
    p_positive=0.25,
    probabilities=(0.1, 0.15, 0.2, 0.123456, 0.426544),
    model="m",
)

# As a file system gives names: any bytes but NUL and the slash.
names = st.binary(min_size=1, max_size=40).map(
    lambda raw: os.fsdecode(raw.replace(b"\0", b"0").replace(b"/", b"_"))
)


def test_columns_are_those_of_the_documentation():
    assert column_names(FIVE) == [
        "path",
        "status",
        "reason",
        "emotion",
        "confidence",
        "sentiment",
        "p_positive",
        "p_love",
        "p_happiness",
        "p_violence",
        "p_fear",
        "p_sadness",
        "model",
    ]


def test_record_of_a_tagged_photo_rounds_to_four_decimals():
    assert to_record(TAGGED, FIVE) == {
        "path": "photos/a.jpg",
        "status": "tagged",
        "reason": None,
        "emotion": "fear",
        "confidence": 0.1235,
        "sentiment": "negative",
        "p_positive": 0.25,
        "p_love": 0.1,
        "p_happiness": 0.15,
        "p_violence": 0.2,
        "p_fear": 0.1235,
        "p_sadness": 0.4265,
        "model": "m",
    }


def test_record_of_a_refused_photo_has_its_reason_and_no_numbers():
    record = to_record(Row("a.jpg", "failed", reason="empty file", model="m"), FIVE)
    said = {name: value for name, value in record.items() if value is not None}
    assert said == {"path": "a.jpg", "status": "failed", "reason": "empty file", "model": "m"}
    assert list(record) == column_names(FIVE)


@pytest.mark.parametrize("labels", [FIVE, MIKELS8, EKMAN6])
def test_record_has_the_columns_in_order(labels):
    row = Row("a", "tagged", probabilities=(1 / len(labels),) * len(labels))
    assert list(to_record(row, labels)) == column_names(labels)


def test_a_label_called_positive_has_one_column_only():
    labels = LabelSet(["negative", "positive"])
    assert column_names(labels)[-4:] == ["sentiment", "p_positive", "p_negative", "model"]
    record = to_record(Row("a", "tagged", probabilities=(0.2, 0.8)), labels)
    assert list(record) == column_names(labels)
    assert (record["p_negative"], record["p_positive"]) == (0.2, 0.8)


def test_a_label_called_positive_gives_way_to_the_sentiment():
    labels = LabelSet(["sunny", "positive", "rainy"], ["sunny", "positive"], ["rainy"])
    row = Row("a", "tagged", p_positive=0.9, probabilities=(0.5, 0.4, 0.1))
    assert to_record(row, labels)["p_positive"] == 0.9


@given(names)
def test_any_file_name_becomes_valid_text(name):
    text = path_text(name)
    text.encode("utf-8")
    try:
        os.fsencode(name).decode("utf-8")
    except UnicodeDecodeError:
        assert "%" in text
    else:
        assert text == name


def test_an_ending_that_is_not_utf8_may_stand_in_a_reason():
    row = Row("a", "tagged", reason="JPEG under the ending .j\udcff", probabilities=(0.2,) * 5)
    assert to_record(row, FIVE)["reason"] == "JPEG under the ending .j%FF"
