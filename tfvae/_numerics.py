"""Numerical floors, in one place."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor

# The smallest scale a distribution layer emits. TFP adds the same number to the diagonal of its triangular scale.
SCALE_FLOOR = 1e-5


def softplus_scale(raw_scale: Tensor) -> Tensor:
    """A standard deviation, softplus(raw_scale) + `SCALE_FLOOR`."""
    return tf.nn.softplus(raw_scale) + tf.constant(SCALE_FLOOR, raw_scale.dtype)


def floor_raw_scale(raw_scale: Tensor) -> Tensor:
    """The raw scale, no lower than where softplus reaches `SCALE_FLOOR`; its gradient passes as if there were no floor.

    For parameterisations that are TFP's own, softplus(raw_scale) with nothing added: above the floor nothing changes,
    bit for bit, and below it the scale neither underflows to zero nor stops learning.
    """
    floor = tfp.math.softplus_inverse(tf.constant(SCALE_FLOOR, raw_scale.dtype))
    return tf.stop_gradient(tf.maximum(raw_scale, floor)) + (raw_scale - tf.stop_gradient(raw_scale))


def as_dtype(number: Tensor | float, dtype: tf.DType) -> Tensor:
    """A number in a dtype; a Python float goes there directly, not by way of float32."""
    return tf.constant(number, dtype) if isinstance(number, int | float) else tf.cast(number, dtype)


def as_float(values: Tensor) -> Tensor:
    """Casts to float32, the precision of distributions under any mixed-precision policy; float64 stays float64."""
    values = tf.convert_to_tensor(values)
    return values if values.dtype in (tf.float32, tf.float64) else tf.cast(values, tf.float32)
