import csv
import json
from pathlib import Path

import pytest
from pyarrow import parquet

from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle
from emotag.tagging.rows import column_names
from tests.cli.program import run_here, terminal


def test_tags_real_photos_and_says_where_the_tags_are(emotag, inside):
    outcome = emotag("demo")
    assert outcome.code == 0
    assert outcome.err.startswith("$ emotag tag ")
    assert "2 photos in " in outcome.err
    assert f"The tags are in {inside}/emotag-demo.csv." in outcome.err
    assert outcome.err.endswith("Now your own: emotag tag ./photos\n")
    with open("emotag-demo.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = open_bundle(default_bundle()).config.label_set
    assert list(rows[0]) == column_names(labels)
    assert [Path(row["path"]).name for row in rows] == ["china.jpg", "flower.jpg"]
    assert [row["status"] for row in rows] == ["tagged", "tagged"]
    assert outcome.out.strip() == Path("emotag-demo.csv").read_text().strip()


def test_other_kinds_of_files(emotag, inside):
    outcome = emotag("demo", "-o", "tags.jsonl")
    assert outcome.code == 0
    assert [json.loads(line)["status"] for line in outcome.out.split("\n") if line] == [
        "tagged",
        "tagged",
    ]
    outcome = emotag("demo", "-o", "tags.parquet")
    assert (outcome.code, outcome.out) == (0, "")
    assert parquet.read_table("tags.parquet").num_rows == 2


def test_stdout_gets_the_tags_once(emotag, inside):
    outcome = emotag("demo", "-o", "-")
    assert outcome.code == 0
    assert outcome.out.count(",tagged,") == 2
    assert "The tags are in" not in outcome.err
    assert list(inside.iterdir()) == []


@pytest.mark.parametrize("target", ["tags.xls", "nowhere/tags.csv"])
def test_a_target_that_cannot_be_is_refused(emotag, inside, target):
    outcome = emotag("demo", "-o", target)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.splitlines()[-1].startswith(f"emotag: {target}")


def test_on_a_terminal(inside):
    with terminal() as screen:
        assert run_here("demo") == 0
    assert "2 photos in " in screen.text
    assert screen.text.count(",tagged,") == 2
