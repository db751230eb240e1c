"""Von Mises-Fisher distribution with differentiable samples in any number of dimensions.

Everything except the direction depends on the angle theta between a sample and the mean direction. The density of the
angle is proportional to exp(kappa cos(theta)) sin(theta)^(D - 2). It is smooth, so Gauss-Legendre quadrature over the
angles with non-negligible density is accurate for every D and kappa.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

_NODES, _WEIGHTS = ((a + b) / 2 for a, b in zip(np.polynomial.legendre.leggauss(48), (1.0, 0.0), strict=True))
# The range of angles below and above the mode, in standard deviations of a normal with the curvature of the density at
# its mode. Outside it, the density is below e^-33 of the density at the mode.
_BELOW, _ABOVE = 9.0, 15.0
_NUM_TERMS = 24


class ReparameterizedVonMisesFisher(tfp.distributions.VonMisesFisher):
    """`tfd.VonMisesFisher` with exact sample gradients for both parameters, for every D of at least 2.

    TFP's samples are differentiable for D = 3 only. A sample is cos(theta) mu + sin(theta) v, where v is uniform among
    the unit vectors orthogonal to mu. The gradient with respect to mu is that of the rotation that takes mu to a
    neighbouring direction and leaves the orthogonal complement of both unchanged. It needs no choice of frame, so no
    mean direction is special. The gradient with respect to kappa is d theta / d kappa = -(dF / d kappa) / p(theta),
    where F is the distribution function of the angle.

    Args:
        mean_direction: Unit vectors `[..., D]`; D is static.
        concentration: Non-negative concentration kappa `[...]`.
        validate_args, allow_nan_stats, name: See `tfd.VonMisesFisher`.

    Numerics:
        Values are assumed to lie on the unit sphere. `log_prob(x)` uses the distance |x - mu|, which stays precise when
        mu^T x is near 1, so a concentration of 1e4 loses no accuracy in float32. `kl_divergence` to
        `tfd.SphericalUniform(D)` is accurate for small kappa too, where it is the small difference kappa^2 / (2 D) of
        large entropies.

    References:
        Davidson, Falorsi, De Cao, Kipf & Tomczak, Hyperspherical Variational Auto-Encoders, 2018, arXiv 1804.00891.
        Figurnov, Mohamed & Mnih, Implicit Reparameterization Gradients, 2018, arXiv 1805.08498, equation 5.
        Wood, Simulation of the von Mises Fisher distribution, 1994 (the rejection sampler).
        Bailey, Polar generation of random variates with the t-distribution, 1994 (its proposals).
    """

    @property
    def reparameterization_type(self) -> Any:
        return tfd.FULLY_REPARAMETERIZED

    @property
    def _size(self) -> int:
        return self.mean_direction.shape[-1]

    def _axial(self) -> "_AxialMoments":
        return _axial_moments(tf.convert_to_tensor(self.concentration), self._size)

    def _log_prob(self, x: Tensor) -> Tensor:
        # cos(theta) - 1 = -|x - mu|^2 / 2
        exponent = -self.concentration * tf.reduce_sum((x - self.mean_direction) ** 2, axis=-1) / 2
        return exponent - self._axial().log_mean_exp - _log_area(self._size)

    def _mean(self) -> Tensor:
        return self._axial().mean[..., tf.newaxis] * self.mean_direction

    def _entropy(self) -> Tensor:
        return self._broadcast(_log_area(self._size) - self._axial().kl)

    def _variance(self) -> Tensor:
        along, across = self._variances()
        return across + (along - across) * self.mean_direction**2

    def _covariance(self) -> Tensor:
        along, across = (v[..., tf.newaxis] for v in self._variances())
        mu = self.mean_direction
        square = mu[..., :, tf.newaxis] * mu[..., tf.newaxis, :]
        return across * tf.eye(self._size, dtype=self.dtype) + (along - across) * square

    def _variances(self) -> tuple[Tensor, Tensor]:
        moments = self._axial()
        return moments.variance_along[..., tf.newaxis], moments.variance_across[..., tf.newaxis]

    def _broadcast(self, value: Tensor) -> Tensor:
        return tf.broadcast_to(value, self.batch_shape_tensor())

    def _sample_n(self, n: Tensor, seed: Any = None) -> Tensor:
        angle_seed, direction_seed = tf.unstack(tfp.random.split_seed(seed, n=2, salt="von_mises_fisher"), num=2)
        shape = tf.concat([[n], self.batch_shape_tensor()], axis=0)
        mu = tf.convert_to_tensor(self.mean_direction)
        theta = _sample_angle(tf.broadcast_to(self.concentration, shape), self._size, angle_seed)[..., tf.newaxis]
        v = _sample_orthogonal(tf.stop_gradient(mu), shape, direction_seed)
        # The value is zero. The derivative rotates v in the plane of mu and d mu, which keeps it orthogonal to mu.
        v -= tf.reduce_sum(v * mu, axis=-1, keepdims=True) * tf.stop_gradient(mu)
        return tf.cos(theta) * mu + tf.sin(theta) * v


@tfd.RegisterKL(ReparameterizedVonMisesFisher, tfd.SphericalUniform)
def _kl_to_uniform(a: ReparameterizedVonMisesFisher, b: Distribution, name: str | None = None) -> Tensor:
    """Computes the KL to the uniform distribution without TFP's difference of entropies."""
    if not a.event_shape.is_compatible_with(b.event_shape):
        raise ValueError(
            "KL(a || b) requires equal event shapes. "
            f"Received: event shape {a.event_shape} of a={a!r}, event shape {b.event_shape} of b={b!r}"
        )
    with tf.name_scope(name or "kl_von_mises_fisher_spherical_uniform"):
        shape = tf.broadcast_dynamic_shape(a.batch_shape_tensor(), b.batch_shape_tensor())
        return tf.broadcast_to(a._axial().kl, shape)


