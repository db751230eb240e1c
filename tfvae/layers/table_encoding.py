"""Layer that encodes rows of a table for an encoder."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._numerics import as_float
from tfvae._serialization import register
from tfvae.layers._adapted import float_dtype
from tfvae.layers._table_adapted import TableAdapted
from tfvae.tables import Schema
from tfvae.typing import Tensor


@register
class TableEncoding(TableAdapted):
    """Turns rows of a table, in the units of the data, into features of about unit size.

    Use it as the first layer of an encoder, and `TableLikelihood` for the decoder. `adapt` computes the statistics.

    | kind | features |
    | --- | --- |
    | real, date, bounded | (x - mean) / standard deviation |
    | positive | the same of log x |
    | count | the same of log(1 + x) |
    | boolean, ordinal | the same of the code 0, 1, ... |
    | category | one for each category: 1 for that of the row, else 0 |

    A number with atoms, which are values that are repeated often, has one more for each: 1 if it is the value, else 0.

    The features of a missing value are zero. These are NaN for this layer. In a model of data with missing values, the
    model marks them.

    Args:
        schema: The columns.
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        inputs: Rows `[..., D]`.

    Returns:
        Features `[..., num_features]`, in the order of the columns.

    Raises:
        TypeError: If `schema` is not a schema.
        ValueError: If no column is used.

    Numerics:
        The layer computes in float32 under any mixed-precision policy, as `Standardization` does. Numbers beyond the
        limits of a column are clipped to them. A code without category has no feature that is 1.

    Example:
        >>> schema = Schema([Column("height", "positive"), Column("colour", "category", ("red", "green", "blue"))])
        >>> encoding = TableEncoding(schema)
        >>> encoding.adapt(np.array([[1.5, 0], [1.7, 2], [np.nan, 0]]))
        >>> encoding(np.array([[1.7, 2], [np.nan, 1]])).numpy().round(2)
        array([[1., 0., 0., 1.],
               [0., 0., 1., 0.]], dtype=float32)
    """

    def __init__(self, schema: Schema, **kwargs: Any):
        super().__init__(**{"autocast": False, **kwargs, "dtype": float_dtype(kwargs.get("dtype"))})
        self.supports_masking = True
        self._set_schema(schema)
        columns = self.columns
        indicated = [
            np.arange(number) if kind == "category" else np.concatenate([[math.nan], atoms])
            for kind, number, atoms in zip(columns.kinds, columns.num_categories, columns.atoms, strict=True)
        ]
        self._places = np.repeat(np.arange(len(columns)), [len(values) for values in indicated])
        # The value for which a feature is 1, and NaN for the features that are numbers.
        self._values = np.concatenate(indicated).astype(np.float32)

    @property
    def num_features(self) -> int:
        """The number of features of a row."""
        return len(self._places)

    @property
    def missing_value(self) -> float:
        """Data that are zero after this layer."""
        return math.nan

    def build(self, input_shape: Any) -> None:
        if input_shape[-1] != len(self.columns):
            raise ValueError(
                f"TableEncoding '{self.name}' expects rows with one number for each of the {len(self.columns)} used "
                f"columns of its schema. Received: input_shape={tuple(input_shape)}"
            )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        x, columns = as_float(inputs), self.columns
        is_missing = tf.math.is_nan(x)
        low, high, valid, shift = (
            tf.constant(values, x.dtype)
            for values in (columns.low, columns.high, columns.any_valid(), columns.log_shift)
        )
        number = tf.clip_by_value(tf.where(is_missing, valid, x), low, high)
        if columns.has_log.any():
            logs = tf.math.log(tf.where(columns.has_log, number + shift, tf.ones_like(number)))
            number = tf.where(columns.has_log, logs, number)
        number = (number - tf.cast(self.loc, x.dtype)) / tf.cast(self.scale, x.dtype)
        number = tf.where(is_missing, tf.zeros_like(number), number)
        is_number = np.isnan(self._values)
        if is_number.all():
            return number
        is_value = tf.equal(tf.cast(tf.gather(x, self._places, axis=-1), tf.float32), self._values)
        return tf.where(is_number, tf.gather(number, self._places, axis=-1), tf.cast(is_value, x.dtype))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.num_features)
