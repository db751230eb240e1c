"""Any TFP distribution, as a prior without weights."""

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
    """A prior that is given and does not learn; `VAE(prior=distribution)` wraps a TFP distribution in it.

    Args:
        distribution: a distribution of batch shape `[]`; a joint distribution is over a z of several parts.
        **kwargs: `name` and `dtype` of `keras.layers.Layer`.

    Raises:
        TypeError: when it is no distribution.
        ValueError: when it has batch axes, which are almost always meant to be event axes, or trainable variables.
    """

    def __init__(self, distribution: Distribution, **kwargs: Any):
        super().__init__(**kwargs)
        if is_serialized_distribution(distribution):
            distribution = deserialize_distribution(distribution)
        if not isinstance(distribution, tfd.Distribution):
            raise TypeError(f"A prior is a tfvae.priors layer or a TFP distribution. Received: {distribution!r}.")
        for shape in tf.nest.flatten(distribution.batch_shape):  # a joint distribution has one a part
            if shape.rank != 0:
                raise ValueError(
                    f"A prior has batch shape [], but {distribution!r} has {shape}. Wrap it in "
                    f"tfd.Independent(..., reinterpreted_batch_ndims={shape.rank})."
                )
        if trainable_variables_of(distribution):
            raise ValueError(
                f"{distribution!r} has variables, which would not train: Keras does not see them. Give Fixed a "
                "distribution of constants, or write a tfvae.priors.Prior that makes its weights with add_weight."
            )
        self._distribution = distribution

    @property
    def event_shape(self) -> Any:
        return plain_shape(self._distribution.event_shape)

    def distribution(self) -> Distribution:
        return stable(self._distribution)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "distribution": serialize_distribution(self._distribution)}
