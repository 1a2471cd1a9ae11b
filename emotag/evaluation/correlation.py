"""Rank correlation, with an interval over groups of photos that are not independent."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotag.errors import DataError
from emotag.evaluation.metrics import Figure

__all__ = ["correlate_ranks"]

Floats = NDArray[np.float64]

# Draws are made so many at a time, to bound the memory.
_DRAWS_A_BLOCK = 50


def correlate_ranks(
    first: ArrayLike,
    second: ArrayLike,
    groups: ArrayLike,
    *,
    n_draws: int = 2000,
    seed: int = 0,
) -> Figure:
    """Return Spearman's rank correlation, with an interval by resampling whole groups.

    Parameters
    ----------
    first, second : array-like of float, shape (n_photos,)
        At least two of each.
    groups : array-like, shape (n_photos,)
        Photos of one group are drawn together: they are not independent.
    n_draws : int, default=2000
        Bootstrap draws, each ranked anew.
    seed : int, default=0
        Of the draws.

    Returns
    -------
    Figure
        nan where one of the two does not vary; without an interval where all
        photos are of one group.

    Raises
    ------
    DataError
        Lengths differ.

    References
    ----------
    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13
    (percentile intervals).

    Examples
    --------
    >>> correlate_ranks([1, 2, 3, 4], [1, 4, 9, 16], ["a", "b", "c", "d"], n_draws=100).value
    1.0
    """
    lengths = [len(np.asarray(values)) for values in (first, second, groups)]
    if len(set(lengths)) > 1:
        raise DataError(f"There are {lengths[0]} and {lengths[1]} values in {lengths[2]} groups.")
    ranked = _Ranked(np.asarray(first, np.float64)), _Ranked(np.asarray(second, np.float64))
    _, of_photo = np.unique(np.asarray(groups), return_inverse=True)
    n_groups = int(of_photo.max()) + 1
    value = float(_weighted_spearman(*ranked, np.ones((1, len(of_photo))))[0])
    if n_groups == 1:
        return Figure(value, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    draws = []
    for start in range(0, n_draws, _DRAWS_A_BLOCK):
        block = min(_DRAWS_A_BLOCK, n_draws - start)
        counts = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=block)
        draws.append(_weighted_spearman(*ranked, counts[:, of_photo].astype(np.float64)))
    values = np.concatenate(draws)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, [2.5, 97.5]) if len(values) else (np.nan, np.nan)
    return Figure(value, float(low), float(high))


class _Ranked:
    """Values sorted once, so that ranks of many draws of them are cheap."""

    def __init__(self, values: Floats) -> None:
        _, self._level = np.unique(values, return_inverse=True)
        self._order = np.argsort(self._level, kind="stable")
        self._starts = np.flatnonzero(np.diff(self._level[self._order], prepend=-1))

    def centred_ranks(self, weights: Floats) -> Floats:
        """Return mean ranks less their mean, where each photo is there `weights` times.

        Parameters
        ----------
        weights : ndarray of shape (n_draws, n_photos), float
            How often each photo was drawn.
        """
        tied = np.add.reduceat(weights[:, self._order], self._starts, axis=1)
        ranks = np.cumsum(tied, axis=1) - tied / 2
        # the mean of such ranks is half of what was drawn, with any ties
        return np.asarray(ranks[:, self._level] - weights.sum(axis=1, keepdims=True) / 2)


def _weighted_spearman(first: _Ranked, second: _Ranked, weights: Floats) -> Floats:
    one, other = first.centred_ranks(weights), second.centred_ranks(weights)
    together = (weights * one * other).sum(axis=1)
    spread = np.sqrt((weights * one**2).sum(axis=1) * (weights * other**2).sum(axis=1))
    nothing = np.full_like(spread, np.nan)
    return np.asarray(np.divide(together, spread, out=nothing, where=spread > 0))
