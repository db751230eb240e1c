"""Initializer of learned scales."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import SCALE_FLOOR


def unit_scale() -> keras.initializers.Initializer:
    """Returns an initializer of raw scales for which `softplus_scale` returns 1."""
    raw = tfp.math.softplus_inverse(tf.constant(1.0 - SCALE_FLOOR, tf.float64))
    return keras.initializers.Constant(float(raw))
