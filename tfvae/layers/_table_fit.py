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
    means = np.stack([part.mean(axis=1) for part in parts], axis=1)  # [n, K]
    least = _LEAST_WIDTH * min_scale
    stddevs = np.maximum(np.stack([np.ptp(part, axis=1) for part in parts], axis=1) / 2, least)
    weights = np.full(means.shape, 1.0 / num_components)
    x = quantiles[:, :, np.newaxis]  # [n, Q, 1]
    for _ in range(_NUM_ITERATIONS):
        z = (x - means[:, np.newaxis]) / stddevs[:, np.newaxis]  # [n, Q, K]
        logs = np.log(weights / stddevs)[:, np.newaxis] - np.square(z) / 2
        shares = np.exp(logs - logs.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        totals = np.maximum(shares.sum(axis=1), 1e-9)  # [n, K]
        means = (shares * x).sum(axis=1) / totals
        spread = (shares * np.square(x - means[:, np.newaxis])).sum(axis=1) / totals
        stddevs = np.maximum(np.sqrt(spread), least)
        weights = np.maximum(totals / totals.sum(axis=-1, keepdims=True), _LEAST_WEIGHT)
    logits = np.log(weights / weights.sum(axis=-1, keepdims=True))
    return FittedMixture(*(each[places.reshape(-1)] for each in (logits, means, stddevs)))
