"""What happens before and after each epoch of fine-tuning."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback

from emotag.errors import ModelError
from emotag.models.finetuning.net import FineTuningNet, StopTraining
from emotag.models.finetuning.photos import PhotoSet

__all__ = [
    "BestWeights",
    "Epoch",
    "EpochStart",
    "Patience",
    "Progress",
    "Report",
    "Stage",
    "ValidScore",
]

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Epoch:
    """How an epoch went.

    Attributes
    ----------
    number, of : int
        Which epoch, from 1 on, of how many at most.
    train_loss : float
        Mean loss of the training photos.
    valid_loss, valid_score : float or None
        Mean loss and accuracy of the held-out photos; None without any.
    photos_per_second : float
        Trained on.
    seconds_left : float
        Until the last epoch ends, if all are needed.
    stage : int
        Which part of a training that has several, from 1 on.
    """

    number: int
    of: int
    train_loss: float
    valid_loss: float | None
    valid_score: float | None
    photos_per_second: float
    seconds_left: float
    stage: int = 1


Progress = Callable[[Epoch], None]


@dataclass(frozen=True)
class Stage:
    """A part of a training that has several, and what is before and after it.

    Attributes
    ----------
    number : int
        Which one, from 1 on.
    epochs_before, epochs_after : int
        How many there were before it, and will be after it at most.
    callbacks : tuple of skorch.callbacks.Callback
        What else happens in it, before all else.
    """

    number: int = 1
    epochs_before: int = 0
    epochs_after: int = 0
    callbacks: tuple[Callback, ...] = ()


class EpochStart(Callback):
    """Begin each epoch from a seed of its own, so that one can go on at any of them.

    Parameters
    ----------
    seed : int
        Of the whole training.
    frozen_epochs : int
        For how many epochs the head alone learns; None for all of them.
    """

    def __init__(self, seed: int, frozen_epochs: int | None) -> None:
        self.seed = seed
        self.frozen_epochs = frozen_epochs

    def on_epoch_begin(
        self, net: FineTuningNet, dataset_train: PhotoSet | None = None, **_: Any
    ) -> None:
        """Seed the order, the augmentation and dropout; freeze the trunk, or let it go."""
        number = len(net.history)
        part = net.share[0]
        words = np.random.SeedSequence([self.seed, number, part]).generate_state(1, np.uint64)
        torch.manual_seed(int(words[0]))
        frozen = self.frozen_epochs
        net.network.trunk_is_frozen = frozen is None or number <= frozen
        if isinstance(dataset_train, PhotoSet):
            # the same in all processes, which take their parts of it
            dataset_train.start_epoch([self.seed, number])


class ValidScore(Callback):
    """Record the accuracy on the held-out photos as ``valid_acc``."""

    def on_epoch_begin(self, _net: FineTuningNet, **_: Any) -> None:
        """Begin to count."""
        self._right, self._seen = 0, 0

    def on_batch_end(
        self, _net: FineTuningNet, batch: Any, y_pred: torch.Tensor, training: bool, **_: Any
    ) -> None:
        """Count the photos that were told right."""
        if not training:
            predicted = y_pred.argmax(dim=1).cpu()
            self._right += int((predicted == batch[1][0].cpu()).sum())
            self._seen += len(predicted)

    def on_epoch_end(self, net: FineTuningNet, **_: Any) -> None:
        """Record the accuracy."""
        if self._seen:
            net.history.record("valid_acc", self._right / self._seen)


class BestWeights(Callback):
    """Keep the weights of the lowest loss on held-out photos, and end with them.

    Attributes
    ----------
    state_ : dict or None
        The network's state after the best epoch.
    """

    def initialize(self) -> "BestWeights":
        """Forget what was kept."""
        self.state_: State | None = None
        return self

    def on_epoch_end(self, net: FineTuningNet, **_: Any) -> None:
        """Keep the weights if they are the best yet."""
        losses = valid_losses(net)
        loss = losses[-1] if losses else net.history[-1, "train_loss"]
        if not math.isfinite(loss):
            raise ModelError(
                f"The loss became {loss} in epoch {len(net.history)}: the network learns too "
                f"fast. Try a lower {net.rates.names}."
            )
        if losses and loss == min(losses):
            state = net.network.state_dict()
            self.state_ = {key: value.detach().cpu().clone() for key, value in state.items()}

    def on_train_end(self, net: FineTuningNet, **_: Any) -> None:
        """Take the best weights."""
        if self.state_ is not None:
            net.network.load_state_dict(self.state_)


class Patience(Callback):
    """Stop where the loss on held-out photos has not improved for some epochs.

    Parameters
    ----------
    epochs : int
        For how many.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_begin(self, net: FineTuningNet, **_: Any) -> None:
        """Do not go on where an earlier run would have stopped."""
        self.on_epoch_end(net)

    def on_epoch_end(self, net: FineTuningNet, **_: Any) -> None:
        """Stop if it is time."""
        losses = valid_losses(net)
        if losses and len(losses) - 1 - best_epoch(losses) >= self.epochs:
            raise StopTraining


class Report(Callback):
    """Tell how each epoch went.

    Parameters
    ----------
    progress : callable
        Takes an `Epoch`.
    stage : Stage
        Of the training.
    """

    def __init__(self, progress: Progress, stage: Stage) -> None:
        self.progress = progress
        self.stage = stage

    def on_train_begin(self, net: FineTuningNet, **_: Any) -> None:
        """Look at the clock."""
        self._began = time.perf_counter()
        self._earlier = len(net.history)

    def on_epoch_end(
        self, net: FineTuningNet, dataset_train: PhotoSet | None = None, **_: Any
    ) -> None:
        """Tell."""
        row = net.history[-1]
        losses = valid_losses(net)
        done = len(net.history)
        mean = (time.perf_counter() - self._began) / (done - self._earlier)
        photos = 0 if dataset_train is None else len(dataset_train)
        left = net.max_epochs - done + self.stage.epochs_after
        epoch = Epoch(
            number=self.stage.epochs_before + done,
            of=self.stage.epochs_before + done + left,
            train_loss=float(row["train_loss"]),
            valid_loss=losses[-1] if losses else None,
            valid_score=row.get("valid_acc"),
            photos_per_second=photos / row["dur"],
            seconds_left=mean * left,
            stage=self.stage.number,
        )
        self.progress(epoch)


def valid_losses(net: FineTuningNet) -> list[float]:
    """Return the loss on held-out photos after each epoch; none without such photos."""
    return [float(row["valid_loss"]) for row in net.history if "valid_loss" in row]


def best_epoch(losses: list[float]) -> int:
    """Return the number of the lowest loss, from 0 on; the last one of equal ones."""
    return max(index for index, loss in enumerate(losses) if loss == min(losses))
