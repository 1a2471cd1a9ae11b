"""How a photo becomes the pixels that a network was trained on."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emotag.errors import ModelError

__all__ = ["Preprocess"]

_INTERPOLATIONS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Preprocess:
    """Resize, centre crop and normalise, as a network expects it.

    Parameters
    ----------
    size : int
        Side of the square that the network sees, in pixels.
    resize : int
        The size before the crop, in pixels: of the shorter side, or of both
        if the aspect is not kept. At least `size`.
    mean, std : tuple of float
        For each channel, in units of pixel values (0 to 255): the network
        sees ``(value - mean) / std``.
    channels : {'RGB', 'BGR'}, default='RGB'
        The order of the channels, also of `mean` and `std`.
    interpolation : {'bilinear', 'bicubic', 'lanczos'}, default='bicubic'
        Always with antialiasing.
    keep_aspect : bool, default=True
        If false, the photo is squashed to a square.

    Raises
    ------
    ModelError
        A value makes no sense.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image
    >>> preprocess = Preprocess(224, 256, mean=(127.5,) * 3, std=(127.5,) * 3)
    >>> pixels = preprocess.crop(Image.new("RGB", (640, 480), "white"))
    >>> pixels.shape, pixels.dtype
    ((224, 224, 3), dtype('uint8'))
    >>> preprocess.normalise(pixels[np.newaxis])[0, :, 0, 0]
    array([1., 1., 1.], dtype=float32)
    """

    size: int
    resize: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channels: Literal["RGB", "BGR"] = "RGB"
    interpolation: str = "bicubic"
    keep_aspect: bool = True

    def __post_init__(self) -> None:
        for name in ("size", "resize"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise ModelError(f"{name}={value!r} is not a whole number of pixels.")
        if not 1 <= self.size <= self.resize <= 4096:
            raise ModelError(
                f"size={self.size} and resize={self.resize}: "
                "it must hold that 1 <= size <= resize <= 4096."
            )
        if not isinstance(self.keep_aspect, bool):
            raise ModelError(f"keep_aspect={self.keep_aspect!r} must be true or false.")
        if self.channels not in ("RGB", "BGR"):
            raise ModelError(f"channels={self.channels!r}; choose from 'RGB', 'BGR'.")
        if self.interpolation not in _INTERPOLATIONS:
            raise ModelError(
                f"interpolation={self.interpolation!r}; choose from {sorted(_INTERPOLATIONS)}."
            )
        numbers_fit = len(self.mean) == len(self.std) == 3 and min(self.std) > 0
        if not numbers_fit or not np.isfinite([*self.mean, *self.std]).all():
            raise ModelError("mean and std must hold three numbers each, those of std above 0.")

    def needed(self, width: int, height: int) -> tuple[int, int]:
        """Return the smallest size to which a decoder may reduce a photo.

        Parameters
        ----------
        width, height : int
            The photo's full size in pixels.

        Returns
        -------
        tuple of int
            Width and height at which nothing has to be enlarged afterwards
            that would not have to be anyway.
        """
        if not self.keep_aspect:
            return self.resize, self.resize
        shorter = min(width, height)
        return -(-width * self.resize // shorter), -(-height * self.resize // shorter)

    def focus(self, image: Image.Image) -> Image.Image:
        """Return what is looked at of a photo before it is resized: all of it.

        Parameters
        ----------
        image : PIL.Image.Image
            In mode RGB.
        """
        return image

    def crop(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resize a photo and cut out its centre.

        Parameters
        ----------
        image : PIL.Image.Image
            In mode RGB.

        Returns
        -------
        ndarray of shape (size, size, 3), uint8
            Always in the order R, G, B.
        """
        image = self.focus(image)
        width, height = image.size
        # The part of the photo that the crop leaves, resized alone.
        share = self.size / self.resize
        if self.keep_aspect:
            across = down = min(width, height) * share
        else:
            across, down = width * share, height * share
        left, top = (width - across) / 2, (height - down) / 2
        resized = image.resize(
            (self.size, self.size),
            _INTERPOLATIONS[self.interpolation],
            box=(left, top, left + across, top + down),
        )
        return np.asarray(resized, dtype=np.uint8)

    def normalise(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return pixels as a network takes them.

        Parameters
        ----------
        pixels : ndarray of shape (n_photos, size, size, 3), uint8
            In the order R, G, B.

        Returns
        -------
        ndarray of shape (n_photos, 3, size, size), float32
            Normalised, in the order of `channels`.
        """
        planes = pixels.transpose(0, 3, 1, 2)
        if self.channels == "BGR":
            planes = planes[:, ::-1]
        mean = np.asarray(self.mean, dtype=np.float32).reshape(1, 3, 1, 1)
        std = np.asarray(self.std, dtype=np.float32).reshape(1, 3, 1, 1)
        return np.ascontiguousarray((planes - mean) / std, dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; `from_dict` reads it back."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Return the Preprocess that `to_dict` wrote.

        Parameters
        ----------
        content : dict
            What `to_dict` returned.

        Raises
        ------
        ModelError
            A key is missing or unknown, or a value makes no sense.
        """
        try:
            values = dict(content)
            values["mean"] = tuple(float(value) for value in values["mean"])
            values["std"] = tuple(float(value) for value in values["std"])
            return cls(**values)
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise ModelError(f"This is no description of a preprocessing: {error}") from error
