"""FineTunedCNN: a scikit-learn classifier of photos that fine-tunes a pretrained network."""

from collections.abc import Mapping
from typing import Any

from emotag.backbones.registry import find_backbone, fresh_backbone, load_backbone
from emotag.errors import ModelError
from emotag.models.finetuning.base import NetworkClassifier, TrunkSource
from emotag.models.finetuning.callbacks import Progress
from emotag.saliency.preprocess import with_saliency

__all__ = ["FineTunedCNN"]


class FineTunedCNN(NetworkClassifier):
    """A pretrained network, fine-tuned on labelled photos.

    A new fully connected layer behind dropout takes the place of the
    network's own classifier, and everything is trained together by stochastic
    gradient descent: the pretrained layers slowly, the new one faster. Part of
    the photos is held out to stop in time, to choose the best weights, and to
    calibrate the probabilities by one temperature.

    Parameters
    ----------
    backbone : str, default='resnet50'
        The network; ``emotag models`` lists them.
    weights : path-like, optional
        A file with its weights; by default they come from where the backbone says.
    layer : str, optional
        The layer that the new one stands on; by default the backbone's own choice.
    salient : {'crop', 'weight'}, optional
        Whether the network sees the salient region of a photo only, or the
        photo with the rest of it faded; by default it sees all of it.
    saliency : {'barrier', 'spectral', 'u2netp'}, default='barrier'
        How what is salient is found, as `emotag.saliency.maps.saliency_map` says.
    lr : float, default=1e-4
        Learning rate of the pretrained layers; 0 leaves them as they are.
    head_lr : float, default=1e-3
        Learning rate of the new layer.
    layer_decay : float, default=1.0
        What the learning rate is multiplied with from one stage of the network
        to the one before it: below 1, early layers learn more slowly.
    momentum : float, default=0.9
        Of the gradient descent.
    weight_decay : float, default=5e-4
        Of weights; biases and normalisation have none.
    dropout : float, default=0.5
        The share of features that is left out at random while training.
    max_epochs : int, default=20
        How often each photo is seen at most.
    batch_size : int, default=32
        Photos a step, at most: an epoch is cut into even batches.
    mirror : bool, default=True
        Whether half of the photos are mirrored, anew in each epoch.
    crop : bool, default=True
        Whether a random square of the resized photo is seen, anew in each
        epoch; otherwise its centre.
    class_weight : dict or 'balanced', optional
        Weights by label. ``'balanced'`` makes all labels count the same.
    label_smoothing : float, default=0.0
        The share of each label that is spread over all of them.
    frozen_epochs : int, default=0
        For how many epochs the new layer is trained alone, first of all.
    schedule : {'cosine', 'plateau'} or None, default='cosine'
        How the learning rates fall: along half a cosine to nothing; to a tenth
        whenever the loss stands still for three epochs; or not at all.
    patience : int or None, default=5
        After how many epochs without a lower loss on held-out photos the
        training stops.
    validation_fraction : float or None, default=0.1
        The share of the photos to hold out, of each label alike. With None,
        all photos are trained on for all epochs, and the temperature is 1.
    mixed_precision : bool or 'auto', default='auto'
        Whether layers compute in bfloat16 while training; ``'auto'`` says yes
        where the device does so itself. Predictions are always in float32.
    compile : bool, default=False
        Whether torch compiles the network before it is trained.
    max_broken : float, default=0.05
        The largest share of photos that may turn out unreadable.
    checkpoint : path-like, optional
        A folder. After each epoch the state of the training is kept there, and
        a fit that was killed goes on from it, to the same weights. It must be
        the same fit: parameters, photos, labels and first weights.
    keep_checkpoint : bool, default=False
        Whether the checkpoint stays when the fit is done, so that the same fit
        again has only to take it. Otherwise it is removed then.
    device : str, default='auto'
        As torch names it; ``'auto'`` takes a GPU if torch sees one.
    accelerate : True or accelerate.Accelerator, optional
        Whether the processes of ``accelerate launch`` train together, a part
        of each batch each; it chooses the device. Needs the package accelerate.
    n_jobs : int, optional
        Threads that decode; by default one a core.
    random_state : int, RandomState instance or None, default=None
        Makes a fit repeatable: same number, same weights. The random states
        of torch and numpy themselves are not touched.
    progress : callable, optional
        Called with an `Epoch` after each of them.
    net_params : dict, optional
        Arguments of skorch's ``NeuralNetClassifier``, such as
        ``{"callbacks": [...], "optimizer": torch.optim.AdamW}``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, in order.
    net_ : skorch.NeuralNetClassifier
        The trained net, with its ``history``.
    module_ : torch.nn.Module
        The network itself: ``trunk``, ``dropout`` and ``head``.
    temperature_ : float
        What the logits are divided by.
    n_iter_ : int
        How many epochs were trained.
    preprocess_ : Preprocess
        What the network sees of a photo.
    failures_ : list of PhotoError
        The photos that could not be read, and were left out.

    See Also
    --------
    emotag.make_model : Whole models by name.
    emotag.CNNFeatures : The network as it is, for classifiers of scikit-learn.

    References
    ----------
    Gajarla & Gupta, "Emotion Detection and Sentiment Analysis of Images",
    Georgia Institute of Technology, 2015: the recipe.

    Yosinski et al., "How transferable are features in deep neural networks?",
    NeurIPS 2014: why early layers need little change.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017: the
    temperature.

    Examples
    --------
    >>> from emotag.models.finetuning.estimator import FineTunedCNN
    >>> import os, sklearn
    >>> folder = os.path.join(os.path.dirname(sklearn.__file__), "datasets", "images")
    >>> X = [os.path.join(folder, name) for name in ("china.jpg", "flower.jpg")]
    >>> model = FineTunedCNN(
    ...     "lite0", lr=0, head_lr=0.1, max_epochs=2, validation_fraction=None, random_state=0
    ... )
    >>> model.fit(X, ["awe", "love"]).predict(X)
    array(['awe', 'love'], dtype='<U4')
    """

    def __init__(  # noqa: PLR0913
        self,
        backbone: str = "resnet50",
        *,
        weights: Any = None,
        layer: str | None = None,
        salient: str | None = None,
        saliency: str = "barrier",
        lr: float = 1e-4,
        head_lr: float = 1e-3,
        layer_decay: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        dropout: float = 0.5,
        max_epochs: int = 20,
        batch_size: int = 32,
        mirror: bool = True,
        crop: bool = True,
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        frozen_epochs: int = 0,
        schedule: str | None = "cosine",
        patience: int | None = 5,
        validation_fraction: float | None = 0.1,
        mixed_precision: bool | str = "auto",
        compile: bool = False,  # noqa: A002
        max_broken: float = 0.05,
        checkpoint: Any = None,
        keep_checkpoint: bool = False,
        device: str = "auto",
        accelerate: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        progress: Progress | None = None,
        net_params: Mapping[str, Any] | None = None,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.layer = layer
        self.salient = salient
        self.saliency = saliency
        self.lr = lr
        self.head_lr = head_lr
        self.layer_decay = layer_decay
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.mirror = mirror
        self.crop = crop
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.frozen_epochs = frozen_epochs
        self.schedule = schedule
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.mixed_precision = mixed_precision
        self.compile = compile
        self.max_broken = max_broken
        self.checkpoint = checkpoint
        self.keep_checkpoint = keep_checkpoint
        self.device = device
        self.accelerate = accelerate
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.progress = progress
        self.net_params = net_params

    def _source(self) -> TrunkSource:
        backbone = find_backbone(self.backbone, self.weights)
        layer = backbone.choose_layer(self.layer)
        if not backbone.trainable:
            raise ModelError(
                f"The backbone {self.backbone!r} cannot be fine-tuned; use it through "
                "CNNFeatures with a classifier of scikit-learn."
            )
        return TrunkSource(
            name=f"backbone {self.backbone!r}",
            preprocess=with_saliency(backbone.preprocess, self.salient, self.saliency),
            n_features=backbone.layers[layer],
            load=lambda: load_backbone(self.backbone, layer, self.weights),
            build=lambda: fresh_backbone(self.backbone, layer),
        )
