"""Why a photo got its emotion: the things in it that stand for that."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotag.bundle.folder import Bundle
from emotag.errors import BundleError, ModelError
from emotag.features.ratings import CONCEPTS, Ratings, parse_ratings

__all__ = ["Explainer", "open_explainer"]

_MOST = 2
# Of a class less probable than this, one cannot say that it is seen.
_LEAST_SEEN = 0.05
# A class that stands for an emotion less than weakly explains nothing.
_LEAST_RATING = 1 / 6


@dataclass(frozen=True)
class Explainer:
    """Names what in a photo stands for an emotion.

    Attributes
    ----------
    ratings : Ratings
        How strongly each class stands for each label.
    """

    ratings: Ratings

    def explain(self, emotion: str, seen: NDArray[np.floating]) -> str:
        """Return up to two classes that are seen and stand for an emotion.

        Parameters
        ----------
        emotion : str
            The label.
        seen : ndarray of shape (n_classes,), float
            The probability of each class.

        Returns
        -------
        str
            Such as ``'great white shark 0.81'``; empty if nothing that is seen
            stands for it.

        Examples
        --------
        >>> ratings = Ratings(("shark", "sofa"), ("fear",), np.array([[1.0], [0.0]]))
        >>> Explainer(ratings).explain("fear", np.array([0.81, 0.19]))
        'shark 0.81'
        """
        if emotion not in self.ratings.labels:
            return ""
        strength = self.ratings.values[:, self.ratings.labels.index(emotion)]
        counts = (seen >= _LEAST_SEEN) & (strength >= _LEAST_RATING)
        worth = np.where(counts, seen * strength, 0.0)
        first = np.argsort(-worth, kind="stable")[:_MOST].tolist()
        names = self.ratings.names
        return "; ".join(f"{names[index]} {seen[index]:.2f}" for index in first if worth[index] > 0)


def open_explainer(bundle: Bundle) -> Explainer:
    """Return what explains a bundle's tags.

    Raises
    ------
    BundleError
        The model does not stand on concepts, or their table is damaged.
    """
    if CONCEPTS not in bundle.config.files:
        raise BundleError(
            f"The model {bundle.config.name} does not say what it sees; --explain needs one that "
            "stands on concepts, as the one that ships with emotag does."
        )
    try:
        return Explainer(parse_ratings(bundle.read(CONCEPTS)))
    except ModelError as error:
        raise BundleError(f"The model {bundle.folder} is refused: {error}.") from error
