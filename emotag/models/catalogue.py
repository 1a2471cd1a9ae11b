"""The recipes by name; listing them loads neither torch nor scikit-learn."""

import re
from dataclasses import dataclass

from emotag.errors import ModelError, unknown_name

__all__ = [
    "FAMILIES",
    "RECIPES",
    "TARGETS",
    "Family",
    "Recipe",
    "find_recipe",
    "refuse_target_name",
]


@dataclass(frozen=True)
class Family:
    """A kind of estimator, to be put on any backbone.

    Attributes
    ----------
    name : str
        As in ``emotag fit --model NAME``.
    summary : str
        What it is, in a line.
    backbone : str
        What it stands on where none is named.
    """

    name: str
    summary: str
    backbone: str


@dataclass(frozen=True)
class Recipe:
    """A family on a backbone.

    Attributes
    ----------
    name : str
        What the model is called where no other name is given.
    family : Family
        The kind of estimator.
    backbone : str
        The network it stands on.
    """

    name: str
    family: Family
    backbone: str

    @property
    def summary(self) -> str:
        """What it is, in a line."""
        on = "from" if self.family.name == "finetune" else "on features of"
        return f"{self.family.summary}, {on} {self.backbone}"


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("linear", "logistic regression, balanced and calibrated", "lite0"),
        Family("svm", "one-vs-rest linear support vector machines, calibrated", "vgg16"),
        Family("concepts", "what the network's own classes stand for, calibrated", "lite0"),
        Family("fused", "logistic regression that begins from concepts, calibrated", "lite0"),
        Family("finetune", "a fine-tuned network, calibrated", "resnet50"),
    )
}

RECIPES: dict[str, Recipe] = {
    "lite0": Recipe("lite0", FAMILIES["linear"], "lite0"),
    "svm": Recipe("svm", FAMILIES["svm"], "vgg16"),
    "vgg16": Recipe("vgg16", FAMILIES["finetune"], "vgg16"),
    "places205": Recipe("places205", FAMILIES["finetune"], "places205"),
    "resnet50": Recipe("resnet50", FAMILIES["finetune"], "resnet50"),
}
"""Short names for pairs."""

TARGETS = ("emotion", "sentiment")
"""What a model may learn: the labels, or what they fold into."""


def find_recipe(name: str, backbone: str | None = None) -> Recipe:
    """Return the recipe of a name.

    Parameters
    ----------
    name : str
        In `RECIPES` or `FAMILIES`.
    backbone : str, optional
        The network of a family; a short name has its own.

    Raises
    ------
    ModelError
        There is none, and the message names the choices and the nearest; or a
        backbone was named for a name that has its own.
    """
    known = {**FAMILIES, **RECIPES}
    if not isinstance(name, str) or name not in known:
        raise ModelError(unknown_name("model", name, known))
    if name in FAMILIES and backbone is not None:
        family = FAMILIES[name]
        return Recipe(f"{name}-{_plain(backbone)}", family, backbone)
    if backbone is not None and backbone != RECIPES[name].backbone:
        raise ModelError(
            f"The model {name!r} stands on {RECIPES[name].backbone} and takes no other backbone; "
            f"choose from {', '.join(FAMILIES)} to name one."
        )
    if name in RECIPES:
        return RECIPES[name]
    return Recipe(name, FAMILIES[name], FAMILIES[name].backbone)


def refuse_target_name(target: str) -> None:
    """Raise a ModelError if a model cannot learn to tell such a thing."""
    if target not in TARGETS:
        raise ModelError(unknown_name("target", target, TARGETS))


def _plain(backbone: str) -> str:
    """Return a backbone's name as the name of a folder."""
    last = backbone.replace("\\", "/").rpartition("/")[2] if "onnx:" in backbone else backbone
    return re.sub(r"[^\w.-]+", "-", last).strip("-.") or "backbone"
