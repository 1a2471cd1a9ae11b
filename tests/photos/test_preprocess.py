"""Resizing, cropping and normalising: shapes, order of channels, and peers that do the same."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from emotag.errors import ModelError
from emotag.photos.preprocess import Preprocess

MEAN, STD = (120.0, 110.0, 100.0), (60.0, 55.0, 50.0)


def make(**changes: Any) -> Preprocess:
    return Preprocess(**{"size": 32, "resize": 36, "mean": MEAN, "std": STD, **changes})


values = st.floats(-1000, 1000, width=32)
preprocesses = st.builds(
    lambda size, margin, mean, std, channels, interpolation, keep: Preprocess(
        size, size + margin, mean, std, channels, interpolation, keep
    ),
    st.integers(1, 64),
    st.integers(0, 16),
    st.tuples(values, values, values),
    st.tuples(*[st.floats(0.001, 1000)] * 3),
    st.sampled_from(["RGB", "BGR"]),
    st.sampled_from(["bilinear", "bicubic", "lanczos"]),
    st.booleans(),
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 0}, "size=0 and resize=36"),
        ({"size": 37}, "size=37 and resize=36"),
        ({"resize": 4097}, "size=32 and resize=4097"),
        ({"size": 32.0}, "size=32.0 is not a whole number of pixels."),
        ({"resize": "36"}, "resize='36' is not a whole number of pixels."),
        ({"size": True}, "size=True is not a whole number of pixels."),
        ({"channels": "RGBA"}, "channels='RGBA'; choose from 'RGB', 'BGR'."),
        (
            {"keep_aspect": "no"},
            "keep_aspect='no' must be true or false.",
        ),
        (
            {"interpolation": "nearest"},
            "interpolation='nearest'; choose from ['bicubic', 'bilinear', 'lanczos'].",
        ),
        ({"mean": (1.0, 2.0)}, "mean and std must hold three numbers each"),
        ({"std": (1.0, 2.0, 3.0, 4.0)}, "mean and std must hold three numbers each"),
        ({"std": (1.0, 0.0, 1.0)}, "those of std above 0"),
        ({"std": (1.0, float("nan"), 1.0)}, "those of std above 0"),
        ({"mean": (float("inf"), 0.0, 1.0)}, "mean and std must hold three numbers each"),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        make(**changes)
    assert message in str(caught.value)
    with pytest.raises(ModelError):
        Preprocess.from_dict(make().to_dict() | changes)


@given(preprocesses)
def test_what_json_keeps_comes_back_the_same(preprocess: Preprocess) -> None:
    assert Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict()))) == preprocess


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"size": 32},
        make().to_dict() | {"crop": 3},
        make().to_dict() | {"mean": "abc"},
        make().to_dict() | {"mean": None},
    ],
)
def test_a_description_that_is_none_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"^This is no description of a preprocessing: ."):
        Preprocess.from_dict(content)


@given(preprocesses, st.integers(1, 3000), st.integers(1, 3000))
def test_what_a_decoder_must_keep_covers_what_the_crop_reads(
    preprocess: Preprocess, width: int, height: int
) -> None:
    needed = preprocess.needed(width, height)
    assert min(needed) >= preprocess.resize
    if preprocess.keep_aspect:
        assert min(needed) == preprocess.resize
        # the same shape, and not a pixel more
        shorter = min(width, height)
        for side, kept in zip((width, height), needed, strict=True):
            assert kept - 1 < side * preprocess.resize / shorter < kept + 1e-9
    else:
        assert needed == (preprocess.resize, preprocess.resize)


@settings(deadline=None, max_examples=50)
@given(preprocesses, st.integers(1, 200), st.integers(1, 200))
def test_a_crop_has_the_networks_size_whatever_the_photos(
    preprocess: Preprocess, width: int, height: int
) -> None:
    pixels = preprocess.crop(Image.new("RGB", (width, height), (10, 200, 30)))
    assert pixels.shape == (preprocess.size, preprocess.size, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == [10, 200, 30]).all()


def resize_then_crop(image: Image.Image, preprocess: Preprocess) -> np.ndarray:
    """Do the same in the two steps that networks' papers describe."""
    width, height = image.size
    scale = preprocess.resize / min(width, height)
    size = (
        (round(width * scale), round(height * scale))
        if preprocess.keep_aspect
        else (preprocess.resize, preprocess.resize)
    )
    resized = image.resize(size, getattr(Image.Resampling, preprocess.interpolation.upper()))
    left, top = (size[0] - preprocess.size) // 2, (size[1] - preprocess.size) // 2
    cut = resized.crop((left, top, left + preprocess.size, top + preprocess.size))
    return np.asarray(cut)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("keep_aspect", [True, False])
def test_cropping_in_one_step_is_resizing_and_then_cropping(
    sample_photos: list[str], interpolation: str, keep_aspect: bool
) -> None:
    preprocess = make(size=224, resize=256, interpolation=interpolation, keep_aspect=keep_aspect)
    for photo in sample_photos:
        with Image.open(photo) as image:
            ours = preprocess.crop(image).astype(int)
            theirs = resize_then_crop(image, preprocess).astype(int)
        # half a pixel's shift at most, from the rounding of the other
        assert np.abs(ours - theirs).mean() < 4
        assert np.abs(ours.mean((0, 1)) - theirs.mean((0, 1))).max() < 0.5


def test_without_a_margin_nothing_is_cropped_from_a_square() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert (make(size=32, resize=32).crop(Image.fromarray(pixels)) == pixels).all()


def test_the_centre_is_what_is_kept() -> None:
    image = Image.new("RGB", (300, 100), "black")
    image.paste("white", (100, 0, 200, 100))
    assert (make(size=32, resize=40).crop(image) == 255).all()
    squashed = make(size=32, resize=32, keep_aspect=False).crop(image)
    assert (squashed[:, 0] == 0).all()
    assert (squashed[:, 16] == 255).all()


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_normalising_shifts_scales_and_orders(channels: str) -> None:
    preprocess = make(channels=channels)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    planes = preprocess.normalise(pixels)
    assert planes.shape == (2, 3, 32, 32)
    assert planes.dtype == np.float32
    assert planes.flags["C_CONTIGUOUS"]
    for plane, channel in enumerate([0, 1, 2] if channels == "RGB" else [2, 1, 0]):
        expected = (pixels[..., channel].astype(np.float64) - MEAN[plane]) / STD[plane]
        np.testing.assert_allclose(planes[:, plane], expected, rtol=1e-5, atol=1e-5)


def test_it_is_what_torchvision_does(sample_photos: list[str]) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    preprocess = Preprocess(224, 256, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    theirs = transforms.Compose(
        [
            transforms.Resize(256, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    for photo in sample_photos:
        with Image.open(photo) as image:
            ours = preprocess.normalise(preprocess.crop(image)[np.newaxis])[0]
            peer = theirs(image).numpy()
        # the peer rounds the crop's corner, by half a pixel
        assert np.abs(ours - peer).mean() < 0.15
        assert abs(float(ours.mean()) - float(peer.mean())) < 0.01
