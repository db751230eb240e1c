"""Functions of fractions in (0, 1) that are known by their log-odds or by logarithms, without subtraction from 1."""

from collections.abc import Callable

import tensorflow as tf

from tfvae.typing import Tensor

# exp(-_FAR) is below the precision of float64, and a normal number of float32.
_FAR = 60.0
_LARGEST_EXPONENT = 80.0


@tf.custom_gradient
def complementary_log_log(k: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Computes N(k) = log(-log(1 - exp(-exp(k)))): from log(-log y) of a fraction y to log(-log(1 - y)), and back.

    N is decreasing and its own inverse. N(k) = log(-k) for very negative k, and -exp(k) for large k. The derivative is
    -s exp(-s - N) / (1 - exp(-s)) with s = exp(k).
    """
    s = tf.exp(tf.clip_by_value(k, -_FAR, _LARGEST_EXPONENT))
    bounded = tf.minimum(s, _FAR)
    rest = tf.where(bounded > 0.5, -tf.math.log1p(-tf.exp(-bounded)), -tf.math.log(-tf.math.expm1(-bounded)))
    value = tf.where(s > _FAR, -s, tf.math.log(rest))
    value = tf.where(k < -_FAR, tf.math.log(-tf.minimum(k, -_FAR)), value)

    def gradient(upstream: Tensor) -> Tensor:
        return -upstream * s * tf.exp(-s - value) / -tf.math.expm1(-s)

    return value, gradient


def log_softplus(x: Tensor) -> Tensor:
    """Computes log(log(1 + exp(x))), which is x for very negative x."""
    return tf.where(x < -_FAR, x, tf.math.log(tf.nn.softplus(tf.maximum(x, -_FAR))))
