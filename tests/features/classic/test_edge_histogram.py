"""Edges of blocks, and their histogram, beside the definition written out."""

import math

import numpy as np
import pytest

from emotag.errors import ModelError
from emotag.features.classic import edge_histogram
from emotag.features.classic.edge_histogram import EdgeHistogram
from emotag.features.classic.edges import EDGE_KINDS, find_edges
from emotag.features.classic.local_descriptors import CELL_FEATURES, LocalDescriptors
from tests.features.classic.pictures import Pixels, noise, plain, smooth

ROOT = math.sqrt(2)

# What the four quarters of a block (upper left, upper right, lower left, lower right) weigh
# for each kind of edge, as the papers print it.
FILTERS = {
    "vertical": (1, -1, 1, -1),
    "horizontal": (1, 1, -1, -1),
    "diagonal_45": (ROOT, 0, 0, -ROOT),
    "diagonal_135": (0, ROOT, -ROOT, 0),
    "non_directional": (2, -2, -2, 2),
}


def kind_of(block: np.ndarray, threshold: float) -> str | None:
    half = len(block) // 2
    quarters = [
        sum(block[row + down][column + across] for row in range(half) for column in range(half))
        / half**2
        for down in (0, half)
        for across in (0, half)
    ]
    strengths = {
        kind: abs(sum(weight * mean for weight, mean in zip(weights, quarters, strict=True)))
        for kind, weights in FILTERS.items()
    }
    kind = max(strengths, key=lambda name: strengths[name])
    return kind if strengths[kind] >= threshold else None


