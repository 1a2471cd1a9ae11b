"""Grids of cells over pictures of any size."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from emotag.features.classic.cells import mean_cells, sum_cells


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9))
def test_each_value_is_in_the_cell_in_which_it_lies(rows: int, columns: int, cells: int) -> None:
    values = np.random.default_rng(0).integers(0, 100, (rows, columns))
    times = [cells if length < cells else 1 for length in (rows, columns)]
    height, width = rows * times[0], columns * times[1]
    expected, counts = np.zeros((cells, cells), int), np.zeros((cells, cells), int)
    for row in range(height):
        for column in range(width):
            place = cells * row // height, cells * column // width
            expected[place] += values[row // times[0], column // times[1]]
            counts[place] += 1
    found = sum_cells(values, cells)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], counts)
    assert counts.min() > 0
    np.testing.assert_allclose(mean_cells(values, cells), expected / counts)


def test_channels_are_kept_apart() -> None:
    values = np.random.default_rng(0).random((9, 11, 3))
    found = mean_cells(values, 4)
    for channel in range(3):
        np.testing.assert_allclose(found[..., channel], mean_cells(values[..., channel], 4))