def _log_area(size: int) -> float:
    """Computes the log of the area of the unit sphere in R^size."""
    return math.log(2.0) + size / 2 * math.log(math.pi) - math.lgamma(size / 2)


class _AxialMoments(NamedTuple):
    """Moments of w = cos(theta), each `[...]`; E_0 is the expectation under the uniform distribution (kappa = 0).

    Attributes:
        log_mean_exp: log E_0[exp(kappa (w - 1))].
        mean: Mean E[w] = I_{D/2}(kappa) / I_{D/2-1}(kappa), the length of the distribution's mean.
        variance_along: Variance of w.
        variance_across: Variance in each orthogonal direction, E[1 - w^2] / (D - 1).
        kl: KL to the uniform distribution, kappa E[w] - log E_0[exp(kappa w)].
    """

    log_mean_exp: Tensor
    mean: Tensor
    variance_along: Tensor
    variance_across: Tensor
    kl: Tensor


def _axial_moments(kappa: Tensor, size: int) -> _AxialMoments:
    # Below the threshold, the terms of the series are at most 2^k / k!.
    threshold = 2 * math.sqrt(size)
    small = _axial_moments_by_series(tf.minimum(kappa, threshold), size)
    large = _axial_moments_by_quadrature(tf.maximum(kappa, threshold), size)
    return _AxialMoments(*(tf.where(kappa < threshold, a, b) for a, b in zip(small, large, strict=True)))


def _axial_moments_by_series(kappa: Tensor, size: int) -> _AxialMoments:
    # E_0[exp(kappa w)] = sum_k (kappa^2 / 4)^k / (k! (D/2)_k). E_0[w exp(kappa w)] / kappa is the same series with
    # (D/2 + 1)_k / D. All terms are positive. In powers of kappa^2 / (2 D), the coefficients are below 1 / k!.
    k = np.arange(1, _NUM_TERMS + 1)
    coefficients = np.cumprod(size / (k * (size + 2 * k - 2)))
    powers = (kappa**2 / (2 * size))[..., tf.newaxis] ** _constant(k, kappa.dtype)
    excess = tf.reduce_sum(powers * _constant(coefficients, kappa.dtype), axis=-1)
    weighted = tf.reduce_sum(powers * _constant(2 * k * coefficients, kappa.dtype), axis=-1)
    across = 1 + tf.reduce_sum(powers * _constant(np.cumprod(size / (k * (size + 2 * k))), kappa.dtype), axis=-1)
    across = across / (size * (1 + excess))  # E[w] / kappa = E[1 - w^2] / (D - 1)
    mean, log_mgf = kappa * across, tf.math.log1p(excess)
    return _AxialMoments(
        log_mean_exp=log_mgf - kappa,
        mean=mean,
        variance_along=1 - mean**2 - (size - 1) * across,
        variance_across=across,
        kl=weighted / (1 + excess) - log_mgf,  # the terms are about kappa^2 / D and half of it
    )


