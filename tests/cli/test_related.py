"""The systems that the paper compares itself with, as a person calls them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from emotag.bundle.folder import open_bundle
from tests.cli.labelled import draw_labelled, read_csv, read_json, write_manifest
from tests.cli.program import Outcome

Emotag = Callable[..., Outcome]

pytestmark = pytest.mark.slow


def test_a_model_without_a_network_is_fitted_judged_and_tags(emotag: Emotag, inside: Path) -> None:
    draw_labelled(inside / "data", ["love", "fear"], 12)
    outcome = emotag("fit", "--model", "mpeg7", "-q")
    assert outcome.code == 0, outcome.err
    assert open_bundle("models/mpeg7").config.recipe == "mpeg7"
    Path("data/love/broken.jpg").write_bytes(b"\xff\xd8\xff")
    Image.new("RGB", (10, 10)).save("data/love/icon.png")
    outcome = emotag("tag", "--model", "mpeg7", "data", "-o", "tags.csv")
    assert outcome.code == 3
    assert "mpeg7 has hand-crafted features and no ONNX form: scikit-learn runs it." in outcome.err
    rows = read_csv("tags.csv")
    assert len(rows) == 26
    counts = {status: sum(row["status"] == status for row in rows) for status in ("tagged",)}
    assert counts == {"tagged": 24}
    right = [row["emotion"] == Path(row["path"]).parts[-2] for row in rows if row["emotion"]]
    assert sum(right) > 18
    # two processes write the same
    outcome = emotag("tag", "--model", "mpeg7", "data", "-o", "other.csv", "--processes", "2")
    assert Path("other.csv").read_bytes() == Path("tags.csv").read_bytes()
    outcome = emotag("evaluate", "mpeg7", "data", "-q")
    assert outcome.code == 3, outcome.err
    assert read_json("reports/mpeg7/report.json")


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_an_engine_that_cannot_run_it_is_refused(emotag: Emotag, inside: Path, engine: str) -> None:
    draw_labelled(inside / "data", ["love", "fear"], 8)
    assert emotag("fit", "--model", "lab", "-q").code == 0
    outcome = emotag("tag", "--model", "lab", "data", "--engine", engine)
    assert outcome.code == 1
    assert f"The model lab has no network for --engine {engine}" in outcome.err
    assert "--engine sklearn runs it" in outcome.err
    outcome = emotag("tag", "--model", "lab", "data", "--explain")
    assert outcome.code == 1
    assert "Traceback" not in outcome.err


def test_backbones_and_weights_are_none_of_its_business(emotag: Emotag, inside: Path) -> None:
    draw_labelled(inside / "data", ["love", "fear"], 8)
    outcome = emotag("fit", "--model", "mpeg7", "--backbone", "lite0")
    assert outcome.code == 1
    assert "The model 'mpeg7' stands on no network, so on no backbone" in outcome.err
    outcome = emotag("fit", "--model", "mpeg7", "--weights", "some.pth")
    assert outcome.code == 1
    assert "--weights are a network's, and this model stands on none." in outcome.err


def test_a_fusion_that_could_not_be_saved_is_not_fitted(emotag: Emotag, inside: Path) -> None:
    draw_labelled(inside / "data", ["love", "fear"], 8)
    outcome = emotag("fit", "--model", "fusion", "--backbone", "onnx:net.onnx")
    assert outcome.code == 1
    assert "A fusion on a network of your own cannot be saved" in outcome.err
    outcome = emotag("fit", "--model", "fusion", "--weights", "mine.pth")
    assert outcome.code == 1
    assert "A fusion on weights of your own cannot be tagged with" in outcome.err


def test_what_would_have_no_effect_is_refused(emotag: Emotag, inside: Path) -> None:
    draw_labelled(inside / "data", ["love", "fear"], 8)
    for command in (("fit", "--model", "mpeg7"), ("compare", "--models", "lab,gist")):
        outcome = emotag(*command, "--epochs", "2", "-q")
        assert outcome.code == 1
        assert "--epochs can be set for" in outcome.err
        outcome = emotag(*command, "--device", "foo", "-q")
        assert outcome.code == 1
        assert "device='foo' cannot be used here" in outcome.err


def test_a_place_where_nothing_can_be_saved_is_refused_at_once(
    emotag: Emotag, inside: Path
) -> None:
    draw_labelled(inside / "data", ["love", "fear"], 8)
    for place, message in (("", "has no name"), ("/proc/model", "/proc/model cannot be written")):
        outcome = emotag("fit", "--model", "lab", "-o", place)
        assert outcome.code == 1
        assert message in outcome.err
        assert "photos" not in outcome.out
    outcome = emotag("compare", "--models", "lab", "--out", "/proc/report")
    assert outcome.code == 1
    assert outcome.err.startswith("emotag: /proc/report cannot be written: nothing can be made in")


def test_a_cache_that_cannot_be_used_says_where_another_may_be(
    emotag: Emotag, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_labelled(inside / "data", ["love", "fear"], 8)
    assert emotag("fit", "--model", "lab", "-q").code == 0
    (inside / "file").touch()
    monkeypatch.setenv("EMOTAG_CACHE", str(inside / "file"))
    outcome = emotag("tag", "--model", "lab", "data", "-o", "tags.csv")
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].endswith("; EMOTAG_CACHE names another place.")


def test_a_fusion_of_few_photos_with_copies(emotag: Emotag, inside: Path) -> None:
    for path in draw_labelled(inside / "data", ["love", "fear"], 9):
        path.with_name(f"copy of {path.name}").write_bytes(path.read_bytes())
    assert emotag("fit", "--model", "fusion", "-q").code == 0
    assert emotag("tag", "-m", "fusion", "data", "-o", "tags.csv", "-q").code == 0
    sure = [float(row["confidence"]) for row in read_csv("tags.csv")]
    assert max(sure) < 1
    assert len(set(sure)) > 5


def test_sentiment_is_compared_with_photos_that_have_nothing_else(
    emotag: Emotag, inside: Path
) -> None:
    paths = draw_labelled(inside / "data", ["love", "fear", "sadness"], 12)
    rows = [
        {
            "file": str(path.relative_to(inside / "data")),
            "label": "" if path.parent.name == "sadness" else path.parent.name,
            "sentiment": "negative" if path.parent.name == "sadness" else "",
        }
        for path in paths
    ]
    write_manifest(inside / "data", rows)
    outcome = emotag(
        "compare", "--models", "lab,fc7@lite0", "--target", "sentiment", "--folds", "2", "-q"
    )
    assert outcome.code == 0, outcome.err
    predictions = read_csv("reports/compare/predictions.csv")
    assert len(predictions) == 2 * 36
    assert {row["actual"] for row in predictions} == {"positive", "negative"}
    outcome = emotag("compare", "--models", "lab", "--target", "feeling")
    assert outcome.code == 1
    assert "Unknown target 'feeling'" in outcome.err
