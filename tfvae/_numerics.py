"""Numerical floors and dtypes."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Tensor

# The minimal scale of distribution layers. TFP adds the same number to the diagonal of its triangular scale.
SCALE_FLOOR = 1e-5


def softplus_scale(raw_scale: Tensor) -> Tensor:
    """Computes a standard deviation, softplus(raw_scale) + `SCALE_FLOOR`."""
    return tf.nn.softplus(raw_scale) + tf.constant(SCALE_FLOOR, raw_scale.dtype)


def floor_raw_scale(raw_scale: Tensor) -> Tensor:
    """Clips the raw scale so that its softplus is at least `SCALE_FLOOR`, with the gradient of the identity.

    Use it for TFP's parameterisations, whose scale is softplus(raw_scale). Above the floor, the scale does not change.
    Below it, the scale does not underflow to zero, and still receives a gradient.
    """
    floor = tfp.math.softplus_inverse(tf.constant(SCALE_FLOOR, raw_scale.dtype))
    return tf.stop_gradient(tf.maximum(raw_scale, floor)) + (raw_scale - tf.stop_gradient(raw_scale))


def softly_bounded(raw: Tensor, limit: float) -> Tensor:
    """Maps real numbers to (-limit, limit), and zero to zero, where the slope is one: limit * tanh(raw / limit)."""
    return limit * tf.tanh(raw / limit)


def as_dtype(number: Tensor | float, dtype: tf.DType) -> Tensor:
    """Converts a number to a dtype; a Python float is converted directly and not via float32."""
    return tf.constant(number, dtype) if isinstance(number, int | float) else tf.cast(number, dtype)


def as_float(values: Tensor) -> Tensor:
    """Casts to float32, the dtype of distributions under any mixed-precision policy; float64 is kept."""
    values = tf.convert_to_tensor(values)
    return values if values.dtype in (tf.float32, tf.float64) else tf.cast(values, tf.float32)


def softplus_inverse(y: Any) -> Any:
    """Returns x with softplus(x) = y, for positive numbers y of NumPy, in float64."""
    return y + np.log(-np.expm1(-np.asarray(y, np.float64)))
