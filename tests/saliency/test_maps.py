"""What every method must do."""

from pathlib import Path

import numpy as np
import pytest

from emotag.errors import ModelError, WeightsError
from emotag.saliency.maps import METHODS, require_method, saliency_map
from tests.saliency.conftest import disc

OWN = ("barrier", "spectral")
NOISE = np.random.default_rng(0)
ODD = {
    "one pixel": np.full((1, 1, 3), 7, dtype=np.uint8),
    "a line": NOISE.integers(0, 256, (1, 2000, 3), dtype=np.uint8),
    "a column": NOISE.integers(0, 256, (2000, 1, 3), dtype=np.uint8),
    "two pixels": np.array([[[0, 0, 0], [255, 255, 255]]], dtype=np.uint8),
    "one colour": np.full((300, 200, 3), (200, 30, 90), dtype=np.uint8),
    "black": np.zeros((64, 64, 3), dtype=np.uint8),
    "grey": np.repeat(NOISE.integers(0, 256, (80, 120, 1), dtype=np.uint8), 3, axis=2),
    "turned": NOISE.integers(0, 256, (50, 70, 3), dtype=np.uint8)[::-1].transpose(1, 0, 2),
    "large": np.tile(NOISE.integers(0, 256, (3, 4, 3), dtype=np.uint8), (700, 500, 1)),
}


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection of two regions over their union."""
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize(("method", "least"), [("barrier", 0.9), ("spectral", 0.3)])
def test_a_bright_disc_is_found(method: str, least: float) -> None:
    pixels, inside = disc(radius=40 if method == "barrier" else 12)
    assert overlap(saliency_map(pixels, method) > 0.5, inside) > least


def test_the_network_finds_the_bright_disc(u2netp: Path) -> None:
    pixels, inside = disc()
    assert overlap(saliency_map(pixels, "u2netp") > 0.5, inside) > 0.9


@pytest.mark.parametrize("method", OWN)
@pytest.mark.parametrize("kind", ODD)
def test_odd_photos_have_a_map_too(kind: str, method: str) -> None:
    refuse_odd(saliency_map(ODD[kind], method), ODD[kind])


def test_the_network_has_a_map_of_odd_photos_too(u2netp: Path) -> None:
    for pixels in ODD.values():
        refuse_odd(saliency_map(pixels, "u2netp"), pixels)


def refuse_odd(saliency: np.ndarray, pixels: np.ndarray) -> None:
    assert saliency.shape == pixels.shape[:2]
    assert saliency.dtype == np.float32
    assert np.isfinite(saliency).all()
    assert saliency.min() >= 0
    assert saliency.max() <= 1


@pytest.mark.parametrize("method", OWN)
@pytest.mark.parametrize("kind", ["one pixel", "one colour", "black"])
def test_nothing_is_salient_where_all_is_the_same(kind: str, method: str) -> None:
    assert not saliency_map(ODD[kind], method).any()


def test_nothing_is_salient_to_the_network_where_all_is_the_same(u2netp: Path) -> None:
    for kind in ("one pixel", "one colour", "black"):
        assert not saliency_map(ODD[kind], "u2netp").any(), kind


@pytest.mark.parametrize("method", OWN)
def test_the_same_pixels_have_the_same_map(method: str) -> None:
    pixels, _ = disc()
    first = saliency_map(pixels, method)
    np.testing.assert_array_equal(first, saliency_map(pixels.copy(), method))


@pytest.mark.parametrize("method", ["barier", None, ["barrier"]])
def test_an_unknown_method_is_refused_with_the_choices(method: object) -> None:
    with pytest.raises(ModelError, match="choose from barrier, spectral, u2netp"):
        require_method(method)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((4, 4, 4), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.float32),
        np.zeros((0, 4, 3), dtype=np.uint8),
    ],
)
def test_what_is_no_photo_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ModelError, match=r"\(rows, columns, 3\)"):
        saliency_map(pixels)


def test_a_network_that_is_missing_is_named_with_what_to_type(own_cache: Path) -> None:
    with pytest.raises(WeightsError, match="emotag models get u2netp") as caught:
        saliency_map(ODD["grey"], "u2netp")
    assert str(own_cache / "weights" / "u2netp.onnx") in str(caught.value)


def test_another_network_is_refused(own_cache: Path) -> None:
    (own_cache / "weights").mkdir(parents=True)
    (own_cache / "weights" / "u2netp.onnx").write_bytes(b"another")
    with pytest.raises(WeightsError, match="not the file that was meant"):
        require_method("u2netp")


def test_all_methods_are_tested_here() -> None:
    assert set(METHODS) == {*OWN, "u2netp"}
