"""Where a photo draws the eye, as features."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emotag.features.classic.base import PhotoFeatures, Pixels, require_whole
from emotag.saliency.maps import require_method, saliency_map

__all__ = ["SaliencyMap"]

_LARGEST = 320


class SaliencyMap(PhotoFeatures):
    """A small map of a photo's saliency: 900 numbers of 0 to 1, row by row.

    Karayev et al. use graph-based visual saliency as a feature of the
    composition. Here the method is one of ours, and the map is reduced to a
    square by averaging, so that maps of photos of any shape can be compared;
    both, and the size, are our choice.

    Parameters
    ----------
    method : str, default='spectral'
        As `emotag.saliency.maps.saliency_map` takes it.
    size : int, default=30
        Pixels of each side of the map.
    cache : bool, default=True
        Whether features are kept on disk, in the folder of ``emotag cache``.
    n_jobs : int, optional
        Threads; by default one a core.

    Attributes
    ----------
    n_features_out_ : int
        How many features a photo has: the square of `size`.

    References
    ----------
    Karayev et al., "Recognizing Image Style", BMVC 2014, section 3, for such a
    map as a feature; Hou & Zhang, "Saliency Detection: A Spectral Residual
    Approach", CVPR 2007, for the default method.

    Examples
    --------
    >>> import numpy as np
    >>> dark = np.zeros((60, 90, 3), dtype=np.uint8)
    >>> dark[40:46, 70:76] = 255
    >>> saliency = SaliencyMap(size=6).measure(dark).reshape(6, 6)
    >>> np.unravel_index(saliency.argmax(), saliency.shape)
    (np.int64(4), np.int64(4))
    """

    def __init__(
        self,
        method: str = "spectral",
        size: int = 30,
        *,
        cache: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        self.method = method
        self.size = size
        self.cache = cache
        self.n_jobs = n_jobs

    @property
    def n_features(self) -> int:
        """How many features a photo has."""
        return int(self.size**2)

    def _check(self) -> None:
        require_method(self.method)
        require_whole("size", self.size, 1, _LARGEST)

    def _measure(self, pixels: Pixels) -> NDArray[np.float32]:
        saliency = Image.fromarray(saliency_map(pixels, self.method))
        small = saliency.resize((self.size, self.size), Image.Resampling.BOX)
        return np.asarray(small)