def count(pixels: Pixels, cells: int, blocks: int = 1100, threshold: float = 11) -> np.ndarray:
    """Return the shares of the kinds in each cell, for a picture of at least 70 x 70 pixels."""
    grey = [[sum(colour) // 3 for colour in row] for row in pixels.tolist()]
    rows, columns = len(grey), len(grey[0])
    side = max(2, int(math.sqrt(rows * columns // blocks) / 2) * 2)
    kinds, totals = np.zeros((cells, cells, 5)), np.zeros((cells, cells, 1))
    for top in range(0, rows - side + 1, side):
        for left in range(0, columns - side + 1, side):
            cell = top * cells // rows, left * cells // columns
            totals[cell] += 1
            block = [row[left : left + side] for row in grey[top : top + side]]
            kind = kind_of(block, threshold)
            if kind:
                kinds[cell][EDGE_KINDS.index(kind)] += 1
    return kinds / np.maximum(totals, 1)


def quantise(share: float, kind: int) -> float:
    """Return the value of the table that is nearest to a share, the lower one of two."""
    values = edge_histogram._TABLE[kind].tolist()
    for value, following in zip(values, [*values[1:], math.inf], strict=True):
        if share <= (value + following) / 2:
            return value
    raise AssertionError


PICTURES = [smooth(72, 90), smooth(200, 130, seed=3), noise(80, 70), noise(151, 149, seed=2)]


@pytest.mark.parametrize("pixels", PICTURES)
@pytest.mark.parametrize("options", [{}, {"blocks": 100, "threshold": 40.5}])
def test_it_is_what_the_definition_says(pixels, options):
    shares = count(pixels, 4, **options)
    expected = [
        quantise(share, kind) for cell in shares.reshape(16, 5) for kind, share in enumerate(cell)
    ]
    found = EdgeHistogram(**options).measure(pixels)
    assert found.shape == (80,)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_some_blocks_of_the_pictures_have_no_edge_and_some_have():
    shares = np.concatenate([count(pixels, 4).reshape(-1, 5) for pixels in PICTURES])
    assert (shares.max(axis=0) > 0.05).all()
    assert shares.sum(axis=1).min() < 0.9


@pytest.mark.parametrize(
    ("quarters", "kind"),
    [
        ((0, 100, 0, 100), "vertical"),
        ((100, 100, 0, 0), "horizontal"),
        ((100, 50, 50, 0), "diagonal_45"),
        ((50, 0, 100, 50), "diagonal_135"),
        ((100, 0, 0, 100), "non_directional"),
        ((100, 100, 100, 100), None),
        ((100, 100, 106, 105), "horizontal"),
        ((100, 100, 105, 105), None),
    ],
)
def test_every_kind_of_edge(quarters, kind):
    block = np.repeat(np.repeat(np.reshape(quarters, (2, 2)), 2, axis=0), 2, axis=1)
    pixels = np.repeat(np.tile(block, (30, 30))[:, :, np.newaxis], 3, axis=2).astype(np.uint8)
    edges = find_edges(pixels, blocks=900, threshold=11)
    assert edges.side == 4
    assert set(edges.kinds.reshape(-1).tolist()) == {EDGE_KINDS.index(kind) if kind else -1}


def test_the_quantisation_at_its_borders():
    table, borders = edge_histogram._TABLE, edge_histogram._BORDERS
    assert table.shape == (5, 8)
    assert (np.diff(table, axis=1) > 0).all()
    for code in range(7):
        # what lies in the middle between two values has the lower one
        on = edge_histogram._quantise(borders[np.newaxis, :, code])
        np.testing.assert_array_equal(on[0], table[:, code])
        above = edge_histogram._quantise(np.nextafter(borders[np.newaxis, :, code], 1))
        np.testing.assert_array_equal(above[0], table[:, code + 1])
    ends = edge_histogram._quantise(np.array([[0.0] * 5, [1.0] * 5]))
    np.testing.assert_array_equal(ends, table[:, [0, 7]].T)


def test_the_extended_one_adds_means_over_the_whole_and_over_groups():
    pixels = smooth(120, 140, seed=8)
    features = EdgeHistogram(extended=True)
    found = features.measure(pixels)
    local = EdgeHistogram().measure(pixels)
    assert len(found) == features.n_features == 150
    np.testing.assert_array_equal(found[:80], local)
    cells = local.reshape(4, 4, 5)
    groups = [cells]
    groups += [cells[:, column] for column in range(4)]
    groups += [cells[row] for row in range(4)]
    groups += [cells[:2, :2], cells[:2, 2:], cells[2:, :2], cells[2:, 2:], cells[1:3, 1:3]]
    expected = [group.reshape(-1, 5).mean(axis=0) for group in groups]
    np.testing.assert_allclose(found[80:], np.concatenate(expected), rtol=1e-6)


def test_small_pictures_are_enlarged():
    pixels = plain(35, 50, (0, 0, 0))
    pixels[:, 25:] = 255
    edges = find_edges(pixels, 1100, 11)
    assert edges.shape == (70, 100)
    assert set(edges.kinds[edges.kinds >= 0].tolist()) == {0}


@pytest.mark.parametrize("grid", [1, 3, 8])
@pytest.mark.parametrize("pixels", PICTURES[:3])
def test_local_descriptors_are_shares_of_edges_and_mean_colours(pixels, grid):
    features = LocalDescriptors(grid)
    found = features.measure(pixels)
    assert len(found) == features.n_features == grid * grid * 8
    words = found.reshape(grid, grid, len(CELL_FEATURES))
    np.testing.assert_allclose(words[..., :5], count(pixels, grid), atol=1e-6)
    rows, columns = pixels.shape[:2]
    for row in range(grid):
        for column in range(grid):
            mine = [
                pixels[down, across].tolist()
                for down in range(rows)
                for across in range(columns)
                if (down * grid // rows, across * grid // columns) == (row, column)
            ]
            lumas = [
                int(219 * (0.299 * r + 0.587 * g + 0.114 * b) / 256 + 16.5) for r, g, b in mine
            ]
            assert words[row, column, 5] == pytest.approx(np.mean(lumas) / 255, abs=1e-6)


def test_colours_of_local_descriptors_are_where_they_are_in_the_photo():
    pixels = plain(80, 80, (255, 0, 0))
    pixels[:40, 40:] = (0, 0, 255)
    words = LocalDescriptors(2).measure(pixels).reshape(2, 2, 8)
    blue, red = words[..., 6], words[..., 7]
    assert np.argwhere(blue > 0.8).tolist() == [[0, 1]]
    assert np.argwhere(red < 0.5).tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 15}, "blocks=15 must be a whole number of 16 to 100000."),
        ({"blocks": 1100.0}, "blocks=1100.0 must be a whole number"),
        ({"threshold": 0}, "threshold=0 must be a number above 0."),
        ({"threshold": math.nan}, "threshold=nan must be a number above 0."),
        ({"threshold": "11"}, "threshold='11' must be a number above 0."),
        ({"threshold": True}, "threshold=True must be a number above 0."),
        ({"extended": 1}, "extended=1 must be True or False."),
    ],
)
def test_parameters_that_make_no_sense(options, message):
    with pytest.raises(ModelError, match=f"^{message}"):
        EdgeHistogram(**options).measure(plain(1, 1, (0, 0, 0)))


@pytest.mark.parametrize("grid", [0, 65, 8.0, None])
def test_grids_that_make_no_sense(grid):
    with pytest.raises(ModelError, match=f"^grid={grid} must be a whole number of 1 to 64."):
        LocalDescriptors(grid).measure(plain(1, 1, (0, 0, 0)))
