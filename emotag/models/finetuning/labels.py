"""Labels, groups and weights of photos, checked and made into numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emotag.errors import DataError
from emotag.models.finetuning.photos import Labelled

__all__ = ["check_weights", "class_factors", "encode_groups", "encode_labels", "weighted"]


def encode_labels(y: ArrayLike, n_photos: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the labels that occur, in order, and the number of each photo's.

    Parameters
    ----------
    y : array-like of shape (n_photos,)
        Labels of one kind: text, numbers or anything else that can be sorted.
    n_photos : int
        How many there must be.

    Raises
    ------
    DataError
        There are more or fewer, one is missing, all are the same, or they are
        fractions, as for a regression.
    """
    labels = _one_dimensional("y", y, n_photos)
    missing = [index for index, label in enumerate(labels.tolist()) if _is_missing(label)]
    if missing:
        raise DataError(f"y lacks the label of photo {missing[0]}.")
    if labels.dtype.kind == "f" and (labels % 1 != 0).any():
        fraction = labels[int((labels % 1 != 0).argmax())]
        raise DataError(f"y holds {fraction:g}; a continuous number is no label.")
    try:
        classes, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise DataError(f"The labels of y are of several kinds: {error}.") from error
    if len(classes) < 2:
        raise DataError(f"y holds one label only, {classes[0]!s}; there must be two to tell apart.")
    return classes, codes.astype(np.intp)


def encode_groups(groups: ArrayLike | None, n_photos: int) -> NDArray[np.intp]:
    """Return the number of each photo's group; without groups, each is one of its own.

    Raises
    ------
    DataError
        There are more or fewer than photos, one is missing, or they are of several kinds.
    """
    if groups is None:
        return np.arange(n_photos)
    values = _one_dimensional("groups", groups, n_photos)
    missing = [index for index, group in enumerate(values.tolist()) if _is_missing(group)]
    if missing:
        raise DataError(f"groups lacks that of photo {missing[0]}; give it one of its own.")
    try:
        return np.unique(values, return_inverse=True)[1].astype(np.intp)
    except TypeError as error:
        raise DataError(f"The groups are of several kinds: {error}.") from error


def check_weights(sample_weight: ArrayLike | None, n_photos: int) -> NDArray[np.float64]:
    """Return the weight of each photo, 1 where none is given.

    Raises
    ------
    DataError
        There are more or fewer than photos, or one is negative or no number.
    """
    if sample_weight is None:
        return np.ones(n_photos)
    values = _one_dimensional("sample_weight", sample_weight, n_photos)
    try:
        weights = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"sample_weight holds something that is no number: {error}.") from error
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        index = int(wrong.argmax())
        raise DataError(
            f"sample_weight of photo {index} is {weights[index]:g}; weights are numbers from 0 on."
        )
    return weights


def class_factors(
    class_weight: Mapping[Any, float] | str | None,
    classes: NDArray[Any],
    codes: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return what the photos of each label count; ``'balanced'`` makes all labels count the same.

    Parameters
    ----------
    class_weight : None, 'balanced' or mapping
        Labels that a mapping leaves out count 1.
    classes : ndarray of shape (n_classes,)
        The labels.
    codes : ndarray of shape (n_photos,), int
        The number of each photo's label.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if isinstance(class_weight, Mapping):
        return np.array([class_weight.get(label, 1.0) for label in classes.tolist()], np.float64)
    counts = np.bincount(codes, minlength=len(classes))
    return len(codes) / (len(classes) * counts)


def weighted(photos: Labelled, factors: NDArray[np.float64]) -> Labelled:
    """Return photos with weights times those of their labels, 1 on average.

    Raises
    ------
    DataError
        All weights are 0.
    """
    weights = photos.weights * factors[photos.classes]
    if len(photos) and not weights.any():
        raise DataError("All photos have the weight 0, so there is nothing to learn from.")
    if len(photos):
        # first by the largest, so that no sum overflows
        weights = weights / weights.max()
        weights = weights / weights.mean()
    return photos.with_weights(weights)


def _is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or pandas' NA."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124
    except TypeError:
        # NA is neither equal to itself nor not
        return True


def _one_dimensional(name: str, values: ArrayLike, n_photos: int) -> NDArray[Any]:
    array = np.asarray(values)
    if array.ndim != 1:
        raise DataError(f"{name} has {array.ndim} dimensions; it must have one.")
    if len(array) != n_photos:
        raise DataError(f"X has {n_photos} photos, but {name} has {len(array)} values.")
    return array
