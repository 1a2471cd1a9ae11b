"""The models of a comparison by name, and how each is fitted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emotag.dataset import Dataset
from emotag.errors import DataError, PhotoError

if TYPE_CHECKING:
    from emotag.models.catalogue import Recipe

__all__ = ["RecipeFitter", "find_contestants", "prepare_all"]

_ON = "@"


@dataclass(frozen=True)
class RecipeFitter:
    """Fits recipes by their names; can be sent to another process.

    Attributes
    ----------
    epochs, batch_size : int or None
        Of fine-tuning; None for the recipe's own.
    device : str
        As torch names it.
    """

    epochs: int | None = None
    batch_size: int | None = None
    device: str = "auto"

    def make(self, name: str, seed: int, part: str = "") -> Any:
        """Return the estimator of a name, unfitted.

        What a fine-tuning goes on from is kept apart for each part of the photos: fits side
        by side remove theirs when they are done.
        """
        from emotag.models.recipes import make_model, set_options

        model, backbone = split_name(name)
        estimator = make_model(model, backbone=backbone, random_state=seed)
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


def split_name(name: str) -> tuple[str, str | None]:
    """Return the recipe and the backbone of a name such as ``linear@timm:resnet18``.

    Examples
    --------
    >>> split_name("svm"), split_name("linear@timm:resnet18")
    (('svm', None), ('linear', 'timm:resnet18'))
    """
    model, _, backbone = name.partition(_ON)
    return model, backbone or None


def find_contestants(names: str) -> "dict[str, Recipe]":
    """Return the recipes that are named, with commas between them.

    Raises
    ------
    DataError
        None is named, or one twice.
    ModelError
        There is no such recipe.
    """
    from emotag.models.catalogue import find_recipe

    asked = [name.strip() for name in names.split(",") if name.strip()]
    if not asked:
        raise DataError("No model is named; emotag models lists them.")
    if doubled := [name for name in asked if asked.count(name) > 1]:
        raise DataError(f"The model {doubled[0]!r} is named twice.")
    return {name: find_recipe(*split_name(name)) for name in asked}


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
