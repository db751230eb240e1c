"""Latents are opaque: z is a tensor or a nest of tensors, and only these functions look at its leaves."""

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


def path(z: Any, gradients: Any, num_axes: int) -> Tensor:
    """Zero, with the gradient of a number a latent along the way that the latent was drawn: `gradients` . dz.

    Args:
        z: latents `[..., B, *event]`, a tensor or a nest, reparameterised.
        gradients: the derivative by z of a number a latent; of z's structure, None for a part that does not matter.
        num_axes: the number of axes of `[..., B]`.

    Returns:
        `[..., B]`.
    """
    terms = []
    for leaf, gradient in zip(tf.nest.flatten(z), tf.nest.flatten(gradients), strict=True):
        if gradient is not None:
            product = tf.stop_gradient(gradient) * (leaf - tf.stop_gradient(leaf))
            terms.append(tf.reduce_sum(product, axis=list(range(num_axes, leaf.shape.rank))))
    return tf.add_n(terms)
