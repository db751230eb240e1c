"""Distribution of a row of a table."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._table_columns import TableColumns
from tfvae.layers._table_padding import for_rows
from tfvae.layers._take import take
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class RowPart(NamedTuple):
    """Some columns of a row.

    Attributes:
        places: Places of the columns, `[n]`.
        distribution: Distributions of their values, of batch shape `[n, ...]` and of single numbers.
    """

    places: np.ndarray
    distribution: Distribution


class TableRow(tfp.distributions.Distribution):
    """Distribution of rows `[D]` of independent columns, in the units of the data.

    Args:
        parts: The columns in parts, which together have all of them.
        columns: What is known of the columns.
    """

    def __init__(self, parts: Sequence[RowPart], columns: TableColumns):
        self.parts = list(parts)
        self._columns = columns
        self._order = np.argsort(np.concatenate([part.places for part in parts]))
        distributions = [part.distribution for part in parts]
        is_full = all(each.reparameterization_type == tfd.FULLY_REPARAMETERIZED for each in distributions)
        super().__init__(
            dtype=distributions[0].dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED if is_full else tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"parts": parts, "columns": columns},
            name="TableRow",
        )

    def _batch_shape(self) -> tf.TensorShape:
        return self.parts[0].distribution.batch_shape[1:]

    def _batch_shape_tensor(self, **_: Any) -> Tensor:
        return self.parts[0].distribution.batch_shape_tensor()[1:]

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([len(self._columns)])

    def _event_shape_tensor(self) -> Tensor:
        return tf.constant([len(self._columns)], tf.int32)

    def log_prob_by_column(self, x: Tensor) -> Tensor:
        """Returns the log density or log probability of each column, `[..., D]`, whose sum is `log_prob(x)`.

        It is -inf at values that the kind of the column excludes, and NaN at NaN.
        """
        x, num_axes, columns = tf.convert_to_tensor(x, self.dtype), self.batch_shape.rank, self._columns
        missing_axes = max(num_axes + 1 - x.shape.rank, 0)
        x = columns_first(tf.reshape(x, tf.concat([[1] * missing_axes, tf.shape(x)], axis=0)), num_axes)
        low, high, filler = (
            tf.constant(for_rows(values, num_axes), self.dtype)
            for values in (columns.low, columns.high, columns.any_valid())
        )
        is_valid = (x >= low) & (x <= high)
        if columns.is_whole.any():
            is_valid &= tf.equal(x, tf.round(x)) | ~for_rows(columns.is_whole, num_axes)
        # Filled before the density, because the gradient of an infinite density would be NaN in spite of `where`.
        safe = tf.where(is_valid, x, filler)
        log_prob = self._ordered(
            [part.distribution.log_prob(tf.gather(safe, part.places, axis=-num_axes - 1)) for part in self.parts]
        )
        invalid = tf.where(tf.math.is_nan(x), x, tf.constant(-math.inf, self.dtype))
        is_valid, invalid = (_columns_last(values, num_axes) for values in (is_valid, invalid))
        return tf.where(is_valid, log_prob, invalid)

    def _ordered(self, of_parts: Sequence[Tensor]) -> Tensor:
        """Returns values `[..., n, *batch shape]` of all parts in the order of the columns, `[..., D]`."""
        num_axes = self.batch_shape.rank
        return take(_columns_last(tf.concat(of_parts, axis=-num_axes - 1), num_axes), self._order)

    def _log_prob(self, x: Tensor) -> Tensor:
        return tf.reduce_sum(self.log_prob_by_column(x), axis=-1)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        seeds = tf.unstack(tfp.random.split_seed(seed, n=len(self.parts), salt="table_row"), num=len(self.parts))
        return self._ordered(
            [part.distribution.sample(n, seed=seed) for part, seed in zip(self.parts, seeds, strict=True)]
        )

    def _mean(self) -> Tensor:
        return self._ordered([part.distribution.mean() for part in self.parts])

    def _mode(self) -> Tensor:
        return self._ordered([part.distribution.mode() for part in self.parts])


def columns_first(values: Tensor, num_axes: int | None = None) -> Tensor:
    """Returns `[..., D]` with the last axis before the last `num_axes` other ones. None for all."""
    rank = values.shape.rank
    start = 0 if num_axes is None else rank - 1 - num_axes
    return tf.transpose(values, [*range(start), rank - 1, *range(start, rank - 1)])


def _columns_last(values: Tensor, num_axes: int) -> Tensor:
    """Undoes `columns_first`."""
    rank = values.shape.rank
    start = rank - 1 - num_axes
    return tf.transpose(values, [*range(start), *range(start + 1, rank), start])
