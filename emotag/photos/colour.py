"""The colours of pixels in other colour spaces."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["from_luv", "to_hsv", "to_lab", "to_luv", "to_ycbcr"]

# sRGB to CIE XYZ, and its white point D65 (IEC 61966-2-1:1999).
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = _TO_XYZ.sum(axis=1)
# Where the cube root of CIE 15:2004 gives way to a line.
_DELTA = 6 / 29
# What makes of X, Y, Z the denominator of u' and v' (CIE 15:2004, 8.2.2).
_CHROMATICITY = np.array([1.0, 15.0, 3.0])
_WHITE_U = 4 * _WHITE[0] / (_WHITE @ _CHROMATICITY)
_WHITE_V = 9 * _WHITE[1] / (_WHITE @ _CHROMATICITY)


def to_lab(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert sRGB into CIE L*a*b* under D65.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (..., 3)
        R, G, B.

    Returns
    -------
    ndarray of shape (..., 3), float64
        L* of 0 to 100; a* from green to red and b* from blue to yellow, 0 for grey.

    References
    ----------
    IEC 61966-2-1:1999 for sRGB; CIE 15:2004, Colorimetry, 3rd edition, section
    8.2.1 for L*a*b*.

    Examples
    --------
    >>> import numpy as np
    >>> to_lab(np.array([[255, 0, 0]], dtype=np.uint8)).round(1).tolist()
    [[53.2, 80.1, 67.2]]
    """
    # one look-up instead of a power for each pixel
    x, y, z = np.moveaxis(_compress(_LINEAR[pixels] @ _TO_XYZ.T / _WHITE), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def to_luv(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert sRGB into CIE L*u*v* under D65.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (..., 3)
        R, G, B.

    Returns
    -------
    ndarray of shape (..., 3), float64
        L* of 0 to 100; u* from green to red and v* from blue to yellow, 0 for grey.

    References
    ----------
    CIE 15:2004, Colorimetry, 3rd edition, section 8.2.2.

    Examples
    --------
    >>> import numpy as np
    >>> to_luv(np.array([[255, 0, 0]], dtype=np.uint8)).round(1).tolist()
    [[53.2, 175.1, 37.8]]
    """
    xyz = _LINEAR[pixels] @ _TO_XYZ.T
    lightness = 116 * _compress(xyz[..., 1] / _WHITE[1]) - 16
    denominator = xyz @ _CHROMATICITY
    # black has no hue, and L* = 0 makes of any u' and v' 0
    denominator = np.where(denominator > 0, denominator, 1.0)
    u = 13 * lightness * (4 * xyz[..., 0] / denominator - _WHITE_U)
    v = 13 * lightness * (9 * xyz[..., 1] / denominator - _WHITE_V)
    return np.stack([lightness, u, v], axis=-1)


def from_luv(luv: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert CIE L*u*v* under D65 into sRGB.

    Parameters
    ----------
    luv : ndarray of shape (..., 3)
        L*, u*, v*.

    Returns
    -------
    ndarray of shape (..., 3), float64
        R, G, B of 0 to 255, not rounded; what lies outside of sRGB is clipped.

    Examples
    --------
    >>> import numpy as np
    >>> from_luv(to_luv(np.array([[12, 200, 99]], dtype=np.uint8))).round().tolist()
    [[12.0, 200.0, 99.0]]
    """
    lightness = luv[..., 0]
    compressed = (lightness + 16) / 116
    line = 3 * _DELTA**2 * (compressed - 4 / 29)
    y = _WHITE[1] * np.where(compressed > _DELTA, compressed**3, line)
    scale = 13 * np.where(lightness > 0, lightness, 1.0)
    u, v = luv[..., 1] / scale + _WHITE_U, luv[..., 2] / scale + _WHITE_V
    x = y * 9 * u / (4 * v)
    z = y * (12 - 3 * u - 20 * v) / (4 * v)
    linear = np.stack([x, y, z], axis=-1) @ _FROM_XYZ.T
    return _delinearise(np.clip(linear, 0, 1))


def to_ycbcr(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Convert R, G, B into levels of Y, Cb and Cr.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (..., 3)
        R, G, B.

    Returns
    -------
    ndarray of shape (..., 3), int64
        Y of 16 to 234, Cb and Cr of 17 to 239; 128 for grey.

    References
    ----------
    Rec. ITU-R BT.601, section 2.5, on a scale of 256 levels as the colour
    layout of MPEG-7 (ISO/IEC 15938-3) is extracted.

    Examples
    --------
    >>> import numpy as np
    >>> to_ycbcr(np.array([[255, 255, 255], [255, 0, 0]], dtype=np.uint8)).tolist()
    [[234, 128, 128], [81, 90, 240]]
    """
    shares = pixels / 256.0
    luma = shares @ np.array([0.299, 0.587, 0.114])
    blue = 224 * 0.564 * (shares[..., 2] - luma) + 128
    red = 224 * 0.713 * (shares[..., 0] - luma) + 128
    levels = np.stack([219 * luma + 16, blue, red], axis=-1)
    return np.floor(levels + 0.5).astype(np.int64)


def to_hsv(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Convert R, G, B into levels of hue, saturation and value, all of 0 to 255.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (..., 3)
        R, G, B.

    Returns
    -------
    ndarray of shape (..., 3), int64
        Hue (red is 0, green 85, blue 170; 0 for grey), saturation, value,
        rounded down.

    References
    ----------
    Smith, "Color Gamut Transform Pairs", SIGGRAPH 1978.

    Examples
    --------
    >>> import numpy as np
    >>> to_hsv(np.array([[0, 255, 0], [100, 50, 100]], dtype=np.uint8)).tolist()
    [[85, 255, 255], [212, 127, 100]]
    """
    red, green, blue = np.moveaxis(pixels.astype(np.int64), -1, 0)
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    # sixths of the circle, times the spread, so that whole numbers do
    from_red = np.where(green >= blue, green - blue, green - blue + 6 * spread)
    sixths = np.where(
        value == red,
        from_red,
        np.where(value == green, 2 * spread + blue - red, 4 * spread + red - green),
    )
    hue = 255 * sixths // (6 * np.maximum(spread, 1))
    saturation = 255 * spread // np.maximum(value, 1)
    return np.stack([hue, saturation, value], axis=-1)


def _compress(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cube root, or near black the line that takes its place."""
    line = light / (3 * _DELTA**2) + 4 / 29
    return np.where(light > _DELTA**3, np.cbrt(light), line)


def _linearise() -> NDArray[np.float64]:
    """Return the linear light of each of the 256 values of sRGB."""
    values = np.arange(256) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _delinearise(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the value of sRGB, 0 to 255, of linear light of 0 to 1."""
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


_LINEAR = _linearise()
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
