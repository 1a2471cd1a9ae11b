"""What others measured on other photos, to stand beside our own figures.

Each figure was measured on its own data set, so that no two of them, and none
of ours, can be compared as if they were of one test.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["LITERATURE", "Published", "Task"]

Task = Literal["emotion", "sentiment"]


@dataclass(frozen=True)
class Published:
    """A figure that was published.

    Attributes
    ----------
    system : str
        What was judged.
    task : {"emotion", "sentiment"}
        Which table it belongs to: Table 3 of the paper, or its Table 4.
    data : str
        The photos that it was judged on.
    value : float
        The share of them that it got right, 0 to 1, as the tables of Gajarla &
        Gupta list it.
    highest : float or None
        Where several variants are known by their range only: the best of them,
        of which `value` is the worst.
    source : str
        Who measured it.
    note : str
        What else must be known to read it.

    Examples
    --------
    >>> [entry.value for entry in LITERATURE if entry.system == "ResNet-50, fine-tuned"]
    [0.409, 0.73]
    """

    system: str
    task: Task
    data: str
    value: float
    source: str
    highest: float | None = None
    note: str = ""


_GAJARLA = (
    'Gajarla & Gupta, "Emotion Detection and Sentiment Analysis of Images", '
    "Georgia Institute of Technology, 2015"
)
_XU = (
    'Xu et al., "Visual Sentiment Prediction with Deep Convolutional Neural Networks", 2014, '
    "as listed by Gajarla & Gupta"
)
_YOU = (
    'You et al., "Robust Image Sentiment Analysis Using Progressively Trained and Domain '
    'Transferred Deep Networks", AAAI 2015, as listed by Gajarla & Gupta'
)
_KARAYEV = (
    'Karayev et al., "Recognizing Image Style", 2014 (arXiv:1311.3715), '
    "as listed by Gajarla & Gupta"
)
_DELLAGIACOMA = (
    'Dellagiacoma et al., "Emotion Based Classification of Natural Images", 2011, '
    "as listed by Gajarla & Gupta"
)

_FIVE = "Flickr photos found by five emotions (about 9,850)"
_TWO = "the same Flickr photos, positive against negative"
_STYLE = "styles, not emotions; classifiers of several features, fused (Fusion x Content)"

LITERATURE: tuple[Published, ...] = (
    Published("SVM on VGG-ImageNet fc7, one against all", "emotion", _FIVE, 0.329, _GAJARLA),
    Published("VGG-ImageNet, fine-tuned", "emotion", _FIVE, 0.384, _GAJARLA),
    Published("VGG16-Places205, fine-tuned", "emotion", _FIVE, 0.409, _GAJARLA),
    Published("ResNet-50, fine-tuned", "emotion", _FIVE, 0.409, _GAJARLA),
    Published(
        "MPEG-7 colour and edge descriptors",
        "emotion",
        "a curated set of photos",
        0.591,
        _DELLAGIACOMA,
    ),
    Published("Fused features", "emotion", "AVA Style", 0.581, _KARAYEV, note=_STYLE),
    Published("Fused features", "emotion", "Flickr Style", 0.368, _KARAYEV, note=_STYLE),
    Published("Fused features", "emotion", "Wikipaintings", 0.473, _KARAYEV, note=_STYLE),
    Published("VGG-ImageNet, fine-tuned", "sentiment", _TWO, 0.678, _GAJARLA),
    Published("VGG16-Places205, fine-tuned", "sentiment", _TWO, 0.687, _GAJARLA),
    Published("ResNet-50, fine-tuned", "sentiment", _TWO, 0.73, _GAJARLA),
    Published(
        "ImageNet network's activations and logistic regression",
        "sentiment",
        "photos of Twitter and Tumblr",
        0.649,
        _XU,
    ),
    Published(
        "PCNN, four variants",
        "sentiment",
        "photos of Twitter and Flickr",
        0.644,
        _YOU,
        highest=0.665,
        note="2CONV+4FC, 2CONV+3FC, 3CONV+2FC and 3CONV+4FC, trained from scratch",
    ),
)
"""Tables 3 and 4 of Gajarla & Gupta (2015): theirs, and what they cite."""
