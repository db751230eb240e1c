"""Uniform prior on the unit sphere."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import whole_number
from tfvae._serialization import register
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution

tfd = tfp.distributions


@register
class SphericalUniform(Prior):
    """Uniform distribution over unit vectors of D dimensions, without weights: the prior of a `VonMisesFisher`.

    Args:
        latent_size: Number of dimensions of the space that contains the sphere, D, at least 2.
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Raises:
        ValueError: If `latent_size` is below 2.

    References:
        Davidson, Falorsi, De Cao, Kipf & Tomczak, Hyperspherical Variational Auto-Encoders, 2018, arXiv 1804.00891.
    """

    def __init__(self, latent_size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.latent_size = whole_number(latent_size, "latent_size")
        if self.latent_size < 2:
            raise ValueError(f"`latent_size` must be an integer of at least 2. Received: latent_size={latent_size}")

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    def distribution(self) -> Distribution:
        dtype = tf.float64 if self.variable_dtype == "float64" else tf.float32
        return tfd.SphericalUniform(self.latent_size, dtype=dtype, name="prior")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "latent_size": self.latent_size}
