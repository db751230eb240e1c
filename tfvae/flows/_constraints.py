"""Constraints that keep transforms invertible and leave raw parameters of zero unchanged."""

import tensorflow as tf

from tfvae.typing import Tensor

# The smallest factor by which a step shrinks volumes, 1 - _MOST. It keeps the inverse accurate in float32.
_MOST = 0.99


def above_minus_one(a: Tensor) -> Tensor:
    """Maps any real numbers to numbers of at least -0.99: a for a >= 0, and c (exp(a / c) - 1) below, with c = 0.99.

    Zero stays zero, and the derivative there is one.
    """
    return tf.where(a < 0, _MOST * tf.math.expm1(tf.minimum(a, 0.0) / _MOST), a)
