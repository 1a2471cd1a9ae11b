"""``timm:NAME``: every network of timm, its weights through the Hugging Face Hub's cache."""

from typing import TYPE_CHECKING, Any

from emotag.backbones.backbone import Backbone
from emotag.backbones.weights import HubWeights
from emotag.errors import ModelError, WeightsError, did_you_mean, explain_missing
from emotag.photos.preprocess import Preprocess

if TYPE_CHECKING:
    from torch import nn

__all__ = ["timm_backbone"]

# As timm itself looks for them.
_FILES = ("model.safetensors", "pytorch_model.bin")
_INTERPOLATIONS = ("bilinear", "bicubic", "lanczos")
_IMAGENET_CLASSES = 1000


def timm_backbone(model: str) -> Backbone:
    """Return a network of timm as a backbone.

    Parameters
    ----------
    model : str
        As timm names it, with or without the tag of its weights, such as
        ``'resnet18'`` or ``'resnet18.a1_in1k'``.

    Raises
    ------
    MissingExtraError
        timm is not installed.
    ModelError
        timm has no such network, or none with weights, or it takes no square photos.
    """
    name = f"timm:{model}"
    config = _pretrained_config(name, model)
    layers = _layers(name, model)
    return Backbone(
        name=name,
        title=f"timm's {model}",
        weights=HubWeights(
            source=f"Hugging Face Hub: {config.hf_hub_id}",
            licence=config.license or "not stated",
            name=name,
            repository=config.hf_hub_id,
            files=(config.hf_hub_filename,) if config.hf_hub_filename else _FILES,
        ),
        preprocess=_preprocess(name, config.to_dict()),
        layers=layers,
        default_layer="pool",
        build=_Build(name, model),
        head=_as_tuple(config.classifier),
        classes="imagenet" if layers.get("logits") == _IMAGENET_CLASSES else "",
    )


def _pretrained_config(name: str, model: str) -> Any:
    try:
        import timm
        from timm.models import get_pretrained_cfg
    except ImportError as error:
        raise explain_missing(error, f"the backbone {name}") from error
    bare, _, tag = model.partition(".")
    if not timm.is_model(bare):
        near = did_you_mean(bare, timm.list_models())
        raise ModelError(
            f"timm has no network {model!r}.{near or ' timm.list_models() in Python lists them.'}"
        )
    known = timm.list_pretrained(f"{bare}*")
    if tag and model not in known:
        tags = [entry for entry in known if entry.partition(".")[0] == bare]
        raise ModelError(
            f"timm has no weights {tag!r} of {bare}; it has {', '.join(tags) or 'none'}."
            f"{did_you_mean(model, tags)}"
        )
    config = get_pretrained_cfg(model)
    if config is None or not config.hf_hub_id:
        raise ModelError(f"timm has no weights of {model} on the Hugging Face Hub.")
    return config


def _layers(name: str, model: str) -> dict[str, int]:
    import timm
    import torch

    try:
        # on the device meta nothing is computed, and no memory is taken
        with torch.device("meta"):
            network: Any = timm.create_model(model, pretrained=False)
    except (RuntimeError, NotImplementedError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise ModelError(f"The backbone {name} cannot be built: {first}") from error
    n_features = getattr(network, "head_hidden_size", None) or network.num_features
    layers = {"pool": int(n_features)}
    return layers | ({"logits": int(network.num_classes)} if network.num_classes else {})


def _preprocess(name: str, config: dict[str, Any]) -> Preprocess:
    from timm.data.config import resolve_data_config

    resolved: dict[str, Any] = resolve_data_config(  # type: ignore[no-untyped-call]
        pretrained_cfg=config
    )
    channels, height, width = resolved["input_size"]
    if channels != 3 or height != width:
        raise ModelError(f"The backbone {name} does not take square photos of three colours.")
    interpolation = resolved["interpolation"]
    return Preprocess(
        size=width,
        resize=max(width, int(width / resolved["crop_pct"])),
        mean=_times_255(resolved["mean"]),
        std=_times_255(resolved["std"]),
        interpolation=interpolation if interpolation in _INTERPOLATIONS else "bicubic",
        keep_aspect=resolved["crop_mode"] != "squash",
    )


def _times_255(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) * 255 for value in values)
    return red, green, blue


def _as_tuple(names: Any) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


class _Build:
    """Builds one network; an object, so that a backbone can be pickled."""

    def __init__(self, name: str, model: str) -> None:
        self.name = name
        self.model = model

    def __call__(self, path: str | None, layer: str) -> "nn.Module":
        import timm

        if path is None:
            network: Any = timm.create_model(self.model, pretrained=False)
        else:
            network = self._filled(path)
        if layer == "pool":
            network.reset_classifier(0)
        return network  # type: ignore[no-any-return]

    def _filled(self, path: str) -> Any:
        import timm

        from emotag.backbones.states import read_state

        read_state(path)
        try:
            # timm renames the tensors of some networks' files, so it reads them itself
            return timm.create_model(
                self.model, pretrained=True, pretrained_cfg_overlay={"file": path}
            )
        except (RuntimeError, KeyError) as error:
            raise WeightsError(
                f"{path} holds the weights of another network than {self.name}."
            ) from error
