"""The von Mises-Fisher distribution with samples that can be differentiated in every number of dimensions.

Everything but the direction is a matter of one angle theta, that between a sample and the mean direction, whose density
is proportional to exp(kappa cos(theta)) sin(theta)^(D - 2). It is smooth, so that Gauss-Legendre quadrature over the
angles where it is not negligible is good to the last digits for every D and kappa.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions

_NODES, _WEIGHTS = ((a + b) / 2 for a, b in zip(np.polynomial.legendre.leggauss(48), (1.0, 0.0), strict=True))
# The angles that count reach this many standard deviations (of a normal with the density's curvature at its mode) to
# either side of the mode; beyond them the density is below e^-33 of the mode's.
_BELOW, _ABOVE = 9.0, 15.0
_NUM_TERMS = 24


class ReparameterizedVonMisesFisher(tfp.distributions.VonMisesFisher):
    """`tfd.VonMisesFisher` whose samples carry the exact gradient to both parameters, for every D of at least 2.

    TFP's own are differentiable for D = 3 only. A sample is cos(theta) mu + sin(theta) v with v uniform among the unit
    vectors at right angles to mu. Towards mu the gradient is that of the rotation which takes mu to its neighbour and
    leaves all directions at right angles to both alone (no frame is involved, so no mean direction is special);
    towards kappa it is d theta / d kappa = -(dF / d kappa) / p(theta), F the distribution function of the angle.

    Args:
        mean_direction: unit vectors `[..., D]`; D is static.
        concentration: kappa `[...]`, not negative.
        validate_args, allow_nan_stats, name: as `tfd.VonMisesFisher` has them.

    Numerics:
        Values are expected on the unit sphere: `log_prob(x)` goes by the distance |x - mu|, which keeps its digits
        where mu^T x near 1 has lost them, so that a concentration of 1e4 costs no accuracy in float32.
        `kl_divergence` to `tfd.SphericalUniform(D)` is exact also for small kappa, where it is the small
        difference kappa^2 / (2 D) of large entropies.

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
        v = _sample_at_right_angles(tf.stop_gradient(mu), shape, direction_seed)
        # Adds nothing; its derivative keeps v at right angles to mu by turning it in the plane of mu and d mu.
        v -= tf.reduce_sum(v * mu, axis=-1, keepdims=True) * tf.stop_gradient(mu)
        return tf.cos(theta) * mu + tf.sin(theta) * v


@tfd.RegisterKL(ReparameterizedVonMisesFisher, tfd.SphericalUniform)
def _kl_to_uniform(a: ReparameterizedVonMisesFisher, b: Distribution, name: str | None = None) -> Tensor:
    """KL to the uniform distribution, without the difference of entropies that TFP's takes."""
    if not a.event_shape.is_compatible_with(b.event_shape):
        raise ValueError(
            f"KL(a || b) needs equal event shapes. Received: {a.event_shape} of {a!r}, {b.event_shape} of {b!r}."
        )
    with tf.name_scope(name or "kl_von_mises_fisher_spherical_uniform"):
        shape = tf.broadcast_dynamic_shape(a.batch_shape_tensor(), b.batch_shape_tensor())
        return tf.broadcast_to(a._axial().kl, shape)


def _log_area(size: int) -> float:
    """The log of the area of the unit sphere in R^size."""
    return math.log(2.0) + size / 2 * math.log(math.pi) - math.lgamma(size / 2)


class _AxialMoments(NamedTuple):
    """Of w = cos(theta), each `[...]`; the expectation E_0 is under the uniform distribution (kappa = 0).

    Attributes:
        log_mean_exp: log E_0[exp(kappa (w - 1))].
        mean: E[w] = I_{D/2}(kappa) / I_{D/2-1}(kappa), the mean's length.
        variance_along: the variance of w.
        variance_across: the variance in each direction at right angles, E[1 - w^2] / (D - 1).
        kl: KL to the uniform distribution, kappa E[w] - log E_0[exp(kappa w)].
    """

    log_mean_exp: Tensor
    mean: Tensor
    variance_along: Tensor
    variance_across: Tensor
    kl: Tensor


def _axial_moments(kappa: Tensor, size: int) -> _AxialMoments:
    # The series has 2^k / k! for its largest terms where it is used.
    turn = 2 * math.sqrt(size)
    small = _axial_moments_by_series(tf.minimum(kappa, turn), size)
    large = _axial_moments_by_quadrature(tf.maximum(kappa, turn), size)
    return _AxialMoments(*(tf.where(kappa < turn, a, b) for a, b in zip(small, large, strict=True)))


