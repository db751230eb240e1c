"""A normal prior that learns where the latents lie."""

from typing import Any

import tensorflow_probability as tfp

from tfvae._checks import whole_number
from tfvae._numerics import as_float, softplus_scale
from tfvae._serialization import register
from tfvae.priors._shared import unit_scale
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution

tfd = tfp.distributions


@register
class Normal(Prior):
    """N(loc, diag(scale^2)) with learned loc and scale; at first the standard normal.

    Its KL from a normal posterior has a closed form, as `StandardNormal`'s has. A decoder that can shift and scale its
    input gains nothing by it; prefer `MixtureOfGaussians` where the latents fall into clusters.

    Args:
        latent_size: D.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Raises:
        ValueError: for a size below 1.

    Numerics:
        scale = softplus(raw_scale) + 1e-5.
    """

    def __init__(self, latent_size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.latent_size = whole_number(latent_size, "latent_size")
        shape = (self.latent_size,)
        self.loc = self.add_weight(name="loc", shape=shape, initializer="zeros", autocast=False)
        self.raw_scale = self.add_weight(name="raw_scale", shape=shape, initializer=unit_scale(), autocast=False)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    def distribution(self) -> Distribution:
        return tfd.MultivariateNormalDiag(as_float(self.loc), softplus_scale(as_float(self.raw_scale)), name="prior")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "latent_size": self.latent_size}
