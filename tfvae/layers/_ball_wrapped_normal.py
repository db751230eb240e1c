"""Wrapped normal distribution on the Poincare ball."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._poincare import displacement, exp_origin, half_sinh_squared, log_sinhc, log_sinhc_of_q, mobius_add, norm
from tfvae.layers._ball_bijector import BallBijector
from tfvae.layers._ball_distribution import BallDistribution
from tfvae.layers._fixed_draws import opposite_noise
from tfvae.typing import Tensor


class BallWrappedNormal(BallDistribution):
    """End points of geodesics whose initial velocities are normal: v ~ N(0, diag(scale^2)), z = exp_loc(v).

    v is drawn in an orthonormal frame at the origin and transported to the location, so |v| is the distance from the
    location to z. The density with respect to the volume of the ball is that of v, divided by the factor
    (sinh(sqrt(c) |v|) / (sqrt(c) |v|))^(D - 1) by which the exponential map stretches volumes.

    Args:
        loc: Points `[..., D]` of the ball.
        scale: Standard deviations of v `[..., D]`, or `[..., 1]` if they are equal.
        curvature: Curvature c, above 0.
        validate_args: Whether to check that values are in the ball at run time.
        name: Name of the distribution.

    Numerics:
        The density of a draw is computed from its v, without the logarithm map.

    References:
        Nagano, Yamaguchi, Fujita & Koyama, A Wrapped Normal Distribution on Hyperbolic Space for Gradient-Based
        Learning, 2019, arXiv 1902.02992, section 3.
        Mathieu, Le Lan, Maddison, Tomioka & Teh, Continuous Hierarchical Representations with Poincare Variational
        Auto-Encoders, 2019, arXiv 1901.06033, section 3.
    """

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        properties = tfp.util.ParameterProperties
        return {
            "loc": properties(event_ndims=1, default_constraining_bijector_fn=lambda: BallBijector(1.0)),
            "scale": properties(event_ndims=1, default_constraining_bijector_fn=tfp.bijectors.Softplus),
        }

    def _draw(self, shape: Tensor, seed: Any) -> tuple[Tensor, Tensor]:
        seed = tfp.random.sanitize_seed(seed, salt="wrapped_normal")
        eps = tf.random.stateless_normal(tf.concat([shape, [self._size]], axis=0), seed, dtype=self.dtype)
        v = self.scale * eps
        stretch = (self._size - 1) * log_sinhc(math.sqrt(self.curvature) * norm(v)[..., 0])
        return self._move(v), self._log_normal(eps) - stretch

    def _log_density(self, z: Tensor) -> Tensor:
        v = displacement(self.loc, z, self.curvature)
        q = half_sinh_squared(self.loc, z, self.curvature)[..., 0]
        return self._log_normal(v / self.scale) - (self._size - 1) * log_sinhc_of_q(q)

    def _log_normal(self, eps: Tensor) -> Tensor:
        """Computes the log density of v = scale * eps."""
        log_scale = tf.math.log(self.scale) + tf.zeros(eps.shape[-1:], self.dtype)
        return -tf.reduce_sum(tf.square(eps) / 2.0 + log_scale, axis=-1) - self._size / 2 * math.log(2.0 * math.pi)

    def _move(self, v: Tensor) -> Tensor:
        return mobius_add(self.loc, exp_origin(v / 2.0, self.curvature), self.curvature)

    def _fixed_draws(self) -> Tensor:
        return self._move(self.scale * opposite_noise(self.loc))
