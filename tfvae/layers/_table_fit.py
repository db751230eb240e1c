"""Mixtures that fit the columns of a table, from their quantiles."""

from typing import NamedTuple

import numpy as np

_NUM_ITERATIONS = 30
# A component is at least this many times as wide as the narrowest that a model can learn.
_LEAST_WIDTH = 1.5
# The least weight of a component.
_LEAST_WEIGHT = 1e-3


class FittedMixture(NamedTuple):
    """Mixtures of K distributions of standardised values, `[n, K]` each: logits, means, and standard deviations."""

    logits: np.ndarray
    means: np.ndarray
    stddevs: np.ndarray


def fitted_mixture(quantiles: np.ndarray, num_components: int, min_scale: float) -> FittedMixture:
    """Fits mixtures of normal distributions by expectation maximisation (Dempster, Laird & Rubin 1977).

    It starts at equal parts of the sorted values. Its result does not depend on the number of rows, only on the shape
    of the distribution.

    Args:
        quantiles: Quantiles `[n, Q]` of standardised values at equal distances, sorted.
        num_components: K.
        min_scale: The smallest standard deviation that a model can learn.
    """
    # Before a layer has seen data, all of thousands of columns have the same quantiles.
    quantiles, places = np.unique(quantiles, axis=0, return_inverse=True)
    parts = np.array_split(quantiles, num_components, axis=1)
    means = np.stack([part.mean(axis=1) for part in parts])  # [K, n]; sums over a short last axis would be slow
    least = _LEAST_WIDTH * min_scale
    stddevs = np.maximum(np.stack([np.ptp(part, axis=1) for part in parts]) / 2, least)
    weights = np.full(means.shape, 1.0 / num_components)
    for _ in range(_NUM_ITERATIONS):
        z = (quantiles - means[..., np.newaxis]) / stddevs[..., np.newaxis]  # [K, n, Q]
        logs = np.log(weights / stddevs)[..., np.newaxis] - np.square(z) / 2
        shares = np.exp(logs - logs.max(axis=0))
        shares /= shares.sum(axis=0)
        totals = np.maximum(shares.sum(axis=-1), 1e-9)  # [K, n]
        means = np.einsum("knq,nq->kn", shares, quantiles) / totals
        deviations = quantiles - means[..., np.newaxis]
        spread = np.einsum("knq,knq,knq->kn", shares, deviations, deviations) / totals
        stddevs = np.maximum(np.sqrt(spread), least)
        weights = np.maximum(totals / totals.sum(axis=0), _LEAST_WEIGHT)
    logits = np.log(weights / weights.sum(axis=0))
    return FittedMixture(*(each.T[places.reshape(-1)] for each in (logits, means, stddevs)))
