"""A prior of several clusters."""

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
    """A mixture of K diagonal normals, with learned weights, locs and scales.

    Its KL from a posterior has no closed form, so `SGVB` estimates it from its draws. Prefer it to `VampPrior` where K
    is small or the latent space is: its weights are in latent space, and it does not run the encoder.

    Args:
        latent_size: D.
        num_components: K.
        seed: seed of the first locs; None draws one.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Raises:
        ValueError: for a size or number below 1.

    Numerics:
        At first the weights are equal, the scales 1, and the locs K draws from the standard normal: two of them lie
        sqrt(2 D) apart on average, so that components differ and none is far from where posteriors start.
        scale = softplus(raw_scale) + 1e-5.
    """

    def __init__(self, latent_size: int, num_components: int, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.latent_size = whole_number(latent_size, "latent_size")
        self.num_components = whole_number(num_components, "num_components")
        self.seed = seed
        apart = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
        k, shape = (self.num_components,), (self.num_components, self.latent_size)
        self.logits = self.add_weight(name="logits", shape=k, initializer="zeros", autocast=False)
        self.loc = self.add_weight(name="loc", shape=shape, initializer=apart, autocast=False)
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
