"""Geometry of the Poincare ball, the points z with c |z|^2 < 1, of constant curvature -c.

The metric is lambda_z^2 |dz|^2 with lambda_z = 2 / (1 - c |z|^2). Points and tangent vectors are `[..., D]` in the
coordinates of the ball, and all other axes broadcast. A curvature is a positive number c.

Distances come from q = sinh^2(sqrt(c) d / 2) = c |x - y|^2 / ((1 - c |x|^2) (1 - c |y|^2)). Unlike artanh of the norm
of a Mobius sum, which rounds to one for points that are far apart, it is accurate for points near and far. Functions
of d^2 are written as smooth functions of q, so they have derivatives where two points are equal.

References:
    Ganea, Becigneul & Hofmann, Hyperbolic Neural Networks, 2018, arXiv 1805.09112, section 2.
    Ungar, A Gyrovector Space Approach to Hyperbolic Geometry, 2008.
"""

import math
from collections.abc import Sequence

import numpy as np
import scipy.special
import tensorflow as tf

from tfvae._checks import number
from tfvae.typing import Tensor

# 1 - sqrt(c) |z| of the points farthest from the origin. Rounding changes their distance from it by about 0.3 %.
_MARGINS = {tf.float32: 1e-5, tf.float64: 1e-10}
# Below these limits, series replace formulas that divide by zero at zero, or whose derivatives cancel near it. They are
# accurate to 1e-16 there.
_SMALL, _SMALL_T = 0.02, 0.5
# asinh(sqrt(q))^2 / q = sum_k a_k q^k, the series of arcsin^2 with alternating signs.
_ASINH_RATIO = [(-1.0) ** k * 4.0 ** (k + 1) / (2 * (k + 1) ** 2 * math.comb(2 * k + 2, k + 1)) for k in range(10)]
# log(sinh(t) / t) / t^2, from the product of sinh(t) / t over its zeros; artanh(t) / t and tanh(t) / t. All in t^2.
_LOG_SINHC = [
    (-1.0) ** k * float(scipy.special.zeta(2 * k + 2)) / ((k + 1) * math.pi ** (2 * k + 2)) for k in range(10)
]
_ARTANHC = [1.0 / (2 * k + 1) for k in range(5)]
_TANHC = [1.0, -1.0 / 3.0, 2.0 / 15.0, -17.0 / 315.0, 62.0 / 2835.0]


def checked_curvature(curvature: float) -> float:
    """Returns the curvature c as a float.

    Raises:
        ValueError: If it is not a finite number above 0.
    """
    return float(number(curvature, "curvature", above=0))


def max_norm(dtype: tf.DType) -> float:
    """Returns the largest sqrt(c) |z| of points: 1 - 1e-5 in float32, 1 - 1e-10 in float64."""
    return 1.0 - _MARGINS[tf.as_dtype(dtype)]


def max_distance(dtype: tf.DType) -> float:
    """Returns the largest sqrt(c) d(0, z) of points: 12.2 in float32, 23.7 in float64."""
    return 2.0 * math.atanh(max_norm(dtype))


def norm(v: Tensor) -> Tensor:
    """Computes the norm `[..., 1]` without overflow, with a gradient of zero at zero."""
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(v), axis=-1, keepdims=True))
    is_zero = largest < np.finfo(v.dtype.as_numpy_dtype).tiny
    unit = tf.where(is_zero, tf.ones_like(largest), largest)
    squares = tf.reduce_sum(tf.square(v / unit), axis=-1, keepdims=True)
    length = unit * tf.sqrt(tf.where(is_zero, tf.ones_like(squares), squares))
    return tf.where(is_zero, tf.zeros_like(length), length)


def project(z: Tensor, c: float) -> Tensor:
    """Moves points beyond `max_norm`, or outside the ball, to the nearest point within it."""
    length = norm(z)
    limit = max_norm(z.dtype) / math.sqrt(c)
    is_beyond = length > limit
    return tf.where(is_beyond, z * (limit / tf.where(is_beyond, length, tf.ones_like(length))), z)


def complement(z: Tensor, c: float) -> Tensor:
    """Computes 1 - c |z|^2 `[..., 1]`."""
    return 1.0 - c * tf.reduce_sum(tf.square(z), axis=-1, keepdims=True)


def conformal_factor(z: Tensor, c: float) -> Tensor:
    """Computes lambda_z = 2 / (1 - c |z|^2) `[..., 1]`, the length of a unit of the coordinates at z."""
    return 2.0 / complement(z, c)


def mobius_add(x: Tensor, y: Tensor, c: float) -> Tensor:
    """Computes the Mobius sum of x and y.

    It equals ((1 - c |x|^2) (x + y) + c |x + y|^2 x) / ((1 - c |x|^2) (1 - c |y|^2) + c |x + y|^2), which is accurate
    for y near -x too.
    """
    total = x + y
    of_x, of_y = complement(x, c), complement(y, c)
    square = c * tf.reduce_sum(tf.square(total), axis=-1, keepdims=True)
    return project((of_x * total + square * x) / (of_x * of_y + square), c)


def exp_origin(v: Tensor, c: float) -> Tensor:
    """Computes the end of the geodesic that leaves the origin with velocity v: tanh(sqrt(c) |v|) v / (sqrt(c) |v|)."""
    return project(v * _tanhc(math.sqrt(c) * norm(v)), c)


