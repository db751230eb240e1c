"""What every prior declares."""

from typing import Any

import keras

from tfvae.typing import Distribution, Tensor


class Prior(keras.layers.Layer):
    """p(z) as a Keras layer: whatever weights it has are trained, saved and counted with the model's.

    `distribution()` makes the TFP distribution from the present weights; it is called anew in every step.

    Args:
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        z: latents `[..., *event]`.

    Returns:
        log p(z) in nats, `[...]`.
    """

    def __init__(self, **kwargs: Any):
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)

    @property
    def event_shape(self) -> Any:
        """The shape of z: a tuple of ints, or a nest of them."""
        raise NotImplementedError(f"{type(self).__name__} must define event_shape.")

    def distribution(self) -> Distribution:
        """p(z), as a plain TFP distribution with batch shape `[]`."""
        raise NotImplementedError(f"{type(self).__name__} must define distribution.")

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, z: Tensor) -> Tensor:
        return self.distribution().log_prob(z)
