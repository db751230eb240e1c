"""Number of shares that a stick-breaking model uses."""

import dataclasses
from typing import Any

import numpy as np

from tfvae._checks import number, whole_number
from tfvae.evaluation._shares import mean_shares, require_shares
from tfvae.models import VAE
from tfvae.typing import Seed


@dataclasses.dataclass(frozen=True)
class EffectiveDimensions:
    """Result of `effective_dimensions`.

    Attributes:
        mean_shares: Mean of each share over examples and draws, `[K]`.
        perplexity: exp of the entropy of the mean shares: K for equal shares, 1 if one share has all mass.
        per_example: Mean over examples of exp of the entropy of the shares of one example, which is smaller if
            different examples use different shares.
        num_covering: The smallest number of shares whose means add up to `coverage`.
        coverage: Such as 0.99.
    """

    mean_shares: np.ndarray
    perplexity: float
    per_example: float
    num_covering: int
    coverage: float

    def to_dict(self) -> dict[str, Any]:
        """Returns the values as JSON."""
        return {**dataclasses.asdict(self), "mean_shares": [float(share) for share in self.mean_shares]}


def effective_dimensions(
    vae: VAE,
    data: Any,
    *,
    coverage: float = 0.99,
    num_samples: int = 10,
    batch_size: int = 500,
    seed: Seed = 0,
) -> EffectiveDimensions:
    """Measures how many of the K shares of a stick-breaking model are in use.

    Args:
        vae: The model, with the prior `tfvae.priors.StickBreaking`.
        data: An array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches contain x.
        coverage: The mass that `num_covering` shares have.
        num_samples: Number of draws of the sticks for each example.
        batch_size: Number of examples per batch, for arrays and splits.
        seed: An int or an int32 tensor `[2]`.

    Raises:
        TypeError: If `data` is not an array, a split or a data set.
        ValueError: If the model has no shares, or an argument is out of range.
    """
    require_shares(vae, "effective_dimensions")
    coverage = number(coverage, "coverage", above=0, below=1)
    num_samples = whole_number(num_samples, "num_samples")
    shares = mean_shares(vae, data, num_samples=num_samples, batch_size=batch_size, seed=seed).astype(np.float64)
    mean = shares.mean(axis=0)
    cumulated = np.cumsum(np.sort(mean)[::-1])
    return EffectiveDimensions(
        mean_shares=mean,
        perplexity=float(_perplexity(mean)),
        per_example=float(_perplexity(shares).mean()),
        num_covering=int(np.searchsorted(cumulated, coverage * cumulated[-1]) + 1),
        coverage=coverage,
    )


def _perplexity(shares: np.ndarray) -> np.ndarray:
    """Computes exp(-sum_k p_k log p_k) `[...]` of shares `[..., K]`."""
    log_shares = np.log(np.maximum(shares, np.finfo(np.float64).tiny))
    return np.exp(-np.sum(shares * log_shares, axis=-1))
