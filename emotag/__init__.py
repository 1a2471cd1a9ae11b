"""emotag: the emotion a photo depicts and its sentiment, predicted by scikit-learn estimators."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from emotag.dataset import load_photos
    from emotag.emotions import EKMAN6, FIVE, MIKELS8, LabelSet
    from emotag.errors import (
        BundleError,
        DataError,
        EmotagError,
        LabelError,
        MissingExtraError,
        ModelError,
        PhotoError,
        PhotosNotFoundError,
        PlaceError,
        SkippedPhoto,
        StorageError,
        UnreadablePhoto,
        WeightsError,
        WorkersError,
    )
    from emotag.evaluation.report import evaluate
    from emotag.features.cnn import CNNFeatures
    from emotag.features.concepts import ConceptScores
    from emotag.models.finetuning.estimator import FineTunedCNN
    from emotag.models.loading import load_model
    from emotag.models.recipes import make_model
    from emotag.models.saving import save_model
    from emotag.models.sentiment import SentimentClassifier, fold_sentiment
    from emotag.models.zeroshot import ZeroShotCLIP
    from emotag.photos.preprocess import Preprocess
    from emotag.tagging.run import tag_photos

__all__ = [
    "EKMAN6",
    "FIVE",
    "MIKELS8",
    "BundleError",
    "CNNFeatures",
    "ConceptScores",
    "DataError",
    "EmotagError",
    "FineTunedCNN",
    "LabelError",
    "LabelSet",
    "MissingExtraError",
    "ModelError",
    "PhotoError",
    "PhotosNotFoundError",
    "PlaceError",
    "Preprocess",
    "SentimentClassifier",
    "SkippedPhoto",
    "StorageError",
    "UnreadablePhoto",
    "WeightsError",
    "WorkersError",
    "ZeroShotCLIP",
    "evaluate",
    "fold_sentiment",
    "load_model",
    "load_photos",
    "make_model",
    "save_model",
    "tag_photos",
]

# Where each public name is defined: they load when they are asked for (PEP 562),
# so that tagging a photo does not wait for torch.
_HOMES = {
    "ConceptScores": "emotag.features.concepts",
    "CNNFeatures": "emotag.features.cnn",
    "EKMAN6": "emotag.emotions",
    "FIVE": "emotag.emotions",
    "FineTunedCNN": "emotag.models.finetuning.estimator",
    "LabelSet": "emotag.emotions",
    "MIKELS8": "emotag.emotions",
    "ZeroShotCLIP": "emotag.models.zeroshot",
    "Preprocess": "emotag.photos.preprocess",
    "SentimentClassifier": "emotag.models.sentiment",
    "fold_sentiment": "emotag.models.sentiment",
    "evaluate": "emotag.evaluation.report",
    "load_model": "emotag.models.loading",
    "load_photos": "emotag.dataset",
    "make_model": "emotag.models.recipes",
    "save_model": "emotag.models.saving",
    "tag_photos": "emotag.tagging.run",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'emotag' has no attribute {name!r}")
    from importlib import import_module

    from emotag.errors import explain_missing

    try:
        return getattr(import_module(_HOMES.get(name, "emotag.errors")), name)
    except ImportError as error:
        raise explain_missing(error, f"emotag.{name}") from error


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
