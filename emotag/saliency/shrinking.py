"""Photos made small before they are looked at as a whole."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["shrink_image", "shrink_pixels"]


def shrink_image(image: Image.Image, longest: int) -> Image.Image:
    """Return a photo whose longer side is at most so long; a smaller one as it is.

    Parameters
    ----------
    image : PIL.Image.Image
        In mode RGB.
    longest : int
        In pixels.

    Examples
    --------
    >>> shrink_image(Image.new("RGB", (3, 600)), 300).size
    (2, 300)
    """
    scale = longest / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)


def shrink_pixels(pixels: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Return pixels whose longer side is at most so long, as `shrink_image` does.

    Parameters
    ----------
    pixels : ndarray of shape (rows, columns, 3), uint8
        In the order R, G, B.
    longest : int
        In pixels.

    Examples
    --------
    >>> shrink_pixels(np.zeros((600, 3, 3), dtype=np.uint8), 300).shape
    (300, 2, 3)
    """
    if max(pixels.shape[:2]) <= longest:
        return pixels
    return np.asarray(shrink_image(Image.fromarray(pixels), longest), dtype=np.uint8)
