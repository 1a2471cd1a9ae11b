"""Training that goes on where it was killed: its state after each epoch, as one file."""

import hashlib
import json
import os
import pickle
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback, LRScheduler
from skorch.history import History

from emotag.errors import StorageError
from emotag.models.finetuning.callbacks import BestWeights
from emotag.models.finetuning.net import FineTuningNet
from emotag.models.finetuning.photos import Labelled
from emotag.storage import replace_file

__all__ = ["CheckpointFile", "Resume", "training_fingerprint"]

# Raised when the content changes, so that old files are not found.
_VERSION = 1
_PARTS = {"seed", "network", "optimizer", "scheduler", "best", "history"}


def training_fingerprint(
    parameters: Mapping[str, Any], classes: Iterable[Any], photos: Labelled, trunk: torch.nn.Module
) -> str:
    """Return what tells one training from another: parameters, photos and first weights.

    Parameters
    ----------
    parameters : mapping
        All that the result depends on.
    classes : iterable
        The labels.
    photos : Labelled
        Those to train on and those to hold out.
    trunk : torch.nn.Module
        Before training.

    Returns
    -------
    str
        Of 64 hexadecimal digits.
    """
    described = {name: repr(value) for name, value in sorted(parameters.items())}
    parts = [_VERSION, described, [repr(label) for label in classes], torch.__version__]
    digest = hashlib.sha256(json.dumps(parts).encode())
    digest.update(b"".join(photos.contents))
    for numbers in (photos.classes, photos.groups, photos.weights):
        digest.update(np.ascontiguousarray(numbers).tobytes())
    for name, tensor in trunk.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class CheckpointFile:
    """The file of one training.

    Parameters
    ----------
    folder : str
        Where it is; made if it is missing.
    fingerprint : str
        As `training_fingerprint` returns it; another training has another file.
    """

    def __init__(self, folder: str, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint
        self.path = os.path.join(folder, f"{fingerprint[:32]}.checkpoint")

    def of_stage(self, number: int) -> "CheckpointFile":
        """Return the file of a later part of the same training, from 2 on."""
        return CheckpointFile(self.folder, f"{self.fingerprint[:30]}-{number}")

    def read(self) -> dict[str, Any] | None:
        """Return what was written last; None if there is nothing.

        Raises
        ------
        StorageError
            The file cannot be read, or is damaged.
        """
        if os.path.lexists(self.folder) and not os.path.isdir(self.folder):
            raise StorageError(f"{self.folder} is no folder, so no checkpoint can be kept in it.")
        try:
            found: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except (EOFError, OSError, RuntimeError, pickle.UnpicklingError) as error:
            raise StorageError(
                f"The checkpoint {self.path} cannot be read; delete it to begin anew."
            ) from error
        if not isinstance(found, dict) or not set(found) >= _PARTS:
            raise StorageError(f"{self.path} is no checkpoint of emotag; delete it to begin anew.")
        return found

    def write(self, state: dict[str, Any]) -> None:
        """Write tensors and plain values, whole or not at all.

        Raises
        ------
        StorageError
            The file cannot be written.
        """
        try:
            os.makedirs(self.folder, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.folder} cannot be made: {error.strerror}.") from error
        with replace_file(self.path) as file:
            torch.save(state, file)

    def seed(self, drawn: int) -> int:
        """Return the seed of the training that is to go on; if there is none, the one drawn now."""
        state = self.read()
        return drawn if state is None else int(state["seed"])

    def remove(self) -> None:
        """Remove the file once the training is done."""
        with suppress(FileNotFoundError):
            os.remove(self.path)


class Resume(Callback):
    """Write a checkpoint after each epoch, and begin from the last one.

    Parameters
    ----------
    file : CheckpointFile
        Where it is.
    seed : int
        Of the training, which the checkpoint keeps.
    best : BestWeights
        Whose weights are kept too.
    scheduler : LRScheduler, optional
        Whose state is kept too.
    """

    def __init__(
        self,
        file: CheckpointFile,
        seed: int,
        best: BestWeights,
        scheduler: LRScheduler | None = None,
    ) -> None:
        self.file = file
        self.seed = seed
        self.best = best
        self.scheduler = scheduler

    def on_train_begin(self, net: FineTuningNet, **_: Any) -> None:
        """Take the state of the last epoch, if there is one."""
        state = self.file.read()
        if state is None:
            return
        net.network.load_state_dict(state["network"])
        net.optimizer_.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.lr_scheduler_.load_state_dict(state["scheduler"])
        self.best.state_ = state["best"]
        net.history_ = History(state["history"])

    def on_epoch_end(self, net: FineTuningNet, **_: Any) -> None:
        """Write the state."""
        if net.share[0] != 0:
            return
        scheduler = None if self.scheduler is None else self.scheduler.lr_scheduler_.state_dict()
        state = {
            "seed": self.seed,
            "network": net.network.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "scheduler": _plain(scheduler),
            "best": self.best.state_,
            "history": [_plain({**row, "batches": []}) for row in net.history],
        }
        self.file.write(state)


def _plain(value: Any) -> Any:
    """Return a value of Python's own types, which torch loads without running code."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
