"""Planar transform of a normalizing flow."""

import numpy as np
import tensorflow as tf

from tfvae._serialization import register
from tfvae.flows._constraints import above_minus_one
from tfvae.flows._roots import root_of_bend
from tfvae.flows.transform import Transform
from tfvae.typing import Tensor


@register
class Planar(Transform):
    """Planar transform z = u + v tanh(w^T u + b), which moves all points of a plane alike along one vector.

    The cheapest transform, with 2 D + 1 parameters. Each changes the density along one direction, so posteriors need
    many of them, about as many as there are latent dimensions; `Sylvester` makes M such changes in one step.

    Args:
        **kwargs: See `Transform`.

    Numerics:
        The map can be inverted if w^T v > -1. The raw vector r becomes v = r + (m(w^T r) - w^T r) w / |w|^2, where
        m(a) = a for a >= 0 and c (exp(a / c) - 1) below, with c = 0.99. With r = 0 the transform is the identity,
        exactly. (The paper has m(a) = -1 + log(1 + exp(a)), which does not have this property.) The inverse is found
        along w, where it is the root of one increasing function.

    References:
        Rezende & Mohamed, Variational Inference with Normalizing Flows, 2015, arXiv 1505.05770, equations 10 to 12 and
        appendix A.1.
    """

    def params_size(self, event_size: int) -> int:
        return 2 * event_size + 1

    def initial_parameters(self, event_size: int, rng: np.random.Generator) -> np.ndarray:
        # With w = 0 too, the gradient would be zero.
        w = rng.normal(scale=event_size**-0.5, size=event_size)
        return np.concatenate([np.zeros(event_size), w, np.zeros(1)])

    def forward(self, u: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        v, w, b, stretch = _constrained(parameters)
        bend = tf.tanh(_dot(w, u) + b)  # [..., 1]
        return u + v * bend, tf.math.log1p(stretch * (1 - bend**2))[..., 0]

    def inverse(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        v, w, b, stretch = _constrained(parameters)
        along = _dot(w, z)  # = a + w^T v tanh(a + b) with a = w^T u
        root = root_of_bend(stretch, tf.ones_like(stretch), b, along)
        bend = tf.tanh(root + b)
        return z - v * bend, tf.math.log1p(stretch * (1 - bend**2))[..., 0]


def _constrained(parameters: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns v `[..., D]`, w `[..., D]`, b `[..., 1]` and w^T v > -1 `[..., 1]`."""
    size = parameters.shape[-1] // 2
    r, w, b = tf.split(parameters, [size, size, 1], axis=-1)
    a = _dot(w, r)
    stretch = above_minus_one(a)
    square = tf.reduce_sum(w**2, axis=-1, keepdims=True)
    return r + (stretch - a) * tf.math.divide_no_nan(w, square), w, b, stretch


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return tf.reduce_sum(a * b, axis=-1, keepdims=True)
