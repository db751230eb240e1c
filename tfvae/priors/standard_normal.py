"""Standard normal prior of the paper."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._checks import whole_number
from tfvae._serialization import register
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution

tfd = tfp.distributions


@register
class StandardNormal(Prior):
    """Standard normal prior N(0, I) over D latent dimensions, without weights (Kingma & Welling 2013, section 3).

    Args:
        latent_size: Number of latent dimensions, D.
        **kwargs: Arguments `name` and `dtype` of `keras.layers.Layer`.

    Raises:
        ValueError: If `latent_size` is below 1.
    """

    def __init__(self, latent_size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.latent_size = whole_number(latent_size, "latent_size")

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    def distribution(self) -> Distribution:
        dtype = tf.float64 if self.variable_dtype == "float64" else tf.float32
        zeros = tf.zeros([self.latent_size], dtype)
        return tfd.MultivariateNormalDiag(zeros, tf.ones_like(zeros), name="prior")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "latent_size": self.latent_size}
