"""Latents are opaque: z is a tensor or a nest of tensors, and only these functions look at its leaves."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


def stopped(z: Any) -> Any:
    """The same latents, through which no gradient flows."""
    return tf.nest.map_structure(tf.stop_gradient, z)


def is_reparameterized(posterior: Distribution) -> bool:
    """Whether the gradient of a sample with respect to the posterior's parameters is known, for every part of z."""
    kinds = tf.nest.flatten(posterior.reparameterization_type)
    return all(kind == tfd.FULLY_REPARAMETERIZED for kind in kinds)


def require_reparameterized(posterior: Distribution, estimator: Any) -> None:
    """Raises ValueError for a posterior whose samples have no pathwise gradient, naming the estimators that do work."""
    if not is_reparameterized(posterior):
        raise ValueError(
            f"{type(estimator).__name__} differentiates through z = g(eps, x), but samples of the posterior "
            f"{posterior!r} are not reparameterised: the encoder's gradient would miss its largest part. Use an "
            "estimator that needs no such gradient (ScoreFunction, VIMCO, ReweightedWakeSleep or WakeSleep), or a "
            "reparameterised posterior such as a relaxed (Gumbel-softmax) one: docs/reparameterisation.md."
        )


def path(z: Any, slopes: list[Tensor], log_weights: Tensor) -> Tensor:
    """Zero, with the gradient of a log weight along the way that the latent was drawn: `slopes` . dz.

    Args:
        z: latents `[..., B, *event]`, a tensor or a nest, reparameterised.
        slopes: the derivative of a log weight by each part of z.
        log_weights: `[..., B]`; a draw whose weight is zero has no slope, and none is taken.

    Returns:
        `[..., B]`.
    """
    terms = []
    for leaf, slope in zip(tf.nest.flatten(z), slopes, strict=True):
        axes = list(range(log_weights.shape.rank, leaf.shape.rank))
        is_possible = tf.reshape(
            log_weights > -math.inf, tf.concat([tf.shape(log_weights), tf.ones([len(axes)], tf.int32)], 0)
        )
        taken = tf.stop_gradient(tf.where(is_possible, slope, tf.zeros_like(slope)))
        terms.append(tf.reduce_sum(taken * (leaf - tf.stop_gradient(leaf)), axis=axes))
    return tf.add_n(terms)
