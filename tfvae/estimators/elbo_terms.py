"""The two terms of the evidence lower bound."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae.estimators._kl_kind import closed_form
from tfvae.typing import Distribution, KLKind, Seed, Tensor


class ELBOTerms(NamedTuple):
    """The ELBO is `log_likelihood - kl`, each `[B]`, in nats.

    Attributes:
        log_likelihood: the mean of the draws' log p(x|z).
        kl: KL(q(z|x) || p(z)), exact or the mean of the draws.
    """

    log_likelihood: Tensor
    kl: Tensor


def elbo_terms(
    x: Tensor,
    posterior: Distribution,
    prior: Distribution,
    generate: Callable[[Any], Distribution],
    *,
    num_samples: int = 1,
    kl: KLKind = "auto",
    seed: Seed = None,
) -> ELBOTerms:
    """The terms of the ELBO for any posterior; their gradient is right only for a reparameterised one.

    Args:
        x: data `[B, *event]`.
        posterior: q(z|x), of batch shape `[B]`.
        prior: p(z), of batch shape `[]`.
        generate: takes z `[S, B, *latent]` and returns p(x|z), of batch shape `[S, B]`.
        num_samples: S.
        kl: "auto" (closed form where known), "analytic" or "monte_carlo".
        seed: an int or an int32 tensor `[2]`.

    Raises:
        NotImplementedError: for "analytic" between distributions of which no closed form is known.

    References:
        Kingma & Welling, Auto-Encoding Variational Bayes, 2013, arXiv 1312.6114, equations 6 and 7.
    """
    (seed_z,) = split_seed(seed, 1, "sgvb")
    divergence = closed_form(posterior, prior, kl)  # [B]
    if divergence is not None:
        z = posterior.sample(num_samples, seed=seed_z)  # [S, B, D]
    else:
        z, log_q = posterior.experimental_sample_and_log_prob(num_samples, seed=seed_z)
        divergence = tf.reduce_mean(log_q - prior.log_prob(z), axis=0)  # [B]
    return ELBOTerms(tf.reduce_mean(generate(z).log_prob(x), axis=0), divergence)
