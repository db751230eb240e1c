"""Base of the distributions on the Poincare ball."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._poincare import complement, conformal_factor
from tfvae.layers._ball_bijector import BallBijector
from tfvae.layers._fixed_draws import MomentsOfFixedDraws
from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

# The class of mixtures whose components are no composite tensors, and a base of all.
_MIXTURE = tfd.MixtureSameFamily.__bases__[0]


class BallDistribution(MomentsOfFixedDraws, tfp.distributions.Distribution):
    """Base class of distributions on the ball c |z|^2 < 1, which have a location and a scale.

    `log_prob` is the density with respect to dz, as for every distribution of vectors in TFP, so that bijectors,
    mixtures and Markov chains can use it. Subclasses define the density with respect to the volume of the ball,
    lambda_z^D dz. Both give the same log q(z) - log p(z).

    `mean`, `stddev` and `variance` of the coordinates have no closed form. They are averages over 128 fixed draws, in
    pairs of opposite directions from the location, so equal parameters have equal moments.

    Args:
        loc: Points `[..., D]` of the ball; D is static.
        scale: Scales, in units of distance.
        curvature: Curvature c, above 0.
        validate_args: Whether to check that values are in the ball at run time.
        name: Name of the distribution.
    """

    def __init__(
        self, loc: Any, scale: Any, curvature: float = 1.0, validate_args: bool = False, name: str | None = None
    ):
        parameters = {"loc": loc, "scale": scale, "curvature": curvature, "validate_args": validate_args, "name": name}
        self.loc = tf.convert_to_tensor(loc)
        self.scale = tf.convert_to_tensor(scale, self.loc.dtype)
        self.curvature = float(curvature)
        super().__init__(
            dtype=self.loc.dtype,
            reparameterization_type=tfd.FULLY_REPARAMETERIZED,
            validate_args=validate_args,
            allow_nan_stats=True,
            parameters=parameters,
            name=name or type(self).__name__,
        )

    def _draw(self, shape: Tensor, seed: Any) -> tuple[Tensor, Tensor]:
        """Returns draws `[*shape, D]` with their log density `[*shape]` with respect to the volume of the ball."""
        raise NotImplementedError(f"{type(self).__name__} must define _draw.")

    def _log_density(self, z: Tensor) -> Tensor:
        """Computes the log density of points with respect to the volume of the ball."""
        raise NotImplementedError(f"{type(self).__name__} must define _log_density.")

    @property
    def _size(self) -> int:
        return self.loc.shape[-1]

    def _event_shape(self) -> tf.TensorShape:
        return self.loc.shape[-1:]

    def _event_shape_tensor(self) -> Tensor:
        return tf.constant([self._size], tf.int32)

    def _default_event_space_bijector(self) -> Any:
        return BallBijector(self.curvature, validate_args=self.validate_args)

    def _sample_control_dependencies(self, z: Tensor) -> list[Any]:
        if not self.validate_args:
            return []
        message = f"Values must lie in the ball of radius {self.curvature**-0.5:g}."
        return [tf.debugging.assert_positive(complement(z, self.curvature), message=message)]

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        return self._sample_and_log_prob([n], seed)[0]

    def _sample_and_log_prob(self, sample_shape: Any, seed: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        shape = tf.concat([sample_shape, self.batch_shape_tensor()], axis=0)
        z, log_density = self._draw(shape, seed)
        return z, log_density + self._log_volume(z)

    def _log_prob(self, z: Tensor) -> Tensor:
        is_inside = complement(z, self.curvature) > 0.0
        inside = tf.where(is_inside, z, tf.zeros_like(z))
        log_prob = self._log_density(inside) + self._log_volume(inside)
        return tf.where(is_inside[..., 0], log_prob, tf.constant(-np.inf, z.dtype))

    def _log_volume(self, z: Tensor) -> Tensor:
        return self._size * tf.math.log(conformal_factor(z, self.curvature)[..., 0])


def curvature_of(distribution: Distribution) -> float | None:
    """Returns the curvature of the ball that a distribution or a mixture is on, or None for one of another space."""
    if isinstance(distribution, _MIXTURE):
        return curvature_of(distribution.components_distribution)
    return distribution.curvature if isinstance(distribution, BallDistribution) else None
