"""Photos cropped or weighted to what is salient."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotag.errors import ModelError, WeightsError
from emotag.features.cnn import CNNFeatures
from emotag.features.pixels import ResizedPhoto, describe_pixels
from emotag.photos.decoding import decode_photo
from emotag.photos.preprocess import Preprocess
from emotag.saliency import maps
from emotag.saliency.preprocess import SalientPreprocess, check_saliency, with_saliency
from emotag.saliency.region import smallest_region
from tests.saliency.conftest import disc
from tests.saliency.test_region import turned_by

WHOLE = Preprocess(64, 72, mean=(120.0, 110.0, 100.0), std=(60.0,) * 3)
CROP = with_saliency(WHOLE, "crop", "barrier")
WEIGHT = with_saliency(WHOLE, "weight", "barrier")


def disc_photo(**where: object) -> Image.Image:
    return Image.fromarray(disc(**where)[0])


def yellow(pixels: np.ndarray) -> float:
    """Return the share of pixels of the disc's colour."""
    return float((pixels[..., 0] > 200).mean())


def test_a_crop_shows_the_disc_larger() -> None:
    photo = disc_photo()
    assert yellow(CROP.crop(photo)) > 3 * yellow(WHOLE.crop(photo))


def test_a_weight_fades_the_ground_to_the_mean_and_leaves_the_disc() -> None:
    photo = disc_photo()
    pixels = WEIGHT.crop(photo)
    np.testing.assert_array_equal(pixels[0, 0], (120, 110, 100))
    assert yellow(pixels) == pytest.approx(yellow(WHOLE.crop(photo)), rel=0.1)
    # what the network sees of the ground is nothing
    np.testing.assert_allclose(WEIGHT.normalise(pixels[np.newaxis])[0, :, 0, 0], 0, atol=1e-6)


def test_the_colour_to_fade_to_is_that_of_the_order_of_the_channels() -> None:
    swapped = with_saliency(replace(WHOLE, channels="BGR"), "weight", "barrier")
    np.testing.assert_array_equal(swapped.crop(disc_photo())[0, 0], (100, 110, 120))


def test_each_pixel_fades_as_the_formula_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        maps.METHODS, "spectral", lambda pixels: np.full(pixels.shape[:2], 0.4, np.float32)
    )
    photo = Image.new("RGB", (90, 80), (220, 10, 100))
    seen = with_saliency(WHOLE, "weight", "spectral").crop(photo)
    expected = 0.4 * np.array([220, 10, 100]) + 0.6 * np.array(WHOLE.mean)
    np.testing.assert_allclose(seen, np.broadcast_to(expected, seen.shape), atol=1)


@pytest.mark.parametrize("salient", ["crop", "weight"])
def test_a_photo_in_which_nothing_stands_out_stays_as_it_is(salient: str) -> None:
    photo = Image.new("RGB", (200, 150), (90, 20, 60))
    preprocess = with_saliency(WHOLE, salient, "barrier")
    np.testing.assert_array_equal(preprocess.crop(photo), WHOLE.crop(photo))


