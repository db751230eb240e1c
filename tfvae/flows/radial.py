"""Radial transform of a normalizing flow."""

import numpy as np
import tensorflow as tf

from tfvae._numerics import softplus_scale
from tfvae._serialization import register
from tfvae.flows._constraints import above_minus_one
from tfvae.flows.transform import Transform
from tfvae.typing import Tensor


@register
class Radial(Transform):
    """Radial transform z = u + beta (u - u_0) / (alpha + |u - u_0|), which moves points towards a center or away.

    It has D + 2 parameters, and its inverse has a closed form. Each makes or fills one round hole. It acts alike in all
    directions, so for more than a few latent dimensions prefer `Planar` or `Sylvester`.

    Args:
        **kwargs: See `Transform`.

    Numerics:
        With r = |u - u_0| and t = alpha / (alpha + r), z = u + s t (u - u_0), where s = beta / alpha. The map can be
        inverted if s > -1. The raw parameter is a, and s = a for a >= 0 and c (exp(a / c) - 1) below, with c = 0.99.
        With a = 0 the transform is the identity, exactly. (The paper has beta = -alpha + log(1 + exp(a)), which does
        not have this property.) alpha = softplus(raw) + 1e-5. The log-determinant is (D - 1) log(1 + s t) +
        log(1 + s t^2). The distance of u is the positive root of r^2 + (alpha (1 + s) - |z - u_0|) r = alpha
        |z - u_0|.

    References:
        Rezende & Mohamed, Variational Inference with Normalizing Flows, 2015, arXiv 1505.05770, equation 14 and
        appendix A.2.
    """

    def params_size(self, event_size: int) -> int:
        return event_size + 2

    def initial_parameters(self, event_size: int, rng: np.random.Generator) -> np.ndarray:
        # Several transforms with the same center would stay alike.
        return np.concatenate([rng.normal(size=event_size), np.zeros(2)])

    def forward(self, u: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        center, alpha, s = _constrained(parameters)
        t = alpha / (alpha + _norm(u - center))  # [..., 1]
        return u + s * t * (u - center), _log_det(s, t, u.shape[-1])

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        center, alpha, s = _constrained(parameters)
        distance = _norm(z - center)
        half = (alpha * (1 + s) - distance) / 2
        root = tf.sqrt(half**2 + alpha * distance)
        # Of the two forms of the root, the one without a difference of numbers that are almost equal.
        is_positive = half > 0
        larger = tf.where(is_positive, half + root, tf.ones_like(root))
        t = alpha / (alpha + tf.where(is_positive, alpha * distance / larger, root - half))
        return z - s * t / (1 + s * t) * (z - center), _log_det(s, t, z.shape[-1])


def _constrained(parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns u_0 `[..., D]`, alpha > 0 `[..., 1]` and s > -1 `[..., 1]`."""
    center, raw_alpha, raw_s = tf.split(parameters, [parameters.shape[-1] - 2, 1, 1], axis=-1)
    return center, softplus_scale(raw_alpha), above_minus_one(raw_s)


def _norm(a: Tensor) -> Tensor:
    # At zero, the gradient is zero and not NaN.
    return tf.sqrt(tf.maximum(tf.reduce_sum(a**2, axis=-1, keepdims=True), 1e-30))


def _log_det(s: Tensor, t: Tensor, size: int) -> Tensor:
    return ((size - 1) * tf.math.log1p(s * t) + tf.math.log1p(s * t**2))[..., 0]
