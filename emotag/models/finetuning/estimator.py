"""FineTunedCNN: a scikit-learn classifier of photos that fine-tunes a pretrained network."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from torch import nn

from emotag.backbones.backbone import Backbone
from emotag.backbones.registry import find_backbone, fresh_backbone, load_backbone
from emotag.backbones.runtime import choose_device
from emotag.errors import ModelError, PhotoError
from emotag.features.cnn import check_paths
from emotag.models.finetuning.callbacks import Progress
from emotag.models.finetuning.checks import check_class_weight, check_parameters
from emotag.models.finetuning.fitting import Fitting
from emotag.models.finetuning.labels import check_weights, encode_groups, encode_labels
from emotag.models.finetuning.module import FineTunedNetwork
from emotag.models.finetuning.photos import Augmentation, Labelled
from emotag.models.finetuning.preparing import decode_ahead
from emotag.models.finetuning.training import make_net, make_network, run_network
from emotag.parallel.threads import map_chunks
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess

__all__ = ["FineTunedCNN"]


class FineTunedCNN(ClassifierMixin, BaseEstimator):
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

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Fine-tune the network.

        Parameters
        ----------
        X : array-like of str, shape (n_photos,)
            Paths of photos.
        y : array-like of shape (n_photos,)
            Their labels.
        groups : array-like of shape (n_photos,), optional
            Photos of one group are held out together or not at all.
        sample_weight : array-like of shape (n_photos,), optional
            How much each photo counts.

        Returns
        -------
        self

        Raises
        ------
        ModelError
            A parameter makes no sense, the memory does not suffice, or the
            network learns too fast.
        DataError
            The photos cannot be learnt from: one label only, too few to hold
            any out, or too many that cannot be read.
        WeightsError
            The backbone's weights are missing or altered.
        StorageError
            The cache or the checkpoint cannot be written.
        """
        parameters = self.get_params(deep=False)
        check_parameters(parameters)
        backbone, layer = self._backbone()
        paths = check_paths(X).tolist()
        classes, codes = encode_labels(y, len(paths))
        check_class_weight(self.class_weight, classes.tolist())
        photos = Labelled(
            paths,
            codes,
            encode_groups(groups, len(paths)),
            check_weights(sample_weight, len(paths)),
        )
        with torch.random.fork_rng():
            trunk = load_backbone(self.backbone, layer, self.weights)
            fitting = Fitting(trunk, backbone.layers[layer], backbone.preprocess, parameters)
            fitted = fitting.run(photos, classes)
        self.classes_ = classes
        self.preprocess_ = backbone.preprocess
        self.temperature_ = fitted.temperature
        self.failures_ = fitted.failures
        self.n_iter_ = len(fitted.history)
        self._take(fitted.network, fitted.history)
        return self

    def prepare(
        self, paths: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> list[PhotoError]:
        """Decode photos into the cache ahead of `fit`, which then has them at hand.

        Parameters
        ----------
        paths : sequence of str
            The photos.
        progress : callable, optional
            Called with the number of photos done since the last call.

        Returns
        -------
        list of PhotoError
            The photos that cannot be read.
        """
        check_parameters(self.get_params(deep=False))
        backbone, _ = self._backbone()
        augmentation = Augmentation(mirror=self.mirror, crop=self.crop)
        return decode_ahead(paths, backbone.preprocess, augmentation, self.n_jobs, progress)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of photos.

        Parameters
        ----------
        X : array-like of str, shape (n_photos,)
            Paths of photos.

        Returns
        -------
        ndarray of shape (n_photos,)
            Of `classes_`.

        Raises
        ------
        PhotoError
            A photo cannot be read or decoded; the message names it.
        """
        logits = self._logits(X)
        labels: NDArray[Any] = self.classes_[logits.argmax(axis=1)]
        return labels

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the calibrated probabilities of photos.

        Parameters
        ----------
        X : array-like of str, shape (n_photos,)
            Paths of photos.

        Returns
        -------
        ndarray of shape (n_photos, n_classes), float32
            In the order of `classes_`; each row sums to 1.

        Raises
        ------
        PhotoError
            A photo cannot be read or decoded; the message names it.
        """
        probabilities: NDArray[np.float32] = softmax(self._logits(X) / self.temperature_, axis=1)
        return probabilities

    def decision_function(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the logits of photos, without the temperature.

        Parameters
        ----------
        X : array-like of str, shape (n_photos,)
            Paths of photos.

        Returns
        -------
        ndarray of shape (n_photos, n_classes), or (n_photos,) for two classes, float32
            For two classes the second's logit less the first's, as
            scikit-learn has it.

        Raises
        ------
        PhotoError
            A photo cannot be read or decoded; the message names it.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    @classmethod
    def restore(
        cls,
        parameters: Mapping[str, Any],
        classes: Sequence[Any],
        state: Mapping[str, torch.Tensor],
        temperature: float,
    ) -> Self:
        """Return a fitted estimator from plain values and tensors, without pickle.

        Parameters
        ----------
        parameters : mapping
            As `get_params` returned them, or some of them.
        classes : sequence
            The labels, as in `classes_`.
        state : mapping of str to tensor
            Of `module_`.
        temperature : float
            As `temperature_`.

        Raises
        ------
        ModelError
            The tensors do not fit the backbone and the labels.
        """
        model = cls(**parameters)
        backbone, layer = model._backbone()
        with torch.random.fork_rng():
            trunk = fresh_backbone(model.backbone, layer)
            n_features, n_classes = backbone.layers[layer], len(classes)
            network = make_network(trunk, n_features, n_classes, model.dropout, seed=0)
        try:
            network.load_state_dict(dict(state))
        except RuntimeError as error:
            raise ModelError(
                f"The weights do not fit the backbone {model.backbone!r} and {n_classes} labels."
            ) from error
        model.classes_ = np.array(classes)
        model.temperature_ = float(temperature)
        model.preprocess_ = backbone.preprocess
        model.failures_ = []
        model._take(network)
        return model

    def export_parts(self) -> tuple[Preprocess, nn.Module, nn.Linear]:
        """Return what a saved model is made of.

        Returns
        -------
        preprocess : Preprocess
            What the network sees.
        trunk : torch.nn.Module
            From normalised pixels to features; a copy on the CPU.
        head : torch.nn.Linear
            From features to logits whose softmax is the calibrated
            probabilities: the temperature is inside.
        """
        check_is_fitted(self, "net_")
        network = copy.deepcopy(self.module_).cpu().requires_grad_(False).eval()
        network = network.to(memory_format=torch.contiguous_format)
        network.head.weight.div_(self.temperature_)
        network.head.bias.div_(self.temperature_)
        return self.preprocess_, network.trunk, network.head

    @property
    def module_(self) -> FineTunedNetwork:
        """The network itself."""
        check_is_fitted(self, "net_")
        network: FineTunedNetwork = self.net_.network
        return network

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "net_" in state:
            state = dict(state)
            net = state.pop("net_")
            # skorch would keep the device in mind; a machine without it shall do
            state["_network"] = copy.deepcopy(net.network).cpu()
            state["_history"] = list(net.history)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        network, history = state.pop("_network", None), state.pop("_history", [])
        super().__setstate__(state)
        if network is not None:
            self._take(network, history)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def _backbone(self) -> tuple[Backbone, str]:
        backbone = find_backbone(self.backbone, self.weights)
        layer = backbone.choose_layer(self.layer)
        if not backbone.trainable:
            raise ModelError(
                f"The backbone {self.backbone!r} cannot be fine-tuned; use it through "
                "CNNFeatures with a classifier of scikit-learn."
            )
        return backbone, layer

    def _take(self, network: FineTunedNetwork, history: Sequence[dict[str, Any]] = ()) -> None:
        """Wrap a trained network, on the device that there is."""
        try:
            device = choose_device(self.device)
        except ModelError:
            device = "cpu"
        parameters = {**self.get_params(deep=False), "net_params": None}
        self.net_ = make_net(network.eval(), self.preprocess_, parameters, device)
        # the momenta, for which there is no more use
        self.net_.optimizer_ = None
        self.net_.history.extend(history)

    def _logits(self, X: ArrayLike) -> NDArray[np.float32]:
        check_is_fitted(self, "net_")
        paths = check_paths(X).tolist()

        def decode(some: Sequence[str]) -> torch.Tensor:
            pixels = [decode_photo(path, self.preprocess_).pixels for path in some]
            return torch.from_numpy(np.stack(pixels))

        batches = map_chunks(decode, paths, size=self.batch_size, jobs=self.n_jobs)
        return np.concatenate([run_network(self.net_, batch) for batch in batches])
