"""The row of a table that is nearest to another one."""

import warnings
from typing import NamedTuple

import numpy as np

from tfvae.layers._table_columns import CODED, TableColumns
from tfvae.tables import Schema

# A number differs visibly if it is this many standard deviations away.
_VISIBLE = 0.5
# Squared distance of two categories.
_OTHER = 2.0


class NearestRow(NamedTuple):
    """Result of `NearestRows.find`.

    Attributes:
        values: The row `[D]`, NaN at missing values.
        distance: The root of the mean squared distance over columns, in standard deviations.
        differs: Whether a column differs visibly, `[D]`: another category, or a number half a standard deviation away.
    """

    values: np.ndarray
    distance: float
    differs: np.ndarray


class NearestRows:
    """Rows of a table among which the nearest ones are searched.

    Numbers are compared on the scale on which a model standardises them: positive numbers and counts by their
    logarithms. The squared distance of two categories is 2, that of their one-hot vectors, which is also the mean
    squared distance of two random standardised numbers. A missing value has this distance too, so that rows with many
    missing values are not the nearest to all others.

    Args:
        rows: Rows `[N, D]`, NaN at missing values.
        schema: The columns.
    """

    def __init__(self, rows: np.ndarray, schema: Schema):
        self._rows, self._columns = rows, TableColumns(schema)
        self._is_coded = np.isin(self._columns.kinds, CODED)
        self._is_category = self._columns.kinds == "category"
        scaled = self._transformed(rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # for columns without values
            self._loc, scale = np.nanmean(scaled, axis=0), np.nanstd(scaled, axis=0)
        self._scale = np.where(scale > 0.0, scale, 1.0)
        self._scaled = ((scaled - self._loc) / self._scale).astype(np.float32)

    def find(self, row: np.ndarray) -> NearestRow:
        """Returns the row that is nearest to another one `[D]`, without missing values."""
        scaled = (self._transformed(row[np.newaxis])[0] - self._loc) / self._scale
        squares = np.square(self._scaled - scaled.astype(np.float32))
        known = ~np.isnan(squares)
        squares[~known | (self._is_category & (squares > 0.0))] = _OTHER
        distance = squares.mean(axis=1)
        best = int(np.argmin(distance))
        found = self._rows[best]
        is_far = np.where(self._is_coded, found != np.rint(row), np.sqrt(squares[best]) > _VISIBLE)
        return NearestRow(found, float(np.sqrt(distance[best])), is_far & known[best])

    def _transformed(self, rows: np.ndarray) -> np.ndarray:
        columns = self._columns
        values = np.where(np.isnan(rows), columns.any_valid(), np.clip(rows, columns.low, columns.high))
        return np.where(np.isnan(rows), np.nan, columns.transformed(values))
