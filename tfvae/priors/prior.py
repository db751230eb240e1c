"""Base class of all priors."""

from typing import Any

import keras

from tfvae.layers._symbolic import symbolic_value
from tfvae.typing import Distribution, Tensor


class Prior(keras.layers.Layer):
    """Base class of priors p(z) as Keras layers, whose weights are trained and saved with the model.

    `distribution()` creates the TFP distribution from the current weights. It is called in every step.

    Args:
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        z: Latents `[..., *event]`.

    Returns:
        Log densities log p(z) in nats, `[...]`.
    """

    def __init__(self, **kwargs: Any):
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)

    @property
    def event_shape(self) -> Any:
        """The shape of z: a tuple of ints, or a nested structure of such tuples."""
        raise NotImplementedError(f"{type(self).__name__} must define event_shape.")

    def distribution(self) -> Distribution:
        """Returns p(z) as a plain TFP distribution with batch shape `[]`."""
        raise NotImplementedError(f"{type(self).__name__} must define distribution.")

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, z: Any) -> Tensor:
        return self.distribution().log_prob(z)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> keras.KerasTensor:
        """Returns the shape and dtype of the log densities. TFP must not keep the graph of the symbolic call."""
        return symbolic_value(self.call, args, kwargs)
