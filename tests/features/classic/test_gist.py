"""GIST beside the definition in double precision, with Fourier transforms as matrices."""

import math

import numpy as np
import pytest
from PIL import Image

from emotag.errors import ModelError
from emotag.features.classic.gist import GIST
from tests.features.classic.pictures import Pixels, noise, plain, smooth


def fourier(side: int) -> np.ndarray:
    steps = np.arange(side)
    return np.exp(-2j * np.pi * np.outer(steps, steps) / side)


def signed(index: int, side: int) -> int:
    """Return the frequency of a place in a Fourier transform, in cycles a picture."""
    return index if index < side / 2 else index - side


def blur(plane: np.ndarray) -> np.ndarray:
    side = len(plane)
    matrix = fourier(side)
    spectrum = matrix @ plane @ matrix
    for down in range(side):
        for across in range(side):
            square = signed(down, side) ** 2 + signed(across, side) ** 2
            # a Gaussian that is one half at four cycles a picture
            spectrum[down, across] *= 0.5 ** (square / 16)
    return (matrix.conj() @ spectrum @ matrix.conj()).real / side**2


def prefilter(planes: np.ndarray) -> np.ndarray:
    padded = np.stack([np.pad(np.log(plane + 1), 5, mode="symmetric") for plane in planes])
    sharp = np.stack([plane - blur(plane) for plane in padded])
    deviation = np.sqrt(np.abs(blur(sharp.mean(axis=0) ** 2)))
    return (sharp / (0.2 + deviation))[:, 5:-5, 5:-5]


def transfer(side: int, scale: int, direction: int, directions: int) -> np.ndarray:
    found = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            down, across = signed(row, side), signed(column, side)
            angle = math.atan2(down, across) + math.pi * direction / directions
            if angle > math.pi:
                angle -= 2 * math.pi
            radius = math.hypot(down, across) / side / (0.3 / 1.85**scale)
            angular = 2 * math.pi * 16 * directions**2 / 32**2
            found[row, column] = math.exp(-10 * 0.35 * (radius - 1) ** 2 - angular * angle**2)
    return found


def gist(pixels: Pixels, scales: tuple[int, ...], blocks: int) -> np.ndarray:
    side = len(pixels)
    matrix = fourier(side)
    energies = []
    for plane in prefilter(np.moveaxis(pixels.astype(float), -1, 0)):
        spectrum = matrix @ plane @ matrix
        for scale, directions in enumerate(scales):
            for direction in range(directions):
                kept = spectrum * transfer(side, scale, direction, directions)
                response = np.abs(matrix.conj() @ kept @ matrix.conj()) / side**2
                energies += [
                    part.mean()
                    for rows in np.split(response, blocks)
                    for part in np.split(rows, blocks, axis=1)
                ]
    return np.array(energies)


@pytest.mark.parametrize(("scales", "blocks"), [((8, 8, 4), 4), ((3, 1), 2), ((5,), 1)])
@pytest.mark.parametrize("draw", [smooth, noise])
def test_it_is_what_the_definition_says(draw, scales, blocks):
    pixels = draw(24, 24, seed=4)
    features = GIST(scales, blocks, size=24)
    found = features.measure(pixels)
    assert len(found) == features.n_features == 3 * sum(scales) * blocks**2
    np.testing.assert_allclose(found, gist(pixels, scales, blocks), rtol=1e-3, atol=1e-6)


def test_the_default_has_960_features_of_a_square_of_256():
    pixels = smooth(90, 160)
    found = GIST().measure(pixels)
    assert found.shape == (960,)
    squashed = np.asarray(Image.fromarray(pixels).resize((256, 256), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(GIST().measure(squashed), found)


@pytest.mark.parametrize("turned", [False, True])
def test_stripes_answer_to_their_direction(turned):
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[:, ::4] = pixels[:, 1::4] = 255
    if turned:
        pixels = pixels.transpose(1, 0, 2)
    energies = GIST(size=128).measure(pixels).reshape(3, 20, 16).mean(axis=(0, 2))
    assert energies[:8].argmax() == (4 if turned else 0)


def test_an_edge_is_seen_where_it_is():
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[100:, 100:] = 255
    energies = GIST(size=128).measure(pixels).reshape(3, 20, 4, 4)[0, :8].sum(axis=0)
    assert np.unravel_index(energies.argmax(), (4, 4)) == (3, 3)


def test_one_colour_has_no_energy():
    assert np.abs(GIST(size=64).measure(plain(64, 64, (10, 200, 30)))).max() < 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"orientations_per_scale": ()}, r"orientations_per_scale=\(\) must be a whole number for"),
        ({"orientations_per_scale": 8}, "orientations_per_scale=8 must be a whole number for each"),
        ({"orientations_per_scale": (8, 0)}, "orientations_per_scale=0 must be a whole number of"),
        ({"blocks": 0}, "blocks=0 must be a whole number of 1 to 32."),
        ({"blocks": 4.0}, "blocks=4.0 must be a whole number"),
        ({"size": 4}, "size=4 must be a whole number of 8 to 1024."),
        ({"size": 10, "blocks": 20}, "size=10 must be a whole number of 20 to 1024."),
    ],
)
def test_parameters_that_make_no_sense(options, message):
    with pytest.raises(ModelError, match=message):
        GIST(**options).measure(plain(1, 1, (0, 0, 0)))
