"""A baseline that is the mean of what was seen."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._checks import number
from tfvae._serialization import register
from tfvae.typing import Tensor


@register
class RunningMean(keras.layers.Layer):
    """The exponentially weighted mean of the learning signal, the same for every example.

    Numerics:
        The mean starts at zero and is divided by the sum of its weights, so that it is unbiased from the first step on.

    Args:
        decay: the share of the old mean at a step, from 0 to below 1.
        **kwargs: `name` of `keras.layers.Layer`.

    Call arguments:
        inputs: x `[B, *event]`, of which only the number of examples matters.

    Returns:
        The mean `[B]`, in nats; zero before the first step.

    Raises:
        ValueError: for a decay outside [0, 1).
    """

    def __init__(self, decay: float = 0.9, **kwargs: Any):
        super().__init__(**kwargs)
        self.decay = float(number(decay, "decay", at_least=0, below=1))
        # Half precision holds no more than 65,504 nats.
        kept = {"trainable": False, "dtype": "float32", "autocast": False}
        self.total = self.add_weight(name="total", shape=(), initializer="zeros", **kept)
        self.weight = self.add_weight(name="weight", shape=(), initializer="zeros", **kept)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return tf.fill(tf.shape(inputs)[:1], tf.math.divide_no_nan(self.total.value, self.weight.value))

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape[:1], dtype="float32")

    def update(self, learning_signal: Tensor) -> None:
        """Adds a step's learning signal `[B]`."""
        mean = tf.cast(tf.reduce_mean(learning_signal), "float32")
        self.total.assign(self.decay * self.total + (1.0 - self.decay) * mean)
        self.weight.assign(self.decay * self.weight + (1.0 - self.decay))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "decay": self.decay}

    def __repr__(self) -> str:
        return f"RunningMean(decay={self.decay})"
