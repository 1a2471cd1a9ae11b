"""A preprocessing that looks at what is salient: by a crop, or by fading the rest."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from emotag.errors import ModelError, unknown_name
from emotag.photos.preprocess import Preprocess
from emotag.saliency.maps import METHODS, require_method, saliency_map
from emotag.saliency.region import LEAST_SIDE, smallest_region
from emotag.saliency.shrinking import shrink_image
from emotag.saliency.u2netp import U2NETP_SHA256

__all__ = ["SALIENT", "SalientPreprocess", "check_saliency", "with_saliency"]

SALIENT = ("crop", "weight")
"""What can be done with the salient part of a photo."""

# Of the sides of the region, all around it: our choice.
_MARGIN = 0.05

# The longer side of the picture in which saliency is sought.
_LONGEST = 300

_CHECKSUM = "saliency_sha256"


@dataclass(frozen=True)
class SalientPreprocess(Preprocess):
    """Resize, crop and normalise a photo of which the salient part is looked at.

    The saliency is that of the photo as its file has it, before it is turned
    upright, in a picture of at most 300 pixels.

    Parameters
    ----------
    size, resize, mean, std, channels, interpolation, keep_aspect
        As in `Preprocess`; what it resizes and crops is what `focus` leaves.
    salient : {'crop', 'weight'}
        ``'crop'``: the photo is first cut to its salient region, with 5 % of
        the region's sides around it. ``'weight'``: each pixel p of saliency s
        becomes ``s * p + (1 - s) * mean``, in steps of 1/255, and so fades to
        what the network sees as zero; a photo in which nothing stands out stays
        as it is. Both formulas are our choices.
    saliency : {'barrier', 'spectral', 'u2netp'}
        As `saliency_map` takes it.

    Raises
    ------
    ModelError
        A value makes no sense.
    WeightsError
        The network of ``'u2netp'`` is not at hand.

    Examples
    --------
    >>> preprocess = SalientPreprocess(
    ...     224, 256, mean=(127.5,) * 3, std=(127.5,) * 3, salient="weight"
    ... )
    >>> photo = Image.new("RGB", (640, 480), "navy")
    >>> photo.paste("yellow", (250, 190, 390, 290))
    >>> pixels = preprocess.crop(photo)
    >>> pixels[112, 112].tolist(), pixels[0, 0].tolist()
    ([255, 255, 0], [128, 128, 128])
    """

    salient: str = "crop"
    saliency: str = "barrier"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.salient is None:
            raise ModelError("salient=None is what Preprocess is for.")
        check_saliency(self.salient, self.saliency)

    def needed(self, width: int, height: int) -> tuple[int, int]:
        """Return the smallest size to which a decoder may reduce a photo.

        A crop may leave a third of each side, which must still be enough.

        Parameters
        ----------
        width, height : int
            The photo's full size in pixels.
        """
        across, down = super().needed(width, height)
        return (
            (LEAST_SIDE * across, LEAST_SIDE * down) if self.salient == "crop" else (across, down)
        )

    def focus(self, image: Image.Image) -> Image.Image:
        """Return a photo cut to its salient region, or with what is not salient faded.

        Parameters
        ----------
        image : PIL.Image.Image
            In mode RGB.
        """
        saliency = saliency_map(np.asarray(shrink_image(image, _LONGEST)), self.saliency)
        if self.salient == "crop":
            return _cropped(image, saliency)
        return _faded(image, saliency, self._plain_colour()) if saliency.any() else image

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold; `from_dict` reads it back.

        Where the saliency is that of a network, its checksum is part of it.
        """
        said = super().to_dict()
        return {**said, _CHECKSUM: U2NETP_SHA256} if self.saliency == "u2netp" else said

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Return the SalientPreprocess that `to_dict` wrote.

        Parameters
        ----------
        content : dict
            What `to_dict` returned.

        Raises
        ------
        ModelError
            A key is missing or unknown, a value makes no sense, or the network
            of the saliency was another.
        WeightsError
            The network of the saliency is not at hand.
        """
        fields = dict(content)
        checksum = fields.pop(_CHECKSUM, None)
        if checksum != (U2NETP_SHA256 if fields.get("saliency") == "u2netp" else None):
            raise ModelError(
                f"Its saliency was found by another network, of sha256 {checksum!r}, than "
                f"this emotag has, of {U2NETP_SHA256}."
            )
        return super().from_dict(fields)

    def _plain_colour(self) -> tuple[int, int, int]:
        colour = self.mean if self.channels == "RGB" else self.mean[::-1]
        red, green, blue = (round(min(max(value, 0), 255)) for value in colour)
        return red, green, blue


def with_saliency(preprocess: Preprocess, salient: str | None, saliency: str) -> Preprocess:
    """Return a preprocessing that looks at what is salient, or the same if that is not wanted.

    Parameters
    ----------
    preprocess : Preprocess
        As a backbone has it.
    salient : {'crop', 'weight'}, optional
        As in `SalientPreprocess`.
    saliency : str
        As in `SalientPreprocess`; checked even where it has no effect.

    Raises
    ------
    ModelError
        A value makes no sense.
    WeightsError
        The network of the saliency is not at hand.

    Examples
    --------
    >>> preprocess = Preprocess(224, 256, mean=(127.5,) * 3, std=(127.5,) * 3)
    >>> with_saliency(preprocess, None, "barrier") is preprocess
    True
    >>> with_saliency(preprocess, "crop", "spectral").saliency
    'spectral'
    """
    check_saliency(salient, saliency)
    if salient is None:
        return preprocess
    return SalientPreprocess(**vars(preprocess), salient=salient, saliency=saliency)


def check_saliency(salient: str | None, saliency: str) -> None:
    """Refuse what `with_saliency` does, before there is a preprocessing.

    Parameters
    ----------
    salient : {'crop', 'weight'}, optional
        As in `SalientPreprocess`.
    saliency : str
        As in `SalientPreprocess`. Its network is asked for only where it is used.

    Raises
    ------
    ModelError
        A value makes no sense.
    WeightsError
        The network of the saliency is not at hand.

    Examples
    --------
    >>> check_saliency("crop", "barrier")
    >>> check_saliency("corp", "barrier")
    Traceback (most recent call last):
    ...
    emotag.errors.ModelError: salient='corp'; choose 'crop' or 'weight', or leave it out.
    """
    if salient is not None and (not isinstance(salient, str) or salient not in SALIENT):
        choices = " or ".join(map(repr, SALIENT))
        raise ModelError(f"salient={salient!r}; choose {choices}, or leave it out.")
    if salient is not None:
        require_method(saliency)
    elif not isinstance(saliency, str) or saliency not in METHODS:
        raise ModelError(unknown_name("saliency", saliency, METHODS))


def _cropped(image: Image.Image, saliency: NDArray[np.float32]) -> Image.Image:
    width, height = image.size
    region = smallest_region(saliency, width, height).widened(_MARGIN, width, height)
    return image.crop(region.box)


def _faded(
    image: Image.Image, saliency: NDArray[np.float32], colour: tuple[int, int, int]
) -> Image.Image:
    strength = Image.fromarray((saliency * 255).round().astype(np.uint8))
    mask = strength.resize(image.size, Image.Resampling.BILINEAR)
    return Image.composite(image, Image.new("RGB", image.size, colour), mask)
