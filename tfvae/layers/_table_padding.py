"""Parameters of columns that have different numbers of them."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.layers._reduced import log_sum_exp_over
from tfvae.layers._take import take
from tfvae.typing import Tensor


def for_rows(values: Any, num_axes: int) -> Any:
    """Returns an array or tensor `[..., n]` of numbers of columns with axes for rows, `[..., n, 1, ...]`."""
    shape = [*values.shape, *[1] * num_axes]
    return tf.reshape(values, shape) if tf.is_tensor(values) else np.reshape(values, shape)


class PaddedParameters:
    """Parameters of n columns one after the other, padded to the same number.

    Args:
        lengths: The number of parameters of each column, `[n]`.
    """

    def __init__(self, lengths: np.ndarray):
        self.size, self.width = int(lengths.sum()), int(lengths.max())
        place = np.arange(self.width)
        self.is_parameter = place[:, np.newaxis] < lengths  # [width, n]
        starts = np.cumsum(lengths) - lengths
        self._places = np.where(self.is_parameter, starts + place[:, np.newaxis], self.size)

    def by_column(self, parameters: Tensor) -> Tensor:
        """Returns parameters `[size, ...]` as `[width, n, ...]`, padded by zeros."""
        padded = take(parameters, self._places.ravel(), axis=0)
        return tf.reshape(padded, tf.concat([self._places.shape, tf.shape(parameters)[1:]], axis=0))

    def log_softmax(self, logits: Tensor) -> Tensor:
        """Returns log probabilities `[width, n, ...]` of logits `[size, ...]`, padded by -inf."""
        padded = self.by_column(logits)
        if not self.is_parameter.all():
            is_parameter = for_rows(self.is_parameter, padded.shape.rank - 2)
            padded = tf.where(is_parameter, padded, tf.constant(-math.inf, logits.dtype))
        return padded - log_sum_exp_over(padded, -padded.shape.rank)
