"""Reliability of importance sampling: the shape of the tail of the weights."""

import math

import numpy as np

# Fewer tail weights than this do not determine a tail.
_MIN_TAIL = 5
# A weak prior on the shape: a number of observations and their value.
_PRIOR_COUNT, _PRIOR_SHAPE = 10.0, 0.5
# Relative rounding error of a log weight in float32, a sum of many terms.
_ROUNDING = 32 * float(np.finfo(np.float32).eps)


def tail_size(num_importance_samples: int) -> int:
    """Returns M, the number of weights in the tail: min(K/5, 3 sqrt(K)), rounded up; 0 if that is too few.

    References:
        Vehtari et al., Pareto Smoothed Importance Sampling, 2015, arXiv 1507.02646, algorithm 1.
    """
    size = math.ceil(min(num_importance_samples / 5, 3 * math.sqrt(num_importance_samples)))
    return size if size >= _MIN_TAIL else 0


def pareto_k_threshold(num_importance_samples: int) -> float:
    """Returns the shape above which K draws are too few: min(1 - 1/log10(K), 0.7); 0 if K is 10 or less.

    References:
        Vehtari et al., Pareto Smoothed Importance Sampling, 2015, arXiv 1507.02646, section 3.2.4.
    """
    if num_importance_samples <= 10:
        return 0.0
    return min(1.0 - 1.0 / math.log10(num_importance_samples), 0.7)


def pareto_k(largest: np.ndarray) -> np.ndarray:
    """Fits a generalised Pareto distribution to the largest importance weights of each example; returns its shape k.

    The weights have finite moments of order below 1/k: k < 1/2 means a finite variance, k >= 1 not even a mean.

    Args:
        largest: The largest M + 1 log weights `[N, M + 1]`, descending; the last is where the tail begins.

    Returns:
        `[N]`; NaN for M below 5. If fewer than 5 weights exceed the last one, nothing is fitted: the shape is -inf if
        the tail is flat, as with the exact posterior or discrete latents, and inf if those few outweigh the rest.

    Numerics:
        Computed in float64, with weights relative to the largest. Weights that exceed the last by no more than the
        rounding error of float32 logarithms count as equal to it.

    References:
        Vehtari et al., Pareto Smoothed Importance Sampling, 2015, arXiv 1507.02646, appendix C.
    """
    largest = largest.astype(np.float64)
    if largest.shape[1] <= _MIN_TAIL:
        return np.full(len(largest), np.nan)
    weights = np.exp(largest - largest[:, :1])
    exceedances = (weights[:, :-1] - weights[:, -1:])[:, ::-1]  # [N, M], ascending
    rounding = _ROUNDING * np.maximum(np.abs(largest[:, :1]), 1.0)
    exceedances = np.where(exceedances > rounding * weights[:, -2::-1], exceedances, 0.0)
    num_tail = np.count_nonzero(exceedances, axis=1)
    too_few = num_tail < _MIN_TAIL
    shape = generalized_pareto_shape(np.where(too_few[:, np.newaxis], 1.0, exceedances))
    weak = (num_tail * shape + _PRIOR_COUNT * _PRIOR_SHAPE) / (num_tail + _PRIOR_COUNT)
    outweighed = exceedances.sum(axis=1) > exceedances.shape[1] * weights[:, -1]
    return np.where(too_few, np.where(outweighed, np.inf, -np.inf), weak)


def generalized_pareto_shape(x: np.ndarray) -> np.ndarray:
    """Estimates the shape of generalised Pareto distributions by an approximate posterior mean.

    For a given b = -shape/scale, the shape of maximum likelihood is the mean of log(1 - b x). The estimate uses the
    posterior mean of b on a grid, under the authors' data-dependent prior.

    Args:
        x: Draws `[N, M]`, ascending, the largest above zero; zeros are ignored.

    Returns:
        `[N]`.

    References:
        Zhang & Stephens, A New and Efficient Estimation Method for the Generalized Pareto Distribution, 2009,
        Technometrics 51(3).
    """
    num_zeros = np.sum(x <= 0.0, axis=1)
    n = x.shape[1] - num_zeros  # [N]
    quartile = x[np.arange(len(x)), num_zeros + np.maximum((n / 4 + 0.5).astype(int), 1) - 1]
    num_points = 30 + math.isqrt(x.shape[1])
    spread = (1.0 - np.sqrt(num_points / (np.arange(num_points) + 0.5))) / 3.0  # [G]
    b = 1.0 / x[:, -1:] + spread / quartile[:, np.newaxis]  # [N, G]
    shapes = np.stack([_best_shape(x, n, column) for column in b.T], axis=1)  # [N, G]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_likelihood = n[:, np.newaxis] * (np.log(-b / shapes) - shapes - 1.0)
    log_likelihood = np.where(np.isnan(log_likelihood), -np.inf, log_likelihood)  # b = 0 is left out
    weights = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    return _best_shape(x, n, np.sum(weights * b, axis=1) / np.sum(weights, axis=1))


def _best_shape(x: np.ndarray, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the shape of maximum likelihood of the n draws above zero in each row of `[N, M]`, given b `[N]`."""
    return np.sum(np.log1p(-b[:, np.newaxis] * x), axis=1) / n
