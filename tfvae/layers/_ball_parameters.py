"""Locations and scales of distributions on the Poincare ball, from raw parameters."""

import math

import tensorflow as tf

from tfvae._poincare import exp_origin, max_distance, norm
from tfvae.typing import Tensor


def ball_loc(raw: Tensor, curvature: float) -> Tensor:
    """Maps raw locations `[..., D]` to the ball by the exponential map at the origin: d(0, loc) = 2 |raw|.

    Raw locations beyond the largest distance are moved back to it, with the gradient of the identity, so that they
    still receive a gradient.
    """
    # A little below the limit of `project`, which has no gradient along the radius.
    length, limit = norm(raw), 0.999 * max_distance(raw.dtype) / 2.0 / math.sqrt(curvature)
    is_beyond = length > limit
    moved = tf.where(is_beyond, raw * (limit / tf.where(is_beyond, length, tf.ones_like(length))), raw)
    return exp_origin(tf.stop_gradient(moved) + (raw - tf.stop_gradient(raw)), curvature)


def capped_scale(scale: Tensor, size: int, curvature: float) -> Tensor:
    """Limits the scale of a Riemannian normal to `max_riemannian_scale`, with the gradient of the identity."""
    limit = max_riemannian_scale(size, curvature, scale.dtype)
    return tf.stop_gradient(tf.minimum(scale, limit)) + (scale - tf.stop_gradient(scale))


def max_riemannian_scale(size: int, curvature: float, dtype: tf.DType) -> float:
    """Returns the largest scale of a Riemannian normal whose draws are points of the dtype.

    Most radii t = sqrt(c) r are near (D - 1) s^2 for large s = sqrt(c) scale, with a standard deviation of about s. The
    limit is (D - 1) s^2 + 3 s = max_distance.
    """
    n, limit = size - 1, max_distance(dtype)
    s = limit / 3.0 if n == 0 else (math.sqrt(9.0 + 4.0 * n * limit) - 3.0) / (2.0 * n)
    return s / math.sqrt(curvature)


def max_wrapped_scale(size: int, curvature: float, dtype: tf.DType) -> float:
    """Returns the largest scale of a wrapped normal whose draws are points of the dtype.

    The limit is (sqrt(D) + 3) s = max_distance for s = sqrt(c) scale.
    """
    return max_distance(dtype) / (math.sqrt(size) + 3.0) / math.sqrt(curvature)
