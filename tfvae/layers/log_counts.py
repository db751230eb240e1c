"""Layer for counts before an encoder."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._numerics import as_float
from tfvae._serialization import register
from tfvae.layers._adapted import float_dtype
from tfvae.typing import Tensor


@register
class LogCounts(keras.layers.Layer):
    """Takes log(1 + x) of counts x, whose range then is one that a network can work with.

    Use it as the first layer of an encoder of counts.

    Args:
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Call arguments:
        inputs: Counts x `[B, *event]`.

    Returns:
        log(1 + x), of the same shape.

    Numerics:
        The layer computes in float32 under any mixed-precision policy. The next layer casts the output.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"autocast": False, **kwargs, "dtype": float_dtype(kwargs.get("dtype"))})
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return tf.math.log1p(as_float(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
