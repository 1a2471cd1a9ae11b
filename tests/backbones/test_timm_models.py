"""``timm:NAME``: weights through the Hub's own client and cache, from a server on loopback."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

from emotag import CNNFeatures
from emotag.backbones.registry import find_backbone, fresh_backbone, load_backbone
from emotag.errors import ModelError, WeightsError
from tests.hub import serve_hub

# timm's own small network for tests
MODEL = "test_resnet.r160_in1k"
NAME = f"timm:{MODEL}"


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model(MODEL, pretrained=False).eval()


@pytest.fixture(scope="module")
def weights(network: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("timm") / "model.safetensors"
    safetensors.torch.save_file(network.state_dict(), path)
    return path


def run_emotag(hub: str, cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "HF_ENDPOINT": hub,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    command = [sys.executable, "-m", "emotag.cli.main", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_what_it_is() -> None:
    backbone = find_backbone(NAME)
    assert backbone.weights.licence == "apache-2.0"
    assert backbone.weights.source == f"Hugging Face Hub: timm/{MODEL}"
    assert backbone.layers == {"pool": backbone.layers["pool"], "logits": 1000}
    assert backbone.default_layer == "pool"
    assert backbone.head == ("fc",)
    assert backbone.classes == "imagenet"
    assert backbone.preprocess.size == 160


@torch.inference_mode()
def test_weights_of_a_file(network: torch.nn.Module, weights: Path) -> None:
    pixels = torch.rand(2, 3, 160, 160)
    logits = load_backbone(NAME, "logits", weights)
    torch.testing.assert_close(logits(pixels), network(pixels))
    pool = load_backbone(NAME, weights=weights)(pixels)
    assert pool.shape == (2, find_backbone(NAME).layers["pool"])
    assert fresh_backbone(NAME)(pixels).shape == pool.shape


def test_features_are_timms(
    network: torch.nn.Module, weights: Path, sample_photos: list[str]
) -> None:
    found = CNNFeatures(NAME, layer="logits", weights=weights).fit_transform(sample_photos)
    transform = create_transform(**resolve_model_data_config(network))
    with torch.inference_mode():
        for row, path in zip(found, sample_photos, strict=True):
            expected = network(transform(Image.open(path))[None])[0].numpy()
            cosine = row @ expected / np.linalg.norm(row) / np.linalg.norm(expected)
            assert cosine > 0.99


@pytest.mark.slow
def test_weights_come_from_the_hub_once(weights: Path, tmp_path: Path) -> None:
    with serve_hub({f"timm/{MODEL}/model.safetensors": weights.read_bytes()}) as hub:
        first = run_emotag(hub, tmp_path, "models", "get", NAME)
    assert first.returncode == 0, first.stderr
    path = first.stdout.removeprefix(f"The weights of {NAME} are in ").strip().removesuffix(".")
    assert Path(path).read_bytes() == weights.read_bytes()
    # the server is gone by now
    again = run_emotag(hub, tmp_path, "models", "get", NAME)
    assert (again.returncode, again.stdout) == (0, first.stdout)


@pytest.mark.slow
def test_weights_that_the_hub_does_not_have(tmp_path: Path) -> None:
    with serve_hub({}) as hub:
        said = run_emotag(hub, tmp_path, "models", "get", NAME)
    assert said.returncode == 1
    start = f"emotag: The weights of {NAME} cannot be fetched from {hub}/timm/{MODEL}/resolve/main/"
    assert start in said.stderr
    assert "name it with --weights FILE" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.slow
def test_a_hub_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    with serve_hub({}) as hub:
        pass
    said = run_emotag(hub, tmp_path, "models", "get", NAME)
    assert said.returncode == 1
    progress, line = said.stderr.splitlines()
    assert progress.endswith("fetching …")
    assert line.startswith(f"emotag: The weights of {NAME} cannot be fetched from {hub}/timm/")


def test_weights_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"fc.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(WeightsError) as caught:
        load_backbone(NAME, weights=path)
    assert str(caught.value) == f"{path} holds the weights of another network than {NAME}."


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("resnt18", "timm has no network 'resnt18'. Did you mean 'resnet18'?"),
        ("nothing-like-it", "timm has no network 'nothing-like-it'. timm.list_models() in Python"),
        ("resnet18.a9_in1k", "timm has no weights 'a9_in1k' of resnet18; it has resnet18.a1_in1k"),
    ],
)
def test_what_timm_does_not_have(model: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_backbone(f"timm:{model}")
    assert str(caught.value).startswith(message)
