"""The network that is fine-tuned: a pretrained trunk with a new head, and its loss."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn
from torch.nn import functional

__all__ = ["FineTunedNetwork", "Rates", "WeightedCrossEntropy", "group_parameters"]

Named = tuple[str, nn.Parameter]


class FineTunedNetwork(nn.Module):
    """A pretrained trunk, dropout, and a new fully connected layer.

    Parameters
    ----------
    trunk : torch.nn.Module
        From normalised pixels to features (n_photos, n_features).
    n_features, n_classes : int
        What the head takes and gives.
    dropout : float
        The share of features that is left out at random while training.
    """

    def __init__(self, trunk: nn.Module, n_features: int, n_classes: int, dropout: float) -> None:
        super().__init__()
        self.trunk = trunk
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(n_features, n_classes)
        self.trunk_is_frozen = False

    def train(self, mode: bool = True) -> Self:
        """Switch to training, or to evaluation; a frozen trunk stays in evaluation."""
        super().train(mode)
        if self.trunk_is_frozen:
            self.trunk.eval()
        return self

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the logits of photos.

        Parameters
        ----------
        pixels : tensor of shape (n_photos, 3, size, size), float32
            Normalised.

        Returns
        -------
        tensor of shape (n_photos, n_classes)
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.trunk_is_frozen):
            features = self.trunk(pixels).flatten(1)
        logits: torch.Tensor = self.head(self.dropout(features))
        return logits


class WeightedCrossEntropy(nn.CrossEntropyLoss):
    """Cross entropy of weighted photos; labels are smoothed in training only.

    A photo of weight 2 counts as two photos of weight 1.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        The share of each label that is spread over all of them.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__(label_smoothing=label_smoothing)

    def forward(self, logits: torch.Tensor, target: Any) -> torch.Tensor:
        """Return the mean loss of a batch.

        Parameters
        ----------
        logits : tensor of shape (n_photos, n_classes)
            What the network gave.
        target : tuple of two tensors of shape (n_photos,)
            Classes, and weights whose mean over all photos is 1.
        """
        classes, weights = target
        smoothing = self.label_smoothing if self.training else 0.0
        losses = functional.cross_entropy(
            logits, classes, reduction="none", label_smoothing=smoothing
        )
        mean: torch.Tensor = (losses * weights).mean()
        return mean


@dataclass(frozen=True)
class Rates:
    """How fast each part of a network learns.

    Attributes
    ----------
    trunk : float
        Learning rate of the trunk's last stage.
    head : float or None
        Learning rate of the head; None for the same.
    layer_decay : float
        What the rate is multiplied with from one stage to the one before it.
    weight_decay : float
        Of weights; biases and normalisation have none.
    """

    trunk: float
    head: float | None
    layer_decay: float
    weight_decay: float

    @property
    def names(self) -> str:
        """What the rates are called where they are set."""
        return "lr" if self.head is None else "lr or head_lr"


def group_parameters(network: FineTunedNetwork, rates: Rates) -> list[dict[str, Any]]:
    """Return an optimizer's groups: a rate for each stage of the trunk, and one for the head.

    A stage is a child of the trunk, or a child of such a child where that is
    a sequence of modules, such as a block of a ResNet; what holds nothing but
    biases and normalisation belongs to the stage before it.

    Parameters
    ----------
    network : FineTunedNetwork
        Its parameters are in the groups, each once.
    rates : Rates
        Of the parts.

    Returns
    -------
    list of dict
        With the keys ``params``, ``lr`` and ``weight_decay``, from the first layer on.
    """
    groups: list[dict[str, Any]] = []
    stages = split_stages(network.trunk)
    for distance, stage in zip(range(len(stages) - 1, -1, -1), stages, strict=True):
        groups.extend(_with_decay(stage, rates.trunk * rates.layer_decay**distance, rates))
    head = rates.trunk if rates.head is None else rates.head
    groups.extend(_with_decay(list(network.head.named_parameters()), head, rates))
    return groups


def split_stages(trunk: nn.Module) -> list[list[Named]]:
    """Return the parameters of a trunk by stage, from the first layer on."""
    stages: list[list[Named]] = []
    for parameters in _pieces(trunk):
        if stages and all(_is_plain(parameter) for _, parameter in parameters):
            stages[-1].extend(parameters)
        else:
            stages.append(parameters)
    return stages


def _pieces(trunk: nn.Module) -> Iterator[list[Named]]:
    own = list(trunk.named_parameters(recurse=False))
    children = [(name, child) for name, child in trunk.named_children() if _has_parameters(child)]
    if not own and len(children) == 1:
        # a mere wrapper
        yield from _pieces(children[0][1])
        return
    if own:
        yield own
    for name, child in children:
        is_sequence = isinstance(child, nn.Sequential | nn.ModuleList)
        parts = child.named_children() if is_sequence else [(name, child)]
        for part_name, part in parts:
            if _has_parameters(part):
                yield [(f"{part_name}.{key}", value) for key, value in part.named_parameters()]


def _has_parameters(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _is_plain(parameter: nn.Parameter) -> bool:
    """Return whether a parameter is a bias or belongs to a normalisation."""
    return parameter.ndim <= 1


def _with_decay(stage: list[Named], lr: float, rates: Rates) -> Iterator[dict[str, Any]]:
    """Split a stage: decay would pull the scales of a normalisation to nothing."""
    for plain, decay in ((False, rates.weight_decay), (True, 0.0)):
        chosen = [parameter for _, parameter in stage if _is_plain(parameter) == plain]
        if chosen:
            yield {"params": chosen, "lr": lr, "weight_decay": decay}
