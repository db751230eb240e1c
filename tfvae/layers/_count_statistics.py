"""Statistics of rows of counts."""

from typing import NamedTuple

import numpy as np
from scipy.special import digamma

NUM_QUANTILES = 101

# Dispersions are estimated from about this number of counts.
_MAX_COUNTS = 2**21
_NUM_STEPS = 16


class CountStatistics(NamedTuple):
    """What is known of the columns of counts, and of the sizes of rows.

    Attributes:
        log_share: Log of the share of all counts that a column has, `[D]`.
        log_total_count: Log of the inverse dispersion of each column, `[D]`.
        size_quantiles: Quantiles of the sizes of rows, at equal distances from 0 to 1.
    """

    log_share: np.ndarray
    log_total_count: np.ndarray
    size_quantiles: np.ndarray


def count_statistics(x: np.ndarray, log_total_counts: tuple[float, float]) -> CountStatistics:
    """Computes statistics of counts `[N, D]`.

    Each count has mean m = size * share, and variance m + m^2 / r. r has the largest likelihood of the counts of its
    column, in a part of the rows if there are many. A column without counts gets half a count.

    Args:
        x: Counts.
        log_total_counts: The smallest and the largest logarithm of r.
    """
    sizes = np.maximum(x.sum(axis=1, dtype=np.float64), 1.0)
    sums = x.sum(axis=0, dtype=np.float64)
    share = np.maximum(sums, 0.5) / np.maximum(sums, 0.5).sum()
    rows = np.linspace(0, len(x) - 1, min(len(x), max(100, _MAX_COUNTS // x.shape[1]))).astype(int)
    low, high = (np.full(x.shape[1], each) for each in log_total_counts)
    counts, mean = x[rows].astype(np.float64), sizes[rows, np.newaxis] * share
    for _ in range(_NUM_STEPS):
        middle = (low + high) / 2.0
        is_above = _slope(counts, mean, np.exp(middle)) > 0.0
        low, high = np.where(is_above, middle, low), np.where(is_above, high, middle)
    quantiles = np.quantile(sizes, np.linspace(0.0, 1.0, NUM_QUANTILES))
    return CountStatistics(np.log(share), (low + high) / 2.0, quantiles)


def _slope(x: np.ndarray, mean: np.ndarray, total_count: np.ndarray) -> np.ndarray:
    """Returns the derivative of the log-likelihood of negative binomial counts `[N, D]` with respect to r `[D]`."""
    r = total_count
    each = digamma(x + r) - digamma(r) + np.log(r / (r + mean)) + (mean - x) / (r + mean)
    return each.sum(axis=0)
