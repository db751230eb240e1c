"""Floats that are levels: few values at equal distances, such as the k/255 of an image."""

from typing import NamedTuple

import numpy as np

# Values on more levels than 16 bits have, or on a grid too fine for their rounding, count as continuous.
_MAX_LEVELS = 65536
# The most values that are examined.
_MAX_VALUES = 200_000
# So many distinct values are never on a grid by chance; fewer must each occur this often, on average.
_MANY, _REPEATS = 30, 4


class ValueGrid(NamedTuple):
    """Values low + k step, k = 0 ... num_levels - 1.

    Attributes:
        low: The lowest value.
        step: The distance of neighbors.
        num_levels: The number of grid points from the lowest to the highest value.
    """

    low: float
    step: float
    num_levels: int


def value_grid(values: np.ndarray) -> ValueGrid | None:
    """Finds the grid on which all values lie; None for values that are continuous, not finite, or all the same.

    Integers, and floats that were integers before they were scaled or shifted, lie on one: k/255, k/127.5 - 1, whole
    numbers, zeros and ones. So do measurements that were rounded to a decimal.

    Args:
        values: An array of any shape and number type; of many values a part is examined.
    """
    flat = np.ravel(values)
    flat = flat[:: max(1, len(flat) // _MAX_VALUES)]
    rounding = np.finfo(flat.dtype).eps if flat.dtype.kind == "f" else 0.0
    distinct = np.unique(flat.astype(np.float64))
    if len(distinct) < 2 or not np.isfinite(distinct).all():
        return None
    if len(distinct) < _MANY and len(flat) < _REPEATS * len(distinct):
        return None
    tolerance = max(4.0 * rounding, 1e-9) * np.abs(distinct).max()
    span = distinct[-1] - distinct[0]
    step = _common_divisor(np.diff(distinct), max(tolerance, 0.5 * span / _MAX_LEVELS))
    if step is None:
        return None
    offsets = distinct - distinct[0]
    # Better and better from ever longer distances: k steps tell the step k times as exactly as one.
    for length in offsets[np.searchsorted(offsets, step * 2.0 ** np.arange(1, 17)).clip(max=len(offsets) - 1)]:
        step = length / np.round(length / step)
    num_levels = int(np.round(span / step)) + 1
    error = np.abs(offsets - step * np.round(offsets / step)).max()
    if num_levels > _MAX_LEVELS or error > min(2.0 * tolerance, 0.05 * step):
        return None
    return ValueGrid(float(distinct[0]), float(step), num_levels)


def _common_divisor(distances: np.ndarray, tolerance: float) -> float | None:
    """Finds what divides all distances to within a tolerance, by Euclid's algorithm; None if it is not above that."""
    step = distances.min()
    while step > tolerance:
        rest = np.abs(distances - step * np.round(distances / step))
        if rest.max() <= tolerance:
            return float(step)
        step = rest[rest > tolerance].min()
    return None
