"""Mean and standard deviation of the prior, in which the page counts."""

import numpy as np

from tfvae._seeds import stateless_seed
from tfvae.typing import Distribution

# Draws that estimate the moments where the family of the prior does not define them.
_NUM_DRAWS = 4096


def prior_moments(prior: Distribution) -> tuple[np.ndarray, np.ndarray]:
    """Returns the prior's mean and standard deviation `[D]`, or those of a normal with the same quantiles.

    Args:
        prior: p(z), or p(z|c) of batch shape `[N]`, whose moments are those of the mixture over the conditions.
    """
    try:
        mean, stddev = np.asarray(prior.mean(), np.float64), np.asarray(prior.stddev(), np.float64)
    except NotImplementedError:
        draws = _draws(prior)
        mean, stddev = draws.mean(axis=0), draws.std(axis=0)
    if mean.ndim > 1:
        stddev = np.sqrt(np.mean(stddev**2, axis=0) + mean.var(axis=0))
        mean = mean.mean(axis=0)
    if not (np.isfinite(mean).all() and np.isfinite(stddev).all()):
        # In a normal, these are one standard deviation below the mean, the mean, and one above it.
        low, mean, high = np.quantile(_draws(prior), [0.1587, 0.5, 0.8413], axis=0)
        stddev = (high - low) / 2
    return mean, np.maximum(stddev, 1e-6)


def _draws(prior: Distribution) -> np.ndarray:
    """Returns draws `[N, D]`, from all distributions of a batch."""
    draws = prior.sample(_NUM_DRAWS, seed=stateless_seed(0)).numpy().astype(np.float64)
    return draws.reshape(-1, draws.shape[-1])
