"""A progressive fit: on all photos, then once more on those that are kept."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from skorch.callbacks import GradientNormClipping

from emotag.models.finetuning.callbacks import Stage
from emotag.models.finetuning.checkpoint import CheckpointFile
from emotag.models.finetuning.fitting import Fitting, Run, Sets, Trained
from emotag.models.finetuning.module import FineTunedNetwork
from emotag.models.finetuning.net import FineTuningNet
from emotag.models.finetuning.training import train
from emotag.models.progressive.dropping import DropClose
from emotag.models.progressive.networks import draw_weights

__all__ = ["ProgressiveFitting"]


@dataclass(frozen=True)
class ProgressiveFitting(Fitting):
    """A fit of a network from scratch, in one stage or in two.

    Attributes
    ----------
    trunk, n_features, preprocess, parameters
        As `Fitting` has them; the trunk's weights are drawn anew.

    Examples
    --------
    >>> from emotag.models.progressive.networks import ARCHITECTURES, PREPROCESS, build_trunk
    >>> architecture = ARCHITECTURES["3conv-2fc"]
    >>> trunk, n_features = build_trunk(architecture), architecture.n_features
    >>> fitting = ProgressiveFitting(trunk, n_features, PREPROCESS, {"dropout": 0.0})
    >>> fitting.make_network(2, seed=0).head
    Linear(in_features=24, out_features=2, bias=True)
    """

    def make_network(self, n_classes: int, seed: int) -> FineTunedNetwork:
        """Return the network, its weights drawn from the seed.

        Parameters
        ----------
        n_classes : int
            How many labels it tells apart.
        seed : int
            Same number, same weights.
        """
        network = super().make_network(n_classes, seed)
        draw_weights(network.modules(), seed)
        return network

    def train(self, network: FineTunedNetwork, sets: Sets, run: Run) -> Trained:
        """Train a network, drop photos whose scores are close, and train it on.

        Parameters
        ----------
        network : FineTunedNetwork
            As `make_network` returns it.
        sets : tuple of PhotoSet
            To train on, and held out; of the first, photos are dropped.
        run : Run
            What it goes by.
        """
        given = self.parameters
        if not given["progressive"]:
            net = self._stage(network, sets, run, Stage())
            return Trained(net, _marked(net, 1))
        later = given["progressive_epochs"]
        first = self._stage(network, sets, run, Stage(epochs_after=later))
        seed = _second_seed(run.seed)
        drop = DropClose(seed)
        stage = Stage(2, epochs_before=len(first.history), callbacks=(drop,))
        checkpoint = None if run.checkpoint is None else run.checkpoint.of_stage(2)
        second_run = Run(run.device, seed, checkpoint, run.accelerator)
        second = self._stage(network, sets, second_run, stage, max_epochs=later)
        return Trained(second, [*_marked(first, 1), *_marked(second, 2)], drop.dropped_)

    def forget(self, checkpoint: CheckpointFile) -> None:
        """Remove what both stages left; the first's is last, which tells how it all began."""
        checkpoint.of_stage(2).remove()
        checkpoint.remove()

    def _stage(
        self, network: FineTunedNetwork, sets: Sets, run: Run, stage: Stage, **changed: Any
    ) -> FineTuningNet:
        given = {**self.parameters, **changed}
        device, checkpoint = run.device, run.checkpoint
        if (longest := given["gradient_clip_value"]) is not None:
            stage = replace(stage, callbacks=(*stage.callbacks, GradientNormClipping(longest)))
        return train(network, sets, given, device, run.seed, checkpoint, run.accelerator, stage)


def _second_seed(seed: int) -> int:
    """Return the seed of the second stage, which shall not repeat the draws of the first."""
    return int(np.random.SeedSequence([seed, 2]).generate_state(1)[0])


def _marked(net: FineTuningNet, stage: int) -> list[dict[str, Any]]:
    """Return a net's history, with the stage in each entry."""
    return [{**row, "stage": stage} for row in net.history]
