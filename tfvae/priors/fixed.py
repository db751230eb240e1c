"""Prior given by a TFP distribution, without weights."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._latent_shapes import plain_shape
from tfvae._serialization import (
    deserialize_distribution,
    is_serialized_distribution,
    register,
    serialize_distribution,
)
from tfvae.layers._captured_variables import trainable_variables_of
from tfvae.layers._stable import stable
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution

tfd = tfp.distributions


@register
class Fixed(Prior):
    """Prior with a given distribution that is not trained; `VAE(prior=distribution)` wraps a TFP distribution in it.

    Args:
        distribution: Distribution of batch shape `[]`. For a z with several parts, a joint distribution.
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Raises:
        TypeError: If `distribution` is not a TFP distribution.
        ValueError: If `distribution` has batch axes, which are almost always meant to be event axes, or has trainable
            variables.
    """

    def __init__(self, distribution: Distribution | dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        if isinstance(distribution, dict) and is_serialized_distribution(distribution):
            distribution = deserialize_distribution(distribution)
        if not isinstance(distribution, tfd.Distribution):
            raise TypeError(
                "A prior must be a layer of tfvae.priors or a TFP distribution. "
                f"Received: {distribution!r} (of type {type(distribution).__name__})"
            )
        for shape in tf.nest.flatten(distribution.batch_shape):  # a joint distribution has one per part
            if shape.rank != 0:
                raise ValueError(
                    "A prior must have batch shape []. Wrap it in "
                    f"tfd.Independent(..., reinterpreted_batch_ndims={shape.rank}). "
                    f"Received: distribution={distribution!r} with batch shape {shape}"
                )
        if trainable_variables_of(distribution):
            raise ValueError(
                "`distribution` has variables that would not train, because Keras does not track them. Use a "
                "distribution without variables, or write a tfvae.priors.Prior that creates its weights with "
                f"add_weight. Received: distribution={distribution!r}"
            )
        self._distribution = distribution

    @property
    def event_shape(self) -> Any:
        return plain_shape(self._distribution.event_shape)

    def distribution(self) -> Distribution:
        return stable(self._distribution)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "distribution": serialize_distribution(self._distribution)}
