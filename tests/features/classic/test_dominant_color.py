"""Dominant colours, beside the same search in plain loops."""

import math

import numpy as np
import pytest
from skimage.color import rgb2luv

from emotag.errors import ModelError
from emotag.features.classic.dominant_color import DominantColor
from emotag.photos.colour import from_luv
from tests.features.classic.pictures import Pixels, noise, plain, smooth

Colour = list[float]


def distance(one: Colour, other: Colour) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def mean(colours: list[Colour]) -> Colour:
    return [sum(axis) / len(colours) for axis in zip(*colours, strict=True)]


def cluster(colours: list[Colour], centres: list[Colour]) -> list[list[Colour]]:
    clusters: list[list[Colour]] = [[] for _ in centres]
    for colour in colours:
        distances = [distance(colour, centre) for centre in centres]
        clusters[distances.index(min(distances))].append(colour)
    return clusters


def spread(colours: list[Colour], centre: Colour) -> float:
    return sum(distance(colour, centre) for colour in colours)


def halves(colours: list[Colour], centre: Colour) -> tuple[Colour, Colour]:
    deviations = [
        math.sqrt(sum((value - middle) ** 2 for value in axis) / len(axis))
        for axis, middle in zip(zip(*colours, strict=True), centre, strict=True)
    ]
    return (
        [middle - 0.1 * one for middle, one in zip(centre, deviations, strict=True)],
        [middle + 0.1 * one for middle, one in zip(centre, deviations, strict=True)],
    )


def search(colours: list[Colour], most: int) -> list[list[Colour]]:
    """Return the clusters, before those that are alike are joined."""
    centres, before, first = [mean(colours)], math.inf, True
    while True:
        starts = len(centres)
        centres = [mean(mine) for mine in cluster(colours, centres) if mine]
        clusters = cluster(colours, centres)
        spreads = [spread(mine, one) for mine, one in zip(clusters, centres, strict=True)]
        if sum(spreads) < 1e-9 * len(colours) or len(centres) < starts:
            return clusters
        change = 1.0 if before == math.inf else (before - sum(spreads)) / before
        before = sum(spreads)
        if len(centres) < most and (first or change < 0.02):
            worst = spreads.index(max(spreads))
            low, high = halves(clusters[worst], centres[worst])
            centres[worst] = low
            centres.append(high)
        elif change <= 0.01:
            return clusters
        first = False


def join(clusters: list[list[Colour]]) -> list[Colour]:
    clusters = [mine for mine in clusters if mine]
    while len(clusters) > 1:
        centres = [mean(mine) for mine in clusters]
        closest, one, other = min(
            (distance(centres[i], centres[j]), i, j) for j in range(len(centres)) for i in range(j)
        )
        if closest > 255:
            break
        clusters[one] += clusters.pop(other)
    return [mean(mine) for mine in clusters]


def describe(pixels: Pixels, most: int) -> np.ndarray:
    colours = rgb2luv(pixels / 255).reshape(-1, 3).tolist()
    centres = join(search(colours, most))
    for _ in range(2):
        clusters = [mine for mine in cluster(colours, centres) if mine]
        centres = [mean(mine) for mine in clusters]
    found = np.zeros((most, 4))
    clusters.sort(key=len, reverse=True)
    for row, mine in zip(found, clusters, strict=False):
        row[0] = int(31.9999 * len(mine) / len(colours))
        row[1:] = np.floor(from_luv(np.array(mean(mine))) + 0.5) // 8
    return found.reshape(-1)


def coarse(pixels: Pixels) -> Pixels:
    """Return a picture in which no two different colours agree in their highest 5 bits."""
    return (pixels >> 3 << 3) + 4


@pytest.mark.parametrize("most", [1, 3, 8])
@pytest.mark.parametrize(
    "pixels", [coarse(smooth(14, 18)), coarse(smooth(12, 12, seed=6)), coarse(noise(6, 8))]
)
def test_it_is_what_the_definition_says(pixels, most):
    features = DominantColor(most)
    found = features.measure(pixels)
    assert len(found) == features.n_features == 4 * most
    np.testing.assert_array_equal(found, describe(pixels, most))


def test_two_colours_the_greater_share_first():
    pixels = plain(20, 30, (0, 0, 255))
    pixels[:5] = (255, 255, 255)
    found = DominantColor().measure(pixels).reshape(8, 4)
    assert found[:2].tolist() == [[23, 0, 0, 31], [7, 31, 31, 31]]
    assert not found[2:].any()


def test_colours_that_the_eye_hardly_tells_apart_are_one():
    pixels = plain(20, 30, (100, 100, 100))
    pixels[:10] = (106, 106, 106)
    found = DominantColor().measure(pixels).reshape(8, 4)
    assert found[0, 0] == 31
    assert not found[1:].any()


def test_one_colour_is_one_colour_whatever_it_is():
    for level in range(256):
        for colour in ((level, level, level), (level, 0, 255 - level)):
            found = DominantColor().measure(plain(5, 15, colour)).reshape(8, 4)
            assert found[0].tolist() == [31, *(value // 8 for value in colour)]
            assert not found[1:].any()


def test_colours_are_told_by_decreasing_shares_of_the_whole():
    for seed in range(5):
        found = DominantColor().measure(smooth(60, 80, seed)).reshape(8, 4)
        assert (np.diff(found[:, 0]) <= 0).all()
        assert 31 - 8 <= found[:, 0].sum() <= 31
        assert found.max() <= 31
        assert (found[:, 0] > 0).sum() >= 3


@pytest.mark.parametrize("colors", [0, 9, 8.0, "8", None, True])
def test_numbers_that_the_standard_does_not_know(colors):
    with pytest.raises(ModelError, match=f"^colors={colors!r}; choose from 1, 2, 3, 4, 5, 6, 7, 8"):
        DominantColor(colors).measure(plain(1, 1, (0, 0, 0)))
