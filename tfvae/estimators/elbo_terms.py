"""The two terms of the evidence lower bound."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae.estimators._kl_kind import closed_form
from tfvae.estimators.kl_by_part import is_by_part, kl_along
from tfvae.estimators.problem import Problem
from tfvae.typing import KLKind, Seed, Tensor


class ELBOTerms(NamedTuple):
    """The ELBO is `log_likelihood - kl`, each `[B]`, in nats.

    Attributes:
        log_likelihood: The mean of the draws' log p(x|z).
        kl: KL(q(z|x) || p(z)), exact or the mean of the draws.
        kl_by_part: The KL of each part of z along the draws, by the part's name; empty where z has one part.
    """

    log_likelihood: Tensor
    kl: Tensor
    kl_by_part: Mapping[str, Tensor] = {}


def elbo_terms(
    problem: Problem,
    *,
    num_samples: int = 1,
    kl: KLKind = "auto",
    seed: Seed = None,
) -> ELBOTerms:
    """Estimates the terms of the ELBO for any posterior. Their gradient is correct only for a reparameterised one.

    Args:
        problem: The batch; all of its latents are drawn.
        num_samples: S, number of draws per example.
        kl: "auto" (closed form where known), "analytic" or "monte_carlo".
        seed: An int or an int32 tensor `[2]`.

    Raises:
        ValueError: If latents of the problem were observed.
        NotImplementedError: If `kl` is "analytic" and no closed form is known.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, equations 6 and 7.
    """
    problem.require_unobserved()
    (seed_z,) = split_seed(seed, 1, "sgvb")
    posterior: Any = problem.posterior
    divergence = closed_form(problem, kl)  # [B]
    by_part: Mapping[str, Tensor] = {}
    if is_by_part(problem):
        of_q, z = posterior.sample_distributions(num_samples, seed=seed_z)
        along = kl_along(problem, of_q, z, kl)  # each [S, B]
        by_part = {name: tf.reduce_mean(part, axis=0) for name, part in along.items()}
        divergence = tf.add_n(list(by_part.values()))
    elif divergence is not None:
        z = posterior.sample(num_samples, seed=seed_z)  # [S, B, D]
    else:
        z, log_q = posterior.experimental_sample_and_log_prob(num_samples, seed=seed_z)
        divergence = tf.reduce_mean(log_q - problem.prior.log_prob(z), axis=0)  # [B]
    return ELBOTerms(tf.reduce_mean(problem.generate(z).log_prob(problem.x), axis=0), divergence, by_part)
