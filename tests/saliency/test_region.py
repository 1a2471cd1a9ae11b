"""The box of what is salient."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image

from emotag.errors import ModelError, UnreadablePhoto
from emotag.saliency.region import Region, salient_region, smallest_region
from tests.saliency.conftest import disc

MAPS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    elements=st.floats(0, 1, width=32),
)


@given(MAPS, st.integers(1, 40), st.floats(0.01, 1))
def test_it_lies_inside_and_is_never_empty(
    saliency: NDArray[np.float32], scale: int, share: float
) -> None:
    rows, columns = saliency.shape
    width, height = columns * scale, rows * scale
    region = smallest_region(saliency, width, height, share=share)
    assert 0 <= region.left < region.right <= width
    assert 0 <= region.top < region.bottom <= height
    assert 3 * (region.right - region.left) >= width
    assert 3 * (region.bottom - region.top) >= height
    assert region == smallest_region(saliency.copy(), width, height, share=share)


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
    st.sampled_from(["barrier", "spectral"]),
)
def test_that_of_any_pixels_lies_inside(pixels: NDArray[np.uint8], method: str) -> None:
    rows, columns = pixels.shape[:2]
    region = salient_region(pixels, method)
    assert 0 <= region.left < region.right <= columns
    assert 0 <= region.top < region.bottom <= rows


def test_no_smaller_box_on_the_grid_holds_as_much() -> None:
    saliency = np.random.default_rng(0).random((12, 10), dtype=np.float32) ** 6
    weight = np.maximum(saliency - saliency.mean(), 0).astype(np.float64)
    boxes = [
        (top, bottom, left, right)
        for top in range(12)
        for bottom in range(top + 4, 13)
        for left in range(10)
        for right in range(left + 4, 11)
    ]
    enough = [
        (bottom - top) * (right - left)
        for top, bottom, left, right in boxes
        if weight[top:bottom, left:right].sum() >= 0.8 * weight.sum()
    ]
    region = smallest_region(saliency, 10, 12, share=0.8)
    assert (region.right - region.left) * (region.bottom - region.top) == min(enough)
    held = weight[region.top : region.bottom, region.left : region.right].sum()
    assert held >= 0.8 * weight.sum()


@pytest.mark.parametrize("method", ["barrier", "spectral"])
@pytest.mark.parametrize("size", [(1, 1), (1, 2000), (7, 90), (400, 300)])
def test_it_is_the_whole_of_a_photo_in_which_nothing_stands_out(
    size: tuple[int, int], method: str
) -> None:
    pixels = np.full((*size, 3), 90, dtype=np.uint8)
    assert salient_region(pixels, method) == Region(0, 0, size[1], size[0])


def test_it_holds_the_disc_and_little_else() -> None:
    pixels, inside = disc(600, 900, centre=(270, 510), radius=130)
    region = salient_region(pixels)
    box = inside[region.top : region.bottom, region.left : region.right]
    assert box.sum() > 0.95 * inside.sum()
    assert box.mean() > 0.6


def test_that_of_the_network_holds_the_disc(u2netp: Path) -> None:
    pixels, inside = disc(600, 900, centre=(270, 510), radius=130)
    region = salient_region(pixels, "u2netp")
    box = inside[region.top : region.bottom, region.left : region.right]
    assert box.sum() > 0.95 * inside.sum()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_that_of_a_file_is_in_pixels_of_the_upright_photo(tmp_path: Path, orientation: int) -> None:
    pixels, _ = disc(600, 900, centre=(200, 600), radius=130)
    upright = Image.fromarray(pixels)
    # undoing a turn is turning the other way; all others undo themselves
    back = {6: 8, 8: 6}.get(orientation, orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned_by(upright, back).save(tmp_path / "turned.png", exif=exif)
    region = salient_region(str(tmp_path / "turned.png"))
    expected = salient_region(pixels)
    np.testing.assert_allclose(region.box, expected.box, atol=900 / 32 + 1)


def turned_by(image: Image.Image, orientation: int) -> Image.Image:
    """Return a photo turned as EXIF's orientation asks, by Pillow."""
    transposes = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return image.transpose(transposes[orientation]) if orientation in transposes else image


def test_a_large_file_is_reduced_but_its_box_is_not(tmp_path: Path) -> None:
    pixels, inside = disc(1200, 1800, centre=(540, 1020), radius=260)
    Image.fromarray(pixels).save(tmp_path / "large.jpg", quality=95)
    region = salient_region(tmp_path / "large.jpg")
    box = inside[region.top : region.bottom, region.left : region.right]
    assert box.sum() > 0.95 * inside.sum()


def test_a_file_that_is_no_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("Dear diary,")
    with pytest.raises(UnreadablePhoto, match=r"text\.jpg"):
        salient_region(str(tmp_path / "text.jpg"))


@pytest.mark.parametrize("share", [0, -1, 1.5, float("nan")])
def test_a_share_that_makes_no_sense_is_refused(share: float) -> None:
    with pytest.raises(ModelError, match="share="):
        salient_region(disc()[0], share=share)


@pytest.mark.parametrize("shape", [(3,), (4, 5), (4, 5, 1), (0, 5, 3)])
def test_what_are_no_pixels_of_a_photo_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError):
        salient_region(np.zeros(shape, dtype=np.uint8))
