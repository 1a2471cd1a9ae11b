"""Reconstruction by dilation, beside its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from emotag.saliency.smoothing import reconstruct_by_dilation, smooth_map


def by_definition(marker: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the marker, spread to the four neighbours and cut by the mask until it stays."""
    while True:
        wide = np.pad(marker, 1, mode="edge")
        spread = np.max(
            [marker, wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]], axis=0
        )
        grown = np.minimum(spread, mask)
        if np.array_equal(grown, marker):
            return marker
        marker = grown


PLANES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.integers(0, 5).map(float),
)


@given(PLANES, st.integers(0, 2**31))
def test_it_is_the_definition(mask: NDArray[np.float32], seed: int) -> None:
    lower = np.random.default_rng(seed).integers(0, 6, mask.shape).astype(np.float32)
    marker = np.minimum(mask, lower)
    np.testing.assert_array_equal(
        reconstruct_by_dilation(marker, mask), by_definition(marker, mask)
    )


def test_it_finds_its_way_through_a_maze() -> None:
    mask = np.ones((21, 30), dtype=np.float32)
    mask[1::4, :-1] = mask[3::4, 1:] = 0
    marker = np.zeros_like(mask)
    marker[0, 0] = 1
    np.testing.assert_array_equal(
        reconstruct_by_dilation(marker, mask), by_definition(marker, mask)
    )
    assert reconstruct_by_dilation(marker, mask)[-1].any()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_an_even_map_stays(value: float) -> None:
    even = np.full((20, 30), value, dtype=np.float32)
    np.testing.assert_array_equal(smooth_map(even), even)


def test_a_large_region_keeps_its_edges() -> None:
    saliency = np.zeros((200, 200), dtype=np.float32)
    saliency[40:140, 30:150] = 1
    filled = saliency.copy()
    saliency[90, 90] = 0
    np.testing.assert_array_equal(smooth_map(saliency), filled)
