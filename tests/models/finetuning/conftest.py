"""A quick way to fit the small backbone."""

from collections.abc import Callable
from typing import Any

import pytest

from emotag.models.finetuning.estimator import FineTunedCNN

# What a network of one convolution learns the colours of a few photos with.
QUICK = {
    "backbone": "tiny",
    "lr": 0.02,
    "head_lr": 0.3,
    "dropout": 0.0,
    "max_epochs": 10,
    "batch_size": 8,
    "validation_fraction": 0.2,
    "mixed_precision": False,
    "random_state": 0,
}

Quick = Callable[..., FineTunedCNN]


@pytest.fixture
def quick(tiny: Any) -> Quick:
    """Make a FineTunedCNN of the small backbone; arguments take the place of `QUICK`'s."""

    def make(**parameters: Any) -> FineTunedCNN:
        return FineTunedCNN(**{**QUICK, **parameters})

    return make
