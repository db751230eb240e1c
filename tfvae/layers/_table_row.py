"""Distribution of a row of a table."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._table_columns import TableColumns
from tfvae.layers._take import take
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


class RowPart(NamedTuple):
    """Some columns of a row.

    Attributes:
        places: Places of the columns, `[n]`.
        distribution: Distributions of their values, of batch shape `[..., n]` and of single numbers.
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
        return self.parts[0].distribution.batch_shape[:-1]

    def _batch_shape_tensor(self, **_: Any) -> Tensor:
        return self.parts[0].distribution.batch_shape_tensor()[:-1]

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([len(self._columns)])

    def _event_shape_tensor(self) -> Tensor:
        return tf.constant([len(self._columns)], tf.int32)

    def log_prob_by_column(self, x: Tensor) -> Tensor:
        """Returns the log density or log probability of each column, `[..., D]`, whose sum is `log_prob(x)`.

        It is -inf at values that the kind of the column excludes, and NaN at NaN.
        """
        x = tf.convert_to_tensor(x, self.dtype)
        low, high, filler = (
            tf.constant(values, self.dtype)
            for values in (self._columns.low, self._columns.high, self._columns.any_valid())
        )
        is_valid = (x >= low) & (x <= high)
        if self._columns.is_whole.any():
            is_valid &= tf.equal(x, tf.round(x)) | ~self._columns.is_whole
        # Filled before the density, because the gradient of an infinite density would be NaN in spite of `where`.
        safe = tf.where(is_valid, x, filler)
        log_prob = self._joined(lambda part: part.distribution.log_prob(take(safe, part.places)))
        invalid = tf.where(tf.math.is_nan(x), x, tf.constant(-math.inf, self.dtype))
        return tf.where(is_valid, log_prob, invalid)

    def _joined(self, values_of: Callable[[RowPart], Tensor]) -> Tensor:
        """Returns the values of all parts in the order of the columns, `[..., D]`."""
        return take(tf.concat([values_of(part) for part in self.parts], axis=-1), self._order)

    def _log_prob(self, x: Tensor) -> Tensor:
        return tf.reduce_sum(self.log_prob_by_column(x), axis=-1)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        seeds = tf.unstack(tfp.random.split_seed(seed, n=len(self.parts), salt="table_row"), num=len(self.parts))
        draws = [part.distribution.sample(n, seed=seed) for part, seed in zip(self.parts, seeds, strict=True)]
        return take(tf.concat(draws, axis=-1), self._order)

    def _mean(self) -> Tensor:
        return self._joined(lambda part: part.distribution.mean())

    def _mode(self) -> Tensor:
        return self._joined(lambda part: part.distribution.mode())
