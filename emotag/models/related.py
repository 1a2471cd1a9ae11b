"""The systems on hand-crafted features that the paper compares itself with.

Each is made of what its paper describes. Where we do not know what a paper did,
the choice is ours, and is named where it is made.
"""

from collections.abc import Callable
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from emotag.errors import ModelError
from emotag.features.classic.color_layout import ColorLayout
from emotag.features.classic.dominant_color import DominantColor
from emotag.features.classic.edge_histogram import EdgeHistogram
from emotag.features.classic.gist import GIST
from emotag.features.classic.lab_histogram import LabHistogram
from emotag.features.classic.local_descriptors import CELL_FEATURES, LocalDescriptors
from emotag.features.classic.saliency_map import SaliencyMap
from emotag.features.classic.scalable_color import ScalableColor
from emotag.features.cnn import CNNFeatures
from emotag.features.concepts import LOGITS
from emotag.models.bag import BagOfWords
from emotag.models.late_fusion import LateFusion

__all__ = ["BY_HAND", "fuse_channels"]


def fuse_channels(cnn: CNNFeatures, random_state: int | None) -> tuple[FeatureUnion, LateFusion]:
    """Return the channels of Karayev et al. 2014, and their fusion with content.

    Their deep features are those of an ImageNet network, and so are ours; their
    content is what 20 classifiers of objects say, ours what the network's own
    classes say. Their saliency is graph-based; ours is the spectral residual.

    Parameters
    ----------
    cnn : CNNFeatures
        The network, of which `content` takes the classes.
    random_state : int or None
        Chooses the folds.

    Raises
    ------
    ModelError
        The network has no classes of its own.
    """
    if LOGITS not in cnn.chosen_backbone().layers:
        raise ModelError(
            f"A fusion needs a network that tells classes apart, for what is in a photo; "
            f"{cnn.backbone!r} does not."
        )
    content = CNNFeatures(cnn.backbone, layer=LOGITS, weights=cnn.weights)
    channels: list[tuple[str, Any]] = [
        ("lab", LabHistogram()),
        ("gist", GIST()),
        ("saliency", SaliencyMap()),
        ("cnn", cnn),
    ]
    sizes = tuple(_width(part) for _, part in channels)
    fusion = LateFusion(sizes, content=_width(content), random_state=random_state)
    return FeatureUnion([*channels, ("content", content)]), fusion


def _width(features: Any) -> int:
    return len(features.get_feature_names_out())


def _mpeg7(random_state: int | None) -> tuple[Any, Any]:
    union = FeatureUnion(
        [
            ("layout", ColorLayout()),
            ("scalable", ScalableColor()),
            ("dominant", DominantColor()),
            ("edges", EdgeHistogram()),
        ]
    )
    return union, _machine(random_state)


def _bag_of_emotions(random_state: int | None) -> tuple[Any, Any]:
    head = make_pipeline(
        BagOfWords(len(CELL_FEATURES), random_state=random_state),
        *(step for _, step in _machine(random_state).steps),
    )
    return LocalDescriptors(), head


def _machine(random_state: int | None) -> Pipeline:
    """Return a support vector machine; the kernel and its parameters are our choice."""
    machine = SVC(
        C=10.0,
        kernel="rbf",
        class_weight="balanced",
        decision_function_shape="ovr",
        random_state=random_state,
    )
    return make_pipeline(StandardScaler(), machine)


def _channel(features: Any) -> Callable[[int | None], tuple[Any, Any]]:
    """Return what makes one channel of the fusion with a classifier of its own."""

    def make(_: int | None) -> tuple[Any, Any]:
        head = LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000)
        return features(), make_pipeline(StandardScaler(), head)

    return make


BY_HAND: dict[str, Callable[[int | None], tuple[Any, Any]]] = {
    "mpeg7": _mpeg7,
    "bag-of-emotions": _bag_of_emotions,
    "lab": _channel(LabHistogram),
    "gist": _channel(GIST),
    "saliency": _channel(SaliencyMap),
}
"""What makes the features and the classifier of each, from a random state."""
