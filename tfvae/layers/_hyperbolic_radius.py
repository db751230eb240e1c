"""Radius of a Riemannian normal: the density of t proportional to exp(-t^2 / (2 s^2)) sinh(t)^n for t > 0.

t = sqrt(c) r is the distance from the centre in units of the curvature radius, s = sqrt(c) sigma, n = D - 1. The
integral has a closed form, an alternating sum of error functions. But its terms cancel: for D = 20 and s = 0.05, the
sum has no correct digit in float64. The density is log-concave and smooth, so Gauss-Legendre quadrature over the radii
with non-negligible density is accurate for every s and n instead. All terms are positive.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._poincare import log_sinhc
from tfvae.typing import Tensor

_NODES, _WEIGHTS = ((a + b) / 2 for a, b in zip(np.polynomial.legendre.leggauss(48), (1.0, 0.0), strict=True))
# The range below and above the mode, in standard deviations of a normal with the curvature of the density at its mode.
# Outside it, the density is below e^-33 of the density at the mode.
_BELOW, _ABOVE = 9.0, 12.0
_NUM_STEPS = 5  # of Newton's method, which is accurate to 1e-14 after four


class _Range(NamedTuple):
    """The mode, the radii between which the density is not negligible, and the width of the density at the mode."""

    lowest: Tensor
    mode: Tensor
    highest: Tensor
    width: Tensor


def log_integral(s: Tensor, n: int) -> Tensor:
    """Computes log of the integral of exp(-t^2 / (2 s^2)) sinh(t)^n over t > 0, for s `[...]`."""
    at = _range(s, n)
    total = _mass(at.lowest, at.highest, at.mode, s, n)
    log_at_mode = -tf.square(at.mode / s) / 2.0
    if n:
        log_at_mode += n * (at.mode + tf.math.log(-tf.math.expm1(-2.0 * at.mode) / 2.0))
    return tf.math.log(total) + log_at_mode


def sample_radius(s: Tensor, n: int, u: Tensor) -> Tensor:
    """Returns the quantiles of t at levels u in (0, 1), with their gradient with respect to s.

    Args:
        s: Scales `[...]`.
        n: D - 1.
        u: Levels of the shape of s.

    Numerics:
        Newton's method solves for the log of the mass between t and the nearer end, so radii in both tails are as
        accurate as others. This function is concave, also as a function of log t at the left end, where it is a line
        for a power of t. So there is at most one step too far. The number of steps is fixed, and all shapes are static.
    """
    drawn = tf.stop_gradient(_quantile(tf.stop_gradient(s), n, u))

    @tf.custom_gradient
    def radius(s: Tensor) -> tuple[Tensor, Any]:
        return tf.identity(drawn), lambda upstream: upstream * radius_slope(drawn, s, n)

    return radius(s)


def _quantile(s: Tensor, n: int, u: Tensor) -> Tensor:
    if n == 0:  # half of a normal distribution
        return -s * tf.math.ndtri((1.0 - u) / 2.0)
    at = _range(s, n)
    total = _mass(at.lowest, at.highest, at.mode, s, n)
    is_left = u < 0.5
    end = tf.where(is_left, at.lowest, at.highest)
    log_wanted = tf.math.log(tf.where(is_left, u, 1.0 - u)) + tf.math.log(total)
    # Near these, the levels are below 1e-9 and above 1 - 1e-9, and the mass does not underflow.
    low = at.lowest + 0.3 * 1e-9 ** (1.0 / (n + 1)) * (at.mode - at.lowest)
    high = at.highest + 1e-3 * (at.mode - at.highest)
    t = tf.clip_by_value(at.mode + at.width * tf.math.ndtri(u), low, high)
    for _ in range(_NUM_STEPS):
        mass = _mass(end, t, at.mode, s, n)
        step = (tf.math.log(mass) - log_wanted) * mass * tf.exp(-_log_density(t, at.mode, s, n))
        t = tf.where(is_left, t * tf.exp(-step / t), t + step)
        t = tf.clip_by_value(t, low, high)
    return t


def radius_slope(t: Tensor, s: Tensor, n: int) -> Tensor:
    """Computes the derivative of t with respect to s, for a fixed value of the distribution function F.

    On each side of t, let M be the mass and V the integral of |x^2 - t^2|, both relative to the density at t. Then
    -(dF / ds) / p(t) = (V_left M_right + V_right M_left) / (M_left + M_right) / s^3. All terms are positive, and E[t^2]
    is not needed.

    References:
        Figurnov, Mohamed & Mnih, Implicit Reparameterization Gradients, 2018, arXiv 1805.08498, equation 5.
    """
    if n == 0:
        return t / s
    at = _range(s, n)
    ends = tf.stack([tf.minimum(at.lowest, t), tf.maximum(at.highest, t)])  # [2, ...]
    x = _points(t, ends)  # [2, ..., nodes]
    here = t[..., tf.newaxis]
    log_density = _log_density(x, here, s[..., tf.newaxis], n)
    # Relative to the largest density on that side, because a t in the far tail would overflow.
    log_unit = tf.reduce_max(log_density, axis=-1)
    weighted = tf.exp(log_density - log_unit[..., tf.newaxis]) * tf.constant(_WEIGHTS, t.dtype)
    lengths = tf.abs(ends - t)
    mass = lengths * tf.reduce_sum(weighted, axis=-1)
    moment = lengths * tf.reduce_sum(weighted * tf.abs(x - here) * (x + here), axis=-1)
    (mass_left, mass_right), (moment_left, moment_right) = tf.unstack(mass), tf.unstack(moment)
    unit_left, unit_right = tf.unstack(log_unit)
    # Divides the common factor exp(unit_left + unit_right) by the larger of the two units.
    larger = tf.maximum(unit_left, unit_right)
    total = mass_left * tf.exp(unit_left - larger) + mass_right * tf.exp(unit_right - larger)
    both = moment_left * mass_right + moment_right * mass_left
    return tf.exp(tf.minimum(unit_left, unit_right)) * tf.math.divide_no_nan(both / s / s, total * s)


def _mass(start: Tensor, stop: Tensor, unit: Tensor, s: Tensor, n: int) -> Tensor:
    """Computes the absolute integral of the density from start to stop, relative to the density at `unit`."""
    x = _points(start, stop)
    density = tf.exp(_log_density(x, unit[..., tf.newaxis], s[..., tf.newaxis], n))
    return tf.abs(stop - start) * tf.reduce_sum(density * tf.constant(_WEIGHTS, s.dtype), axis=-1)


def _points(start: Tensor, stop: Tensor) -> Tensor:
    return start[..., tf.newaxis] + (stop - start)[..., tf.newaxis] * tf.constant(_NODES, start.dtype)


def _log_density(t: Tensor, unit: Tensor, s: Tensor, n: int) -> Tensor:
    """Computes log of the density at t, relative to the density at `unit`, without differences of large numbers."""
    found = -((t - unit) / s) * ((t + unit) / s) / 2.0
    if n:
        found += n * (t - unit + tf.math.log(tf.math.expm1(-2.0 * t) / tf.math.expm1(-2.0 * unit)))
    return found


def _range(s: Tensor, n: int) -> _Range:
    s = tf.stop_gradient(s)
    if n == 0:
        return _Range(tf.zeros_like(s), tf.zeros_like(s), _ABOVE * s, s)
    # The mode solves t tanh t = n s^2, whose root is at most this.
    product = n * tf.square(s)
    mode = (product + tf.sqrt(product) * tf.sqrt(product + 4.0)) / 2.0
    for _ in range(6):
        tanh = tf.tanh(mode)
        mode -= (mode * tanh - product) / (tanh + mode * (1.0 - tf.square(tanh)))
    # 1 / s^2 + n / sinh(t)^2 is (1 + 2 t / sinh(2 t)) / s^2 at the mode.
    width = s * tf.math.rsqrt(1.0 + tf.exp(-log_sinhc(2.0 * mode)))
    return _Range(tf.maximum(mode - _BELOW * width, 0.0), mode, mode + _ABOVE * math.sqrt(2.0) * width, width)
