import os

import numpy as np
import pytest
import torch

from emotag.features.cache import FeatureCache, checkpoint_folder
from emotag.features.pixels import PixelCache
from emotag.models.finetuning.checkpoint import CheckpointFile


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fill(folder, count=3):
    with FeatureCache() as cache:
        cache.put({bytes([index]): np.ones(1280, dtype=np.float32) for index in range(count)})
    with PixelCache() as pixels:
        pixels.put({bytes([index]): np.zeros((32, 40, 3), dtype=np.uint8) for index in range(2)})
    os.makedirs(folder / "networks", exist_ok=True)
    (folder / "networks" / "lite0.onnx").write_bytes(b"x" * 2**20)
    kept = CheckpointFile(checkpoint_folder("0123"), "f" * 64)
    kept.write({"seed": 0, "network": torch.zeros(2**17)})


def test_shows_where_it_is_and_how_full(emotag, folder, monkeypatch):
    fill(folder)
    monkeypatch.setenv("EMOTAG_CACHE_LIMIT", "64")
    monkeypatch.setenv("EMOTAG_PIXEL_LIMIT", "96")
    outcome = emotag("cache")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == f"folder    {folder}"
    assert lines[1].startswith("features  3 photos, ")
    assert lines[2].startswith("pixels    2 photos, ")
    assert lines[3:] == [
        "networks  1.0 MiB",
        "tagged    0.0 MiB of notes what need not be tagged again",
        "cut off   0.5 MiB of fits that can go on",
        "limit     64 MiB of features, 96 of pixels",
    ]


def test_an_empty_cache(emotag, folder):
    outcome = emotag("cache")
    assert outcome.code == 0
    assert "features  0 photos" in outcome.out


def test_clear_empties_it(emotag, folder):
    fill(folder)
    outcome = emotag("cache", "clear")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"The cache in {folder} is empty.\n"
    shown = emotag("cache").out
    assert "features  0 photos" in shown
    assert "pixels    0 photos" in shown
    assert "networks  0.0 MiB" in shown
    assert "cut off   0.0 MiB" in shown


def test_a_damaged_cache_is_named_and_can_be_cleared(emotag, folder):
    fill(folder)
    (folder / "features.sqlite").write_bytes(b"no data base at all" * 1000)
    for suffix in ("-wal", "-shm"):
        (folder / f"features.sqlite{suffix}").unlink(missing_ok=True)
    outcome = emotag("cache")
    assert outcome.code == 1
    assert outcome.err.startswith(f"emotag: {folder}/features.sqlite cannot be used:")
    assert len(outcome.err.splitlines()) == 1
    assert emotag("cache", "clear").code == 0
    assert "features  0 photos" in emotag("cache").out


@pytest.mark.parametrize("variable", ["EMOTAG_CACHE_LIMIT", "EMOTAG_PIXEL_LIMIT"])
def test_a_limit_that_is_no_number_is_named(emotag, folder, monkeypatch, variable):
    monkeypatch.setenv(variable, "much")
    outcome = emotag("cache")
    assert outcome.code == 1
    assert outcome.err == f"emotag: {variable}='much' is not a whole number of MiB.\n"


def test_a_folder_that_is_not_utf8_is_shown(emotag, tmp_path, monkeypatch):
    monkeypatch.setenv("EMOTAG_CACHE", os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    outcome = emotag("cache")
    assert outcome.code == 0
    assert outcome.out.startswith(f"folder    {tmp_path}/caf%E9\n")
    assert emotag("cache", "clear").out == f"The cache in {tmp_path}/caf%E9 is empty.\n"


@pytest.mark.parametrize("command", [("cache",), ("cache", "clear")])
def test_a_file_is_no_cache(emotag, tmp_path, monkeypatch, command):
    (tmp_path / "file").write_text("something of one's own")
    monkeypatch.setenv("EMOTAG_CACHE", str(tmp_path / "file"))
    outcome = emotag(*command)
    assert outcome.code == 1
    assert outcome.err.startswith(f"emotag: {tmp_path}/file")
    assert (tmp_path / "file").read_text() == "something of one's own"
