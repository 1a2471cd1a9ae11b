"""``clip:ARCH/TAG``: the image towers of open_clip, and what their text towers say of words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emotag.backbones.backbone import Backbone
from emotag.backbones.weights import HubWeights
from emotag.errors import ModelError, WeightsError, did_you_mean, explain_missing
from emotag.photos.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

__all__ = ["clip_backbone", "embed_texts"]

# As open_clip itself looks for them.
_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


def clip_backbone(model: str) -> Backbone:
    """Return the image tower of one of open_clip's networks as a backbone.

    Parameters
    ----------
    model : str
        As ``'ViT-B-32/laion2b_s34b_b79k'``: the architecture and the tag of its
        weights, as ``open_clip.list_pretrained()`` has them.

    Raises
    ------
    MissingExtraError
        open_clip is not installed.
    ModelError
        open_clip has no such network, or it takes no square photos.
    """
    name = f"clip:{model}"
    architecture, tag = _split(name, model)
    import open_clip

    config = open_clip.get_pretrained_cfg(architecture, tag)
    repository = str(config.get("hf_hub") or "").strip("/")
    if not repository:
        raise ModelError(f"open_clip has no weights of {model} on the Hugging Face Hub.")
    description: dict[str, Any] = open_clip.get_model_config(architecture)
    return Backbone(
        name=name,
        title=f"open_clip's {model}",
        weights=HubWeights(
            source=f"Hugging Face Hub: {repository}",
            licence="as its card says",
            name=name,
            repository=repository,
            files=_FILES,
        ),
        preprocess=_preprocess(name, description, config),
        layers={"embedding": int(description["embed_dim"])},
        default_layer="embedding",
        build=_Build(name, architecture, quick_gelu=bool(config.get("quick_gelu"))),
    )


def embed_texts(
    model: str, texts: Sequence[str], weights: str | None = None
) -> NDArray[np.float32]:
    """Return the embeddings of texts, each of Euclidean length one.

    Parameters
    ----------
    model : str
        As `clip_backbone` takes it.
    texts : sequence of str
        Such as ``'a photo of a happy person'``.
    weights : str, optional
        A file with the weights; by default they come from the Hub.

    Returns
    -------
    ndarray of shape (n_texts, n_features), float32
        In the space of the layer ``embedding``.

    Raises
    ------
    WeightsError
        The weights cannot be had.
    """
    import open_clip
    import torch

    backbone = clip_backbone(model)
    architecture, _ = _split(backbone.name, model)
    source = backbone if weights is None else backbone.with_weights(weights)
    network = _Build.of(backbone).network(source.weights.fetch())
    tokens = open_clip.get_tokenizer(architecture)(list(texts))
    with torch.inference_mode():
        embeddings: NDArray[np.float32] = network.encode_text(tokens, normalize=True).numpy()
    return embeddings


def _split(name: str, model: str) -> tuple[str, str]:
    try:
        import open_clip
    except ImportError as error:
        raise explain_missing(error, f"the backbone {name}") from error
    architecture, _, tag = model.partition("/")
    architectures: list[str] = open_clip.list_models()
    if architecture not in architectures:
        raise ModelError(
            f"open_clip has no network {architecture!r}.{did_you_mean(architecture, architectures)}"
        )
    tags: list[str] = open_clip.list_pretrained_tags_by_model(architecture)
    if tag not in tags:
        raise ModelError(
            f"open_clip has no weights {tag!r} of {architecture}; "
            f"choose from {', '.join(tags) or 'none'}, as clip:{architecture}/TAG."
            f"{did_you_mean(tag, tags)}"
        )
    return architecture, tag


def _preprocess(name: str, description: dict[str, Any], config: dict[str, Any]) -> Preprocess:
    size = description["vision_cfg"].get("image_size", 224)
    if not isinstance(size, int):
        raise ModelError(f"The backbone {name} does not take square photos.")
    mode = config.get("resize_mode") or "shortest"
    if mode not in ("shortest", "squash"):
        raise ModelError(f"The backbone {name} pads photos ({mode}), which is not supported.")
    red, green, blue = (float(value) * 255 for value in config["mean"])
    deviations = (float(value) * 255 for value in config["std"])
    std_red, std_green, std_blue = deviations
    return Preprocess(
        size=size,
        resize=size,
        mean=(red, green, blue),
        std=(std_red, std_green, std_blue),
        interpolation=config.get("interpolation") or "bicubic",
        keep_aspect=mode == "shortest",
    )


class _Build:
    """Builds one image tower; an object, so that a backbone can be pickled."""

    def __init__(self, name: str, architecture: str, *, quick_gelu: bool) -> None:
        self.name = name
        self.architecture = architecture
        self.quick_gelu = quick_gelu

    @staticmethod
    def of(backbone: Backbone) -> "_Build":
        build = backbone.build
        assert isinstance(build, _Build)
        return build

    def __call__(self, path: str | None, layer: str) -> "nn.Module":  # noqa: ARG002
        from emotag.backbones.image_tower import ImageTower

        return ImageTower(self.network(path))

    def network(self, path: str | None) -> Any:
        """Return the whole network, both towers."""
        import open_clip

        from emotag.backbones.states import read_state

        network = open_clip.create_model(self.architecture, force_quick_gelu=self.quick_gelu)
        if path is not None:
            read_state(path)
            try:
                open_clip.load_checkpoint(network, path)
            except (RuntimeError, KeyError) as error:
                raise WeightsError(
                    f"{path} holds the weights of another network than {self.name}."
                ) from error
        return network.eval()
