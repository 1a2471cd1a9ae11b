"""The part of the photos that is held out of training, to stop it and to calibrate."""

import numpy as np
from numpy.typing import NDArray

from emotag.errors import DataError

__all__ = ["hold_out"]

Indices = NDArray[np.intp]


def hold_out(
    classes: NDArray[np.intp], groups: NDArray[np.intp], fraction: float, seed: int
) -> tuple[Indices, Indices]:
    """Choose the photos to hold out: of every label its share, and no group in part.

    The groups are taken in random order, each if it brings the shares of the
    labels nearer to what they should be.

    Parameters
    ----------
    classes, groups : ndarray of shape (n_photos,), int
        Numbers of the labels, and of what keeps photos together.
    fraction : float
        The share; 0 holds out nothing.
    seed : int
        Chooses among the groups.

    Returns
    -------
    train, held : ndarray of int
        Indices of photos, in order.

    Raises
    ------
    DataError
        There are so few photos that none would be held out.

    Examples
    --------
    >>> train, held = hold_out(np.repeat([0, 1], 10), np.arange(20), 0.2, seed=0)
    >>> len(train), np.bincount(np.repeat([0, 1], 10)[held])
    (16, array([2, 2]))
    """
    everything = np.arange(len(classes))
    if not fraction:
        return everything, everything[:0]
    counts = np.bincount(classes)
    tables = np.zeros((groups.max() + 1, len(counts)))
    np.add.at(tables, (groups, classes), 1)
    wanted = np.asarray(counts * fraction, np.float64)
    chosen = _choose_groups(tables, wanted, np.random.default_rng(seed))
    is_held = np.isin(groups, chosen)
    if not is_held.any():
        raise DataError(
            f"validation_fraction={fraction} of {len(classes)} photos holds out none of any label; "
            "add photos, choose a larger fraction, or validation_fraction=None to train without."
        )
    return everything[~is_held], everything[is_held]


def _choose_groups(
    tables: NDArray[np.float64], wanted: NDArray[np.float64], rng: np.random.Generator
) -> list[int]:
    """Return the groups to hold out; `tables` has a row a group and a column a label."""
    chosen = []
    held = np.zeros_like(wanted)
    left = tables.sum(axis=0)
    for group in rng.permutation(len(tables)).tolist():
        table = tables[group]
        # per label, as much is at stake in a rare one as in a frequent one
        now = np.square((held - wanted) / wanted).sum()
        then = np.square((held + table - wanted) / wanted).sum()
        if then < now and (left > table).all():
            chosen.append(group)
            held += table
            left -= table
    return chosen