def log_origin(z: Tensor, c: float) -> Tensor:
    """Computes the inverse of `exp_origin`: artanh(sqrt(c) |z|) z / (sqrt(c) |z|)."""
    z = project(z, c)
    length = math.sqrt(c) * norm(z)
    is_small = length < _SMALL
    safe = tf.where(is_small, tf.fill(tf.shape(length), tf.constant(0.5, z.dtype)), length)
    return z * tf.where(is_small, _series(_ARTANHC, length**2, _SMALL**2), tf.atanh(safe) / safe)


def exp(x: Tensor, v: Tensor, c: float) -> Tensor:
    """Computes the end of the geodesic that leaves x with velocity v (Ganea et al., lemma 2)."""
    return mobius_add(x, exp_origin(conformal_factor(x, c) * v / 2.0, c), c)


def log(x: Tensor, y: Tensor, c: float) -> Tensor:
    """Computes the velocity with which the geodesic to y leaves x, the inverse of `exp`."""
    return displacement(x, y, c) / conformal_factor(x, c)


def displacement(x: Tensor, y: Tensor, c: float) -> Tensor:
    """Computes lambda_x log_x(y), whose length is the distance d(x, y).

    This is the tangent vector at x in the orthonormal frame that parallel transport brings there from the origin.
    """
    of_x, of_y, difference = complement(x, c), complement(y, c), y - x
    square = c * tf.reduce_sum(tf.square(difference), axis=-1, keepdims=True)
    q = square / (of_x * of_y)
    # The Mobius sum of -x and y is (of_x * difference - square * x) / (of_x * of_y * (1 + q)).
    direction = (difference - (square / of_x) * x) / of_y
    return 2.0 * direction * tf.sqrt(_asinh_ratio(q) / (1.0 + q))


def distance(x: Tensor, y: Tensor, c: float) -> Tensor:
    """Computes the distance d(x, y) `[..., 1]`, with a gradient of zero where x = y."""
    root = math.sqrt(c) * norm(y - x) * tf.math.rsqrt(complement(x, c) * complement(y, c))
    return 2.0 / math.sqrt(c) * tf.math.log1p(root + root**2 / (1.0 + tf.sqrt(1.0 + root**2)))


def half_sinh_squared(x: Tensor, y: Tensor, c: float) -> Tensor:
    """Computes q = sinh^2(sqrt(c) d(x, y) / 2) `[..., 1]`."""
    square = c * tf.reduce_sum(tf.square(y - x), axis=-1, keepdims=True)
    return square / (complement(x, c) * complement(y, c))


def squared_distance(q: Tensor) -> Tensor:
    """Computes c d^2 from q."""
    return 4.0 * q * _asinh_ratio(q)


def log_sinhc_of_q(q: Tensor) -> Tensor:
    """Computes log(sinh(sqrt(c) d) / (sqrt(c) d)) from q."""
    return 0.5 * (tf.math.log1p(q) - tf.math.log(_asinh_ratio(q)))


def log_sinhc(t: Tensor) -> Tensor:
    """Computes log(sinh(t) / t) for t of at least zero.

    The volume that the exponential map gives to a unit of the tangent space at distance d is (D - 1) times this for
    t = sqrt(c) d, in the log.
    """
    is_small = t < _SMALL_T
    safe = tf.where(is_small, tf.ones_like(t), t)
    small = tf.minimum(t, _SMALL_T) ** 2
    series = small * _series(_LOG_SINHC, small, _SMALL_T**2)
    return tf.where(is_small, series, safe + tf.math.log(-tf.math.expm1(-2.0 * safe) / (2.0 * safe)))


def parallel_transport(x: Tensor, y: Tensor, v: Tensor, c: float) -> Tensor:
    """Transports tangent vectors v from x to y along the geodesic: lambda_x / lambda_y gyr[y, -x] v.

    From the origin, it is 2 v / lambda_y (Ganea et al., theorem 4).
    """
    return _gyration(y, -x, v, c) * (complement(y, c) / complement(x, c))


def _gyration(u: Tensor, v: Tensor, w: Tensor, c: float) -> Tensor:
    """Computes gyr[u, v] w, the rotation by which Mobius addition fails to be associative."""

    def dot(a: Tensor, b: Tensor) -> Tensor:
        return tf.reduce_sum(a * b, axis=-1, keepdims=True)

    along_u, along_v = c * dot(u, w), c * dot(v, w)
    of_u = -along_u * c * dot(v, v) + along_v + 2.0 * c * dot(u, v) * along_v
    of_v = -along_v * c * dot(u, u) - along_u
    total = u + v
    return w + 2.0 * (of_u * u + of_v * v) / (complement(u, c) * complement(v, c) + c * dot(total, total))


def _tanhc(t: Tensor) -> Tensor:
    """Computes tanh(t) / t for t of at least zero."""
    is_small = t < _SMALL
    safe = tf.where(is_small, tf.ones_like(t), t)
    series = _series(_TANHC, tf.minimum(t, _SMALL) ** 2, _SMALL**2)
    return tf.where(is_small, series, tf.tanh(safe) / safe)


def _asinh_ratio(q: Tensor) -> Tensor:
    """Computes asinh(sqrt(q))^2 / q."""
    is_small = q < _SMALL
    safe = tf.where(is_small, tf.ones_like(q), q)
    root = tf.sqrt(safe)
    asinh = tf.math.log1p(root + safe / (1.0 + tf.sqrt(1.0 + safe)))
    return tf.where(is_small, _series(_ASINH_RATIO, q, _SMALL), asinh**2 / safe)


def _series(coefficients: Sequence[float], x: Tensor, limit: float) -> Tensor:
    """Computes a power series of x up to a limit, beyond which powers could overflow and their gradients be NaN."""
    x = tf.minimum(x, limit)
    total = tf.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total
