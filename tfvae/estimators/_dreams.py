"""Dreams: what a model makes up, as data for its encoder."""

import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae.estimators._latents import stopped
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


def dream_log_prob(problem: Problem, *, seed: Seed) -> Tensor:
    """Log q(z|x') `[B]` of as many pairs z ~ p(z), x' ~ p(x|z) as there are examples; only q has a gradient.

    Raises:
        ValueError: for a problem without `infer`.
    """
    if problem.infer is None:
        raise ValueError(
            "The sleep phase draws data of its own and infers their latents, which takes the function x -> q(z|x). "
            "Give the problem one: Problem(..., infer=...). Received: infer=None"
        )
    seed_z, seed_x = split_seed(seed, 2, "dream")
    x = problem.x
    z = stopped(problem.prior.sample(x.shape[0] or tf.shape(x)[0], seed=seed_z))
    dreamt = tf.cast(tf.stop_gradient(problem.generate(z).sample(seed=seed_x)), x.dtype)
    dreamt = tf.ensure_shape(dreamt, x.shape)
    return problem.infer(dreamt).log_prob(z)
