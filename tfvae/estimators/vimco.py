"""The importance-weighted bound for latents that have no reparameterisation."""

import dataclasses
import math

import tensorflow as tf

from tfvae._seeds import split_seed
from tfvae._serialization import register
from tfvae.estimators._configured import Configured
from tfvae.estimators.draws import draw, log_mean_exp, mean_over_draws, reported_kl
from tfvae.estimators.estimate import Estimate
from tfvae.estimators.problem import Problem
from tfvae.typing import Seed, Tensor


@register
@dataclasses.dataclass(frozen=True, repr=False)
class VIMCO(Configured):
    """The importance-weighted bound with a score-function gradient whose baseline comes from the other draws.

    For discrete latents, or any posterior with a density: with L = log (1/K) sum_k w_k, d/dphi = E[sum_k (L - L_{-k}) d
    log q(z_k|x) + sum_k v_k d log w_k], v_k = w_k / sum_j w_j, where L_{-k} replaces w_k by the geometric mean of the
    other weights. The baseline is free and needs no network.

    Args:
        num_importance_samples: K, number of draws of z, at least 2.
        chunk_size: Number of draws per example that are decoded at a time; see `ImportanceWeighted`.

    Raises:
        ValueError: If `num_importance_samples` is below two or `chunk_size` is below one.

    References:
        Mnih & Rezende, Variational Inference for Monte Carlo Objectives, 2016, arXiv 1602.06725, equations 8 to 11.
    """

    num_importance_samples: int = 5
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        self._check_counts("num_importance_samples", at_least=2)
        self._check_chunk_size()

    def __call__(self, problem: Problem, *, beta: Tensor | float = 1.0, seed: Seed = None) -> Estimate:
        """See `Estimator`."""
        (seed_z,) = split_seed(seed, 1, "vimco")
        shape = [self.num_importance_samples]
        draws = draw(problem, sample_shape=shape, seed=seed_z, fixed=True, chunk_size=self.chunk_size)  # [K, B]
        weighted = draws.log_weights(beta)
        bound = log_mean_exp(weighted)  # [B]
        signal = tf.stop_gradient(bound - self._without_each(weighted))  # [K, B]
        return Estimate(
            surrogate_loss=-(bound + tf.reduce_sum(signal * draws.log_posterior, axis=0)),
            bound=log_mean_exp(draws.log_weights()),
            log_likelihood=mean_over_draws(draws.log_likelihood),
            **reported_kl(problem, draws),
        )

    def _without_each(self, log_weights: Tensor) -> Tensor:
        """Computes L_{-k} `[K, B]`, the bound with the k-th weight replaced by the geometric mean of the others.

        It is zero where all other weights are zero: a baseline may be any number that does not depend on z_k.
        """
        k = self.num_importance_samples
        is_possible = log_weights > -math.inf
        known = tf.where(is_possible, log_weights, tf.zeros_like(log_weights))
        num_impossible = tf.reduce_sum(tf.cast(~is_possible, tf.int32), axis=0)  # [B]
        are_others_possible = num_impossible - tf.cast(~is_possible, tf.int32) == 0  # [K, B]
        means = (tf.reduce_sum(known, axis=0) - known) / (k - 1)
        means = tf.where(are_others_possible, means, tf.constant(-math.inf, means.dtype))
        without = tf.reduce_logsumexp(tf.stack([_log_sum_of_others(log_weights), means]), axis=0) - math.log(k)
        return tf.where(without > -math.inf, without, tf.zeros_like(without))


def _log_sum_of_others(log_weights: Tensor) -> Tensor:
    """Computes log sum_{j != k} w_j `[K, B]`, to full precision and in memory that grows like K, not K^2.

    The sum without the largest weight is recomputed; every other weight is at most half of the sum.
    """
    k, nothing = tf.shape(log_weights)[0], tf.constant(-math.inf, log_weights.dtype)
    is_largest = tf.one_hot(tf.argmax(log_weights, axis=0), k, True, False, axis=0, dtype=tf.bool)
    log_sum = tf.reduce_logsumexp(log_weights, axis=0)  # [B]
    shares = tf.where(log_weights > nothing, tf.exp(log_weights - log_sum), tf.zeros_like(log_weights))
    rest = tf.reduce_logsumexp(tf.where(is_largest, nothing, log_weights), axis=0)
    return tf.where(is_largest, rest, log_sum + tf.math.log1p(-tf.minimum(shares, 0.5)))
