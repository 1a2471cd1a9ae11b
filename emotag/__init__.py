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
    from emotag.features.classic.color_layout import ColorLayout
    from emotag.features.classic.dominant_color import DominantColor
    from emotag.features.classic.edge_histogram import EdgeHistogram
    from emotag.features.classic.gist import GIST
    from emotag.features.classic.lab_histogram import LabHistogram
    from emotag.features.classic.local_descriptors import LocalDescriptors
    from emotag.features.classic.saliency_map import SaliencyMap
    from emotag.features.classic.scalable_color import ScalableColor
    from emotag.features.cnn import CNNFeatures
    from emotag.features.concepts import ConceptScores
    from emotag.models.finetuning.estimator import FineTunedCNN
    from emotag.models.late_fusion import LateFusion
    from emotag.models.loading import load_model
    from emotag.models.progressive.estimator import ProgressiveCNN
    from emotag.models.recipes import make_model
    from emotag.models.saving import save_model
    from emotag.models.sentiment import SentimentClassifier, fold_sentiment
    from emotag.models.zeroshot import ZeroShotCLIP
    from emotag.photos.preprocess import Preprocess
    from emotag.saliency.region import salient_region
    from emotag.tagging.run import tag_photos

__all__ = [
    "EKMAN6",
    "FIVE",
    "GIST",
    "MIKELS8",
    "BundleError",
    "CNNFeatures",
    "ColorLayout",
    "ConceptScores",
    "DataError",
    "DominantColor",
    "EdgeHistogram",
    "EmotagError",
    "FineTunedCNN",
    "LabHistogram",
    "LabelError",
    "LabelSet",
    "LateFusion",
    "LocalDescriptors",
    "MissingExtraError",
    "ModelError",
    "PhotoError",
    "PhotosNotFoundError",
    "PlaceError",
    "Preprocess",
    "ProgressiveCNN",
    "SaliencyMap",
    "ScalableColor",
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
    "salient_region",
    "save_model",
    "tag_photos",
]

# Where each public name is defined: they load when they are asked for (PEP 562),
# so that tagging a photo does not wait for torch.
_HOMES = {
    "ColorLayout": "emotag.features.classic.color_layout",
    "DominantColor": "emotag.features.classic.dominant_color",
    "EdgeHistogram": "emotag.features.classic.edge_histogram",
    "GIST": "emotag.features.classic.gist",
    "LabHistogram": "emotag.features.classic.lab_histogram",
    "LocalDescriptors": "emotag.features.classic.local_descriptors",
    "SaliencyMap": "emotag.features.classic.saliency_map",
    "ScalableColor": "emotag.features.classic.scalable_color",
    "LateFusion": "emotag.models.late_fusion",
    "ProgressiveCNN": "emotag.models.progressive.estimator",
    "salient_region": "emotag.saliency.region",
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
