"""The minimum barrier distance, beside direct computations of it."""

import heapq

import numpy as np
import pytest
from numpy.typing import NDArray

from emotag.saliency.barrier import LONGEST, barrier_saliency, minimum_barrier_distance
from tests.saliency.conftest import disc

FOUR = ((-1, 0), (0, -1), (1, 0), (0, 1))


def pixel_by_pixel(values: NDArray[np.float32], scans: int = 3) -> NDArray[np.float32]:
    """Return the distance by the same scans, one pixel after the other."""
    rows, columns = values.shape
    distance = np.zeros_like(values)
    distance[1:-1, 1:-1] = np.inf
    highest, lowest = values.copy(), values.copy()
    inner = [(row, column) for row in range(1, rows - 1) for column in range(1, columns - 1)]
    for scan in range(scans):
        forth = scan % 2 == 0
        for here in inner if forth else inner[::-1]:
            for step in FOUR[:2] if forth else FOUR[2:]:
                there = here[0] + step[0], here[1] + step[1]
                high = max(highest[there], values[here])
                low = min(lowest[there], values[here])
                if high - low < distance[here]:
                    distance[here], highest[here], lowest[here] = high - low, high, low
    return distance


def exactly(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the true distance: for each floor of a path, the least highest value on it."""
    found = np.full(values.shape, np.inf, dtype=np.float32)
    for floor in np.unique(values):
        found = np.minimum(found, least_highest(values, floor) - floor)
    return found


def least_highest(values: NDArray[np.float32], floor: float) -> NDArray[np.float32]:
    """Return the least highest value on paths from the border that never go below a floor."""
    rows, columns = values.shape
    highest = np.full(values.shape, np.inf, dtype=np.float32)
    queue = []
    for row in range(rows):
        for column in range(columns):
            on_border = row in (0, rows - 1) or column in (0, columns - 1)
            if on_border and values[row, column] >= floor:
                highest[row, column] = values[row, column]
                heapq.heappush(queue, (float(values[row, column]), row, column))
    while queue:
        cost, row, column = heapq.heappop(queue)
        for down, across in FOUR:
            there = row + down, column + across
            if not (0 <= there[0] < rows and 0 <= there[1] < columns) or values[there] < floor:
                continue
            if max(cost, values[there]) < highest[there]:
                highest[there] = max(cost, values[there])
                heapq.heappush(queue, (float(highest[there]), *there))
    return highest


def scanned(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return minimum_barrier_distance(values[..., np.newaxis])[..., 0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 3), (5, 4), (17, 40), (40, 17)])
@pytest.mark.parametrize("levels", [3, 256])
def test_the_scans_by_diagonals_are_those_by_pixels(shape: tuple[int, int], levels: int) -> None:
    # few levels make many ties, which must be decided alike
    values = np.random.default_rng(levels).integers(0, levels, shape).astype(np.float32)
    np.testing.assert_array_equal(scanned(values), pixel_by_pixel(values))


@pytest.mark.parametrize("seed", range(20))
def test_it_is_never_below_the_true_distance(seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 12, (7, 8)).astype(np.float32)
    assert (scanned(values) >= exactly(values)).all()


def test_it_is_the_true_distance_where_the_way_out_is_plain() -> None:
    values = np.full((9, 12), 10, dtype=np.float32)
    values[2:7, 3:9] = 60
    values[3:6, 5:8] = 25
    np.testing.assert_array_equal(scanned(values), exactly(values))
    assert scanned(values)[4, 6] == 50


def test_channels_are_taken_by_themselves() -> None:
    values = np.random.default_rng(1).random((12, 15, 3), dtype=np.float32)
    together = minimum_barrier_distance(values)
    for channel in range(3):
        np.testing.assert_array_equal(together[..., channel], scanned(values[..., channel]))


def test_what_touches_the_border_is_not_salient() -> None:
    pixels = np.full((100, 150, 3), 60, dtype=np.uint8)
    pixels[30:60, 40:80] = pixels[:, 120:] = 220
    saliency = barrier_saliency(pixels)
    assert saliency[45, 60] > 0.9
    assert saliency[45, 135] < 0.05


def test_a_peak_of_noise_is_smoothed_away_and_the_disc_is_not() -> None:
    pixels, inside = disc()
    pixels[150, 100] = 255
    saliency = barrier_saliency(pixels)
    assert saliency[150, 100] < 0.1
    assert saliency[inside].min() > 0.6


def test_a_difference_that_no_eye_sees_is_nothing() -> None:
    pixels = np.full((60, 60, 3), 128, dtype=np.uint8)
    pixels[20:40, 20:40] = 129
    assert not barrier_saliency(pixels).any()


def test_a_large_photo_is_shrunk_first() -> None:
    assert barrier_saliency(np.zeros((900, 600, 3), dtype=np.uint8)).shape == (LONGEST, 200)
