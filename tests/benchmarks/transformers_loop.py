"""The plain way to tag photos with transformers, for `tagging.py` to be measured beside.

What the page of transformers' image classification pipeline leads to: the same
network as in `timm_loop`, saved as timm saves it for the Hub, and read from
that folder by the pipeline; nothing is downloaded.

    python -m tests.benchmarks.transformers_loop FOLDER OUTPUT.csv
    python -m tests.benchmarks.transformers_loop --check PHOTO

The first prints the seconds that the loop took, without the start-up; the
second, by how much the logits of one photo differ from timm's.
"""

import csv
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Before transformers is imported: it must not ask the Hub for anything.
os.environ["HF_HUB_OFFLINE"] = "1"

import timm.data
import timm.models
import torch
from PIL import Image

from tests.benchmarks.timm_loop import BATCH_SIZE, LABELS, WORKERS, load_network


def save_network(network: torch.nn.Module, folder: str) -> None:
    """Save a network of timm's as the Hub's folders are."""
    timm.models.save_for_hf(
        network, folder, model_config={"label_names": LABELS}, safe_serialization=True
    )
    path = Path(folder, "config.json")
    config = json.loads(path.read_text())
    # newer versions of timm note what transformers says itself, and it refuses to say it twice
    config.pop("model_args", None)
    path.write_text(json.dumps(config))


def open_pipeline(folder: str) -> Any:
    """Return the pipeline of a network in a folder."""
    from transformers import pipeline

    return pipeline("image-classification", model=folder, device="cpu")


def tag(folder: str, output: str) -> float:
    """Write a row for each photo under a folder, and return the seconds of the loop."""
    with tempfile.TemporaryDirectory() as saved:
        save_network(load_network(), saved)
        classify = open_pipeline(saved)
    paths = sorted(map(str, Path(folder).rglob("*.jpg")))
    started = time.perf_counter()
    with open(output, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "emotion", *LABELS])
        found = classify(paths, batch_size=BATCH_SIZE, num_workers=WORKERS)
        for path, scores in zip(paths, found, strict=True):
            by_label = {score["label"]: score["score"] for score in scores}
            writer.writerow([path, scores[0]["label"], *(by_label[label] for label in LABELS)])
    return time.perf_counter() - started


def difference(photo: str) -> float:
    """Return by how much the logits of a photo differ at most from those of timm's way."""
    network = load_network()
    transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=network))
    with tempfile.TemporaryDirectory() as saved:
        save_network(network, saved)
        classify = open_pipeline(saved)
    with Image.open(photo) as opened, torch.inference_mode():
        image = opened.convert("RGB")
        expected = network(transform(image)[None])
        pixels = classify.image_processor(image, return_tensors="pt")
        found = classify.model(**pixels).logits
    return float((found - expected).abs().max())


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        print(f"{difference(sys.argv[2]):.6f}")
    else:
        print(f"{tag(*sys.argv[1:]):.3f}")
