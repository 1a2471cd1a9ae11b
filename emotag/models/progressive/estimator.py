"""ProgressiveCNN: a scikit-learn classifier of photos, trained from scratch in two stages."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from emotag.models.finetuning.base import NetworkClassifier, TrunkSource
from emotag.models.finetuning.callbacks import Progress
from emotag.models.finetuning.fitting import Fitted
from emotag.models.progressive.fitting import ProgressiveFitting
from emotag.models.progressive.networks import (
    PREPROCESS,
    Architecture,
    build_trunk,
    draw_weights,
    find_architecture,
)

__all__ = ["ProgressiveCNN"]

# What can be set for a pretrained network only; here all layers learn alike.
_FIXED: dict[str, Any] = {
    "accelerate": None,
    "compile": False,
    "frozen_epochs": 0,
    "head_lr": None,
    "layer_decay": 1.0,
}


class ProgressiveCNN(NetworkClassifier):
    """A network of its own, trained on labelled photos from scratch, progressively.

    The network is trained on all photos. Then those that it tells from each
    other worst, whose two highest scores are close, are dropped at random, and
    it is trained further on the rest: their labels are the likeliest to be
    wrong. Part of the photos is held out to stop each stage in time, to choose
    its best weights, and to calibrate the probabilities by one temperature.

    What the paper says, as far as we know, is the layers of ``'2conv-4fc'``,
    the size of the photos, gradient descent, and the rule by which photos are
    dropped. The rest is our choice: see `emotag.models.progressive.networks`
    for layers and first weights; numbers of epochs, rates (the second stage
    begins with the first one's), momentum, decay and the longest gradient stand
    below.

    Parameters
    ----------
    architecture : {'2conv-4fc', '2conv-3fc', '3conv-2fc', '3conv-4fc'}, default='2conv-4fc'
        How many convolutions and fully connected layers the network has.
    progressive : bool, default=True
        Whether there is a second stage.
    progressive_epochs : int, default=10
        How often the second stage sees each photo that is kept, at most.
    lr : float, default=0.01
        Learning rate of each stage at its beginning.
    momentum : float, default=0.9
        Of the gradient descent.
    weight_decay : float, default=5e-4
        Of weights; biases have none.
    gradient_clip_value : float or None, default=1.0
        The largest norm of a step's gradient; a longer one is cut to it. Without
        it, a step that is far too long now and then leaves no rectifier of the
        24 open, and the network says one label of every photo from then on.
    dropout : float, default=0.0
        The share of the last hidden layer's 24 values that is left out at
        random while training.
    max_epochs : int, default=20
        How often the first stage sees each photo at most.
    batch_size : int, default=32
        Photos a step, at most: an epoch is cut into even batches.
    mirror : bool, default=True
        Whether half of the photos are mirrored, anew in each epoch.
    crop : bool, default=True
        Whether a random square of the resized photo is seen, anew in each
        epoch; otherwise its centre.
    class_weight : dict or 'balanced', optional
        Weights by label. ``'balanced'`` makes all labels count the same; it is
        reckoned before photos are dropped.
    label_smoothing : float, default=0.0
        The share of each label that is spread over all of them.
    schedule : {'cosine', 'plateau'} or None, default='cosine'
        How the learning rate falls in each stage: along half a cosine to
        nothing; to a tenth whenever the loss stands still for three epochs; or
        not at all.
    patience : int or None, default=5
        After how many epochs without a lower loss on held-out photos a stage
        stops.
    validation_fraction : float or None, default=0.1
        The share of the photos to hold out, of each label alike. With None,
        all photos are trained on for all epochs, and the temperature is 1.
    mixed_precision : bool or 'auto', default='auto'
        Whether layers compute in bfloat16 while training; ``'auto'`` says yes
        where the device does so itself. Predictions are always in float32.
    max_broken : float, default=0.05
        The largest share of photos that may turn out unreadable.
    checkpoint : path-like, optional
        A folder. After each epoch the state of the training is kept there, and
        a fit that was killed in either stage goes on from it, to the same
        weights. It must be the same fit: parameters, photos and labels.
    keep_checkpoint : bool, default=False
        Whether the checkpoint stays when the fit is done.
    device : str, default='auto'
        As torch names it; ``'auto'`` takes a GPU if torch sees one.
    n_jobs : int, optional
        Threads that decode; by default one a core.
    random_state : int, RandomState instance or None, default=None
        Makes a fit repeatable: same number, same weights. The random states
        of torch and numpy themselves are not touched.
    progress : callable, optional
        Called with an `Epoch` after each of them, whose numbers go on from one
        stage to the next.
    net_params : dict, optional
        Arguments of skorch's ``NeuralNetClassifier``, in both stages.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, in order.
    net_ : skorch.NeuralNetClassifier
        The trained net; each entry of its ``history`` has a ``stage``.
    module_ : torch.nn.Module
        The network itself: ``trunk``, ``dropout`` and ``head``.
    temperature_ : float
        What the logits are divided by.
    n_iter_ : int
        How many epochs were trained.
    n_iter_by_stage_ : list of int
        How many of them in each stage.
    kept_ : ndarray of shape (n_photos,), bool
        False for photos that were dropped before the second stage. Those held
        out never are. A file that X names twice is dropped if both are.
    preprocess_ : Preprocess
        What the network sees of a photo.
    failures_ : list of PhotoError
        The photos that could not be read, and were left out.

    See Also
    --------
    emotag.FineTunedCNN : Begins from a pretrained network.

    References
    ----------
    You et al., "Robust Image Sentiment Analysis Using Progressively Trained
    and Domain Transferred Deep Networks", AAAI 2015, arXiv:1509.06041.

    Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural
    Networks", NeurIPS 2012: rate, momentum and decay, which we take over.

    Pascanu et al., "On the difficulty of training recurrent neural networks",
    ICML 2013: the cut of the gradient.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: the
    temperature.

    Examples
    --------
    >>> from emotag.models.progressive.estimator import ProgressiveCNN
    >>> import os, sklearn
    >>> folder = os.path.join(os.path.dirname(sklearn.__file__), "datasets", "images")
    >>> X = [os.path.join(folder, name) for name in ("china.jpg", "flower.jpg")]
    >>> model = ProgressiveCNN(
    ...     "3conv-2fc", max_epochs=2, progressive=False, validation_fraction=None, random_state=0
    ... )
    >>> model.fit(X, ["awe", "love"]).predict_proba(X).shape
    (2, 2)
    """

    def __init__(  # noqa: PLR0913
        self,
        architecture: str = "2conv-4fc",
        *,
        progressive: bool = True,
        progressive_epochs: int = 10,
        lr: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        gradient_clip_value: float | None = 1.0,
        dropout: float = 0.0,
        max_epochs: int = 20,
        batch_size: int = 32,
        mirror: bool = True,
        crop: bool = True,
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        schedule: str | None = "cosine",
        patience: int | None = 5,
        validation_fraction: float | None = 0.1,
        mixed_precision: bool | str = "auto",
        max_broken: float = 0.05,
        checkpoint: Any = None,
        keep_checkpoint: bool = False,
        device: str = "auto",
        n_jobs: int | None = None,
        random_state: Any = None,
        progress: Progress | None = None,
        net_params: Mapping[str, Any] | None = None,
    ) -> None:
        self.architecture = architecture
        self.progressive = progressive
        self.progressive_epochs = progressive_epochs
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.gradient_clip_value = gradient_clip_value
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.mirror = mirror
        self.crop = crop
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.schedule = schedule
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.mixed_precision = mixed_precision
        self.max_broken = max_broken
        self.checkpoint = checkpoint
        self.keep_checkpoint = keep_checkpoint
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress = progress
        self.net_params = net_params

    def _source(self) -> TrunkSource:
        architecture = find_architecture(self.architecture)
        return TrunkSource(
            name=f"network {self.architecture!r}",
            preprocess=PREPROCESS,
            n_features=architecture.n_features,
            load=lambda: _unlearned(architecture),
            build=lambda: build_trunk(architecture),
        )

    def _settings(self) -> dict[str, Any]:
        return _FIXED | super()._settings()

    def _fitting(self, source: TrunkSource) -> ProgressiveFitting:
        return ProgressiveFitting(
            source.load(), source.n_features, source.preprocess, self._settings()
        )

    def _keep(self, fitted: Fitted, paths: Sequence[str]) -> None:
        dropped = set(fitted.dropped)
        stages = [row["stage"] for row in fitted.history]
        self.n_iter_by_stage_ = [stages.count(stage) for stage in sorted(set(stages))]
        self.kept_ = np.array([path not in dropped for path in paths], dtype=bool)


def _unlearned(architecture: Architecture) -> nn.Module:
    """Return a network that is always the same, by which a checkpoint is known."""
    trunk = build_trunk(architecture)
    draw_weights(trunk.modules(), seed=0)
    return trunk
