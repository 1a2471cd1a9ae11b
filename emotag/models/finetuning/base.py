"""What all classifiers of photos that are one network have in common."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from torch import nn

from emotag.backbones.runtime import choose_device
from emotag.errors import ModelError, PhotoError
from emotag.features.extraction import TakesPaths, check_paths
from emotag.models.finetuning.checks import check_class_weight, check_parameters
from emotag.models.finetuning.fitting import Fitted, Fitting
from emotag.models.finetuning.labels import check_weights, encode_groups, encode_labels
from emotag.models.finetuning.module import FineTunedNetwork
from emotag.models.finetuning.photos import Augmentation, Labelled
from emotag.models.finetuning.preparing import decode_ahead
from emotag.models.finetuning.training import make_net, make_network, run_network
from emotag.parallel.threads import map_chunks
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess

__all__ = ["NetworkClassifier", "TrunkSource"]


@dataclass(frozen=True)
class TrunkSource:
    """Where a classifier's network begins: all of it but the last layer.

    Attributes
    ----------
    name : str
        As an error says it.
    preprocess : Preprocess
        What it sees.
    n_features : int
        How many values it gives.
    load : callable
        Returns the network to train, a `torch.nn.Module`.
    build : callable
        Returns the same network with weights that are to be filled in.
    """

    name: str
    preprocess: Preprocess
    n_features: int
    load: Callable[[], nn.Module]
    build: Callable[[], nn.Module]


class NetworkClassifier(TakesPaths, ClassifierMixin, BaseEstimator, ABC):
    """A classifier of photos that is one network: a trunk, dropout, and a layer to the labels.

    A child says in its ``__init__`` what can be set, and in ``_source`` where
    its trunk comes from; how photos are checked, decoded, held out and
    predicted, and how it is pickled, saved and restored, stands here.

    Examples
    --------
    >>> from emotag.models.finetuning.estimator import FineTunedCNN
    >>> isinstance(FineTunedCNN("lite0"), NetworkClassifier)
    True
    """

    batch_size: int
    class_weight: Mapping[Any, float] | str | None
    crop: bool
    device: str
    dropout: float
    mirror: bool
    n_jobs: int | None

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

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
            The pretrained weights are missing or altered.
        StorageError
            The cache or the checkpoint cannot be written.
        """
        self._check()
        source = self._source()
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
            fitted = self._fitting(source).run(photos, classes)
        self.classes_ = classes
        self.preprocess_ = source.preprocess
        self.temperature_ = fitted.temperature
        self.failures_ = fitted.failures
        self.n_iter_ = len(fitted.history)
        self._take(fitted.network, fitted.history)
        self._keep(fitted, paths)
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
        self._check()
        preprocess = self._source().preprocess
        augmentation = Augmentation(mirror=self.mirror, crop=self.crop)
        return decode_ahead(paths, preprocess, augmentation, self.n_jobs, progress)

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
            The tensors do not fit the network and the labels.
        """
        model = cls(**parameters)
        source, n_classes = model._source(), len(classes)
        with torch.random.fork_rng():
            trunk = source.build()
            network = make_network(trunk, source.n_features, n_classes, model.dropout, seed=0)
        try:
            network.load_state_dict(dict(state))
        except RuntimeError as error:
            raise ModelError(
                f"The weights do not fit the {source.name} and {n_classes} labels."
            ) from error
        model.classes_ = np.array(classes)
        model.temperature_ = float(temperature)
        model.preprocess_ = source.preprocess
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

    @abstractmethod
    def _source(self) -> TrunkSource:
        """Return where the network begins; parameters that name none are refused."""

    def _settings(self) -> dict[str, Any]:
        """Return all that a training goes by, as `Fitting` takes it."""
        settings: dict[str, Any] = self.get_params(deep=False)
        return settings

    def _check(self) -> None:
        """Refuse parameters that make no sense."""
        check_parameters(self.get_params(deep=False), type(self).__name__)

    def _fitting(self, source: TrunkSource) -> Fitting:
        """Return the training that is to be run."""
        return Fitting(source.load(), source.n_features, source.preprocess, self._settings())

    def _keep(self, fitted: Fitted, paths: Sequence[str]) -> None:
        """Keep what else is known after a fit; `paths` are all photos."""

    def _take(self, network: FineTunedNetwork, history: Sequence[dict[str, Any]] = ()) -> None:
        """Wrap a trained network, on the device that there is."""
        try:
            device = choose_device(self.device)
        except ModelError:
            device = "cpu"
        settings = {**self._settings(), "net_params": None}
        self.net_ = make_net(network.eval(), self.preprocess_, settings, device)
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
