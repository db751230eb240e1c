"""Dreams: what a model makes up, as data for its encoder."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae.estimators._latents import stopped
from tfvae.typing import Distribution, Seed, Tensor


def dream_log_prob(
    x: Tensor,
    prior: Distribution,
    generate: Callable[[Any], Distribution],
    infer: Callable[[Tensor], Distribution] | None,
    *,
    seed: Seed,
) -> Tensor:
    """Log q(z|x') `[B]` of as many pairs z ~ p(z), x' ~ p(x|z) as there are examples; only q has a gradient.

    Raises:
        ValueError: without `infer`.
    """
    if infer is None:
        raise ValueError("The sleep phase draws data of its own: give the estimator infer=, the function x -> q(z|x).")
    seed_z, seed_x = split_seed(seed, 2, "dream")
    z = stopped(prior.sample(x.shape[0] or tf.shape(x)[0], seed=seed_z))
    dreamt = tf.cast(tf.stop_gradient(generate(z).sample(seed=seed_x)), x.dtype)
    dreamt = tf.ensure_shape(dreamt, x.shape)
    return infer(dreamt).log_prob(z)
