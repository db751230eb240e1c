"""Statistics of the columns of a table."""

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tfvae.layers._adapted import chunks, is_coarse, is_constant, moments_of_chunks
from tfvae.layers._table_columns import TableColumns


class TableStatistics(NamedTuple):
    """Statistics of D columns over the values that are there.

    Attributes:
        loc: Mean on the scale on which a column is standardised, `[D]`.
        scale: Standard deviation on that scale, `[D]`.
        mean: Mean of the values, `[D]`.
        variance: Variance of the values, `[D]`.
        counts: How often each category was seen, for each column; empty for numbers.
    """

    loc: np.ndarray
    scale: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    counts: list[np.ndarray]


def default_statistics(columns: TableColumns) -> TableStatistics:
    """Returns the statistics of columns without data: mean 0 and standard deviation 1, or a part of the range."""
    is_bounded = columns.kinds == "bounded"
    return TableStatistics(
        loc=np.where(is_bounded, (columns.low + columns.high) / 2, 0.0),
        scale=np.where(is_bounded, (columns.high - columns.low) / 4, 1.0),
        mean=np.ones(len(columns)),
        variance=np.full(len(columns), 2.0),
        counts=[np.zeros(number) for number in columns.num_categories],
    )


def table_statistics(columns: TableColumns, data: Any) -> TableStatistics:
    """Computes the statistics of rows.

    Args:
        columns: The columns.
        data: As for `Adapted.adapt`, of rows `[D]`.

    Raises:
        ValueError: If there are no rows, or they have another number of columns or values that are not valid.
    """
    num_columns, default = len(columns), default_statistics(columns)
    starts = np.concatenate([[0], np.cumsum(columns.num_categories)])
    coded = columns.num_categories > 0
    counts = np.zeros(starts[-1])

    def both_scales() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for given, observed in chunks(data):
            _check(columns, given, observed)
            x = np.where(observed, given, columns.any_valid())
            codes = (x[:, coded].astype(np.int64) + starts[:-1][coded])[observed[:, coded]]
            counts[:] += np.bincount(codes, minlength=len(counts))
            yield np.concatenate([columns.transformed(x), x], axis=1), np.tile(observed, 2)

    mean, stddev, largest, number = (values for values in moments_of_chunks(both_scales()))
    standardized, plain = slice(num_columns), slice(num_columns, None)
    loc, scale, is_seen = mean[standardized], stddev[standardized], number[standardized] > 0
    is_fixed = is_constant(loc, scale)
    _warn_of_coarse(columns, ~is_fixed & ~coded & is_coarse(scale, largest[standardized]))
    return TableStatistics(
        loc=np.where(is_seen, loc, default.loc),
        scale=np.where(is_fixed, default.scale, scale),
        mean=np.where(is_seen, mean[plain], default.mean),
        variance=np.where(is_seen, np.square(stddev[plain]), default.variance),
        counts=np.split(counts, starts[1:-1]),
    )


def _check(columns: TableColumns, x: np.ndarray, observed: np.ndarray) -> None:
    if x.ndim != 2 or x.shape[1] != len(columns):
        raise ValueError(
            f"Rows must have one number for each of the {len(columns)} used columns of the schema. "
            f"Received: data of shape {x.shape}"
        )
    is_valid = (x >= columns.low) & (x <= columns.high) & (~columns.is_whole | (x == np.round(x)))
    wrong = np.argwhere(observed & ~is_valid)
    if len(wrong):
        row, place = wrong[0]
        kind, low, high = columns.kinds[place], columns.low[place], columns.high[place]
        meaning = {
            "real": "finite",
            "date": "finite",
            "positive": "above zero and finite",
            "count": "0, 1, 2, ...",
            "bounded": f"from {low} to {high}",
        }.get(kind, f"places in the list of categories, from 0 to {high:.0f}")
        raise ValueError(
            f"The values of column {columns.names[place]!r} must be {meaning}, because its kind is {kind!r}. Change "
            f"the kind in the schema, or mark such values as missing. Received: {x[row, place]}"
        )


def _warn_of_coarse(columns: TableColumns, chosen: np.ndarray) -> None:
    if chosen.any():
        names = ", ".join(repr(columns.names[place]) for place in np.flatnonzero(chosen)[:3])
        warnings.warn(
            f"{chosen.sum()} of {len(columns)} columns ({names}) have values so far from zero that float32 rounds off "
            "a visible part of their variation. Subtract a constant before storing the data.",
            stacklevel=4,
        )
