"""Which bundle a name stands for: the one that ships with emotag, or one under ``./models``."""

import os

from emotag.bundle.config import CONFIG
from emotag.errors import BundleError, did_you_mean

__all__ = ["MODELS_FOLDER", "bundles_at_hand", "default_bundle", "find_bundle"]

MODELS_FOLDER = "models"


def default_bundle() -> str:
    """Return the folder of the model that ships with emotag."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return os.path.join(package, "default_bundle")


def bundles_at_hand() -> dict[str, str]:
    """Return the folders of the default model and of those under ``./models``, by name."""
    found = {"default": default_bundle()}
    if os.path.isdir(MODELS_FOLDER):
        for name in sorted(os.listdir(MODELS_FOLDER)):
            folder = os.path.join(MODELS_FOLDER, name)
            if os.path.isfile(os.path.join(folder, CONFIG)) and not name.startswith("."):
                found[name] = folder
    return found


def find_bundle(model: str | None = None) -> str:
    """Return the folder of a model that was named.

    Parameters
    ----------
    model : str, optional
        A folder, or a name under ``./models``; the default model for None.

    Raises
    ------
    BundleError
        There is none; the message names those at hand.
    """
    if model is None:
        return default_bundle()
    if os.path.isdir(model):
        return model
    known = bundles_at_hand()
    if model in known:
        return known[model]
    raise BundleError(
        f"There is no model {model!r}, neither as a folder nor under ./{MODELS_FOLDER}; "
        f"at hand: {', '.join(known)}.{did_you_mean(model, known)}"
    )
