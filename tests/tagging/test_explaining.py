"""Why: what is seen in a photo and stands for its emotion."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from emotag import tag_photos
from emotag.bundle.finding import default_bundle
from emotag.bundle.folder import open_bundle
from emotag.errors import BundleError
from emotag.features.ratings import Ratings
from emotag.photos.decoding import decode_photo
from emotag.tagging.explaining import Explainer, open_explainer
from tests.cli.program import run_here, terminal
from tests.conftest import draw_photo
from tests.tagging.small_bundle import save_small_bundle

RATINGS = Ratings(
    names=("shark", "spider", "sofa", "gown"),
    labels=("fear", "love"),
    values=np.array([[1.0, 0.0], [0.5, 0.0], [0.1, 0.1], [0.0, 1.0]]),
)


@pytest.mark.parametrize(
    ("emotion", "seen", "because"),
    [
        ("fear", [0.3, 0.5, 0.1, 0.1], "shark 0.30; spider 0.50"),
        ("fear", [0.2, 0.5, 0.2, 0.1], "spider 0.50; shark 0.20"),
        ("fear", [0.04, 0.04, 0.9, 0.02], ""),
        ("love", [0.3, 0.3, 0.3, 0.1], "gown 0.10"),
        ("awe", [0.3, 0.3, 0.3, 0.1], ""),
    ],
)
def test_what_is_named(emotion: str, seen: list[float], because: str) -> None:
    assert Explainer(RATINGS).explain(emotion, np.array(seen)) == because


def test_what_is_seen_is_what_the_network_says(sample_photos: list[str]) -> None:
    row = tag_photos(sample_photos[0], explain=True)[0]
    bundle = open_bundle(default_bundle())
    session = onnxruntime.InferenceSession(bundle.read("model.onnx"))
    pixels = decode_photo(sample_photos[0], bundle.config.preprocess).pixels
    planes = pixels.transpose(2, 0, 1)[np.newaxis].astype(np.float32)
    (seen,) = session.run(["seen"], {"pixels": planes})
    names = open_explainer(bundle).ratings.names
    assert row.because is not None
    name, _, probability = row.because.partition(";")[0].rpartition(" ")
    assert float(probability) == pytest.approx(float(seen[0, names.index(name)]), abs=0.006)
    assert tag_photos(sample_photos[0])[0].because is None


def test_the_column_in_every_output(
    sample_photos: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.jpg").write_text("no photo")
    typed = [*sample_photos, "text.jpg"]
    for name in ("tags.csv", "tags.jsonl", "tags.parquet"):
        assert run_here("tag", *typed, "--explain", "-q", "-o", name) == 3
    with open("tags.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    because = [row["because"] for row in rows]
    assert because[0]
    assert because[-1] == ""
    lines = [json.loads(line) for line in Path("tags.jsonl").read_text().splitlines()]
    assert [line["because"] or "" for line in lines] == because
    assert pd.read_parquet("tags.parquet")["because"].fillna("").tolist() == because


def test_for_a_person(sample_photos: list[str]) -> None:
    with terminal() as screen:
        assert run_here("tag", sample_photos[0], "--explain") == 0
    assert "because " in " ".join(screen.text.split())


def test_a_model_that_does_not_stand_on_concepts(tmp_path: Path) -> None:
    folder = save_small_bundle(tmp_path / "small")
    draw_photo(tmp_path / "photo.jpg", 0)
    with pytest.raises(BundleError) as caught:
        tag_photos(tmp_path / "photo.jpg", folder, explain=True)
    assert str(caught.value) == (
        "The model small does not say what it sees; --explain needs one that stands on concepts, "
        "as the one that ships with emotag does."
    )


def test_a_damaged_table(tmp_path: Path) -> None:
    import hashlib

    folder = Path(shutil.copytree(default_bundle(), tmp_path / "copy"))
    (folder / "concepts.csv").write_text("index,name\n")
    config = json.loads((folder / "config.json").read_text())
    digest = hashlib.sha256((folder / "concepts.csv").read_bytes()).hexdigest()
    config["files"]["concepts.csv"] = {"sha256": digest}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match=r"concepts\.csv has no columns index, name and one"):
        open_explainer(open_bundle(str(folder)))
