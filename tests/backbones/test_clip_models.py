"""``clip:ARCH/TAG``: what is refused, and how photos are prepared."""

import open_clip
import pytest

from emotag.backbones.registry import find_backbone
from emotag.errors import ModelError


@pytest.mark.parametrize("model", ["RN50/cc12m", "ViT-B-32/laion2b_s34b_b79k", "ViT-B-32/openai"])
def test_photos_are_prepared_as_open_clip_does(model: str) -> None:
    backbone = find_backbone(f"clip:{model}")
    architecture, _, tag = model.partition("/")
    config = open_clip.get_pretrained_cfg(architecture, tag)
    preprocess = backbone.preprocess
    assert preprocess.size == preprocess.resize == 224
    assert preprocess.mean == pytest.approx([255 * value for value in config["mean"]])
    assert preprocess.std == pytest.approx([255 * value for value in config["std"]])
    assert backbone.layers == {"embedding": open_clip.get_model_config(architecture)["embed_dim"]}
    assert backbone.weights.source.startswith("Hugging Face Hub: ")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("ViT-B-23/openai", "open_clip has no network 'ViT-B-23'. Did you mean "),
        ("ViT-B-32", "open_clip has no weights '' of ViT-B-32; choose from openai, "),
        ("ViT-B-32/opnai", "open_clip has no weights 'opnai' of ViT-B-32; choose from openai, "),
    ],
)
def test_what_open_clip_does_not_have(model: str, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        find_backbone(f"clip:{model}")
    assert str(caught.value).startswith(message)