def _axial_moments_by_series(kappa: Tensor, size: int) -> _AxialMoments:
    # E_0[exp(kappa w)] = sum_k (kappa^2 / 4)^k / (k! (D/2)_k), and E_0[w exp(kappa w)] / kappa likewise with
    # (D/2 + 1)_k / D. All terms are positive; in powers of kappa^2 / (2 D) the coefficients are below 1 / k!.
    k = np.arange(1, _NUM_TERMS + 1)
    coefficients = np.cumprod(size / (k * (size + 2 * k - 2)))
    powers = (kappa**2 / (2 * size))[..., tf.newaxis] ** _constant(k, kappa.dtype)
    excess = tf.reduce_sum(powers * _constant(coefficients, kappa.dtype), axis=-1)
    weighted = tf.reduce_sum(powers * _constant(2 * k * coefficients, kappa.dtype), axis=-1)
    across = 1 + tf.reduce_sum(powers * _constant(np.cumprod(size / (k * (size + 2 * k))), kappa.dtype), axis=-1)
    across = across / (size * (1 + excess))  # E[w] / kappa, which is E[1 - w^2] / (D - 1)
    mean, log_mgf = kappa * across, tf.math.log1p(excess)
    return _AxialMoments(
        log_mean_exp=log_mgf - kappa,
        mean=mean,
        variance_along=1 - mean**2 - (size - 1) * across,
        variance_across=across,
        kl=weighted / (1 + excess) - log_mgf,  # of about kappa^2 / D and half of that
    )


def _axial_moments_by_quadrature(kappa: Tensor, size: int) -> _AxialMoments:
    lowest, mode, highest = _angle_range(tf.stop_gradient(kappa), size)
    theta = lowest[..., tf.newaxis] + (highest - lowest)[..., tf.newaxis] * _constant(_NODES, kappa.dtype)
    t = 2 * tf.sin(theta / 2) ** 2  # 1 - w
    # Relative to the mode's, else the large log of a small sine would cost digits.
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
    """The angle of the largest density, between those outside of which it is negligible."""
    if size == 2:
        mode, curvature = tf.zeros_like(kappa), kappa
    else:
        # The mode solves kappa sin^2 = (D - 2) cos; t = 1 - cos of it, without cancellation or overflow.
        power = float(size - 2)
        root = _hypotenuse(2 * kappa, power)
        t = (power + power * (power / (root + 2 * kappa))) / (power + root)
        mode, curvature = 2 * tf.asin(tf.sqrt(t / 2)), kappa * (1 - t) + power / (t * (2 - t))
    deviation = tf.math.rsqrt(curvature)
    return tf.maximum(mode - _BELOW * deviation, 0.0), mode, tf.minimum(mode + _ABOVE * deviation, math.pi)


def _hypotenuse(a: Tensor, b: float) -> Tensor:
    # Squares of a large concentration would overflow.
    larger, smaller = tf.maximum(a, b), tf.minimum(a, b)
    return larger * tf.sqrt(1 + (smaller / larger) ** 2)


def _sine(theta: Tensor) -> Tensor:
    # Of an angle in [0, pi]: positive also where rounding has gone past the ends.
    return tf.maximum(tf.sin(theta), 1e-30)


def _constant(values: Any, dtype: tf.DType) -> Tensor:
    return tf.constant(values, dtype)


def _sample_angle(kappa: Tensor, size: int, seed: Any) -> Tensor:
    """One angle for each kappa, with its gradient."""
    drawn = tf.stop_gradient(_draw_angle(tf.stop_gradient(kappa), size, seed))

    @tf.custom_gradient
    def angle(kappa: Tensor) -> tuple[Tensor, Any]:
        return tf.identity(drawn), lambda upstream: upstream * angle_slope(drawn, kappa, size)

    return angle(kappa)


