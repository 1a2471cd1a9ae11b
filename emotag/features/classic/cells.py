"""A photo cut into a grid of cells, and sums and means over each."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["mean_cells", "sum_cells"]


def sum_cells(values: NDArray[Any], cells: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sum over each cell of a grid, and how many values it has.

    The value in row r of so many belongs to the row ``cells * r // rows`` of
    the grid. Where there are fewer rows or columns than cells, each is
    repeated `cells` times first, so that no cell is empty.

    Parameters
    ----------
    values : ndarray of shape (rows, columns, ...)
        At least one row and one column.
    cells : int
        Of each side of the grid.

    Returns
    -------
    sums : ndarray of shape (cells, cells, ...)
        Of the kind of `values`.
    counts : ndarray of shape (cells, cells), int64
        Values of each cell.

    Examples
    --------
    >>> import numpy as np
    >>> sums, counts = sum_cells(np.arange(6).reshape(2, 3), 2)
    >>> sums.tolist(), counts.tolist()
    ([[1, 2], [7, 5]], [[2, 1], [2, 1]])
    """
    for axis in (0, 1):
        if values.shape[axis] < cells:
            values = np.repeat(values, cells, axis=axis)
    rows, columns = (_starts(length, cells) for length in values.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    heights = np.diff(rows, append=values.shape[0])
    widths = np.diff(columns, append=values.shape[1])
    return sums, np.outer(heights, widths)


def mean_cells(values: NDArray[Any], cells: int) -> NDArray[Any]:
    """Return the mean over each cell of a grid; the cells are those of `sum_cells`.

    Parameters
    ----------
    values : ndarray of shape (rows, columns, ...)
        At least one row and one column.
    cells : int
        Of each side of the grid.

    Returns
    -------
    ndarray of shape (cells, cells, ...)
        The means.

    Examples
    --------
    >>> import numpy as np
    >>> mean_cells(np.arange(6).reshape(2, 3), 2).tolist()
    [[0.5, 2.0], [3.5, 5.0]]
    """
    sums, counts = sum_cells(values, cells)
    return sums / counts.reshape(counts.shape + (1,) * (sums.ndim - 2))


def _starts(length: int, cells: int) -> NDArray[np.int64]:
    """Return where each cell begins: the first r of which cells * r // length is it."""
    return -(-np.arange(cells) * length // cells)
