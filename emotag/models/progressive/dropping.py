"""Which photos progressive training drops: those whose two highest scores are close."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from skorch.callbacks import Callback

from emotag.models.finetuning.net import FineTuningNet
from emotag.models.finetuning.photos import PhotoSet
from emotag.models.finetuning.training import run_network

__all__ = ["DropClose", "choose_kept", "drop_probability", "score_margins"]

# The least share of each label's photos that is kept: our choice. At chance all scores are
# close, and the rule would leave next to nothing to train on.
_LEAST_KEPT = 0.1


def drop_probability(margins: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return how probably photos are dropped: ``max(0, 2 - exp(margin))``.

    Parameters
    ----------
    margins : ndarray of shape (n_photos,)
        The difference of the scores of the two labels. With more than two
        labels, of the two highest scores: our choice, the paper has two labels.

    Returns
    -------
    ndarray of shape (n_photos,)
        From 1 for equal scores to 0 for those that differ by log 2 = 0.693 or more.

    References
    ----------
    You et al., "Robust Image Sentiment Analysis Using Progressively Trained
    and Domain Transferred Deep Networks", AAAI 2015, arXiv:1509.06041,
    "Progressive CNN".

    Examples
    --------
    >>> drop_probability(np.array([0.0, 0.3, 0.7])).round(2)
    array([1.  , 0.65, 0.  ])
    """
    probabilities: NDArray[np.floating[Any]] = np.maximum(0.0, 2.0 - np.exp(margins))
    return probabilities


def choose_kept(
    margins: NDArray[np.floating[Any]],
    classes: NDArray[np.intp],
    weights: NDArray[np.float64],
    seed: int,
) -> NDArray[np.bool_]:
    """Draw which photos are kept.

    Of each label at least a tenth is kept, and at least one: where fewer would
    be left, the surest of the photos that were dropped come back, those with
    a weight first. The paper has no such rule; it is our choice.

    Parameters
    ----------
    margins : ndarray of shape (n_photos,)
        As `drop_probability` takes them.
    classes : ndarray of shape (n_photos,), int
        The number of each photo's label.
    weights : ndarray of shape (n_photos,)
        How much each counts.
    seed : int
        Same number, same photos.

    Returns
    -------
    ndarray of shape (n_photos,), bool

    References
    ----------
    As for `drop_probability`.

    Examples
    --------
    >>> margins = np.array([0.9, 0.0, 0.8, 0.1])
    >>> choose_kept(margins, np.array([0, 0, 1, 1]), np.ones(4), seed=0)
    array([ True, False,  True, False])
    """
    rng = np.random.default_rng(seed)
    kept: NDArray[np.bool_] = rng.random(len(margins)) >= drop_probability(margins)
    for label in np.unique(classes):
        photos = np.flatnonzero(classes == label)
        missing = int(np.ceil(_LEAST_KEPT * len(photos))) - int(kept[photos].sum())
        counting = photos[weights[photos] > 0]
        if missing > 0 or (len(counting) and not kept[counting].any()):
            dropped = photos[~kept[photos]]
            surest = np.lexsort((-margins[dropped], weights[dropped] == 0))
            kept[dropped[surest[: max(missing, 1)]]] = True
    return kept


def score_margins(net: FineTuningNet, photos: PhotoSet) -> NDArray[np.float32]:
    """Return by how much the two highest scores of photos differ, as the network stands.

    The scores are its softmax, without a temperature, of the photos' centres.

    Parameters
    ----------
    net : FineTuningNet
        Initialised.
    photos : PhotoSet
        The photos; their next epoch must be started afterwards.

    Returns
    -------
    ndarray of shape (n_photos,), float32
        From 0 to 1; 0 for photos that cannot be read (any more).
    """
    photos.stand_still()
    margins = np.zeros(len(photos), dtype=np.float32)
    for start in range(0, len(photos), net.batch_size):
        found = photos.read(range(start, min(start + net.batch_size, len(photos))))
        if found:
            pixels = torch.from_numpy(np.stack(list(found.values())))
            scores = np.sort(softmax(run_network(net, pixels), axis=1), axis=1)
            margins[list(found)] = scores[:, -1] - scores[:, -2]
    return margins


class DropClose(Callback):
    """Before a training, drop photos whose two highest scores are close.

    It must come before whatever changes the network at the beginning.

    Parameters
    ----------
    seed : int
        Of the draw.

    Attributes
    ----------
    dropped_ : list of str
        Paths of the photos that were dropped.

    References
    ----------
    As for `drop_probability`.

    Examples
    --------
    >>> DropClose(seed=0).seed
    0
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_begin(self, net: FineTuningNet, X: PhotoSet, **_: Any) -> None:
        """Score the photos with the network as it stands, and restrict the training to the rest."""
        known = X.photos
        kept = choose_kept(score_margins(net, X), known.classes, known.weights, self.seed)
        X.restrict(kept)
        left = set(X.photos.paths)
        self.dropped_ = [path for path in dict.fromkeys(known.paths) if path not in left]
