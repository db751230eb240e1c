"""Statistics of the columns of a table."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from tfvae.layers._adapted import is_coarse, is_constant, moments_of_chunks
from tfvae.layers._table_columns import TableColumns
from tfvae.layers._table_sample import NUM_QUANTILES, TableSample

_MARGIN = 1e-3
_NORMAL_QUANTILES = ndtri((np.arange(NUM_QUANTILES) + 0.5) / NUM_QUANTILES)


class TableStatistics(NamedTuple):
    """Statistics of D columns over the values that are there.

    Attributes:
        loc: Mean on the scale on which a column is standardised, `[D]`.
        scale: Standard deviation on that scale, `[D]`.
        low: Lower end of the interval of the standardised values, `[D]`.
        high: Upper end, `[D]`.
        quantiles: Quantiles of the standardised values that are no atoms, `[D, Q]`.
        counts: How often each category was seen, for each column; empty for numbers.
        atom_counts: How often other numbers than atoms were seen, and how often each atom, for each column.
    """

    loc: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    quantiles: np.ndarray
    counts: list[np.ndarray]
    atom_counts: list[np.ndarray]


def default_statistics(columns: TableColumns) -> TableStatistics:
    """Returns the statistics of columns without data: mean 0 and standard deviation 1, or a part of the range.

    Counts are 0 to 6: the ends are those of log(1 + t) of the numbers t that are rounded to them.
    """
    is_bounded, is_count = columns.kinds == "bounded", columns.kinds == "count"
    return TableStatistics(
        loc=np.where(is_bounded, (columns.low + columns.high) / 2, 0.0),
        scale=np.where(is_bounded, (columns.high - columns.low) / 4, 1.0),
        low=np.where(is_count, np.log(0.5), -2.0),
        high=np.where(is_count, np.log(7.5), 2.0),
        quantiles=np.tile(_NORMAL_QUANTILES, (len(columns), 1)),
        counts=[np.zeros(number) for number in columns.num_categories],
        atom_counts=[np.zeros(number + 1) for number in columns.num_atoms],
    )


def table_statistics(columns: TableColumns, data: Any) -> TableStatistics:
    """Computes the statistics of rows.

    Args:
        columns: The columns.
        data: As for `Adapted.adapt`, of rows `[D]`.

    Raises:
        ValueError: If there are no rows, or they have another number of columns or values that are not valid.
    """
    default, sample = default_statistics(columns), TableSample(columns)
    loc, scale, largest, number = moments_of_chunks(sample.transformed_chunks(data))
    is_seen, is_fixed = number > 0, is_constant(loc, scale)
    _warn_of_coarse(columns, ~is_fixed & (columns.num_categories == 0) & is_coarse(scale, largest))
    loc, scale = np.where(is_seen, loc, default.loc), np.where(is_fixed, default.scale, scale)
    low, high = _interval(columns, sample, loc, scale)
    return TableStatistics(
        loc=loc,
        scale=scale,
        low=np.where(is_seen, low, default.low),
        high=np.where(is_seen, high, default.high),
        quantiles=sample.quantiles(loc, scale, default.quantiles),
        counts=sample.counts,
        atom_counts=sample.atom_counts,
    )


def _interval(
    columns: TableColumns, sample: TableSample, loc: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smallest and the largest standardised value, with a margin for rounding to float32.

    A count is an interval of length 1. For bounded columns, these are the limits of the column.
    """
    is_bounded, half = columns.kinds == "bounded", np.where(columns.kinds == "count", 0.5, 0.0)
    margin = np.where(is_bounded, 0.0, _MARGIN + 2 * np.finfo(np.float32).eps * np.abs(loc) / scale)
    low, high = (
        np.where(is_bounded, limit, np.where(np.isfinite(end), end, 1.0))
        for end, limit in ((sample.low, columns.low), (sample.high, columns.high))
    )
    low, high = ((columns.transformed(end) - loc) / scale for end in (low - half, high + half))
    return low - margin, high + margin


def _warn_of_coarse(columns: TableColumns, chosen: np.ndarray) -> None:
    if chosen.any():
        names = ", ".join(repr(columns.names[place]) for place in np.flatnonzero(chosen)[:3])
        warnings.warn(
            f"{chosen.sum()} of {len(columns)} columns ({names}) have values so far from zero that float32 rounds off "
            "a visible part of their variation. Subtract a constant before storing the data.",
            stacklevel=4,
        )
