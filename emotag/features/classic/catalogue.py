"""All features that need no network, by their names."""

from emotag.features.classic.base import PhotoFeatures
from emotag.features.classic.color_layout import ColorLayout
from emotag.features.classic.dominant_color import DominantColor
from emotag.features.classic.edge_histogram import EdgeHistogram
from emotag.features.classic.gist import GIST
from emotag.features.classic.lab_histogram import LabHistogram
from emotag.features.classic.local_descriptors import LocalDescriptors
from emotag.features.classic.saliency_map import SaliencyMap
from emotag.features.classic.scalable_color import ScalableColor

__all__ = ["CLASSIC"]

CLASSIC: dict[str, type[PhotoFeatures]] = {
    "ColorLayout": ColorLayout,
    "DominantColor": DominantColor,
    "EdgeHistogram": EdgeHistogram,
    "GIST": GIST,
    "LabHistogram": LabHistogram,
    "LocalDescriptors": LocalDescriptors,
    "SaliencyMap": SaliencyMap,
    "ScalableColor": ScalableColor,
}
"""The classes, by name."""
