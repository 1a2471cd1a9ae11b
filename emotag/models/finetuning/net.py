"""skorch's classifier, taught to take photos as bytes and to learn by stages."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import EpochTimer, PassthroughScoring
from torch import nn

from emotag.models.finetuning.module import FineTunedNetwork, Rates, group_parameters
from emotag.models.finetuning.photos import EvenBatches, PhotoLoader, PhotoSet
from emotag.photos.preprocess import Preprocess

__all__ = ["FineTuningNet", "StopTraining"]


class StopTraining(Exception):
    """Raised by a callback where more training is of no use."""


class FineTuningNet(NeuralNetClassifier):
    """A classifier of pixels (n, size, size, 3), uint8, with a target of class and weight.

    Parameters
    ----------
    module : FineTunedNetwork
        The network.
    preprocess : Preprocess
        Its normalisation is done on the device.
    rates : Rates
        Of the parts of the network.
    autocast : bool, default=False
        Whether layers compute in bfloat16 while training.
    **kwargs
        As skorch takes them.
    """

    def __init__(
        self,
        module: FineTunedNetwork,
        *args: Any,
        preprocess: Preprocess,
        rates: Rates,
        autocast: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, *args, **kwargs)
        self.preprocess = preprocess
        self.rates = rates
        self.autocast = autocast

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        # without skorch's table on stdout, and without a second pass for the accuracy
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
        ]

    @property
    def network(self) -> FineTunedNetwork:
        """The module without what a distribution wraps around it."""
        module: Any = self.module_
        network: FineTunedNetwork = getattr(module, "module", module)
        return network

    def get_params_for_optimizer(
        self, prefix: str, named_parameters: Iterator[tuple[str, nn.Parameter]]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what the optimizer is made with: the stages as groups, unless told otherwise."""
        kwargs = self.get_params_for(prefix)
        if "param_groups" in kwargs:
            given: tuple[tuple[Any, ...], dict[str, Any]] = super().get_params_for_optimizer(
                prefix, named_parameters
            )
            return given
        kwargs.setdefault("lr", self.lr)
        return (group_parameters(self.network, self.rates),), kwargs

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Return the batches of a `PhotoSet`; of anything else, skorch's iterator."""
        if not isinstance(dataset, PhotoSet):
            return super().get_iterator(dataset, training=training)
        part, parts = self.share if training else (0, 1)
        size = self.batch_size
        batches = EvenBatches(dataset, size, shuffle=training, part=part, parts=parts)
        prefix = "iterator_train" if training else "iterator_valid"
        return PhotoLoader(dataset, batches, **self.get_params_for(prefix))

    @property
    def share(self) -> tuple[int, int]:
        """Which part of each batch this process trains on, of how many."""
        return 0, 1

    def infer(self, x: torch.Tensor, **fit_params: Any) -> torch.Tensor:
        """Return the logits of pixels (n, size, size, 3), uint8."""
        planes = self.normalise(x)
        enabled = self.autocast and self.module_.training
        with torch.autocast(planes.device.type, torch.bfloat16, enabled=enabled):
            logits: torch.Tensor = self.module_(planes, **fit_params)
        return logits.float()

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return pixels on the network's device, as `Preprocess.normalise` does."""
        device = next(self.module_.parameters()).device
        planes = pixels.to(device, non_blocking=True).permute(0, 3, 1, 2)
        if self.preprocess.channels == "BGR":
            planes = planes.flip(1)
        mean = torch.tensor(self.preprocess.mean, device=device).reshape(1, 3, 1, 1)
        std = torch.tensor(self.preprocess.std, device=device).reshape(1, 3, 1, 1)
        return (planes.float() - mean) / std

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any) -> Self:  # noqa: ARG002
        """Train for the epochs that are left; an interrupt is passed on, which skorch does not."""
        if not self.initialized_:
            self.initialize()
        with suppress(StopTraining):
            self.notify("on_train_begin", X=X, y=y)
            fit_params.pop("_routing_method", None)
            self.fit_loop(X, y, epochs=self.max_epochs - len(self.history), **fit_params)
        self.notify("on_train_end", X=X, y=y)
        return self
