"""Statistics of rows of counts."""

from typing import NamedTuple

import numpy as np

NUM_QUANTILES = 101

_CHUNK = 1024


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

    With mean m = size * share and variance m + m^2 / r of each count, r is estimated by moments:
    sum of m^2 / sum of (x - m)^2 - m over the rows. A column without counts gets half a count.

    Args:
        x: Counts.
        log_total_counts: The smallest and the largest logarithm of r.
    """
    sizes = np.maximum(x.sum(axis=1, dtype=np.float64), 1.0)
    sums = x.sum(axis=0, dtype=np.float64)
    share = np.maximum(sums, 0.5) / np.maximum(sums, 0.5).sum()
    squares, excess = np.square(share) * np.square(sizes).sum(), np.zeros(x.shape[1])
    for start in range(0, len(x), _CHUNK):
        mean = sizes[start : start + _CHUNK, np.newaxis] * share
        excess += (np.square(x[start : start + _CHUNK] - mean) - mean).sum(axis=0)
    low, high = np.exp(log_total_counts)
    total_count = np.clip(squares / np.maximum(excess, squares / high), low, high)
    return CountStatistics(np.log(share), np.log(total_count), np.quantile(sizes, np.linspace(0, 1, NUM_QUANTILES)))
