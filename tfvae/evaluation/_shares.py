"""Shares of models whose latents are the log-odds of sticks."""

from typing import Any

import numpy as np

from tfvae.estimators.moments import moments_over_draws
from tfvae.evaluation._latents import by_batches, posterior_means, require_vector
from tfvae.layers.stick_breaking import shares_of
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.priors import StickBreaking
from tfvae.typing import Seed, Tensor


def has_shares(vae: VAE) -> bool:
    """Whether the latents of a model are the log-odds of sticks, with the prior `StickBreaking`."""
    return isinstance(vae.prior, StickBreaking)


def mean_shares(vae: VAE, data: Any, *, num_samples: int, batch_size: int, seed: Seed) -> np.ndarray:
    """Computes the means over `num_samples` draws of the shares of each example, `[N, K]`."""
    return by_batches(vae, data, _mean_shares, num_samples, batch_size, seed)


def features(vae: VAE, data: Any, *, num_samples: int, batch_size: int, seed: Seed) -> np.ndarray:
    """Computes what represents an example: the mean of its shares if the model has shares, otherwise E[z|x]."""
    computed = mean_shares if has_shares(vae) else posterior_means
    return computed(vae, data, num_samples=num_samples, batch_size=batch_size, seed=seed)


def require_shares(vae: VAE, purpose: str) -> None:
    """Raises ValueError if the latents of a model are no log-odds of sticks."""
    require_vector(vae, purpose)
    if not has_shares(vae):
        raise ValueError(
            f"{purpose} needs a model whose latents are sticks, with the prior tfvae.priors.StickBreaking. "
            f"Received: a model with the prior {type(vae.prior).__name__}"
        )


def _mean_shares(vae: VAE, x: Tensor | Batch, num_samples: Tensor, seed: Tensor) -> Tensor:
    posterior = vae.infer(x)
    return moments_over_draws(lambda seed: shares_of(posterior.sample(seed=seed)), num_samples, seed).mean
