"""Labelled photos for the commands that judge: colour nearly tells the labels apart."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["COLOURS", "draw_labelled", "read_csv", "read_json", "write_manifest"]

COLOURS = {
    "fear": (40, 40, 130),
    "happiness": (210, 190, 60),
    "love": (200, 60, 80),
    "sadness": (120, 130, 140),
}


def draw_labelled(
    folder: Path, labels: Iterable[str], count: int, *, seed: int = 0, spread: int = 40
) -> list[Path]:
    """Draw FOLDER/LABEL/0.png and so on, and return their paths."""
    paths = []
    for number, label in enumerate(labels):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            rng = np.random.default_rng([seed, number, index])
            mean = np.array(COLOURS.get(label, (90, 90, 90))) + rng.normal(0, spread, 3)
            pixels = np.clip(mean + rng.normal(0, 40, (6, 6, 3)), 0, 255).astype(np.uint8)
            photo = Image.fromarray(pixels).resize((48, 40), Image.Resampling.BICUBIC)
            paths.append(folder / label / f"{index}.png")
            photo.save(paths[-1])
    return paths


def write_manifest(folder: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write photos.csv; the label is the folder's name where a row says none."""
    rows = [{"label": row["file"].partition("/")[0], **row} for row in rows]
    with open(folder / "photos.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path | str) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_json(path: Path | str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))
