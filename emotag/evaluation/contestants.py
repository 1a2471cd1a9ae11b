"""The models of a comparison by name, and how each is fitted."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emotag.dataset import Dataset
from emotag.errors import DataError, ModelError, PhotoError
from emotag.saliency.preprocess import SALIENT

if TYPE_CHECKING:
    from emotag.models.catalogue import Recipe

__all__ = ["RecipeFitter", "find_contestants", "identify_networks", "prepare_all", "refuse_tuning"]

_ON = "@"
_LOOKING_AT = "+"


@dataclass(frozen=True)
class RecipeFitter:
    """Fits recipes by their names; can be sent to another process.

    Attributes
    ----------
    epochs, batch_size : int or None
        Of fine-tuning; None for the recipe's own.
    device : str
        As torch names it.
    saliency : str
        How what is salient is found, for models that look at it.
    """

    epochs: int | None = None
    batch_size: int | None = None
    device: str = "auto"
    saliency: str = "barrier"

    def make(self, name: str, seed: int, part: str = "") -> Any:
        """Return the estimator of a name, unfitted.

        What a fine-tuning goes on from is kept apart for each part of the photos: fits side
        by side remove theirs when they are done.
        """
        from emotag.models.recipes import make_model, set_options

        model, backbone, salient = split_name(name)
        estimator = make_model(
            model,
            backbone=backbone,
            salient=salient,
            saliency=self.saliency,
            random_state=seed,
        )
        tuning = {"max_epochs": self.epochs, "batch_size": self.batch_size}
        is_tuned = hasattr(estimator, "max_epochs")
        place = f"compare/{name}/{seed}/{part}"
        set_options(estimator, place, device=self.device, **(tuning if is_tuned else {}))
        return estimator

    def __call__(self, name: str, dataset: Dataset, seed: int) -> Any:
        """Return the estimator of a name, fitted to photos."""
        from emotag.models.recipes import fit_model, forget_checkpoints

        estimator = self.make(name, seed, dataset.fingerprint())
        fit_model(estimator, dataset.paths, dataset.labels, dataset.groups, seed=seed)
        forget_checkpoints(estimator)
        return estimator


def split_name(name: str) -> tuple[str, str | None, str | None]:
    """Return the recipe, the backbone and what is done with what is salient, of a name.

    Examples
    --------
    >>> split_name("svm"), split_name("linear@timm:resnet18")
    (('svm', None, None), ('linear', 'timm:resnet18', None))
    >>> split_name("lite0+crop"), split_name("linear@timm:resnet18+weight")
    (('lite0', None, 'crop'), ('linear', 'timm:resnet18', 'weight'))
    """
    front, plus, last = name.rpartition(_LOOKING_AT)
    if plus and last in SALIENT and front.rpartition(_LOOKING_AT)[2] in SALIENT:
        raise ModelError(f"{name!r} says twice what is done with what is salient.")
    named, salient = (front, last) if plus and last in SALIENT else (name, None)
    model, on, backbone = named.partition(_ON)
    if on and not backbone:
        raise ModelError(f"{name!r} names no network after {_ON}.")
    return model, backbone or None, salient


def find_contestants(
    names: str, salient: str | None = None, saliency: str = "barrier"
) -> "dict[str, Recipe]":
    """Return the recipes that are named, with commas between them, by their full names.

    Parameters
    ----------
    names : str
        As `split_name` takes each of them.
    salient : str, optional
        What is done with what is salient, where a name does not say it; the full
        name does.
    saliency : str, default='barrier'
        How what is salient is found.

    Raises
    ------
    DataError
        None is named, or one twice.
    ModelError
        There is no such recipe, or it takes no salient photos.
    WeightsError
        The network that finds what is salient is not at hand.
    """
    from emotag.models.catalogue import find_recipe, refuse_salient

    asked = [name.strip() for name in names.split(",") if name.strip()]
    if not asked:
        raise DataError("No model is named; emotag models lists them.")
    if salient:
        asked = [name if split_name(name)[2] else f"{name}+{salient}" for name in asked]
    if doubled := [name for name in asked if asked.count(name) > 1]:
        raise DataError(f"The model {doubled[0]!r} is named twice.")
    found = {}
    for name in asked:
        model, backbone, own = split_name(name)
        found[name] = find_recipe(model, backbone)
        refuse_salient(found[name], own, saliency)
    return found


def refuse_tuning(contestants: "Mapping[str, Recipe]", **tuning: int | None) -> None:
    """Refuse what is said of a training where no network is trained.

    Raises
    ------
    ModelError
        None of the models is a network that is trained, but something is said of it.
    """
    from emotag.models.catalogue import TRAINED

    said = [f"--{name.replace('_', '-')}" for name, value in tuning.items() if value is not None]
    if said and not any(recipe.family.name in TRAINED for recipe in contestants.values()):
        raise ModelError(
            f"{' and '.join(said)} can be set for networks that are trained only; of "
            f"{', '.join(contestants)} none is."
        )


def identify_networks(contestants: "Mapping[str, Recipe]") -> dict[str, str]:
    """Return what tells each model's network from another of the same name.

    Parameters
    ----------
    contestants : mapping of str to Recipe
        As `find_contestants` returns them; those that stand on no network have none.

    Raises
    ------
    WeightsError
        The weights are missing or altered.
    """
    from emotag.backbones.registry import find_backbone

    found = {}
    for name, recipe in contestants.items():
        if recipe.backbone is not None:
            backbone = find_backbone(recipe.backbone)
            said = [backbone.weights.identity(), backbone.preprocess.to_dict()]
            found[name] = json.dumps(said, sort_keys=True)
    return found


def prepare_all(
    fitter: RecipeFitter,
    names: Sequence[str],
    dataset: Dataset,
    progress: Callable[[int], None],
) -> list[PhotoError]:
    """Compute what each model needs of each photo once, for all splits.

    Parameters
    ----------
    fitter : RecipeFitter
        Makes the models.
    names : sequence of str
        Their names.
    dataset : Dataset
        All photos.
    progress : callable
        Told how many photos are done since the last call, for each model anew.

    Returns
    -------
    list of PhotoError
        The photos that cannot be read.
    """
    from emotag.models.recipes import prepare_photos

    failures: dict[str, PhotoError] = {}
    for name in names:
        found = prepare_photos(fitter.make(name, 0), dataset.paths.tolist(), progress)
        failures |= {error.path: error for error in found}
    return list(failures.values())
