"""Parameters of columns that have different numbers of them."""

import math

import numpy as np
import tensorflow as tf

from tfvae.layers._take import take
from tfvae.typing import Tensor


class PaddedParameters:
    """Parameters of n columns one after the other, padded to the same number.

    Args:
        lengths: The number of parameters of each column, `[n]`.
    """

    def __init__(self, lengths: np.ndarray):
        self.size, self.width = int(lengths.sum()), int(lengths.max())
        place = np.arange(self.width)
        self.is_parameter = place < lengths[:, np.newaxis]  # [n, width]
        starts = np.cumsum(lengths) - lengths
        self._places = np.where(self.is_parameter, starts[:, np.newaxis] + place, self.size)

    def by_column(self, parameters: Tensor) -> Tensor:
        """Returns parameters `[..., size]` as `[..., n, width]`, padded by zeros."""
        padded = take(parameters, self._places.ravel())
        return tf.reshape(padded, tf.concat([tf.shape(parameters)[:-1], self._places.shape], axis=0))

    def log_softmax(self, logits: Tensor) -> Tensor:
        """Returns log probabilities `[..., n, width]` of logits `[..., size]`, padded by -inf."""
        padded = tf.where(self.is_parameter, self.by_column(logits), tf.constant(-math.inf, logits.dtype))
        return tf.nn.log_softmax(padded)
