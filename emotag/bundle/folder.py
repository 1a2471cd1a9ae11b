"""A bundle's folder: opened, its files checked, and replaced only by another bundle."""

import hashlib
import json
import os
from dataclasses import dataclass

from emotag.bundle.config import CONFIG, NETWORK, BundleConfig
from emotag.bundle.engine import OnnxEngine
from emotag.errors import BundleError, StorageError
from emotag.storage import refuse_existing, refuse_unwritable

__all__ = ["Bundle", "open_bundle", "open_onnx", "refuse_target"]

_CONFIG_LIMIT = 4 * 2**20
# more than an ONNX file can have
_FILE_LIMIT = 2**31


@dataclass(frozen=True)
class Bundle:
    """A bundle that has been opened and checked.

    Attributes
    ----------
    folder : str
        Where it lies.
    config : BundleConfig
        What it says of itself.
    """

    folder: str
    config: BundleConfig

    def read(self, name: str) -> bytes:
        """Return the content of one of its files, once its checksum is found right.

        Parameters
        ----------
        name : str
            The file.

        Raises
        ------
        BundleError
            The bundle has no such file, or it is missing, altered or a link.
        """
        if name not in self.config.files:
            raise BundleError(f"The model {self.folder} has no {name}.")
        try:
            content = _read_inside(self.folder, name, limit=_FILE_LIMIT)
        except BundleError as error:
            raise BundleError(f"The model {self.folder} is refused: {error}.") from error
        if hashlib.sha256(content).hexdigest() != self.config.files[name]:
            raise BundleError(
                f"The model {self.folder} is refused: {name} was altered since it was saved "
                "(its checksum is not that of config.json). Get the model again."
            )
        return content

    def engine(self, *, threads: int = 1, n_seen: int = 0) -> OnnxEngine:
        """Return the engine that runs this bundle with onnxruntime.

        Parameters
        ----------
        threads : int, default=1
            Threads for one call; calls from several threads may overlap.
        n_seen : int, default=0
            How many classes of the backbone's own it shall say the probabilities of.

        Raises
        ------
        BundleError
            The network is missing, altered, or cannot be run.
        """
        if not self.config.has_network:
            raise BundleError(
                f"The model {self.folder} has no network, but features that scikit-learn "
                "classifies; it runs by --engine sklearn, or opener=engine_opener('sklearn')."
            )
        model = self.read(NETWORK)
        try:
            return OnnxEngine(model, self.config, threads=threads, n_seen=n_seen)
        except BundleError as error:
            raise BundleError(f"The model {self.folder} is refused: {error}") from error


def open_bundle(folder: str) -> Bundle:
    """Open a bundle and check its config.

    Parameters
    ----------
    folder : str
        The folder that holds ``config.json``.

    Returns
    -------
    Bundle
        Its files are checked when they are read.

    Raises
    ------
    BundleError
        It is no bundle, or its config is damaged, too new or unsafe.
    """
    if not os.path.isdir(folder):
        raise BundleError(f"{folder} is not the folder of a model.")
    if not os.path.lexists(os.path.join(folder, CONFIG)):
        raise BundleError(f"{folder} is no model: it has no {CONFIG}.")
    try:
        text = _read_inside(folder, CONFIG, limit=_CONFIG_LIMIT)
        content = json.loads(text, parse_constant=_no_constant)
        config = BundleConfig.from_dict(content)
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, BundleError) else f"{CONFIG} is damaged ({error})"
        raise BundleError(f"The model {folder} is refused: {reason}.") from error
    return Bundle(folder, config)


def open_onnx(bundle: Bundle, threads: int, n_seen: int) -> OnnxEngine:
    """Return the engine that runs a bundle with onnxruntime, as a function by itself."""
    return bundle.engine(threads=threads, n_seen=n_seen)


def refuse_target(folder: str, *, force: bool) -> None:
    """Refuse a folder in which a model shall be saved if that would lose anything.

    Parameters
    ----------
    folder : str
        Where the model shall be.
    force : bool
        Whether a model that is there already may be replaced. Anything else may not.

    Raises
    ------
    StorageError
        Something is there that is not to be replaced, or nothing can be written there.
    """
    if not folder:
        raise StorageError("The model's folder has no name; give one, such as models/mine.")
    refuse_existing(folder, force=force)
    refuse_unwritable(folder)
    if not os.path.lexists(folder) or _holds_only_a_bundle(folder):
        return
    raise StorageError(
        f"{folder} is not a saved model, or holds other files too, so --force does not replace "
        "it; choose another name, or move it away."
    )


def _holds_only_a_bundle(folder: str) -> bool:
    try:
        known = {CONFIG, *open_bundle(folder).config.files}
    except BundleError:
        return False
    return known.issuperset(os.listdir(folder))


def _read_inside(folder: str, name: str, *, limit: int) -> bytes:
    """Read a plain file of a folder; a link may not lead out of it."""
    path = os.path.join(folder, name)
    inside = os.path.realpath(folder)
    if os.path.dirname(os.path.realpath(path)) != inside:
        raise BundleError(f"{name} is a link that leads out of the folder")
    if not os.path.isfile(path):
        raise BundleError(f"{name} is missing")
    try:
        if os.path.getsize(path) > limit:
            raise BundleError(f"{name} is larger than {limit} bytes")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise BundleError(f"{name} cannot be read ({error.strerror})") from error


def _no_constant(name: str) -> float:
    """Refuse NaN and the infinities, which are no JSON."""
    raise ValueError(f"{name} is no JSON")
