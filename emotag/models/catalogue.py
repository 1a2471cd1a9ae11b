"""The recipes by name; listing them loads neither torch nor scikit-learn."""

from dataclasses import dataclass

from emotag.backbones.registry import BACKBONES
from emotag.errors import ModelError, unknown_name

__all__ = ["RECIPES", "Recipe", "find_recipe"]


@dataclass(frozen=True)
class Recipe:
    """A model by name.

    Attributes
    ----------
    name : str
        As in ``emotag fit --model NAME``.
    backbone : str
        The network it stands on.
    summary : str
        What it is, in a line.
    """

    name: str
    backbone: str
    summary: str

    def describe(self) -> str:
        """Return what a person wants to know before fitting it, in a line."""
        backbone = BACKBONES[self.backbone]
        state = "at hand" if backbone.at_hand else "missing"
        size = f"{backbone.size / 2**20:.0f} MiB"
        return f"{self.summary} ({backbone.source}; {backbone.licence}; {size}, {state})"


RECIPES: dict[str, Recipe] = {
    "lite0": Recipe("lite0", "lite0", "logistic regression on EfficientNet-Lite0 features"),
}


def find_recipe(name: str) -> Recipe:
    """Return the recipe of a name.

    Raises
    ------
    ModelError
        There is none; the message names the choices and the nearest.
    """
    if isinstance(name, str) and name in RECIPES:
        return RECIPES[name]
    raise ModelError(unknown_name("model", name, RECIPES))
