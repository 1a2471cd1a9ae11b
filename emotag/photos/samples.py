"""Real photos that come with a dependency, to try things out on."""

import os
from importlib.util import find_spec

from emotag.errors import PhotosNotFoundError

__all__ = ["sample_folder"]


def sample_folder() -> str:
    """Return the folder of scikit-learn's two sample photos, without importing it.

    Raises
    ------
    PhotosNotFoundError
        scikit-learn was installed without them.

    Examples
    --------
    >>> sorted(name for name in os.listdir(sample_folder()) if name.endswith(".jpg"))
    ['china.jpg', 'flower.jpg']
    """
    spec = find_spec("sklearn")
    places = spec.submodule_search_locations if spec else None
    for place in places or ():
        folder = os.path.join(place, "datasets", "images")
        if os.path.isdir(folder):
            return folder
    raise PhotosNotFoundError(
        "scikit-learn's sample photos are not there; try emotag tag on photos of your own."
    )
