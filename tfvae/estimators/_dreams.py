"""Dreams: data sampled from the model, on which its encoder is trained."""

import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae.estimators._latents import stopped
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


def dream_log_prob(problem: Problem, *, seed: Seed) -> Tensor:
    """Computes log q(z|x') `[B]` of B pairs z ~ p(z), x' ~ p(x|z). Only q has a gradient.

    Raises:
        ValueError: If the problem has no `infer`.
    """
    if problem.infer is None:
        raise ValueError(
            "The sleep phase samples data from the model and needs the function x -> q(z|x) to infer their latents. "
            "Pass it to the problem: Problem(..., infer=...). Received: infer=None"
        )
    seed_z, seed_x = split_seed(seed, 2, "dream")
    x = problem.x
    z = stopped(problem.prior.sample(x.shape[0] or tf.shape(x)[0], seed=seed_z))
    dreams = tf.cast(tf.stop_gradient(problem.generate(z).sample(seed=seed_x)), x.dtype)
    dreams = tf.ensure_shape(dreams, x.shape)
    return problem.infer(dreams).log_prob(z)
