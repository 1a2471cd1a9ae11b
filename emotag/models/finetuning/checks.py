"""What the parameters of a classifier that is one network may be."""

import math
import os
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from emotag.errors import ModelError, did_you_mean

__all__ = [
    "SCHEDULES",
    "SETTINGS",
    "check_class_weight",
    "check_parameters",
    "draw_seed",
    "plain_settings",
]

SCHEDULES = ("cosine", "plateau", None)

# Lowest and highest value; None for no bound. Of the third value: whether the lowest is left out.
_NUMBERS: dict[str, tuple[float, float | None, bool]] = {
    "lr": (0, None, False),
    "head_lr": (0, None, True),
    "layer_decay": (0, 1, True),
    "momentum": (0, 1, False),
    "weight_decay": (0, None, False),
    "dropout": (0, 1, False),
    "label_smoothing": (0, 1, False),
    "max_broken": (0, 1, False),
}
_WHOLE_NUMBERS = {"max_epochs": 1, "batch_size": 1, "frozen_epochs": 0, "progressive_epochs": 1}
_BOOLEANS = ("mirror", "crop", "compile", "keep_checkpoint", "progressive")
SETTINGS = frozenset(
    {
        *_NUMBERS,
        *_WHOLE_NUMBERS,
        *("class_weight", "compile", "crop", "mirror", "mixed_precision", "patience"),
        *("gradient_clip_value", "progressive", "random_state", "salient", "saliency", "schedule"),
        "validation_fraction",
    }
)
"""What a saved model keeps of how it was trained."""

_SET_ELSEWHERE = {
    *("batch_size", "device", "lr", "max_epochs"),
    *("criterion", "module", "train_split"),
}


def check_parameters(parameters: Mapping[str, Any], estimator: str = "FineTunedCNN") -> None:
    """Refuse parameters that make no sense.

    Parameters
    ----------
    parameters : mapping
        As ``get_params`` returns them; not all estimators have all of them.
    estimator : str, default='FineTunedCNN'
        Whose they are.

    Raises
    ------
    ModelError
        The message names the value and what it may be.
    """
    for name in _NUMBERS.keys() & parameters.keys():
        low, high, excluded = _NUMBERS[name]
        _check_number(name, parameters[name], low, high, excluded=excluded)
    for name in _WHOLE_NUMBERS.keys() & parameters.keys():
        _check_whole(name, parameters[name], _WHOLE_NUMBERS[name])
    longest = parameters.get("gradient_clip_value")
    if longest is not None and not (_is_number(longest) and longest > 0):
        raise ModelError(f"gradient_clip_value={longest!r} must be None or a number above 0.")
    if parameters["patience"] is not None:
        _check_whole("patience", parameters["patience"], 1, "None or ")
    for name in _BOOLEANS:
        if not isinstance(parameters.get(name, True), bool | np.bool_):
            raise ModelError(f"{name}={parameters[name]!r} must be True or False.")
    _check_choice("schedule", parameters["schedule"], SCHEDULES)
    _check_choice("mixed_precision", parameters["mixed_precision"], ("auto", True, False))
    fraction = parameters["validation_fraction"]
    if fraction is not None and not (_is_number(fraction) and 0 < fraction < 1):
        raise ModelError(
            f"validation_fraction={fraction!r} must be None or a number above 0 and below 1."
        )
    _check_rest(parameters, estimator)


def plain_settings(model: BaseEstimator) -> dict[str, Any]:
    """Return the parameters of a network that say how it is trained, as plain values.

    Parameters
    ----------
    model : NetworkClassifier
        Whose parameters are sound.

    Returns
    -------
    dict
        Of numbers, text and None, for JSON; what is neither is left out.
    """
    found: dict[str, Any] = {}
    for name, value in model.get_params(deep=False).items():
        plain = value.item() if isinstance(value, np.generic) else value
        if name in SETTINGS and isinstance(plain, bool | int | float | str | None):
            found[name] = plain
    return found


