"""The marginal log-likelihood log p(x), by importance sampling."""

from typing import Any

import numpy as np

from tfvae._seeds import fold_in, stateless_seed
from tfvae.estimators import ImportanceEstimate, importance_estimate
from tfvae.evaluation._batches import batches_of_x
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.typing import Seed, Tensor


def log_marginal(
    vae: VAE,
    data: Any,
    *,
    num_importance_samples: int = 5000,
    batch_size: int = 100,
    seed: Seed = 0,
) -> Record:
    """Estimates log p(x) as log (1/K) sum_k p(x, z_k) / q(z_k|x), z_k ~ q(z|x), of each example, in nats.

    A lower bound on log p(x) in expectation, with a bias that falls like 1/K; memory does not grow with K.

    Args:
        vae: the model.
        data: an array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches hold x.
        num_importance_samples: K.
        batch_size: examples at a time, for arrays and splits.
        seed: an int or an int32 tensor `[2]`.

    Returns:
        A `Record`; its diagnostics hold K and the effective sample size (sum w)^2 / sum w^2 of the examples, median and
        least. Where the least is near 1, one weight decides and the estimate is too low.

    Raises:
        ValueError: for K below 1, no examples, or data unlike the model's.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, equation 8 and
        theorem 1.
    """
    if num_importance_samples < 1:
        raise ValueError(f"num_importance_samples is at least 1. Received: {num_importance_samples}.")
    terms, seed = compiled(vae, _terms), stateless_seed(seed)
    batches = batches_of_x(data, batch_size, vae.check_data)
    parts = [terms(x, num_importance_samples, fold_in(seed, i)) for i, x in enumerate(batches)]
    estimate, effective = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    # Delta method: Var[log mean w] = Var[w] / (K E[w]^2) = 1/ESS - 1/K.
    variance = np.maximum(1.0 / effective - 1.0 / num_importance_samples, 0.0)
    return Record(
        name="log_marginal",
        unit="nats",
        per_example=estimate,
        monte_carlo_variance=np.full_like(variance, np.nan) if num_importance_samples == 1 else variance,
        diagnostics={
            "num_importance_samples": num_importance_samples,
            "effective_sample_size_median": float(np.median(effective)),
            "effective_sample_size_min": float(np.min(effective)),
        },
    )


def _terms(vae: VAE, x: Tensor, num_samples: Tensor, seed: Tensor) -> ImportanceEstimate:
    posterior, prior = vae.infer(x), vae.prior.distribution()
    return importance_estimate(x, posterior, prior, vae.generate, num_importance_samples=num_samples, seed=seed)
