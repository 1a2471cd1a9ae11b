"""Photos that cannot be used for training, and how many of them are too many."""

from emotag.errors import DataError, PhotoError

__all__ = ["BrokenPhotos"]


class BrokenPhotos:
    """The photos that were left out.

    Parameters
    ----------
    n_photos : int
        Of how many different ones.
    max_broken : float
        The largest share that may be left out.
    """

    def __init__(self, n_photos: int, max_broken: float) -> None:
        self.n_photos = n_photos
        self.max_broken = max_broken
        self._errors: dict[str, PhotoError] = {}

    def __contains__(self, path: object) -> bool:
        return path in self._errors

    @property
    def failures(self) -> list[PhotoError]:
        """An error for each photo that was left out."""
        return list(self._errors.values())

    def add(self, *errors: PhotoError) -> None:
        """Remember photos that cannot be read; each is counted once."""
        for error in errors:
            self._errors.setdefault(error.path, error)

    def refuse_many(self) -> None:
        """Raise a DataError if more photos are left out than may be."""
        count = len(self._errors)
        if count > self.max_broken * self.n_photos:
            raise DataError(
                f"{count} of {self.n_photos} photos cannot be used, more than "
                f"max_broken={self.max_broken} allows; the first: {self.failures[0]}."
            )
