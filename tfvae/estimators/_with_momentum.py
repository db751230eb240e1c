"""Distribution of a position and its momentum."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._numerics import as_dtype
from tfvae._seeds import split_seed, stateless_seed
from tfvae.typing import Distribution, Tensor


class OfPositionAndMomentum(tfp.distributions.Distribution):
    """Base class of distributions of u = (z, rho) `[..., 2, *event]`, where rho is a momentum with the shape of z.

    Args:
        position: Distribution of z, whose batch shape and event shape `[*event]` are used.
        name: Name of this distribution.
        **parameters: Further arguments of the subclass.
    """

    def __init__(self, position: Distribution, name: str, **parameters: Any):
        self.position = position
        super().__init__(
            dtype=position.dtype,
            reparameterization_type=position.reparameterization_type,
            validate_args=False,
            allow_nan_stats=True,
            parameters={"position": position, **parameters},
            name=name,
        )

    def _batch_shape(self) -> tf.TensorShape:
        return self.position.batch_shape

    def _batch_shape_tensor(self, **_: Any) -> Tensor:
        return self.position.batch_shape_tensor()

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([2]).concatenate(self.position.event_shape)

    def _event_shape_tensor(self) -> Tensor:
        return tf.concat([[2], self.position.event_shape_tensor()], axis=0)

    def parts(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Returns z and rho."""
        z, rho = tf.unstack(u, num=2, axis=-1 - self.position.event_shape.rank)
        return z, rho

    def joined(self, z: Tensor, rho: Tensor) -> Tensor:
        """Returns u for z and rho."""
        return tf.stack([z, rho], axis=-1 - self.position.event_shape.rank)

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        return self._sample_and_log_prob([n], seed)[0]


class WithMomentum(OfPositionAndMomentum):
    """A position z from a distribution, and an independent momentum rho from N(0, beta^-1 I).

    Args:
        position: Distribution of z.
        log_root_beta: log sqrt(beta), a scalar; 0 for a momentum of variance one.
    """

    def __init__(self, position: Distribution, log_root_beta: Tensor | float = 0.0):
        self.log_root_beta = as_dtype(log_root_beta, position.dtype)
        super().__init__(position, "with_momentum", log_root_beta=log_root_beta)

    def _sample_and_log_prob(self, sample_shape: Any, seed: Any, **_: Any) -> tuple[Tensor, Tensor]:
        seed = stateless_seed(seed)
        z, log_prob = self.position.experimental_sample_and_log_prob(sample_shape, seed=seed)
        (seed_rho,) = split_seed(seed, 1, "momentum")  # z is drawn as without momentum
        gamma = tf.random.stateless_normal(tf.shape(z), seed_rho, dtype=z.dtype, alg="philox")
        rho = tf.ensure_shape(gamma, z.shape) * tf.exp(-self.log_root_beta)
        return self.joined(z, rho), log_prob + self.log_prob_of_momentum(rho)

    def _log_prob(self, u: Tensor) -> Tensor:
        z, rho = self.parts(u)
        return self.position.log_prob(z) + self.log_prob_of_momentum(rho)

    def log_prob_of_momentum(self, rho: Tensor) -> Tensor:
        """Returns log N(rho; 0, beta^-1 I) `[..., B]`."""
        gamma = rho * tf.exp(self.log_root_beta)
        each = -0.5 * tf.square(gamma) - as_dtype(0.5 * math.log(2 * math.pi), rho.dtype) + self.log_root_beta
        return tf.reduce_sum(each, axis=list(range(-self.position.event_shape.rank, 0)))
