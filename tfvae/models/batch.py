"""Batches of examples, and their conversion from the arguments of a Keras step."""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae.data.examples import CONDITION, LABEL_KEYS, OBSERVED, is_dictionary, single
from tfvae.typing import Tensor


class Batch(NamedTuple):
    """The examples of one step. Every field except `x` may be None.

    Attributes:
        x: Data `[B, *event]`.
        condition: Input of the networks besides x and z, a tensor `[B, *shape]`.
        labels: Class indices `[B]`, -1 for unknown ones, or numbers `[B, ...]`, NaN for unknown ones. Only an
            `EstimatorOfLabels` uses them.
        observed: Boolean tensor of the shape of x, False at missing values.
        sample_weight: Weights `[B]`.
    """

    x: Tensor
    condition: Any = None
    labels: Tensor | None = None
    observed: Tensor | None = None
    sample_weight: Tensor | None = None

    @property
    def size(self) -> Tensor:
        """The number of examples, a scalar."""
        return tf.shape(self.x)[0]

    def rows(self, rows: slice) -> "Batch":
        """Returns some of the examples."""
        condition, labels, observed, sample_weight = (None if part is None else part[rows] for part in self[1:])
        return Batch(self.x[rows], condition, labels, observed, sample_weight)


def x_of(x: Tensor | Batch) -> Tensor:
    """Returns the data x of a batch. A tensor is returned unchanged."""
    return x.x if isinstance(x, Batch) else x


def size_of(x: Tensor | Batch) -> int:
    """Returns the number of examples of a batch, or of data x, outside of a graph."""
    return int(x_of(x).shape[0])


def rows_of(x: Tensor | Batch, rows: slice) -> Tensor | Batch:
    """Returns some examples of a batch, or of data x."""
    return x.rows(rows) if isinstance(x, Batch) else x[rows]


def as_batch(data: Any) -> Batch:
    """Converts the argument of a Keras step to a batch.

    Args:
        data: `x`, `(x, y)` or `(x, y, sample_weight)`, where x may be a dictionary with the keys "x" or "image", and
            "condition", "label" and "observed". A numeric y is used as labels.

    Raises:
        ValueError: If x consists of several inputs, or is a dictionary without data.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    labels = y if _is_numeric(y) else None
    if not is_dictionary(x):
        return Batch(single(x), labels=labels, sample_weight=sample_weight)
    own = next((x[key] for key in LABEL_KEYS if key in x), labels)
    return Batch(single(x), x.get(CONDITION), own, x.get(OBSERVED), sample_weight)


def _is_numeric(y: Any) -> bool:
    dtype = getattr(y, "dtype", None)
    if dtype is None:
        return False
    return tf.as_dtype(dtype).is_integer or tf.as_dtype(dtype).is_floating
