"""Importance weights, from which every multi-sample bound is made."""

from collections.abc import Callable
from typing import Any

from tfvae.typing import Distribution, Seed, Tensor


def log_weights(
    x: Tensor,
    posterior: Distribution,
    prior: Distribution,
    generate: Callable[[Any], Distribution],
    *,
    num_importance_samples: int,
    seed: Seed,
) -> Tensor:
    """The log importance weights log p(x, z_k) - log q(z_k|x), for z_k drawn from q(z|x): `[K, B]`, in nats.

    With the exact posterior every entry equals log p(x).

    Args:
        x: data `[B, *event]`.
        posterior: q(z|x), of batch shape `[B]`.
        prior: p(z), of batch shape `[]`.
        generate: takes z `[K, B, ...]` and returns p(x|z), of batch shape `[K, B]`.
        num_importance_samples: K.
        seed: an int32 tensor `[2]`.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, section 3.
    """
    z, log_q = posterior.experimental_sample_and_log_prob(num_importance_samples, seed=seed)
    return generate(z).log_prob(x) + prior.log_prob(z) - log_q
