"""A fit from its photos to its weights: hashed, split, decoded, trained, calibrated."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from emotag.backbones.runtime import choose_device
from emotag.errors import DataError, PhotoError
from emotag.models.finetuning.broken import BrokenPhotos
from emotag.models.finetuning.checkpoint import CheckpointFile, training_fingerprint
from emotag.models.finetuning.checks import draw_seed
from emotag.models.finetuning.distributed import open_accelerator, shared_seed
from emotag.models.finetuning.labels import class_factors, weighted
from emotag.models.finetuning.module import FineTunedNetwork
from emotag.models.finetuning.net import FineTuningNet
from emotag.models.finetuning.photos import Augmentation, Labelled, PhotoSet
from emotag.models.finetuning.preparing import decode_sets, hash_photos
from emotag.models.finetuning.splitting import hold_out
from emotag.models.finetuning.training import find_temperature, make_network, train
from emotag.photos.preprocess import Preprocess

__all__ = ["Fitted", "Fitting", "Run", "Trained"]

# What the weights do not depend on. The seed stands for the random state.
_WITHOUT_EFFECT = {
    "accelerate",
    "checkpoint",
    "device",
    "keep_checkpoint",
    "max_broken",
    "n_jobs",
    "progress",
    "random_state",
}


Sets = tuple[PhotoSet, PhotoSet]


@dataclass(frozen=True)
class Run:
    """What a training goes by, beside its photos.

    Attributes
    ----------
    device : str
        As torch names it.
    seed : int
        Of all that is random.
    checkpoint : CheckpointFile or None
        To go on from and to write.
    accelerator : accelerate.Accelerator or None
        Of several processes that train together.
    """

    device: str
    seed: int
    checkpoint: CheckpointFile | None
    accelerator: Any


@dataclass(frozen=True)
class Trained:
    """What a training ends with.

    Attributes
    ----------
    net : FineTuningNet
        With the best weights.
    history : list of dict
        An entry an epoch, as skorch keeps it.
    dropped : list of str
        Paths of the photos that were dropped on the way.
    """

    net: FineTuningNet
    history: list[dict[str, Any]]
    dropped: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fitted:
    """What a fit ends with.

    Attributes
    ----------
    network : FineTunedNetwork
        Trained.
    history : list of dict
        An entry an epoch, as skorch keeps it.
    temperature : float
        What the logits are to be divided by.
    failures : list of PhotoError
        The photos that were left out.
    dropped : list of str
        Paths of the photos that were dropped on the way.
    """

    network: FineTunedNetwork
    history: list[dict[str, Any]]
    temperature: float
    failures: list[PhotoError]
    dropped: list[str]


@dataclass(frozen=True)
class Fitting:
    """A fit that is to be run.

    Attributes
    ----------
    trunk : torch.nn.Module
        As it is at first.
    n_features : int
        What it gives.
    preprocess : Preprocess
        What it sees.
    parameters : mapping
        Of the estimator, checked, with those that it has not set.
    """

    trunk: nn.Module
    n_features: int
    preprocess: Preprocess
    parameters: Mapping[str, Any]

    def run(self, photos: Labelled, classes: NDArray[Any]) -> Fitted:
        """Train on photos.

        Parameters
        ----------
        photos : Labelled
            All of them.
        classes : ndarray of shape (n_classes,)
            Their labels.
        """
        given = self.parameters
        accelerator = open_accelerator(given["accelerate"], dict(given))
        device = str(accelerator.device) if accelerator else choose_device(given["device"])
        seed = shared_seed(accelerator, draw_seed(given["random_state"]))
        broken = BrokenPhotos(len(set(photos.paths)), given["max_broken"])
        photos = hash_photos(photos, broken, given["n_jobs"])
        broken.refuse_many()
        checkpoint = self._checkpoint(photos, classes, seed)
        if checkpoint is not None:
            seed = checkpoint.seed(seed)
        parts = self._split(photos, classes, seed)
        network = self.make_network(len(classes), seed)
        augmentation = Augmentation(mirror=given["mirror"], crop=given["crop"])
        sets = decode_sets(*parts, self.preprocess, augmentation, broken, given["n_jobs"])
        _refuse_lost(sets[0].photos, classes)
        run = Run(device, seed, checkpoint, accelerator)
        with closing(sets[0]), closing(sets[1]):
            trained = self.train(network, sets, run)
            temperature = find_temperature(trained.net, sets[1])
        if checkpoint is not None and trained.net.share[0] == 0 and not given["keep_checkpoint"]:
            self.forget(checkpoint)
        return Fitted(network, trained.history, temperature, broken.failures, trained.dropped)

    def make_network(self, n_classes: int, seed: int) -> FineTunedNetwork:
        """Return the network that is to be trained.

        Parameters
        ----------
        n_classes : int
            How many labels it tells apart.
        seed : int
            Of its first weights, as far as they are drawn.
        """
        return make_network(
            self.trunk, self.n_features, n_classes, self.parameters["dropout"], seed
        )

    def train(self, network: FineTunedNetwork, sets: Sets, run: Run) -> Trained:
        """Train a network.

        Parameters
        ----------
        network : FineTunedNetwork
            As `make_network` returns it.
        sets : tuple of PhotoSet
            To train on, and held out.
        run : Run
            What it goes by.
        """
        device, seed = run.device, run.seed
        given = self.parameters
        net = train(network, sets, given, device, seed, run.checkpoint, run.accelerator)
        return Trained(net, list(net.history))

    def forget(self, checkpoint: CheckpointFile) -> None:
        """Remove what a training left to go on from."""
        checkpoint.remove()

    def _split(
        self, photos: Labelled, classes: NDArray[Any], seed: int
    ) -> tuple[Labelled, Labelled]:
        """Return the photos to train on and those to hold out, with their labels' weights."""
        _refuse_lost(photos, classes)
        fraction = self.parameters["validation_fraction"] or 0.0
        trained, held = hold_out(photos.classes, photos.groups, fraction, seed)
        class_weight = self.parameters["class_weight"]
        factors = class_factors(class_weight, classes, photos.classes[trained])
        return weighted(photos.take(trained), factors), weighted(photos.take(held), factors)

    def _checkpoint(
        self, photos: Labelled, classes: NDArray[Any], seed: int
    ) -> CheckpointFile | None:
        given = self.parameters
        if given["checkpoint"] is None:
            return None
        depended = {name: given[name] for name in given if name not in _WITHOUT_EFFECT}
        # without a random state, a fit goes on with the seed of the one that was killed
        depended["seed"] = None if given["random_state"] is None else seed
        fingerprint = training_fingerprint(depended, classes.tolist(), photos, self.trunk)
        return CheckpointFile(str(given["checkpoint"]), fingerprint)


def _refuse_lost(photos: Labelled, classes: NDArray[Any]) -> None:
    """Raise a DataError if no photo of some label is left."""
    counts = np.bincount(photos.classes, minlength=len(classes))
    if not counts.all():
        raise DataError(
            f"None of the photos of {classes[counts.argmin()]!s} to train on can be read."
        )