def _axial_moments_by_quadrature(kappa: Tensor, size: int) -> _AxialMoments:
    lowest, mode, highest = _angle_range(tf.stop_gradient(kappa), size)
    theta = lowest[..., tf.newaxis] + (highest - lowest)[..., tf.newaxis] * _constant(_NODES, kappa.dtype)
    t = 2 * tf.sin(theta / 2) ** 2  # 1 - w
    # Relative to the density at the mode, because the large log of a small sine would lose precision.
    log_density = -kappa[..., tf.newaxis] * t + (size - 2) * tf.math.log(_sine(theta) / _sine(mode)[..., tf.newaxis])
    largest = tf.stop_gradient(tf.reduce_max(log_density, axis=-1, keepdims=True))
    weighted = tf.exp(log_density - largest) * _constant(_WEIGHTS, kappa.dtype)
    total = tf.reduce_sum(weighted, axis=-1)
    log_at_zero = math.lgamma((size - 1) / 2) + math.lgamma(0.5) - math.lgamma(size / 2)  # the total for kappa = 0
    log_unit = largest[..., 0] + tf.math.log(highest - lowest) + (size - 2) * tf.math.log(_sine(mode))
    log_mean_exp = tf.math.log(total) + log_unit - log_at_zero
    p = weighted / total[..., tf.newaxis]
    mean_t = tf.reduce_sum(p * t, axis=-1)
    return _AxialMoments(
        log_mean_exp=log_mean_exp,
        mean=1 - mean_t,
        variance_along=tf.reduce_sum(p * (t - mean_t[..., tf.newaxis]) ** 2, axis=-1),
        variance_across=tf.reduce_sum(p * t * (2 - t), axis=-1) / (size - 1),
        kl=-kappa * mean_t - log_mean_exp,
    )


