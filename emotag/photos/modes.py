"""Pictures of any mode and colour space as sRGB of 8 bits."""

from io import BytesIO

import numpy as np
from PIL import Image

from emotag.photos.opening import DECODER_ERRORS

__all__ = ["to_rgb", "to_srgb"]


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a photo of any mode as RGB of 8 bits."""
    if image.mode.startswith("I") or image.mode == "F":
        return _to_grey(image).convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        return _on_white(image)
    return image.convert("RGB")


def _to_grey(image: Image.Image) -> Image.Image:
    """Scale grey values of 16 or 32 bits, or floats, down to 8 bits."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    highest = float(values.max(initial=0.0))
    if image.mode == "F":
        full = 1.0 if highest <= 1.0 else max(highest, 255.0)
    else:
        full = max(highest, 65535.0)
    return Image.fromarray(np.clip(values * (255.0 / full), 0, 255).astype(np.uint8))


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return a photo in sRGB; a profile that is damaged or not of RGB is passed over."""
    # where a profile names its colour space (ICC.1:2022, 7.2)
    if not profile or profile[16:20] != b"RGB ":
        return image
    # imported here: few photos hold a profile
    from PIL import ImageCms

    try:
        own, target = ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, own, target) or image
    except (ImageCms.PyCMSError, *DECODER_ERRORS, OSError):
        return image


def _on_white(image: Image.Image) -> Image.Image:
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")
