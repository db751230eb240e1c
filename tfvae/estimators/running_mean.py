"""Running mean of the learning signal as a baseline."""

from typing import Any

import keras
import tensorflow as tf

from tfvae._checks import number
from tfvae._serialization import register
from tfvae.typing import Tensor


@register
class RunningMean(keras.layers.Layer):
    """Exponentially weighted mean of the learning signal, which is the same for every example.

    Numerics:
        The mean is divided by the sum of its weights, so that it is unbiased from the first step on.

    Args:
        decay: Weight of the old mean in each update, at least 0 and below 1.
        **kwargs: `name` of `keras.layers.Layer`.

    Call arguments:
        inputs: Data x `[B, *event]`. Only the batch size is used.

    Returns:
        The mean `[B]` in nats, or zero before the first step.

    Raises:
        ValueError: If `decay` is outside [0, 1).
    """

    def __init__(self, decay: float = 0.9, **kwargs: Any):
        super().__init__(**kwargs)
        self.decay = float(number(decay, "decay", at_least=0, below=1))
        # Half precision overflows at 65,504 nats.
        options = {"trainable": False, "dtype": "float32", "autocast": False}
        self.total = self.add_weight(name="total", shape=(), initializer="zeros", **options)
        self.weight = self.add_weight(name="weight", shape=(), initializer="zeros", **options)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return tf.fill(tf.shape(inputs)[:1], tf.math.divide_no_nan(self.total.value, self.weight.value))

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape[:1], dtype="float32")

    def update(self, learning_signal: Tensor) -> None:
        """Updates the mean with the learning signal `[B]` of a training step."""
        mean = tf.cast(tf.reduce_mean(learning_signal), "float32")
        self.total.assign(self.decay * self.total + (1.0 - self.decay) * mean)
        self.weight.assign(self.decay * self.weight + (1.0 - self.decay))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "decay": self.decay}

    def __repr__(self) -> str:
        return f"RunningMean(decay={self.decay})"