def _angle_range(kappa: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the mode of the angle's density, between the two angles outside which the density is negligible."""
    if size == 2:
        mode, curvature = tf.zeros_like(kappa), kappa
    else:
        # The mode solves kappa sin^2 = (D - 2) cos. This computes t = 1 - cos without cancellation or overflow.
        power = float(size - 2)
        root = _hypotenuse(2 * kappa, power)
        t = (power + power * (power / (root + 2 * kappa))) / (power + root)
        mode, curvature = 2 * tf.asin(tf.sqrt(t / 2)), kappa * (1 - t) + power / (t * (2 - t))
    deviation = tf.math.rsqrt(curvature)
    return tf.maximum(mode - _BELOW * deviation, 0.0), mode, tf.minimum(mode + _ABOVE * deviation, math.pi)


def _hypotenuse(a: Tensor, b: float) -> Tensor:
    # Avoids the square of a large concentration, which would overflow.
    larger, smaller = tf.maximum(a, b), tf.minimum(a, b)
    return larger * tf.sqrt(1 + (smaller / larger) ** 2)


def _sine(theta: Tensor) -> Tensor:
    # Sine of an angle in [0, pi]. It stays positive if the angle was rounded beyond this interval.
    return tf.maximum(tf.sin(theta), 1e-30)


def _constant(values: Any, dtype: tf.DType) -> Tensor:
    return tf.constant(values, dtype)


def _sample_angle(kappa: Tensor, size: int, seed: Any) -> Tensor:
    """Draws one angle for each kappa, with its gradient."""
    drawn = tf.stop_gradient(_draw_angle(tf.stop_gradient(kappa), size, seed))

    @tf.custom_gradient
    def angle(kappa: Tensor) -> tuple[Tensor, Any]:
        return tf.identity(drawn), lambda upstream: upstream * angle_slope(drawn, kappa, size)

    return angle(kappa)


def _draw_angle(kappa: Tensor, size: int, seed: Any) -> Tensor:
    """Draws angles with Wood's rejection sampler, written for theta: tan^2(theta / 2) = b z / (1 - z) with z ~ Beta."""
    power = float(size - 1)
    b = power / (2 * kappa + _hypotenuse(2 * kappa, power))

    def draw(is_pending: Tensor, theta: Tensor, seed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seed, uniform_seed = tf.unstack(tfp.random.split_seed(seed, n=2), num=2)
        shape = tf.concat([[3], tf.shape(kappa)], axis=0)
        radial, turn, uniform = tf.unstack(tf.random.stateless_uniform(shape, uniform_seed, dtype=kappa.dtype), num=3)
        # Bailey's Student t with D - 1 degrees of freedom, t^2 = (D - 1) square, yields one coordinate of a uniform
        # point on the sphere, 2 z - 1 = t / sqrt(D - 1 + t^2). The odds of the smaller of z and 1 - z are:
        cosine = tf.cos(2 * math.pi * turn)
        square = tf.math.expm1(-2 / power * tf.math.log1p(-radial)) * cosine**2
        one = tf.ones_like(square)
        odds = 1 / (1 + square) / (1 + tf.sqrt(square / (1 + square))) ** 2
        above, below = tf.where(cosine < 0, odds, one), tf.where(cosine < 0, one, odds)
        proposed = 2 * tf.atan2(tf.sqrt(b * above), tf.sqrt(below))
        # Ratio of the angle's density to the proposal's, scaled so that its maximum (at `above` = `below`) is one.
        ratio = (1 + b) * (above + below) / (2 * (below + b * above))
        log_accept = 2 * kappa * b * (below - above) / ((1 + b) * (below + b * above)) + power * tf.math.log(ratio)
        # With this direction of the comparison, a NaN in kappa ends the loop.
        return is_pending & (log_accept < tf.math.log(uniform)), tf.where(is_pending, proposed, theta), seed

    everywhere = tf.ones_like(kappa, tf.bool)
    _, theta, _ = tf.while_loop(
        lambda is_pending, *_: tf.reduce_any(is_pending),
        draw,
        (everywhere, tf.zeros_like(kappa), tfp.random.sanitize_seed(seed)),
    )
    return theta


def angle_slope(theta: Tensor, kappa: Tensor, size: int) -> Tensor:
    """Computes the derivative of an angle with respect to kappa, for a fixed value of its distribution function F.

    On each side of theta, let M be the mass and D the integral of |cos(phi) - cos(theta)|, both relative to the density
    at theta. Then -(dF / d kappa) / p(theta) = -(D_left M_right + D_right M_left) / (M_left + M_right). All terms are
    positive, and E[w] is not needed.
    """
    lowest, _, highest = _angle_range(kappa, size)
    lengths = tf.stack([tf.minimum(lowest - theta, 0.0), tf.maximum(highest - theta, 0.0)])  # [2, ...]
    delta = lengths[..., tf.newaxis] * _constant(_NODES, theta.dtype)  # [2, ..., nodes]
    here, kappa = theta[..., tf.newaxis], kappa[..., tf.newaxis]
    difference = -2 * tf.sin(delta / 2) * tf.sin(here + delta / 2)  # cos(phi) - cos(theta)
    log_density = kappa * difference + (size - 2) * tf.math.log(_sine(here + delta) / _sine(here))
    # Relative to the largest density on that side, because a theta in the far tail would overflow.
    log_unit = tf.reduce_max(log_density, axis=-1)
    weighted = tf.exp(log_density - log_unit[..., tf.newaxis]) * _constant(_WEIGHTS, theta.dtype)
    mass = tf.abs(lengths) * tf.reduce_sum(weighted, axis=-1)
    moment = tf.abs(lengths) * tf.reduce_sum(weighted * tf.abs(difference), axis=-1)
    (mass_left, mass_right), (moment_left, moment_right) = tf.unstack(mass), tf.unstack(moment)
    unit_left, unit_right = tf.unstack(log_unit)
    # Divides the common factor exp(unit_left + unit_right) by the larger of the two units.
    larger = tf.maximum(unit_left, unit_right)
    total = mass_left * tf.exp(unit_left - larger) + mass_right * tf.exp(unit_right - larger)
    both = moment_left * mass_right + moment_right * mass_left
    return -tf.exp(tf.minimum(unit_left, unit_right)) * tf.math.divide_no_nan(both, total)


def _sample_orthogonal(mu: Tensor, shape: Tensor, seed: Any) -> Tensor:
    """Draws unit vectors `[*shape, D]` uniformly among those orthogonal to mu `[..., D]`."""
    size = mu.shape[-1]
    u = tf.random.stateless_normal(tf.concat([shape, [size - 1]], axis=0), seed, dtype=mu.dtype)
    u += 1e-15  # a float32 normal is exactly zero once in 10^7 draws, and for D = 2 it then has no direction
    u /= tf.norm(u, axis=-1, keepdims=True)
    # The reflection that maps the first axis to mu or -mu maps the other axes to vectors orthogonal to mu. Choosing the
    # one that is farther from the first axis keeps the reflection well conditioned for every mu.
    first, rest = mu[..., :1], mu[..., 1:]
    sign = tf.where(first < 0, tf.constant(-1, mu.dtype), tf.constant(1, mu.dtype))
    overlap = tf.reduce_sum(rest * u, axis=-1, keepdims=True)
    return tf.concat([-sign * overlap, u - rest * overlap / (1 + tf.abs(first))], axis=-1)
