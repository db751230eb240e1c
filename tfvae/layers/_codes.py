"""Distribution of the places in a list of categories."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.layers._reduced import sum_over
from tfvae.typing import Tensor

tfd = tfp.distributions


class Codes(tfp.distributions.Distribution):
    """Distribution of the places 0, 1, ... in a list of categories, as floating-point numbers.

    Args:
        log_probs: Log probabilities `[K, ...]`, before the axes of the batch. They may be -inf.
        is_ordered: Whether the categories are in order. The mean is then that of the codes, and else the mode.
    """

    def __init__(self, log_probs: Tensor, is_ordered: bool = False):
        self.log_probs = tf.convert_to_tensor(log_probs)
        self.is_ordered = is_ordered
        super().__init__(
            dtype=self.log_probs.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"log_probs": log_probs, "is_ordered": is_ordered},
            name="Codes",
        )

    def _batch_shape(self) -> tf.TensorShape:
        return self.log_probs.shape[1:]

    def _batch_shape_tensor(self, **_: Any) -> Tensor:
        return tf.shape(self.log_probs)[1:]

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> Tensor:
        return tf.constant([], tf.int32)

    @property
    def _axis(self) -> int:
        """The axis of the categories, from the last one."""
        return -self.log_probs.shape.rank

    def _codes(self) -> Tensor:
        return tf.reshape(tf.range(self.log_probs.shape[0], dtype=self.dtype), [-1, *[1] * (-self._axis - 1)])

    def _log_prob(self, x: Tensor) -> Tensor:
        # A comparison with all codes costs as much as their probabilities, and its gradient adds up nothing.
        is_code = tf.equal(tf.expand_dims(x, self._axis), self._codes())
        return sum_over(tf.where(is_code, self.log_probs, tf.zeros_like(self.log_probs)), self._axis)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        shape = tf.concat([[n], tf.shape(self.log_probs)], axis=0)
        seed = tfp.random.sanitize_seed(seed, salt="codes")
        tiny = np.finfo(self.dtype.as_numpy_dtype).tiny
        uniform = tf.random.stateless_uniform(shape, seed, minval=tiny, dtype=self.dtype, alg="philox")
        return self._largest(self.log_probs - tf.math.log(-tf.math.log(uniform)))  # Gumbel-max

    def _largest(self, values: Tensor) -> Tensor:
        return tf.cast(tf.argmax(values, axis=self._axis, output_type=tf.int32), self.dtype)

    def _mode(self) -> Tensor:
        return self._largest(self.log_probs)

    def _mean(self) -> Tensor:
        if not self.is_ordered:
            return self._mode()
        return tf.reduce_sum(tf.exp(self.log_probs) * self._codes(), axis=0)
