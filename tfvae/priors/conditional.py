"""Prior that depends on a condition."""

from typing import Any

import keras

from tfvae._checks import whole_number
from tfvae._serialization import register
from tfvae.layers._coercion import as_distribution
from tfvae.layers._networks import output_layer
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution, Shape, Tensor


@register
class Conditional(Prior):
    """Prior p(z|c) of a conditional model: a network from the condition to a distribution of z.

    Without it, the prior of a conditional model is p(z), independent of the condition, and only encoder and decoder use
    the condition.

    Args:
        network: Network from the condition `[B, *shape]` that ends in a distribution layer.
        condition_shape: Shape of one condition, without the batch axis. None takes it from a network that begins with
            `keras.Input`.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Call arguments:
        z: Latents `[B, D]`.
        condition: Condition `[B, *shape]`.

    Returns:
        Log densities log p(z|c) in nats, `[B]`.

    Raises:
        TypeError: If the network does not end in a distribution layer.
        ValueError: If the shape of the condition or of z is unknown; from `distribution`, without a condition.

    References:
        Sohn, Lee & Yan, Learning Structured Output Representation using Deep Conditional Generative Models, 2015,
        section 4.1.
    """

    def __init__(self, network: keras.layers.Layer, condition_shape: Shape | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        layer = output_layer(network, "conditional")
        inputs = getattr(network, "inputs", None) or []
        if condition_shape is None and len(inputs) == 1:
            condition_shape = inputs[0].shape[1:]
        if condition_shape is None or layer is None or layer.event_shape is None:
            raise ValueError(
                "The shapes of the condition and of z must be known. Begin the network with keras.Input((size,)) and "
                "end it in a distribution layer, such as tfvae.layers.MultivariateNormalDiag(latent_size). "
                f"Received: network={network!r}, condition_shape={condition_shape}"
            )
        self.network = network
        self.condition_shape = tuple(whole_number(size, "condition_shape") for size in condition_shape)
        self._event_shape = tuple(layer.event_shape)
        if not network.built:
            network(keras.KerasTensor((None, *self.condition_shape), dtype=self.variable_dtype))

    @property
    def event_shape(self) -> tuple[int, ...]:
        return self._event_shape

    def distribution(self, condition: Tensor | None = None) -> Distribution:
        """Returns p(z|c), of batch shape `[B]`, for a condition `[B, *shape]`."""
        if condition is None:
            raise ValueError(
                f"The prior '{self.name}' depends on a condition. Pass a condition of shape "
                f"(B, {', '.join(map(str, self.condition_shape))}). Received: condition=None"
            )
        return as_distribution(self.network(condition, training=False))

    def call(self, z: Any, condition: Tensor | None = None) -> Tensor:
        return self.distribution(condition).log_prob(z)

    def get_config(self) -> dict[str, Any]:
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "condition_shape": list(self.condition_shape)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Conditional":
        network = keras.saving.deserialize_keras_object(config["network"])
        return cls(**{**config, "network": network})
