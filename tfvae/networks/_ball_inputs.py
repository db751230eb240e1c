"""Inputs of layers that take points of the Poincare ball."""

from typing import Any

import keras
import tensorflow as tf

from tfvae.typing import Tensor


def as_points(layer: keras.layers.Layer, inputs: Any) -> Tensor:
    """Converts inputs to float32, or float64 for a layer of that dtype; half precision rounds to the boundary."""
    return tf.cast(tf.convert_to_tensor(inputs), tf.float64 if layer.variable_dtype == "float64" else tf.float32)
