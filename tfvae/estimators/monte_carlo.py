"""Averages over any number of draws in constant memory: loops in the graph, for evaluation and for serving.

They are functions of distributions, like the estimators, with the number of draws as a tensor.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae._seeds import fold_in
from tfvae.estimators.draws import draw
from tfvae.estimators.elbo_terms import elbo_terms
from tfvae.typing import Distribution, Seed, Tensor

# Importance samples of an example decoded at a time: with 100 examples, enough to fill the machine and little memory.
CHUNK_SIZE = 50


class AveragedELBO(NamedTuple):
    """What `averaged_elbo` returns, each field `[B]`, in nats.

    Attributes:
        bound: the mean of the draws' bounds.
        variance: the sampling variance of that mean, from the draws' spread; NaN for one draw.
        log_likelihood: the mean of log p(x|z).
        kl: KL(q(z|x) || p(z)), exact where known.
    """

    bound: Tensor
    variance: Tensor
    log_likelihood: Tensor
    kl: Tensor


class ImportanceEstimate(NamedTuple):
    """What `importance_estimate` returns, each field `[B]`.

    Attributes:
        log_marginal: log (1/K) sum_k w_k, nats.
        effective_sample_size: (sum w)^2 / sum w^2, from 1 to K.
    """

    log_marginal: Tensor
    effective_sample_size: Tensor


def averaged_elbo(
    x: Tensor,
    posterior: Distribution,
    prior: Distribution,
    generate: Callable[[Any], Distribution],
    *,
    num_samples: Tensor | int,
    seed: Seed,
) -> AveragedELBO:
    """The ELBO averaged over draws, one at a time: estimator B where the KL is known, else A.

    Args:
        x: data `[B, *event]`.
        posterior: q(z|x), of batch shape `[B]`.
        prior: p(z), of batch shape `[]`.
        generate: takes z `[1, B, ...]` and returns p(x|z), of batch shape `[1, B]`.
        num_samples: an int or a scalar int32 tensor, at least 1.
        seed: an int or an int32 tensor `[2]`; draw s has the seed `fold_in(seed, s)`.

    Numerics:
        The variance is Welford's running one.
    """
    zeros = tf.zeros(tf.shape(x)[:1], posterior.dtype)
    count = tf.cast(num_samples, tf.int32)

    def add_draw(s: Tensor, mean: Tensor, squares: Tensor, log_likelihood: Tensor, kl: Tensor) -> tuple[Tensor, ...]:
        terms = elbo_terms(x, posterior, prior, generate, seed=fold_in(seed, s))
        bound = terms.log_likelihood - terms.kl
        n = tf.cast(s + 1, mean.dtype)
        deviation = bound - mean
        mean = mean + deviation / n
        squares = squares + deviation * (bound - mean)
        log_likelihood = log_likelihood + (terms.log_likelihood - log_likelihood) / n
        return s + 1, mean, squares, log_likelihood, kl + (terms.kl - kl) / n

    _, mean, squares, log_likelihood, kl = tf.while_loop(
        lambda s, *_: s < count,
        add_draw,
        (tf.constant(0), zeros, zeros, zeros, zeros),
        shape_invariants=(tf.TensorShape([]), *[tf.TensorShape([None])] * 4),
        parallel_iterations=1,
    )
    n = tf.cast(count, mean.dtype)
    return AveragedELBO(mean, squares / (n * (n - 1.0)), log_likelihood, kl)


def importance_estimate(
    x: Tensor,
    posterior: Distribution,
    prior: Distribution,
    generate: Callable[[Any], Distribution],
    *,
    num_importance_samples: Tensor | int,
    seed: Seed,
) -> ImportanceEstimate:
    """Log (1/K) sum_k p(x, z_k) / q(z_k|x) with z_k ~ q(z|x), at most `CHUNK_SIZE` draws in memory.

    Args:
        x: data `[B, *event]`.
        posterior: q(z|x), of batch shape `[B]`.
        prior: p(z), of batch shape `[]`.
        generate: takes z `[C, B, ...]` and returns p(x|z), of batch shape `[C, B]`.
        num_importance_samples: K, an int or a scalar int32 tensor, at least 1.
        seed: an int or an int32 tensor `[2]`; chunk c has the seed `fold_in(seed, c)`.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, equation 8.
    """
    log_zero = tf.fill(tf.shape(x)[:1], tf.constant(-np.inf, posterior.dtype))
    count = tf.cast(num_importance_samples, tf.int32)

    def add_chunk(chunk: Tensor, drawn: Tensor, log_sum: Tensor, log_squares: Tensor) -> tuple[Tensor, ...]:
        size = tf.minimum(CHUNK_SIZE, count - drawn)  # the last chunk is as short as it needs to be
        draws = draw(x, posterior, prior, generate, sample_shape=[size], seed=fold_in(seed, chunk))
        weights = draws.log_weights()  # [C, B]
        return chunk + 1, drawn + size, _log_add(log_sum, weights), _log_add(log_squares, 2.0 * weights)

    _, _, log_sum, log_squares = tf.while_loop(
        lambda chunk, drawn, *_: drawn < count,
        add_chunk,
        (tf.constant(0), tf.constant(0), log_zero, log_zero),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape([None])),
        parallel_iterations=1,  # more would hold as many chunks in memory at once
    )
    log_k = tf.math.log(tf.cast(count, log_sum.dtype))
    return ImportanceEstimate(log_sum - log_k, tf.exp(2.0 * log_sum - log_squares))


def _log_add(log_sum: Tensor, log_values: Tensor) -> Tensor:
    """The log of exp(log_sum) + sum exp(log_values), over the first axis of `log_values`."""
    return tf.reduce_logsumexp(tf.concat([log_sum[tf.newaxis], log_values], axis=0), axis=0)
