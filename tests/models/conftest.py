"""A small backbone and labelled photos on which a model is fitted in a moment."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from emotag.backbones.backbone import Backbone
from tests.networks import registered, tiny_backbone

COLOURS = {
    "fear": (40, 40, 130),
    "happiness": (210, 190, 60),
    "love": (200, 60, 80),
    "sadness": (120, 130, 140),
}
PHOTOS_A_LABEL = 10


@dataclass(frozen=True)
class Photos:
    """Labelled photos."""

    X: NDArray[np.str_]
    y: NDArray[np.str_]

    @property
    def sentiments(self) -> NDArray[np.str_]:
        return np.where(np.isin(self.y, ["love", "happiness"]), "positive", "negative")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backbone]:
    """A small backbone, for as long as a module's tests run."""
    with pytest.MonkeyPatch.context() as patch:
        # as for the tests themselves, whose fixture is of a narrower scope
        patch.setenv("EMOTAG_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        with registered(tiny_backbone(tmp_path_factory.mktemp("tiny"))) as backbone:
            yield backbone


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Photos that their colour nearly tells apart."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    paths, labels = [], []
    for label, colour in COLOURS.items():
        for index in range(PHOTOS_A_LABEL):
            mean = np.array(colour) + rng.normal(0, 35, 3)
            pixels = np.clip(mean + rng.normal(0, 40, (6, 6, 3)), 0, 255).astype(np.uint8)
            photo = Image.fromarray(pixels).resize((48, 40), Image.Resampling.BICUBIC)
            paths.append(f"{folder}/{label}{index}.png")
            labels.append(label)
            photo.save(paths[-1])
    return Photos(np.array(paths), np.array(labels))
