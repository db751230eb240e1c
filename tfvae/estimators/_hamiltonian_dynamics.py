"""The trainable step sizes and temperatures of Hamiltonian dynamics."""

import itertools
import math
from typing import Any

import keras
import tensorflow as tf

from tfvae._numerics import as_dtype
from tfvae._serialization import register
from tfvae.typing import Tensor


@register
class HamiltonianDynamics(keras.layers.Layer):
    """Step sizes for each element of z, and the factors alpha_k by which tempering scales the momentum after step k.

    Args:
        num_steps: K.
        step_size: Initial step size.
        max_step_size: Upper bound of step sizes.
        tempering: "fixed", "free" or "none".
        temperature: Initial value of 1 / beta_0.
        **kwargs: `trainable` of `keras.layers.Layer`.
    """

    def __init__(
        self,
        num_steps: int,
        *,
        step_size: float,
        max_step_size: float,
        tempering: str,
        temperature: float,
        **kwargs: Any,
    ):
        super().__init__(**{"autocast": False, **kwargs})
        self.num_steps, self.max_step_size, self.tempering = num_steps, max_step_size, tempering
        self._initial_step_size, self._initial_temperature = step_size, temperature

    def build(self, event_shape: tuple[int, ...]) -> None:
        """Creates the weights for z `[..., *event]`."""
        self.event_shape = tuple(event_shape)
        self.raw_step_size = self._weight(
            "raw_step_size", self.event_shape, self._initial_step_size / self.max_step_size
        )
        root = self._initial_temperature**-0.5  # of beta_0
        if self.tempering == "fixed":
            self.raw_tempering = self._weight("raw_tempering", (), root)
        elif self.tempering == "free":
            self.raw_tempering = self._weight("raw_tempering", (self.num_steps,), root ** (1.0 / self.num_steps))
        self.built = True

    def _weight(self, name: str, shape: tuple[int, ...], value: float) -> Any:
        """Creates a weight whose sigmoid is `value`."""
        raw = math.log(value) - math.log1p(-value)
        return self.add_weight(name=name, shape=shape, initializer=keras.initializers.Constant(raw), autocast=False)

    def step_size(self, dtype: tf.DType) -> Tensor:
        """Returns the step size of each element `[*event]`, between 0 and `max_step_size`."""
        return self.max_step_size * tf.sigmoid(tf.cast(self.raw_step_size, dtype))

    def factors(self, dtype: tf.DType) -> list[Tensor]:
        """Returns the K factors alpha_k = sqrt(beta_{k-1} / beta_k), with beta_K = 1; their product is sqrt(beta_0).

        Fixed tempering: 1 / sqrt(beta_k) = (1 - 1 / sqrt(beta_0)) k^2 / K^2 + 1 / sqrt(beta_0), with a trainable beta_0
        in (0, 1). Free tempering: each alpha_k in (0, 1) is trainable.
        """
        if self.tempering == "none":
            return [as_dtype(1.0, dtype)] * self.num_steps
        trained = tf.sigmoid(tf.cast(self.raw_tempering, dtype))
        if self.tempering == "free":
            return tf.unstack(trained, num=self.num_steps)
        first = 1.0 / trained
        roots = [(1.0 - first) * (k / self.num_steps) ** 2 + first for k in range(self.num_steps + 1)]
        return [now / before for before, now in itertools.pairwise(roots)]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_steps": self.num_steps,
            "step_size": self._initial_step_size,
            "max_step_size": self.max_step_size,
            "tempering": self.tempering,
            "temperature": self._initial_temperature,
        }
