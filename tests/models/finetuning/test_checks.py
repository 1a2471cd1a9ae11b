"""Each parameter is refused by name and value, with what it may be."""

from typing import Any

import numpy as np
import pytest

from emotag.errors import ModelError
from emotag.models.finetuning.checks import check_class_weight, check_parameters, draw_seed
from emotag.models.finetuning.estimator import FineTunedCNN

PARAMETERS = FineTunedCNN().get_params()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("lr", -1, "lr=-1 must be a number from 0 on."),
        ("lr", "fast", "lr='fast' must be a number from 0 on."),
        ("lr", float("nan"), "lr=nan must be a number from 0 on."),
        ("lr", True, "lr=True must be a number from 0 on."),
        ("head_lr", 0, "head_lr=0 must be a number above 0."),
        ("layer_decay", 1.5, "layer_decay=1.5 must be a number above 0 and at most 1."),
        ("layer_decay", 0, "layer_decay=0 must be a number above 0 and at most 1."),
        ("momentum", 1, "momentum=1 must be a number from 0 on and below 1."),
        ("weight_decay", -0.1, "weight_decay=-0.1 must be a number from 0 on."),
        ("dropout", 1.0, "dropout=1.0 must be a number from 0 on and below 1."),
        ("label_smoothing", 1, "label_smoothing=1 must be a number from 0 on and below 1."),
        ("max_broken", 2, "max_broken=2 must be a number from 0 on and at most 1."),
        ("max_epochs", 0, "max_epochs=0 must be a whole number from 1 on."),
        ("max_epochs", 2.0, "max_epochs=2.0 must be a whole number from 1 on."),
        ("batch_size", None, "batch_size=None must be a whole number from 1 on."),
        ("frozen_epochs", -1, "frozen_epochs=-1 must be a whole number from 0 on."),
        ("patience", 0, "patience=0 must be None or a whole number from 1 on."),
        ("mirror", 1, "mirror=1 must be True or False."),
        ("crop", "random", "crop='random' must be True or False."),
        ("compile", None, "compile=None must be True or False."),
        ("schedule", "linear", "schedule='linear'; choose from 'cosine', 'plateau', None."),
        ("mixed_precision", "yes", "mixed_precision='yes'; choose from 'auto', True, False."),
        (
            "validation_fraction",
            1,
            "validation_fraction=1 must be None or a number above 0 and below 1.",
        ),
        (
            "validation_fraction",
            0,
            "validation_fraction=0 must be None or a number above 0 and below 1.",
        ),
        ("net_params", [], "net_params=[] must be None or a dict of skorch's arguments."),
        (
            "net_params",
            {"module": 1, "criterion": 2},
            "net_params must not set criterion, module: that is a parameter of FineTunedCNN, or "
            "emotag's own affair.",
        ),
        (
            "net_params",
            {"batch_size": 0},
            "net_params must not set batch_size: that is a parameter of FineTunedCNN, or emotag's "
            "own affair.",
        ),
        ("net_params", {"callbacks": 3}, "callbacks of net_params must be a list, not 3."),
        ("checkpoint", 3, "checkpoint=3 must be None or the path of a folder."),
        ("checkpoint", "", "checkpoint='' must be None or the path of a folder."),
        ("progress", "bar", "progress='bar' must be None or a function of an Epoch."),
    ],
)
def test_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_parameters({**PARAMETERS, name: value})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", np.float32(0.1)),
        ("lr", 0),
        ("max_epochs", np.int64(3)),
        ("patience", None),
        ("schedule", None),
        ("mirror", np.True_),
        ("validation_fraction", None),
        ("max_broken", 1),
        ("max_broken", 0),
        ("net_params", {}),
        ("mixed_precision", True),
    ],
)
def test_accepted(name: str, value: Any) -> None:
    check_parameters({**PARAMETERS, name: value})


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            {"lov": 1},
            "class_weight has 'lov', but the labels are fear, love. Did you mean 'love'?",
        ),
        ({"love": -1}, "class_weight of 'love' is -1, not a number from 0 on."),
        ({"love": "much"}, "class_weight of 'love' is 'much', not a number from 0 on."),
        (
            "even",
            "class_weight='even'; choose from None, 'balanced', or a dict of label to weight.",
        ),
    ],
)
def test_weights_of_labels(weights: Any, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_class_weight(weights, ["fear", "love"])
    assert str(caught.value) == message


def test_seeds() -> None:
    assert draw_seed(5) == draw_seed(np.int64(5)) == 5
    assert draw_seed(np.random.RandomState(1)) == draw_seed(np.random.RandomState(1))
    assert draw_seed(None) != draw_seed(None)


@pytest.mark.parametrize("value", [-1, 2**32, "0", 1.0, True, np.random.default_rng(0)])
def test_seeds_that_are_none(value: Any) -> None:
    with pytest.raises(ModelError) as caught:
        draw_seed(value)
    assert str(caught.value) == (
        f"random_state={value!r} must be None, a whole number from 0 to 4294967295, or a "
        "numpy RandomState."
    )
