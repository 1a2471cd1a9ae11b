"""The networks of You et al. 2015, from pixels to the layer before the last."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from emotag.errors import ModelError, did_you_mean
from emotag.photos.preprocess import Preprocess

__all__ = [
    "ARCHITECTURES",
    "PREPROCESS",
    "Architecture",
    "Convolution",
    "build_trunk",
    "draw_weights",
    "find_architecture",
]

PREPROCESS = Preprocess(
    size=227,
    resize=256,
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    interpolation="bilinear",
    keep_aspect=False,
)
"""What the networks see: a square of 227 pixels of a photo made 256 x 256, as in the paper.

The normalisation is our choice: mean and standard deviation of ImageNet's
photos, after which pixels have a variance of about 1.
"""


@dataclass(frozen=True)
class Convolution:
    """A convolution with a rectifier, and what follows it.

    Attributes
    ----------
    kernels, size, stride, padding : int
        How many, and of how many pixels.
    normalised : bool
        Whether local response normalisation follows the pooling.
    """

    kernels: int
    size: int
    stride: int
    padding: int
    normalised: bool


@dataclass(frozen=True)
class Architecture:
    """What a network is made of; its last layer, to the labels, comes on top.

    Attributes
    ----------
    convolutions : tuple of Convolution
        Each with max pooling.
    hidden : tuple of int
        Widths of the fully connected layers, each with a rectifier.
    """

    convolutions: tuple[Convolution, ...]
    hidden: tuple[int, ...]

    @property
    def n_features(self) -> int:
        """How many values the last hidden layer has."""
        return self.hidden[-1]


# You et al. 2015 give kernels and stride. The padding is that of Krizhevsky et al. 2012.
_CONV1 = Convolution(96, size=11, stride=4, padding=0, normalised=True)
_CONV2 = Convolution(256, size=5, stride=1, padding=2, normalised=True)
# As far as we know the paper does not say what its third convolution is: this is the
# third one of Krizhevsky et al., pooled as their last one is.
_CONV3 = Convolution(384, size=3, stride=1, padding=1, normalised=False)

ARCHITECTURES: dict[str, Architecture] = {
    "2conv-4fc": Architecture((_CONV1, _CONV2), hidden=(512, 512, 24)),
    # the widths of the others are our choice: the same, without one or both of the wide layers
    "2conv-3fc": Architecture((_CONV1, _CONV2), hidden=(512, 24)),
    "3conv-2fc": Architecture((_CONV1, _CONV2, _CONV3), hidden=(24,)),
    "3conv-4fc": Architecture((_CONV1, _CONV2, _CONV3), hidden=(512, 512, 24)),
}
"""The networks that You et al. compare, by their names there."""

# Krizhevsky et al. 2012, section 3.4: pooling over 3 x 3 in steps of 2.
_POOL_SIZE, _POOL_STRIDE = 3, 2
# Their section 3.3: over 5 kernels, alpha 1e-4 and beta 0.75. That alpha is divided by the
# number of kernels and that k is 1 follows Caffe's reference network.
_NORM_SIZE, _NORM_ALPHA, _NORM_BETA, _NORM_K = 5, 1e-4, 0.75, 1.0


def find_architecture(name: str) -> Architecture:
    """Return the network of a name.

    Parameters
    ----------
    name : str
        Of `ARCHITECTURES`.

    Raises
    ------
    ModelError
        There is no such network; the message names the choices.

    Examples
    --------
    >>> find_architecture("2conv-4fc").hidden
    (512, 512, 24)
    """
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ModelError(
            f"architecture={name!r}; choose from {', '.join(map(repr, ARCHITECTURES))}."
            f"{did_you_mean(name, ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]


def build_trunk(architecture: Architecture, size: int = PREPROCESS.size) -> nn.Sequential:
    """Return a network from normalised pixels to its last hidden layer.

    Pooling is over 3 x 3 in steps of 2, as Krizhevsky et al. do; where the
    paper leaves it open, the padding of the convolutions is theirs too.

    Parameters
    ----------
    architecture : Architecture
        What it is made of.
    size : int, default=227
        Side of the photos in pixels.

    Returns
    -------
    torch.nn.Sequential
        Takes float32 of shape (n_photos, 3, size, size), gives (n_photos, n_features).

    References
    ----------
    You et al., "Robust Image Sentiment Analysis Using Progressively Trained
    and Domain Transferred Deep Networks", AAAI 2015, arXiv:1509.06041: the layers.

    Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural
    Networks", NeurIPS 2012, sections 3.3 and 3.4: normalisation and pooling.

    Examples
    --------
    >>> trunk = build_trunk(ARCHITECTURES["2conv-4fc"])
    >>> trunk.conv1
    Conv2d(3, 96, kernel_size=(11, 11), stride=(4, 4))
    >>> trunk(torch.zeros(1, 3, 227, 227)).shape
    torch.Size([1, 24])
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for number, convolution in enumerate(architecture.convolutions, start=1):
        layers |= _convolution_layers(number, channels, convolution)
        channels = convolution.kernels
        size = _pooled(size, convolution)
    layers["flatten"] = nn.Flatten()
    width = channels * size * size
    for number, hidden in enumerate(architecture.hidden, start=1):
        layers[f"fc{number}"] = nn.Linear(width, hidden)
        layers[f"fc{number}_relu"] = nn.ReLU()
        width = hidden
    return nn.Sequential(layers)


def draw_weights(modules: Iterable[nn.Module], seed: int) -> None:
    """Draw the first weights of convolutions and fully connected layers; biases begin at 0.

    How the paper's networks began is not known to us. This is the uniform
    distribution of Glorot and Bengio: our choice. That of He et al. 2015
    begins with so large steps here that the first rectifiers often die.

    Parameters
    ----------
    modules : iterable of torch.nn.Module
        As ``network.modules()`` gives them.
    seed : int
        Same number, same weights.

    References
    ----------
    Glorot & Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS 2010, equation 16.

    Examples
    --------
    >>> layer = nn.Linear(1000, 200)
    >>> draw_weights([layer], seed=0)
    >>> round(layer.weight.detach().abs().max().item(), 3), round((6 / 1200) ** 0.5, 3)
    (0.071, 0.071)
    """
    generator = torch.Generator().manual_seed(seed)
    for module in modules:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            assert module.bias is not None
            nn.init.zeros_(module.bias)


def _convolution_layers(
    number: int, channels: int, convolution: Convolution
) -> dict[str, nn.Module]:
    name = f"conv{number}"
    layers: dict[str, nn.Module] = {
        name: nn.Conv2d(
            channels,
            convolution.kernels,
            convolution.size,
            stride=convolution.stride,
            padding=convolution.padding,
        ),
        f"{name}_relu": nn.ReLU(),
        f"{name}_pool": nn.MaxPool2d(_POOL_SIZE, _POOL_STRIDE),
    }
    if convolution.normalised:
        norm = nn.LocalResponseNorm(_NORM_SIZE, _NORM_ALPHA, _NORM_BETA, _NORM_K)
        layers[f"{name}_norm"] = norm
    return layers


def _pooled(size: int, convolution: Convolution) -> int:
    """Return the side of what a convolution and its pooling leave of a square."""
    convolved = (size + 2 * convolution.padding - convolution.size) // convolution.stride + 1
    return (convolved - _POOL_SIZE) // _POOL_STRIDE + 1
