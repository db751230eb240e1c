"""What the priors share: a check, and where learned scales start."""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import SCALE_FLOOR


def whole_number(value: Any, name: str) -> int:
    """The value as a plain int.

    Raises:
        ValueError: for a number below 1, or one that is not whole.
    """
    if int(value) != value or value < 1:
        raise ValueError(f"{name} is a whole number, at least 1. Received: {value!r}.")
    return int(value)


def unit_scale() -> keras.initializers.Initializer:
    """Raw scales of which `softplus_scale` makes 1."""
    raw = tfp.math.softplus_inverse(tf.constant(1.0 - SCALE_FLOOR, tf.float64))
    return keras.initializers.Constant(float(raw))
