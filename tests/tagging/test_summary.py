from hypothesis import given
from hypothesis import strategies as st

from emotag.tagging.rows import Row
from emotag.tagging.summary import Summary


def tagged(path, confidence, emotion="fear", sentiment="negative"):
    return Row(path, "tagged", emotion=emotion, confidence=confidence, sentiment=sentiment)


def test_counts_what_became_of_photos():
    summary = Summary()
    for row in (
        tagged("a", 0.5),
        tagged("b", 0.6, "love", "positive"),
        tagged("c", 0.7, "love", "positive"),
        Row("d", "skipped", reason="too small"),
        Row("e", "failed", reason="empty file"),
    ):
        summary.add(row)
    assert summary.total == 5
    assert dict(summary.statuses) == {"tagged": 3, "skipped": 1, "failed": 1}
    assert summary.emotions.most_common() == [("love", 2), ("fear", 1)]
    assert summary.sentiments.most_common() == [("positive", 2), ("negative", 1)]
    assert [row.path for row in summary.refusals] == ["d", "e"]


def test_labels_without_sentiment_give_no_sentiments():
    summary = Summary()
    summary.add(tagged("a", 0.5, "sun", ""))
    assert not summary.sentiments


@given(st.lists(st.floats(0, 1), max_size=30))
def test_the_surest_and_the_least_sure_are_those_of_all(confidences):
    summary = Summary()
    for index, confidence in enumerate(confidences):
        summary.add(tagged(str(index), confidence))
    ordered = sorted(confidences)
    assert [row.confidence for row in summary.least_sure] == ordered[:3]
    assert [row.confidence for row in summary.surest] == ordered[::-1][:3]


def test_memory_does_not_grow_with_the_refusals():
    summary = Summary()
    for index in range(1500):
        summary.add(Row(f"{index}.jpg", "failed", reason="empty file"))
    assert summary.statuses["failed"] == 1500
    assert len(summary.refusals) == 1000
    assert summary.refusals[0].path == "0.jpg"