def _draw_angle(kappa: Tensor, size: int, seed: Any) -> Tensor:
    """Wood's rejection sampler, written for theta: tan^2(theta / 2) = b z / (1 - z) with z ~ Beta."""
    power = float(size - 1)
    b = power / (2 * kappa + _hypotenuse(2 * kappa, power))

    def draw(is_open: Tensor, theta: Tensor, seed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        seed, uniform_seed = tf.unstack(tfp.random.split_seed(seed, n=2), num=2)
        shape = tf.concat([[3], tf.shape(kappa)], axis=0)
        radial, turn, uniform = tf.unstack(tf.random.stateless_uniform(shape, uniform_seed, dtype=kappa.dtype), num=3)
        # Bailey's Student t with D - 1 degrees of freedom, t^2 = (D - 1) square, gives one coordinate of a uniform
        # point on the sphere, 2 z - 1 = t / sqrt(D - 1 + t^2). Of z and 1 - z, the odds of the smaller:
        cosine = tf.cos(2 * math.pi * turn)
        square = tf.math.expm1(-2 / power * tf.math.log1p(-radial)) * cosine**2
        one = tf.ones_like(square)
        odds = 1 / (1 + square) / (1 + tf.sqrt(square / (1 + square))) ** 2
        above, below = tf.where(cosine < 0, odds, one), tf.where(cosine < 0, one, odds)
        proposed = 2 * tf.atan2(tf.sqrt(b * above), tf.sqrt(below))
        # The density of the angle against the proposal's, its largest value (at `above` = `below`) put to one.
        ratio = (1 + b) * (above + below) / (2 * (below + b * above))
        log_accept = 2 * kappa * b * (below - above) / ((1 + b) * (below + b * above)) + power * tf.math.log(ratio)
        # Asked this way round, a kappa that is not a number ends the loop.
        return is_open & (log_accept < tf.math.log(uniform)), tf.where(is_open, proposed, theta), seed

    everywhere = tf.ones_like(kappa, tf.bool)
    _, theta, _ = tf.while_loop(
        lambda is_open, *_: tf.reduce_any(is_open),
        draw,
        (everywhere, tf.zeros_like(kappa), tfp.random.sanitize_seed(seed)),
    )
    return theta


def angle_slope(theta: Tensor, kappa: Tensor, size: int) -> Tensor:
    """The derivative of an angle by kappa at a fixed value of its distribution function F.

    With the mass M and the first moment D = integral of |cos(phi) - cos(theta)| on either side of theta, both in units
    of the density there, -(dF / d kappa) / p(theta) = -(D_left M_right + D_right M_left) / (M_left + M_right): all
    terms are positive, and E[w] is not needed.
    """
    lowest, _, highest = _angle_range(kappa, size)
    lengths = tf.stack([tf.minimum(lowest - theta, 0.0), tf.maximum(highest - theta, 0.0)])  # [2, ...]
    delta = lengths[..., tf.newaxis] * _constant(_NODES, theta.dtype)  # [2, ..., nodes]
    here, kappa = theta[..., tf.newaxis], kappa[..., tf.newaxis]
    difference = -2 * tf.sin(delta / 2) * tf.sin(here + delta / 2)  # cos(phi) - cos(theta)
    log_density = kappa * difference + (size - 2) * tf.math.log(_sine(here + delta) / _sine(here))
    # In units of the largest on that side, else a theta far out would overflow.
    log_unit = tf.reduce_max(log_density, axis=-1)
    weighted = tf.exp(log_density - log_unit[..., tf.newaxis]) * _constant(_WEIGHTS, theta.dtype)
    mass = tf.abs(lengths) * tf.reduce_sum(weighted, axis=-1)
    moment = tf.abs(lengths) * tf.reduce_sum(weighted * tf.abs(difference), axis=-1)
    (mass_left, mass_right), (moment_left, moment_right) = tf.unstack(mass), tf.unstack(moment)
    unit_left, unit_right = tf.unstack(log_unit)
    # The common factor exp(unit_left + unit_right) over the larger of the two.
    larger = tf.maximum(unit_left, unit_right)
    total = mass_left * tf.exp(unit_left - larger) + mass_right * tf.exp(unit_right - larger)
    both = moment_left * mass_right + moment_right * mass_left
    return -tf.exp(tf.minimum(unit_left, unit_right)) * tf.math.divide_no_nan(both, total)


def _sample_at_right_angles(mu: Tensor, shape: Tensor, seed: Any) -> Tensor:
    """Unit vectors `[*shape, D]`, uniform among those at right angles to mu `[..., D]`."""
    size = mu.shape[-1]
    u = tf.random.stateless_normal(tf.concat([shape, [size - 1]], axis=0), seed, dtype=mu.dtype)
    u += 1e-15  # a float32 normal is exactly zero once in 10^7 draws, which for D = 2 has no direction
    u /= tf.norm(u, axis=-1, keepdims=True)
    # The reflection that takes the first axis to the farther of mu and -mu takes the other axes to vectors at right
    # angles to it; the farther one, for then the reflection is well conditioned at every mu.
    first, rest = mu[..., :1], mu[..., 1:]
    sign = tf.where(first < 0, tf.constant(-1, mu.dtype), tf.constant(1, mu.dtype))
    overlap = tf.reduce_sum(rest * u, axis=-1, keepdims=True)
    return tf.concat([-sign * overlap, u - rest * overlap / (1 + tf.abs(first))], axis=-1)
