"""Prior with several clusters."""

from typing import Any

import keras
import tensorflow_probability as tfp

from tfvae._checks import whole_number
from tfvae._numerics import as_float, softplus_scale
from tfvae._serialization import register
from tfvae.priors._shared import unit_scale
from tfvae.priors.prior import Prior
from tfvae.typing import Distribution

tfd = tfp.distributions


@register
class MixtureOfGaussians(Prior):
    """Mixture of K diagonal normal distributions with learned weights, locs and scales.

    The KL from a posterior has no closed form, so `SGVB` estimates it from draws. Prefer it to `VampPrior` if K or the
    latent space is small: its weights are in latent space, and it does not call the encoder.

    Args:
        latent_size: Number of latent dimensions, D.
        num_components: Number of components, K.
        seed: Integer seed of the initial locs. None draws a random seed.
        **kwargs: Arguments `name`, `dtype` and `trainable` of `keras.layers.Layer`.

    Raises:
        ValueError: If a size or a number is below 1.

    Numerics:
        The weights start equal, the scales start at 1, and the locs start as K draws from the standard normal. Two locs
        are about sqrt(2 D) apart on average, so components differ, and all are close to the initial
        posteriors. scale = softplus(raw_scale) + 1e-5.
    """

    def __init__(self, latent_size: int, num_components: int = 20, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.latent_size = whole_number(latent_size, "latent_size")
        self.num_components = whole_number(num_components, "num_components")
        self.seed = seed
        loc_initializer = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
        k, shape = (self.num_components,), (self.num_components, self.latent_size)
        self.logits = self.add_weight(name="logits", shape=k, initializer="zeros", autocast=False)
        self.loc = self.add_weight(name="loc", shape=shape, initializer=loc_initializer, autocast=False)
        self.raw_scale = self.add_weight(name="raw_scale", shape=shape, initializer=unit_scale(), autocast=False)

    @property
    def event_shape(self) -> tuple[int, ...]:
        return (self.latent_size,)

    def distribution(self) -> Distribution:
        normal = tfd.Normal(as_float(self.loc), softplus_scale(as_float(self.raw_scale)))  # [K, D]
        return tfd.MixtureSameFamily(
            tfd.Categorical(logits=as_float(self.logits)), tfd.Independent(normal, 1), name="prior"
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "latent_size": self.latent_size,
            "num_components": self.num_components,
            "seed": self.seed,
        }
