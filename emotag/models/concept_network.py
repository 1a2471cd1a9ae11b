"""`ConceptScores` as a torch module, beside the features of the same network."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from emotag.backbones.registry import find_backbone, load_backbone
from emotag.errors import ModelError
from emotag.features.cnn import CNNFeatures
from emotag.features.concepts import LOGITS, ConceptScores

__all__ = [
    "ConceptPrior",
    "ConceptTrunk",
    "FusedTrunk",
    "SeeingTrunk",
    "load_concepts",
    "load_fused",
]

# How far the classifier's output may be from the network's own, relative to its size.
_TOLERANCE = 1e-3


class ConceptPrior(nn.Module):
    """From the logits of a network's own classes to the scores of labels.

    Parameters
    ----------
    concepts : ConceptScores
        Fitted.
    """

    def __init__(self, concepts: ConceptScores) -> None:
        super().__init__()
        self.softness = float(concepts.softness)
        self.epsilon = float(concepts.epsilon)
        self.ratings: torch.Tensor
        self.centre: torch.Tensor
        self.spread: torch.Tensor
        ratings = concepts.ratings_.values / concepts.mean_
        for name, values in (
            ("ratings", ratings),
            ("centre", concepts.centre_),
            ("spread", concepts.spread_),
        ):
            self.register_buffer(name, torch.tensor(np.asarray(values), dtype=torch.float32))

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the scores.

        Parameters
        ----------
        logits : tensor of shape (n_photos, n_classes), float32
        """
        shown = torch.softmax(logits / self.softness, dim=1)
        scores = torch.log(self.epsilon + shown @ self.ratings)
        return (scores - self.centre) / self.spread


class SeeingTrunk(nn.Module):
    """A trunk that also says what its network sees."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the features.

        Parameters
        ----------
        pixels : tensor of shape (n_photos, 3, size, size), float32
        """
        return self.see(pixels)[0]

    def see(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what `forward` does, and the probabilities of the network's own classes."""
        raise NotImplementedError


class ConceptTrunk(SeeingTrunk):
    """The scores of what a network sees, and nothing else.

    Parameters
    ----------
    network : torch.nn.Module
        From normalised pixels to the logits of its own classes.
    prior : ConceptPrior
        From those to scores.
    """

    def __init__(self, network: nn.Module, prior: ConceptPrior) -> None:
        super().__init__()
        self.network = network
        self.prior = prior

    def see(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores, and the probabilities of the network's own classes."""
        return self.read(self.network(pixels).flatten(1))

    def read(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what `see` does, from the logits of the network's own classes."""
        return self.prior(logits), torch.softmax(logits, dim=1)


class FusedTrunk(SeeingTrunk):
    """Features of a network, and beside them the scores of what it sees.

    Parameters
    ----------
    backbone : torch.nn.Module
        From normalised pixels to the features that its classifier takes.
    classifier : torch.nn.Linear
        From these to the logits of its own classes.
    prior : ConceptPrior
        From those to scores.
    """

    def __init__(self, backbone: nn.Module, classifier: nn.Linear, prior: ConceptPrior) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.prior = prior

    def see(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features and scores, and the probabilities of the network's own classes."""
        features = self.backbone(pixels).flatten(1)
        logits = self.classifier(features)
        both = torch.cat([features, self.prior(logits)], dim=1)
        return both, torch.softmax(logits, dim=1)


def load_concepts(concepts: ConceptScores) -> ConceptTrunk:
    """Return the network of `ConceptScores` alone, ready for inference.

    Raises
    ------
    WeightsError
        The backbone's weights are missing.
    """
    network = load_backbone(concepts.backbone, LOGITS, concepts.weights)
    return ConceptTrunk(network, ConceptPrior(concepts)).eval()


def load_fused(features: CNNFeatures, concepts: ConceptScores) -> FusedTrunk:
    """Return the network of features and scores, which computes the features once.

    Raises
    ------
    ModelError
        The two are not of one network, or its classifier is no linear layer
        on these features.
    WeightsError
        The backbone's weights are missing.
    """
    name = features.backbone
    is_same = (name, features.weights) == (concepts.backbone, concepts.weights)
    if not is_same or features.mirror or features.salient is not None:
        raise ModelError(
            "Features and concepts can be saved together if they are of one backbone and of "
            "the whole photo, without mirroring."
        )
    backbone = load_backbone(name, features.layer, features.weights)
    whole = load_backbone(name, LOGITS, features.weights)
    classifier = _find_classifier(whole, find_backbone(name).head)
    if classifier is None or not _agree(name, backbone, classifier, whole):
        raise ModelError(
            f"The classifier of {name} is no linear layer on its layer "
            f"{find_backbone(name).choose_layer(features.layer)}, so its concepts cannot be "
            "fused with it in one network."
        )
    return FusedTrunk(backbone, classifier, ConceptPrior(concepts)).eval()


def _find_classifier(network: nn.Module, head: Sequence[str]) -> nn.Linear | None:
    modules = dict(network.named_modules())
    found = [modules[name] for name in head if isinstance(modules.get(name), nn.Linear)]
    return found[0] if len(found) == 1 else None


def _agree(name: str, backbone: nn.Module, classifier: nn.Linear, whole: nn.Module) -> bool:
    size = find_backbone(name).preprocess.size
    with torch.inference_mode():
        pixels = torch.linspace(-1, 1, 3 * size * size).reshape(1, 3, size, size)
        features = backbone(pixels).flatten(1)
        if features.shape[1] != classifier.in_features:
            return False
        expected = whole(pixels)
        difference = (classifier(features) - expected).abs().max()
        return bool(difference <= _TOLERANCE * (1 + expected.abs().max()))
