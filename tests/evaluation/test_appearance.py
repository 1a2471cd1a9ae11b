"""Colour, size and likeness of photos."""

import os

import numpy as np
import pytest
from PIL import Image

from emotag.evaluation.appearance import COLOURS, SIZES, measure_photos
from emotag.likeness import FEATURELESS, perceptual_hash
from tests.conftest import draw_photo


def test_means_over_a_photo(tmp_path):
    half = np.zeros((90, 60, 3), np.uint8)
    half[:, :30] = (255, 0, 0)
    path = tmp_path / "half.png"
    Image.fromarray(half).save(path)
    (row,) = measure_photos([str(path)]).colours
    colours = dict(zip(COLOURS, row.tolist(), strict=True))
    assert colours["brightness"] == pytest.approx(0.5)
    assert colours["saturation"] == pytest.approx(0.5)
    assert colours["lightness"] == pytest.approx(53.24 / 2, abs=0.05)
    assert colours["green_red"] == pytest.approx(80.09 / 2, abs=0.05)


def test_sizes_are_those_of_the_upright_photo_and_its_file(tmp_path):
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (640, 480), "teal").save(path, exif=exif)
    (row,) = measure_photos([str(path)]).sizes
    sizes = dict(zip(SIZES, row.tolist(), strict=True))
    assert (sizes["width"], sizes["height"], sizes["aspect"]) == (480, 640, 0.75)
    assert sizes["bytes_per_pixel"] == pytest.approx(os.path.getsize(path) / (480 * 640))


def test_hashes_are_those_of_the_photo(sample_photos):
    measured = measure_photos(sample_photos)
    for path, found in zip(sample_photos, measured.hashes.tolist(), strict=True):
        with Image.open(path) as image:
            whole = perceptual_hash(np.asarray(image.convert("RGB")))
        assert (found ^ whole).bit_count() <= 2


def test_photos_that_cannot_be_read_are_marked(tmp_path):
    good = draw_photo(tmp_path / "good.jpg", 0)
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    paths = [str(tmp_path / "bad.jpg"), good, str(tmp_path / "gone.jpg")]
    done = []
    measured = measure_photos(paths, jobs=2, progress=done.append)
    assert measured.readable.tolist() == [False, True, False]
    assert measured.hashes[0] == FEATURELESS
    assert np.isnan(measured.sizes[[0, 2]]).all()
    assert sum(done) == 3


def test_no_photos_are_no_rows():
    measured = measure_photos([])
    assert measured.colours.shape == (0, len(COLOURS))
    assert measured.sizes.shape == (0, len(SIZES))
    assert measured.readable.shape == (0,)


def test_threads_change_nothing(tmp_path):
    paths = [draw_photo(tmp_path / f"{seed}.jpg", seed) for seed in range(40)]
    one, several = measure_photos(paths, jobs=1), measure_photos(paths, jobs=3)
    assert np.array_equal(one.hashes, several.hashes)
    assert np.array_equal(one.colours, several.colours)
