"""A network made, wrapped as skorch's, trained and calibrated."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import LRScheduler
from skorch.helper import predefined_split
from torch import nn

from emotag.backbones.device import exact_float32
from emotag.errors import ModelError
from emotag.models.finetuning.calibration import fit_temperature
from emotag.models.finetuning.callbacks import (
    BestWeights,
    EpochStart,
    Patience,
    Report,
    Stage,
    ValidScore,
)
from emotag.models.finetuning.checkpoint import CheckpointFile, Resume
from emotag.models.finetuning.distributed import AcceleratedNet
from emotag.models.finetuning.module import FineTunedNetwork, Rates, WeightedCrossEntropy
from emotag.models.finetuning.net import FineTuningNet
from emotag.models.finetuning.photos import PhotoSet
from emotag.models.finetuning.precision import choose_autocast, out_of_memory
from emotag.photos.preprocess import Preprocess

__all__ = ["find_temperature", "make_net", "make_network", "run_network", "train"]

# Of the schedule 'plateau': after how many epochs without progress the rates are
# divided by ten, as is usual since AlexNet.
_PLATEAU_EPOCHS = 2


def make_network(
    trunk: nn.Module, n_features: int, n_classes: int, dropout: float, seed: int
) -> FineTunedNetwork:
    """Return a trunk with a new head, all of it free to learn.

    Parameters
    ----------
    trunk : torch.nn.Module
        From normalised pixels to features.
    n_features, n_classes : int
        What the head takes and gives.
    dropout : float
        Before the head.
    seed : int
        Of the head's first weights.
    """
    torch.manual_seed(seed)
    network = FineTunedNetwork(trunk, n_features, n_classes, dropout).requires_grad_(True)
    # the pixels come with their channels last, which is also how convolutions are fastest
    return network.to(memory_format=torch.channels_last)


def make_net(
    network: FineTunedNetwork,
    preprocess: Preprocess,
    parameters: Mapping[str, Any],
    device: str,
    **more: Any,
) -> FineTuningNet:
    """Return a network as skorch's classifier, initialised.

    Parameters
    ----------
    network : FineTunedNetwork
        To train, or trained.
    preprocess : Preprocess
        What it sees.
    parameters : mapping
        Of the estimator, with those that it has not set.
    device : str
        As torch names it.
    **more
        Of skorch's arguments.

    Raises
    ------
    ModelError
        ``net_params`` holds something that skorch does not take.
    """
    given = dict(parameters["net_params"] or {})
    callbacks = [*more.pop("callbacks", []), *(given.pop("callbacks", None) or [])]
    arguments: dict[str, Any] = {
        "preprocess": preprocess,
        "rates": Rates(
            trunk=parameters["lr"],
            head=parameters["head_lr"],
            layer_decay=parameters["layer_decay"],
            weight_decay=parameters["weight_decay"],
        ),
        "autocast": choose_autocast(parameters["mixed_precision"], device),
        "criterion": WeightedCrossEntropy,
        "criterion__label_smoothing": parameters["label_smoothing"],
        "lr": parameters["lr"],
        "max_epochs": parameters["max_epochs"],
        "batch_size": parameters["batch_size"],
        "train_split": None,
        # accelerate moves the network itself
        "device": None if "accelerator" in more else device,
        "verbose": 0,
    }
    if "optimizer" not in given:
        arguments |= {"optimizer": torch.optim.SGD, "optimizer__momentum": parameters["momentum"]}
    kind = AcceleratedNet if "accelerator" in more else FineTuningNet
    try:
        net = kind(network, callbacks=callbacks, **{**arguments, **given, **more})
        initialized: FineTuningNet = net.initialize()
    except (TypeError, ValueError) as error:
        raise ModelError(f"net_params={given!r}: {error}") from error
    return initialized


def train(
    network: FineTunedNetwork,
    sets: tuple[PhotoSet, PhotoSet],
    parameters: Mapping[str, Any],
    device: str,
    seed: int,
    checkpoint: CheckpointFile | None = None,
    accelerator: Any = None,
    stage: Stage | None = None,
) -> FineTuningNet:
    """Return the classifier of a network, trained, with the best of its weights.

    Parameters
    ----------
    network : FineTunedNetwork
        To train.
    sets : tuple of PhotoSet
        To train on, and held out.
    parameters : mapping
        As in `make_net`.
    device : str
        As torch names it.
    seed : int
        Of all that is random.
    checkpoint : CheckpointFile, optional
        To go on from and to write.
    accelerator : accelerate.Accelerator, optional
        Of several processes that train together.
    stage : Stage, optional
        Where this is a part of a training only.

    Raises
    ------
    ModelError
        The memory does not suffice, or the network learns too fast.
    DataError
        Too many photos break meanwhile.
    """
    training, held = sets
    stage = stage or Stage()
    callbacks = _callbacks(parameters, seed, checkpoint, stage, has_held=len(held) > 0)
    if parameters["compile"]:
        network.compile()
    net = make_net(
        network,
        training.preprocess,
        parameters,
        device,
        callbacks=[*stage.callbacks, *callbacks],
        train_split=predefined_split(held) if len(held) else None,
        **({} if accelerator is None else {"accelerator": accelerator}),
    )
    try:
        net.partial_fit(training)
    except torch.OutOfMemoryError as error:
        raise out_of_memory(parameters["batch_size"], device) from error
    network.trunk_is_frozen = False
    network.zero_grad(set_to_none=True)
    _refuse_diverged(net, held if len(held) else training)
    return net


def _refuse_diverged(net: FineTuningNet, photos: PhotoSet) -> None:
    """Raise a ModelError if what came of the last step is no number, which no loss shows."""
    pixels, _ = next(iter(net.get_iterator(photos)))
    if not np.isfinite(run_network(net, pixels)).all():
        raise ModelError(
            "The network's scores are no numbers after its last step: it learns too fast. Try a "
            f"lower {net.rates.names}."
        )


def find_temperature(net: FineTuningNet, held: PhotoSet) -> float:
    """Return the temperature that held-out photos ask for; 1 without any."""
    if not len(held):
        return 1.0
    logits, classes, weights = [], [], []
    for pixels, (targets, counts) in net.get_iterator(held):
        logits.append(run_network(net, pixels))
        classes.append(targets.numpy())
        weights.append(counts.numpy())
    independent = len(np.unique(held.photos.groups))
    return fit_temperature(
        np.concatenate(logits), np.concatenate(classes), np.concatenate(weights), independent
    )


def run_network(net: FineTuningNet, pixels: torch.Tensor) -> NDArray[np.float32]:
    """Return the logits of pixels (n, size, size, 3), uint8, in float32.

    Raises
    ------
    ModelError
        The memory does not suffice.
    """
    try:
        with torch.inference_mode(), exact_float32():
            net.module_.eval()
            logits: NDArray[np.float32] = net.infer(pixels).cpu().numpy()
    except torch.OutOfMemoryError as error:
        raise out_of_memory(len(pixels), str(net.device)) from error
    return logits


def _callbacks(
    parameters: Mapping[str, Any],
    seed: int,
    checkpoint: CheckpointFile | None,
    stage: Stage,
    *,
    has_held: bool,
) -> list[Any]:
    best = BestWeights()
    scheduler = _scheduler(parameters, has_held=has_held)
    # without a learning rate, statistics of batches would still be learnt
    frozen = parameters["frozen_epochs"] if parameters["lr"] else None
    callbacks: list[Any] = [EpochStart(seed, frozen), ValidScore()]
    if scheduler is not None:
        callbacks.append(scheduler)
    callbacks.append(best)
    if checkpoint is not None:
        callbacks.append(Resume(checkpoint, seed, best, scheduler))
    if parameters["progress"] is not None:
        callbacks.append(Report(parameters["progress"], stage))
    if parameters["patience"] is not None:
        callbacks.append(Patience(parameters["patience"]))
    return callbacks


def _scheduler(parameters: Mapping[str, Any], *, has_held: bool) -> LRScheduler | None:
    if parameters["schedule"] == "cosine":
        return LRScheduler("CosineAnnealingLR", T_max=parameters["max_epochs"])
    if parameters["schedule"] == "plateau":
        monitor = "valid_loss" if has_held else "train_loss"
        return LRScheduler("ReduceLROnPlateau", monitor=monitor, patience=_PLATEAU_EPOCHS)
    return None
