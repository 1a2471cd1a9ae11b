"""The recipes by name; listing them loads neither torch nor scikit-learn."""

import re
from dataclasses import dataclass

from emotag.errors import ModelError, unknown_name
from emotag.saliency.preprocess import check_saliency

__all__ = [
    "FAMILIES",
    "PROGRESSIVE",
    "RECIPES",
    "TARGETS",
    "TRAINED",
    "Family",
    "Recipe",
    "find_recipe",
    "refuse_salient",
    "refuse_target_name",
    "refuse_unfit",
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
    backbone : str or None
        What it stands on where none is named; None where it stands on no network.
    """

    name: str
    summary: str
    backbone: str | None = None


@dataclass(frozen=True)
class Recipe:
    """A family on a backbone.

    Attributes
    ----------
    name : str
        What the model is called where no other name is given.
    family : Family
        The kind of estimator.
    backbone : str or None
        The network it stands on, if on any.
    """

    name: str
    family: Family
    backbone: str | None

    @property
    def summary(self) -> str:
        """What it is, in a line."""
        if self.backbone is None:
            return self.family.summary
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
        Family("fc7", "logistic regression as Xu et al. 2014, calibrated", "vgg16"),
        Family("fusion", "colour, texture and saliency fused as Karayev et al. 2014", "lite0"),
    )
}
"""Kinds that stand on a network."""

_BY_HAND = (
    Family("mpeg7", "MPEG-7 descriptors as Dellagiacoma et al. 2011, SVM, calibrated"),
    Family("bag-of-emotions", "MPEG-7 descriptors of patches as a bag of words, SVM, calibrated"),
    Family("lab", "L*a*b* histogram alone, of Karayev et al. 2014, calibrated"),
    Family("gist", "GIST alone, of Karayev et al. 2014, calibrated"),
    Family("saliency", "saliency map alone, of Karayev et al. 2014, calibrated"),
)

PROGRESSIVE = {
    f"pcnn-{architecture.replace('-', '')}": architecture
    for architecture in ("2conv-4fc", "2conv-3fc", "3conv-2fc", "3conv-4fc")
}
"""The architectures of You et al. 2015 by the names of their recipes."""

_FROM_SCRATCH = Family("progressive", "trained from scratch as You et al. 2015, calibrated")

RECIPES: dict[str, Recipe] = {
    "lite0": Recipe("lite0", FAMILIES["linear"], "lite0"),
    "svm": Recipe("svm", FAMILIES["svm"], "vgg16"),
    "vgg16": Recipe("vgg16", FAMILIES["finetune"], "vgg16"),
    "places205": Recipe("places205", FAMILIES["finetune"], "places205"),
    "resnet50": Recipe("resnet50", FAMILIES["finetune"], "resnet50"),
    **{family.name: Recipe(family.name, family, None) for family in _BY_HAND},
    **{name: Recipe(name, _FROM_SCRATCH, None) for name in PROGRESSIVE},
}
"""Short names for pairs, and what stands on no network."""

# The others also look at a photo by hand-made features, or by the network's own classes.
_LOOKING = frozenset({"linear", "svm", "fc7", "finetune"})

TRAINED = frozenset({"finetune", "progressive"})
"""The families of networks that are trained as a whole."""

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
        own = RECIPES[name].backbone
        stands = f"stands on {own} and takes no other" if own else "stands on no network, so on no"
        raise ModelError(
            f"The model {name!r} {stands} backbone; choose from {', '.join(FAMILIES)} to name one."
        )
    if name in RECIPES:
        return RECIPES[name]
    return Recipe(name, FAMILIES[name], FAMILIES[name].backbone)


def refuse_unfit(recipe: Recipe, target: str, *, has_weights: bool = False) -> None:
    """Refuse a recipe of which no model could be saved, or an unknown target, before it is fitted.

    Parameters
    ----------
    recipe : Recipe
        As `find_recipe` returns it.
    target : str
        What is to be learnt.
    has_weights : bool, default=False
        Whether a file of the user's holds the network's weights.

    Raises
    ------
    ModelError
        There is no such target; or the recipe crosses a network, or weights, of the
        user's own with hand-crafted features: a saved model may not name a file
        elsewhere, and has no network of its own to hold it.

    Examples
    --------
    >>> refuse_unfit(find_recipe("fusion"), "emotion")
    """
    refuse_target_name(target)
    if recipe.family.name == "fusion" and str(recipe.backbone).startswith("onnx:"):
        raise ModelError(
            "A fusion on a network of your own cannot be saved. emotag compare --models "
            f"fusion@{recipe.backbone} judges it; linear, svm and fc7 on it can be saved."
        )
    if recipe.family.name == "fusion" and has_weights:
        raise ModelError(
            "A fusion on weights of your own cannot be tagged with; leave --weights out, or choose "
            "linear, svm or fc7, which keep them in the model."
        )


def refuse_salient(recipe: Recipe, salient: str | None, saliency: str) -> None:
    """Refuse what is salient to a recipe that sees no photo as a whole, or that cannot be found.

    Parameters
    ----------
    recipe : Recipe
        As `find_recipe` returns it.
    salient, saliency
        As `emotag.saliency.preprocess.with_saliency` takes them.

    Raises
    ------
    ModelError
        The recipe takes no salient photos, or a value makes no sense.
    WeightsError
        The network that finds what is salient is not at hand.

    Examples
    --------
    >>> refuse_salient(find_recipe("lite0"), "crop", "barrier")
    """
    check_saliency(salient, saliency)
    if salient is not None and recipe.family.name not in _LOOKING:
        raise ModelError(
            f"The model {recipe.name!r} takes no salient={salient!r}: that is for "
            f"{', '.join(sorted(_LOOKING))}, and what is short for one of them on a network."
        )


def refuse_target_name(target: str) -> None:
    """Raise a ModelError if a model cannot learn to tell such a thing."""
    if target not in TARGETS:
        raise ModelError(unknown_name("target", target, TARGETS))


def _plain(backbone: str) -> str:
    """Return a backbone's name as the name of a folder."""
    last = backbone.replace("\\", "/").rpartition("/")[2] if "onnx:" in backbone else backbone
    return re.sub(r"[^\w.-]+", "-", last).strip("-.") or "backbone"