def check_class_weight(class_weight: Any, classes: Iterable[Any]) -> None:
    """Refuse weights of labels that are not there, or that are no weights.

    Parameters
    ----------
    class_weight : None, 'balanced' or dict
        Weights by label.
    classes : iterable
        The labels.

    Raises
    ------
    ModelError
        The message names what is wrong.
    """
    if class_weight is None or (isinstance(class_weight, str) and class_weight == "balanced"):
        return
    if not isinstance(class_weight, Mapping):
        raise ModelError(
            f"class_weight={class_weight!r}; choose from None, 'balanced', or a dict of "
            "label to weight."
        )
    known = list(classes)
    for label, weight in class_weight.items():
        if label not in known:
            names = ", ".join(map(str, known))
            hint = did_you_mean(label, map(str, known))
            raise ModelError(f"class_weight has {label!r}, but the labels are {names}.{hint}")
        if not _is_number(weight) or weight < 0:
            raise ModelError(f"class_weight of {label!r} is {weight!r}, not a number from 0 on.")


def draw_seed(random_state: Any) -> int:
    """Return a number that all else is drawn from; None draws it from the system.

    Parameters
    ----------
    random_state : int, RandomState or None
        As scikit-learn takes it.

    Raises
    ------
    ModelError
        It is something else.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if _is_whole(random_state):
        number = int(random_state)
        if 0 <= number < 2**32:
            return number
    raise ModelError(
        f"random_state={random_state!r} must be None, a whole number from 0 to 4294967295, or a "
        "numpy RandomState."
    )


def _check_number(name: str, value: Any, low: float, high: float | None, *, excluded: bool) -> None:
    above = _is_number(value) and (value > low if excluded else value >= low)
    # a share of 1 would leave nothing, but a decay of 1 is none
    closed = excluded or name == "max_broken"
    below = above and (high is None or (value <= high if closed else value < high))
    if not below:
        bounds = f"above {low}" if excluded else f"from {low} on"
        if high is not None:
            bounds += f" and at most {high}" if closed else f" and below {high}"
        raise ModelError(f"{name}={value!r} must be a number {bounds}.")


def _check_whole(name: str, value: Any, lowest: int, other: str = "") -> None:
    if not _is_whole(value) or value < lowest:
        raise ModelError(f"{name}={value!r} must be {other}a whole number from {lowest} on.")


def _check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    if not any(
        value is choice or (isinstance(value, str) and value == choice) for choice in choices
    ):
        raise ModelError(f"{name}={value!r}; choose from {', '.join(map(repr, choices))}.")


def _check_rest(parameters: Mapping[str, Any], estimator: str) -> None:
    given = parameters["net_params"]
    if given is not None and not isinstance(given, Mapping):
        raise ModelError(f"net_params={given!r} must be None or a dict of skorch's arguments.")
    taken = sorted(_SET_ELSEWHERE & set(given or ()))
    if taken:
        raise ModelError(
            f"net_params must not set {', '.join(taken)}: that is a parameter of {estimator}, or "
            "emotag's own affair."
        )
    callbacks = (given or {}).get("callbacks")
    if callbacks is not None and not isinstance(callbacks, list | tuple):
        raise ModelError(f"callbacks of net_params must be a list, not {callbacks!r}.")
    checkpoint = parameters["checkpoint"]
    if checkpoint is not None and (
        not isinstance(checkpoint, str | os.PathLike) or not os.fspath(checkpoint)
    ):
        raise ModelError(f"checkpoint={checkpoint!r} must be None or the path of a folder.")
    progress = parameters["progress"]
    if progress is not None and not callable(progress):
        raise ModelError(f"progress={progress!r} must be None or a function of an Epoch.")


def _is_number(value: Any) -> bool:
    is_real: bool = not isinstance(value, bool) and isinstance(value, Real)
    return is_real and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral)
