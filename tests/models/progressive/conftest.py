"""A small architecture, and a quick way to fit it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emotag.models.progressive.estimator import ProgressiveCNN
from emotag.models.progressive.networks import ARCHITECTURES, Architecture, Convolution

# What learns the colours of a few photos in a moment.
QUICK = {
    "architecture": "small",
    "lr": 0.005,
    "max_epochs": 6,
    "progressive_epochs": 4,
    "batch_size": 8,
    "validation_fraction": 0.2,
    "mixed_precision": False,
    "random_state": 0,
}

Quick = Callable[..., ProgressiveCNN]


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    """Let a small architecture be known by its name."""
    convolution = Convolution(8, size=16, stride=16, padding=0, normalised=True)
    ARCHITECTURES["small"] = Architecture((convolution,), hidden=(16, 8))
    yield
    del ARCHITECTURES["small"]


@pytest.fixture
def quick() -> Quick:
    """Make a ProgressiveCNN of the small architecture; arguments take the place of `QUICK`'s."""

    def make(**parameters: Any) -> ProgressiveCNN:
        return ProgressiveCNN(**{**QUICK, **parameters})

    return make
