"""What ``config.json`` of a bundle says, read as a stranger's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from emotag.emotions import LabelSet
from emotag.errors import BundleError, EmotagError
from emotag.photos.preprocess import Preprocess

__all__ = ["CONFIG", "FORMAT_VERSION", "NETWORK", "BundleConfig"]

FORMAT_VERSION = 2
"""The newest format: 2 is for what the first cannot say, a model without a network, or one
that looks at what is salient."""

CONFIG = "config.json"
NETWORK = "model.onnx"


@dataclass(frozen=True)
class BundleConfig:
    """What ``config.json`` of a bundle says.

    Attributes
    ----------
    name : str
        The model's name, in the column ``model`` of every output.
    recipe : str
        What it was made by.
    backbone : str
        The network it stands on; empty where it stands on none.
    label_set : LabelSet
        The emotions, in the order of the output.
    preprocess : Preprocess or None
        Makes the pixels that the network sees; None for a model without one, which
        scikit-learn runs.
    learnt_sentiment : bool
        Whether the network has its own output for sentiment.
    emotag_version : str
        The version that saved it.
    files : dict
        For each file of the bundle its ``sha256``.
    estimator : dict
        How the scikit-learn estimator is rebuilt.
    data : dict
        Fingerprint and counts of the photos it was fitted on.
    metrics : dict
        What it scored where, each figure with its interval.
    """

    name: str
    recipe: str
    backbone: str
    label_set: LabelSet
    preprocess: Preprocess | None
    learnt_sentiment: bool
    emotag_version: str
    files: dict[str, str] = field(default_factory=dict)
    estimator: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def has_network(self) -> bool:
        """Whether it has a network that onnxruntime or torch can run."""
        return self.preprocess is not None

    def to_dict(self) -> dict[str, Any]:
        """Return what ``config.json`` holds."""
        return {
            "format_version": 1 if type(self.preprocess) is Preprocess else 2,
            "emotag_version": self.emotag_version,
            "name": self.name,
            "recipe": self.recipe,
            "backbone": self.backbone,
            "labels": list(self.label_set.names),
            "positive": sorted(self.label_set.positive),
            "negative": sorted(self.label_set.negative),
            "learnt_sentiment": self.learnt_sentiment,
            "preprocess": None if self.preprocess is None else self.preprocess.to_dict(),
            "estimator": self.estimator,
            "data": self.data,
            "metrics": self.metrics,
            "files": {name: {"sha256": digest} for name, digest in sorted(self.files.items())},
        }

    @classmethod
    def from_dict(cls, content: Any) -> Self:
        """Return the config that `to_dict` wrote.

        Raises
        ------
        BundleError
            It was written by a newer format, or a value is missing or wrong.
        """
        if not isinstance(content, dict) or "format_version" not in content:
            raise BundleError("config.json is not that of an emotag bundle")
        version = content["format_version"]
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise BundleError(f"config.json has no valid format version, but {version!r}")
        if version > FORMAT_VERSION:
            raise BundleError(
                f"the bundle has format {version} and this emotag reads up to format "
                f"{FORMAT_VERSION}; type: pip install --upgrade emotag"
            )
        try:
            return cls(
                name=_text(content, "name"),
                recipe=_text(content, "recipe"),
                backbone=_text(content, "backbone"),
                label_set=LabelSet(
                    _texts(content, "labels"),
                    _texts(content, "positive"),
                    _texts(content, "negative"),
                ),
                preprocess=_preprocess(content),
                learnt_sentiment=content["learnt_sentiment"] is True,
                emotag_version=_text(content, "emotag_version"),
                files=_checksums(content),
                estimator=_mapping(content, "estimator"),
                data=_mapping(content, "data"),
                metrics=_mapping(content, "metrics"),
            )
        except KeyError as error:
            raise BundleError(f"config.json lacks {error}") from error
        except EmotagError as error:
            raise BundleError(f"config.json: {str(error).removesuffix('.')}") from error


def _preprocess(content: dict[str, Any]) -> Preprocess | None:
    if content["preprocess"] is None and content["format_version"] > 1:
        return None
    said = _mapping(content, "preprocess")
    if "salient" not in said or content["format_version"] < 2:
        # which refuses what it does not know
        return Preprocess.from_dict(said)
    # imported here: most bundles see the whole photo, and start sooner without it
    from emotag.saliency.preprocess import SalientPreprocess

    return SalientPreprocess.from_dict(said)


def _text(content: dict[str, Any], key: str) -> str:
    value = content[key]
    if not isinstance(value, str):
        raise BundleError(f"{key!r} is not text")
    if not value.isprintable():
        raise BundleError(f"{key!r} holds characters that cannot be shown")
    return value


def _texts(content: dict[str, Any], key: str) -> Sequence[str]:
    value = content[key]
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise BundleError(f"{key!r} is not a list of text")
    return value


def _mapping(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content[key]
    if not isinstance(value, dict):
        raise BundleError(f"{key!r} is not an object")
    return value


def _checksums(content: dict[str, Any]) -> dict[str, str]:
    files = {}
    for name, entry in _mapping(content, "files").items():
        if name in (".", "..", "") or any(mark in name for mark in "/\\:\0"):
            raise BundleError(f"the file name {name!r} could lead out of the folder")
        if not isinstance(entry, dict):
            raise BundleError(f"the entry of {name!r} is not an object")
        files[name] = _text(entry, "sha256")
    return files
