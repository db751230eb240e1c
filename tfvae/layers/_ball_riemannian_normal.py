"""Riemannian normal distribution on the Poincare ball."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae._poincare import exp_origin, half_sinh_squared, mobius_add, norm, squared_distance
from tfvae.layers._ball_bijector import BallBijector
from tfvae.layers._ball_distribution import BallDistribution
from tfvae.layers._fixed_draws import NUM_PAIRS
from tfvae.layers._hyperbolic_radius import log_integral, sample_radius
from tfvae.typing import Tensor


class BallRiemannianNormal(BallDistribution):
    """Density exp(-d(z, loc)^2 / (2 scale^2)) / Z with respect to the volume of the ball.

    Of all distributions with a location and an expected squared distance from it, this one has the largest entropy. It
    is isotropic: a draw is a radius r in a uniform direction. The density of r is proportional to
    exp(-r^2 / (2 scale^2)) sinh(sqrt(c) r)^(D - 1).

    Args:
        loc: Points `[..., D]` of the ball.
        scale: Scales `[...]`. It is not the standard deviation: most draws are about (D - 1) sqrt(c) scale^2 from the
            location if this is large.
        curvature: Curvature c, above 0.
        validate_args: Whether to check that values are in the ball at run time.
        name: Name of the distribution.

    Numerics:
        Z and the radii are found by quadrature, with a relative error of 1e-14 in float64 (`_hyperbolic_radius`).

    References:
        Mathieu, Le Lan, Maddison, Tomioka & Teh, Continuous Hierarchical Representations with Poincare Variational
        Auto-Encoders, 2019, arXiv 1901.06033, section 3.
        Pennec, Intrinsic Statistics on Riemannian Manifolds, 2006 (the maximum of the entropy).
    """

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        properties = tfp.util.ParameterProperties
        return {
            "loc": properties(event_ndims=1, default_constraining_bijector_fn=lambda: BallBijector(1.0)),
            "scale": properties(event_ndims=0, default_constraining_bijector_fn=tfp.bijectors.Softplus),
        }

    @property
    def _unit(self) -> float:
        return math.sqrt(self.curvature)

    def _draw(self, shape: Tensor, seed: Any) -> tuple[Tensor, Tensor]:
        level_seed, direction_seed = tf.unstack(tfp.random.split_seed(seed, n=2, salt="riemannian_normal"), num=2)
        u = tf.random.stateless_uniform(shape, level_seed, dtype=self.dtype)
        # The middles of the intervals that round to u, so that neither 0 nor 1 is drawn.
        u += tf.constant(2.0**-24 if self.dtype == tf.float32 else 2.0**-53, self.dtype)
        eps = tf.random.stateless_normal(tf.concat([shape, [self._size]], axis=0), direction_seed, dtype=self.dtype)
        t = sample_radius(tf.broadcast_to(self._unit * self.scale, shape), self._size - 1, u)
        return self._move(t, eps), self._log_density_at(tf.square(t))

    def _log_density(self, z: Tensor) -> Tensor:
        return self._log_density_at(squared_distance(half_sinh_squared(self.loc, z, self.curvature)[..., 0]))

    def _log_density_at(self, squared: Tensor) -> Tensor:
        """Computes the log density at squared distances c d^2."""
        size, s = self._size, self._unit * self.scale
        log_area = math.log(2.0) + size / 2 * math.log(math.pi) - math.lgamma(size / 2)  # of the unit sphere
        log_z = log_area + log_integral(s, size - 1) - size / 2 * math.log(self.curvature)
        return -squared / tf.square(s) / 2.0 - log_z

    def _move(self, t: Tensor, direction: Tensor) -> Tensor:
        """Returns the points at distances t / sqrt(c) from the location, in directions of any length."""
        length = norm(direction)
        unit = direction / tf.where(length > 0.0, length, tf.ones_like(length))
        v = unit * (t[..., tf.newaxis] / self._unit)
        return mobius_add(self.loc, exp_origin(v / 2.0, self.curvature), self.curvature)

    def _fixed_draws(self) -> Tensor:
        rng, num_pairs, rank = np.random.default_rng(0), NUM_PAIRS, self.loc.shape.rank - 1
        eps = rng.normal(size=(num_pairs, self._size))
        u = rng.permutation(np.arange(num_pairs) + 0.5) / num_pairs
        eps = np.concatenate([eps, -eps]).reshape(2 * num_pairs, *([1] * rank), self._size)
        u = np.concatenate([u, u]).reshape(2 * num_pairs, *([1] * rank))
        s = self._unit * self.scale + tf.zeros_like(self.loc[..., 0])
        shape = tf.concat([[2 * num_pairs], tf.shape(s)], axis=0)
        level = tf.broadcast_to(tf.constant(u, self.dtype), shape)
        t = sample_radius(tf.broadcast_to(s, shape), self._size - 1, level)
        return self._move(t, tf.constant(eps, self.dtype))
