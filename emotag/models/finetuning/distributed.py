"""Several processes that train one network together, through accelerate."""

from typing import Any

import torch
from skorch.hf import AccelerateMixin

from emotag.errors import MissingExtraError, ModelError
from emotag.models.finetuning.net import FineTuningNet

__all__ = ["AcceleratedNet", "open_accelerator", "shared_seed"]


class AcceleratedNet(AccelerateMixin, FineTuningNet):
    """A `FineTuningNet` of which each process trains on a part of each batch.

    The photos are shared out by `EvenBatches`, which keeps the batches what
    they are with one process; those held out are judged by each process.
    """

    @property
    def share(self) -> tuple[int, int]:
        """Which part of each batch this process trains on, of how many."""
        return self.accelerator.process_index, self.accelerator.num_processes

    def _initialize_accelerator(self) -> Any:
        # a loss has no weights, and on CPUs accelerate would try to distribute them
        criteria = list(vars(self)["_criteria"])
        self._criteria: list[str] = []
        try:
            return super()._initialize_accelerator()
        finally:
            self._criteria = criteria

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return the batches of this process."""
        return FineTuningNet.get_iterator(self, dataset, training=training)

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Return a step whose loss is that of all processes: schedules must not differ."""
        step: dict[str, Any] = super().train_step_single(batch, **fit_params)
        mean = self.accelerator.reduce(step["loss"].detach().clone(), reduction="mean")
        return {**step, "loss": mean}


def open_accelerator(accelerate: Any, parameters: dict[str, Any]) -> Any:
    """Return what the processes meet through; None where there is but one.

    Parameters
    ----------
    accelerate : None, True or accelerate.Accelerator
        As `FineTunedCNN` takes it.
    parameters : dict
        Of the `FineTunedCNN`.

    Raises
    ------
    MissingExtraError
        The package is not installed.
    ModelError
        It is something else, or a device is named too.
    """
    if accelerate is None or accelerate is False:
        return None
    try:
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs
    except ImportError as error:
        raise MissingExtraError(
            "accelerate=True needs a package; type: pip install 'emotag[accelerate]'"
        ) from error
    if accelerate is not True and not isinstance(accelerate, Accelerator):
        raise ModelError(f"accelerate={accelerate!r} must be None, True or an Accelerator.")
    if parameters["device"] != "auto":
        raise ModelError(
            f"device={parameters['device']!r} and accelerate exclude each other: "
            "accelerate chooses the device."
        )
    if accelerate is not True:
        return accelerate
    # a frozen trunk has no gradients for the processes to exchange
    frozen = parameters["frozen_epochs"] > 0 or parameters["lr"] == 0
    handler = DistributedDataParallelKwargs(find_unused_parameters=frozen)
    return Accelerator(kwargs_handlers=[handler])


def shared_seed(accelerator: Any, seed: int) -> int:
    """Return the first process's seed."""
    if accelerator is None:
        return seed
    chosen = torch.tensor([seed if accelerator.is_main_process else 0], device=accelerator.device)
    return int(accelerator.reduce(chosen, reduction="sum").item())
