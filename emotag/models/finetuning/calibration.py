"""One temperature for the logits of a network, so that its confidence is honest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

__all__ = ["fit_temperature"]

_LOWEST, _HIGHEST = 0.05, 20.0
_STEP = 1 / 0.9

Floats = NDArray[np.floating[Any]]


def fit_temperature(
    logits: Floats, classes: NDArray[np.intp], weights: Floats, n_independent: int
) -> float:
    """Return the temperature under which held-out photos are most likely.

    The mean confidence is let be no more than that many photos, all told
    apart, would justify: by Laplace's rule of succession (n + 1) / (n + 2).

    Parameters
    ----------
    logits : ndarray of shape (n_photos, n_classes)
        What the network gives for photos that it was not trained on.
    classes : ndarray of shape (n_photos,), int
        What they show.
    weights : ndarray of shape (n_photos,)
        How much each counts.
    n_independent : int
        How many of the photos are independent of each other.

    Returns
    -------
    float
        What logits are divided by; above 1 it lowers the confidence.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Examples
    --------
    >>> logits = np.array([[9.0, 0.0], [9.0, 0.0], [0.0, 9.0], [0.0, 9.0]])
    >>> temperature = fit_temperature(logits, np.array([0, 0, 1, 0]), np.ones(4), 4)
    >>> float((softmax(logits / temperature, axis=1).max(axis=1)).round(2)[0])
    0.75
    """
    rows = np.arange(len(classes))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-(weights * scaled[rows, classes]).sum())

    bounds = (np.log(_LOWEST), np.log(_HIGHEST))
    temperature = float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
    justified = (n_independent + 1) / (n_independent + 2)
    while softmax(logits / temperature, axis=1).max(axis=1).mean() > justified:
        temperature *= _STEP
    return temperature
