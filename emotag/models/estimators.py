"""scikit-learn's estimators as skops files, made of the types on our list alone."""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import skops.io

from emotag.errors import BundleError, ModelError

__all__ = ["ESTIMATOR_FILES", "SENTIMENT_LABELS", "dump_estimator", "load_estimator"]

ESTIMATOR_FILES = {"emotion": "estimator.skops", "sentiment": "sentiment.skops"}
"""The file of a bundle's estimator, by what it predicts."""

SENTIMENT_LABELS = ("negative", "positive")
"""The labels of a sentiment output, in its order."""

_FILE_LIMIT = 256 * 2**20
_SCHEMA_LIMIT = 4 * 2**20

# All that an estimator of a bundle may be made of. skops itself would trust more.
_TRUSTED_TYPES = frozenset(
    {
        # the classes of our own: numbers, text and numpy's arrays alone
        "emotag.models.bag.BagOfWords",
        "emotag.models.fusion.CalibratedFusion",
        "emotag.models.fusion.PriorFusion",
        "emotag.models.late_fusion.LateFusion",
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.NoneType",
        "builtins.slice",
        "builtins.str",
        "builtins.tuple",
        "numpy.bool",
        "numpy.dtype",
        "numpy.float32",
        "numpy.float64",
        "numpy.generic",
        "numpy.int64",
        "numpy.ndarray",
        "numpy.str_",
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.decomposition._pca.PCA",
        "sklearn.linear_model._logistic.LogisticRegression",
        "sklearn.model_selection._split.StratifiedKFold",
        "sklearn.multiclass.OneVsRestClassifier",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.Normalizer",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.preprocessing._label.LabelBinarizer",
        "sklearn.svm._classes.LinearSVC",
        "sklearn.svm._classes.SVC",
    }
)


def dump_estimator(classifier: Any) -> bytes:
    """Return an estimator in skops' format, if `load_estimator` would take it back.

    Parameters
    ----------
    classifier : estimator
        Of scikit-learn.

    Raises
    ------
    ModelError
        It holds a type that is not on the list.
    """
    content: bytes = skops.io.dumps(classifier)
    unknown = sorted(_skops_types(content) - _TRUSTED_TYPES)
    if unknown:
        raise ModelError(f"The model holds {', '.join(unknown)}, which a bundle cannot keep.")
    try:
        _refuse_memory(classifier)
    except BundleError as error:
        raise ModelError("A pipeline with memory cannot be kept; set memory=None.") from error
    return content


def load_estimator(content: bytes, labels: Sequence[str], n_features: int) -> Any:
    """Return the estimator of a skops file, once every type in it is found on the list.

    Parameters
    ----------
    content : bytes
        Of the file.
    labels : sequence of str
        Those that it must tell apart.
    n_features : int
        How many features it must take.

    Raises
    ------
    BundleError
        It is damaged, not to be trusted, or another classifier.
    """
    try:
        found = _skops_types(content)
        _refuse_untrusted(found)
        classifier = skops.io.loads(content, trusted=sorted(found))
        _refuse_other_labels(classifier.classes_.tolist(), labels)
        _refuse_memory(classifier)
        classifier.predict_proba(np.zeros((1, n_features), dtype=np.float32))
    except BundleError:
        raise
    except Exception as error:  # whatever skops and scikit-learn raise on a crafted file
        raise BundleError(f"its estimator cannot be read ({error})") from error
    return classifier


def _refuse_untrusted(types: set[str]) -> None:
    unknown = sorted(types - _TRUSTED_TYPES)
    if unknown:
        raise BundleError(f"its estimator holds {', '.join(unknown)}, which is not trusted")


def _refuse_memory(estimator: Any) -> None:
    """Refuse a pipeline that keeps its steps in a folder: fitting it would unpickle files there."""
    parameters = estimator.get_params()
    for name, value in parameters.items():
        if name.rpartition("__")[2] == "memory" and value is not None:
            raise BundleError("its estimator names a folder as memory, which is not trusted")
    for part in (estimator, *parameters.values()):
        # what a calibration has fitted is none of its parameters
        for fitted in getattr(part, "calibrated_classifiers_", ()):
            _refuse_memory(fitted.estimator)


def _refuse_other_labels(classes: Sequence[str], labels: Sequence[str]) -> None:
    if sorted(classes) != sorted(labels):
        raise BundleError(f"its estimator does not tell {', '.join(labels)} apart")


def _skops_types(content: bytes) -> set[str]:
    """Return every type that a skops file names, without loading any."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _FILE_LIMIT:
            raise BundleError("its estimator is too large")
        if archive.getinfo("schema.json").file_size > _SCHEMA_LIMIT:
            raise BundleError("the description of its estimator is too large")
        schema = json.loads(archive.read("schema.json"))
    return set(_named_types(schema))


def _named_types(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "__class__" in node:
            yield f"{node.get('__module__')}.{node['__class__']}"
        for value in node.values():
            yield from _named_types(value)
    elif isinstance(node, list):
        for value in node:
            yield from _named_types(value)
