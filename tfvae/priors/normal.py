"""Normal prior with a learned location and scale."""

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
    """Normal distribution N(loc, diag(scale^2)) with learned loc and scale, initially the standard normal.

    As for `StandardNormal`, the KL from a normal posterior has a closed form. If the decoder can shift and scale its
    input, this prior has no advantage. Prefer `MixtureOfGaussians` if the latents form clusters.

    Args:
        latent_size: Number of latent dimensions, D.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Raises:
        ValueError: If `latent_size` is below 1.

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
