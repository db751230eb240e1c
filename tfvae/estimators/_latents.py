"""Functions of the leaves of z, which is a tensor or a nest of tensors. No other file looks inside z."""

import math
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.typing import Distribution, Tensor

tfd = tfp.distributions


def stopped(z: Any) -> Any:
    """Returns the latents with their gradient stopped."""
    return tf.nest.map_structure(tf.stop_gradient, z)


def is_reparameterized(posterior: Distribution) -> bool:
    """Returns whether samples have a gradient with respect to the posterior's parameters, for every part of z."""
    kinds = tf.nest.flatten(posterior.reparameterization_type)
    return all(kind == tfd.FULLY_REPARAMETERIZED for kind in kinds)


def require_reparameterized(posterior: Distribution, estimator: Any) -> None:
    """Raises ValueError if the posterior's samples have no pathwise gradient."""
    if not is_reparameterized(posterior):
        raise ValueError(
            f"{type(estimator).__name__} differentiates through z = g(eps, x), but samples of this posterior are not "
            "reparameterised, so the encoder's gradient would miss its largest part. Use an estimator that needs no "
            "such gradient (ScoreFunction, VIMCO, ReweightedWakeSleep or WakeSleep), or a reparameterised posterior "
            f"such as a relaxed (Gumbel-softmax) one: see docs/reparameterisation.md. Received: posterior={posterior!r}"
        )


def path(z: Any, slopes: list[Tensor], log_weights: Tensor) -> Tensor:
    """Returns zeros whose gradient is that of the log weights along the path z = g(eps, x): `slopes` . dz.

    Args:
        z: Latents `[..., B, *event]`, a tensor or a nest, reparameterised.
        slopes: Derivatives of the log weights with respect to each part of z.
        log_weights: `[..., B]`; the slope of a draw of weight zero is undefined and is left out.

    Returns:
        `[..., B]`.
    """
    terms = []
    for leaf, slope in zip(tf.nest.flatten(z), slopes, strict=True):
        axes = list(range(log_weights.shape.rank, leaf.shape.rank))
        is_possible = tf.reshape(
            log_weights > -math.inf, tf.concat([tf.shape(log_weights), tf.ones([len(axes)], tf.int32)], 0)
        )
        slope = tf.stop_gradient(tf.where(is_possible, slope, tf.zeros_like(slope)))
        terms.append(tf.reduce_sum(slope * (leaf - tf.stop_gradient(leaf)), axis=axes))
    return tf.add_n(terms)