@pytest.mark.parametrize("salient", ["crop", "weight"])
@pytest.mark.parametrize("size", [(32, 32), (32, 2000), (2000, 32), (1, 1)])
@pytest.mark.parametrize("keep_aspect", [True, False])
def test_odd_sizes_give_pixels_of_the_size(
    size: tuple[int, int], salient: str, keep_aspect: bool
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    preprocess = with_saliency(replace(WHOLE, keep_aspect=keep_aspect), salient, "barrier")
    assert preprocess.crop(Image.fromarray(noise)).shape == (64, 64, 3)


@pytest.mark.parametrize("salient", ["crop", "weight"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_the_orientation_of_a_file_only_turns_what_is_seen(
    tmp_path: Path, tiny: object, orientation: int, salient: str
) -> None:
    upright = disc_photo(rows=300, columns=300, centre=(120, 190), radius=55)
    upright.save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = orientation
    back = {6: 8, 8: 6}.get(orientation, orientation)
    turned_by(upright, back).save(tmp_path / "turned.png", exif=exif)
    preprocess = with_saliency(WHOLE, salient, "barrier")
    one, other = (
        decode_photo(str(tmp_path / name), preprocess).pixels.astype(int)
        for name in ("upright.png", "turned.png")
    )
    # a crop may begin a cell earlier, which moves the edge of the disc by a few pixels
    assert np.abs(one - other).mean() < 6
    paths = [str(tmp_path / name) for name in ("upright.png", "turned.png")]
    features = CNNFeatures("tiny", salient=salient, cache=False, device="cpu").transform(paths)
    whole = CNNFeatures("tiny", cache=False, device="cpu").transform(paths[:1])
    apart = np.linalg.norm(features[0] - features[1])
    assert apart < 0.35 * np.linalg.norm(features[0] - whole[0])


def test_a_jpeg_is_decoded_large_enough_for_a_crop(tmp_path: Path) -> None:
    pixels, _ = disc(1600, 2400, centre=(800, 1200), radius=200)
    photo = Image.fromarray(pixels)
    photo.save(tmp_path / "large.jpg", quality=95)
    assert CROP.needed(2400, 1600) == tuple(3 * side for side in WHOLE.needed(2400, 1600))
    assert WEIGHT.needed(2400, 1600) == WHOLE.needed(2400, 1600)
    reduced = decode_photo(str(tmp_path / "large.jpg"), CROP).pixels.astype(int)
    assert np.abs(reduced - CROP.crop(photo)).mean() < 8


def test_a_crop_has_a_margin() -> None:
    photo = disc_photo()
    region = smallest_region(maps.saliency_map(np.asarray(photo)), *photo.size)
    left, top, right, bottom = region.box
    wide, high = CROP.focus(photo).size
    assert wide == pytest.approx(1.1 * (right - left), abs=1)
    assert high == pytest.approx(1.1 * (bottom - top), abs=1)


@pytest.mark.parametrize("preprocess", [CROP, WEIGHT])
def test_it_comes_back_from_json_and_from_pickle(preprocess: SalientPreprocess) -> None:
    assert SalientPreprocess.from_dict(preprocess.to_dict()) == preprocess
    assert pickle.loads(pickle.dumps(preprocess)) == preprocess
    assert preprocess != WHOLE


def test_a_plain_preprocessing_says_nothing_of_saliency() -> None:
    assert with_saliency(WHOLE, None, "spectral") is WHOLE
    assert not {"salient", "saliency"} & WHOLE.to_dict().keys()


def test_the_network_of_the_saliency_is_part_of_what_is_said(u2netp: Path) -> None:
    said = with_saliency(WHOLE, "crop", "u2netp").to_dict()
    assert len(said["saliency_sha256"]) == 64
    assert SalientPreprocess.from_dict(said).saliency == "u2netp"
    with pytest.raises(ModelError, match="found by another network"):
        SalientPreprocess.from_dict({**said, "saliency_sha256": "0" * 64})


def test_without_its_network_it_is_refused_at_once(own_cache: Path) -> None:
    with pytest.raises(WeightsError, match="emotag models get u2netp"):
        with_saliency(WHOLE, "crop", "u2netp")
    with pytest.raises(WeightsError, match="emotag models get u2netp"):
        CNNFeatures("lite0", salient="crop", saliency="u2netp").fit(["missing.jpg"])
    # where it is not used, it is not needed
    check_saliency(None, "u2netp")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"salient": "corp"}, "choose 'crop' or 'weight', or leave it out"),
        ({"salient": None}, "Preprocess is for"),
        ({"salient": ["crop"]}, "choose 'crop' or 'weight'"),
        ({"saliency": "barier"}, "Did you mean 'barrier'"),
        ({"saliency": {}}, "choose from barrier"),
        ({"saliency_sha256": "0" * 64}, "another network"),
        ({"stranger": 1}, "no description"),
        ({"size": 0}, "size=0"),
    ],
)
def test_what_a_stranger_says_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        SalientPreprocess.from_dict(CROP.to_dict() | values)


def test_pixels_for_random_crops_are_of_the_salient_photo() -> None:
    photo = disc_photo()
    resized = ResizedPhoto.of(CROP).crop(photo)
    assert min(resized.shape[:2]) == 72
    assert yellow(resized) > 3 * yellow(ResizedPhoto.of(WHOLE).crop(photo))
    assert ResizedPhoto.of(CROP).needed(900, 600) == CROP.needed(900, 600)


def test_keys_of_kept_pixels_tell_apart_what_is_seen() -> None:
    kinds = [WHOLE, CROP, WEIGHT, with_saliency(WHOLE, "crop", "spectral")]
    kinds += [with_saliency(replace(WHOLE, mean=(0.0,) * 3), "weight", "barrier")]
    keys = {describe_pixels(kind) for kind in kinds}
    keys |= {describe_pixels(ResizedPhoto.of(kind)) for kind in kinds}
    assert len(keys) == 2 * len(kinds)
    assert describe_pixels(WHOLE) == '["Preprocess", 1, 64, 72, "bicubic", true]'
    assert describe_pixels(ResizedPhoto.of(WHOLE)) == (
        '["ResizedPhoto", 1, null, 72, "bicubic", true]'
    )
