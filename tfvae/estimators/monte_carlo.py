"""Averages over any number of draws in constant memory, for evaluation and serving.

These functions take a `Problem`, like estimators, and the number of draws as a tensor. They loop in the graph.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from tfvae._mapping import map_in_turn
from tfvae._seeds import fold_in
from tfvae.estimators._kl_kind import closed_form
from tfvae.estimators.draws import Draws
from tfvae.estimators.elbo_terms import elbo_terms
from tfvae.estimators.moments import moments_over_draws
from tfvae.estimators.problem import Problem
from tfvae.layers._log_likelihood import log_likelihood
from tfvae.typing import Seed, Tensor

# Draws per example from one seed. Changing this number changes every estimate.
BLOCK_SIZE = 5000
# Draws decoded at a time: enough to keep the machine busy, few enough for its caches.
CHUNK_SIZE = 1000


class AveragedELBO(NamedTuple):
    """Result of `averaged_elbo`; each field is `[B]`, in nats.

    Attributes:
        bound: The mean of the draws' bounds.
        variance: The sampling variance of that mean, from the draws' spread; NaN for one draw.
        log_likelihood: The mean of log p(x|z).
        kl: KL(q(z|x) || p(z)), exact if known.
        log_likelihood_variance: The sampling variance of `log_likelihood`.
        kl_variance: The sampling variance of `kl`, zero if the KL is exact.
    """

    bound: Tensor
    variance: Tensor
    log_likelihood: Tensor
    kl: Tensor
    log_likelihood_variance: Tensor
    kl_variance: Tensor


class ImportanceEstimate(NamedTuple):
    """Result of `importance_estimate`, in float64.

    Attributes:
        log_marginal: log (1/K) sum_k w_k `[B]`, nats.
        effective_sample_size: (sum w)^2 / sum w^2 `[B]`, from 1 to K.
        largest: The largest log weights `[B, num_largest]`, descending.
    """

    log_marginal: Tensor
    effective_sample_size: Tensor
    largest: Tensor


def averaged_elbo(problem: Problem, *, num_samples: Tensor | int, seed: Seed) -> AveragedELBO:
    """Averages the ELBO over draws, one at a time: estimator B if the KL has a closed form, else estimator A.

    Args:
        problem: The batch; all of its latents are drawn.
        num_samples: An int or a scalar int32 tensor, at least 1.
        seed: An int or an int32 tensor `[2]`; draw s has the seed `fold_in(seed, s)`.

    Raises:
        ValueError: If latents of the problem were observed.
    """

    def of_draw(seed: Tensor) -> dict[str, Tensor]:
        terms = elbo_terms(problem, seed=seed)
        return {"bound": terms.log_likelihood - terms.kl, "log_likelihood": terms.log_likelihood, "kl": terms.kl}

    mean, variance = moments_over_draws(of_draw, tf.cast(num_samples, tf.int32), seed)
    is_exact = closed_form(problem, "auto") is not None
    return AveragedELBO(
        mean["bound"],
        variance["bound"],
        mean["log_likelihood"],
        mean["kl"],
        variance["log_likelihood"],
        tf.zeros_like(mean["kl"]) if is_exact else variance["kl"],
    )


def importance_estimate(
    x: Any,
    problem_of: Callable[[Any], Problem],
    *,
    num_importance_samples: Tensor | int,
    seed: Seed,
    first_index: Tensor | int = 0,
    chunk_size: Tensor | int = CHUNK_SIZE,
    num_largest: Tensor | int = 0,
) -> ImportanceEstimate:
    """Computes log (1/K) sum_k p(x, z_k) / q(z_k|x) with z_k ~ q(z|x), example by example.

    The draws of example i depend only on the seed and on `first_index + i`, so that batch size and chunk size change
    the results by no more than rounding. Two examples are computed at a time, one of each half of the batch, because
    the steps of one example leave cores idle. Their chunks of decoded draws, blocks of latents and K log weights are in
    memory at a time.

    Args:
        x: Data `[B, *event]`, or a nest of tensors with the same first axis, such as a `Batch`.
        problem_of: Takes one example, of batch size 1, and returns its problem, such as `vae.problem`.
        num_importance_samples: K, an int or a scalar int32 tensor, at least 1.
        seed: An int or an int32 tensor `[2]`; block b of `BLOCK_SIZE` draws of example i has the seed
            `fold_in(fold_in(seed, first_index + i), b)`.
        first_index: The index of the first example of x among all examples.
        chunk_size: Number of draws decoded at a time, at least 1; at most one block is decoded at a time.
        num_largest: Number of largest log weights to return, at most K.

    Raises:
        ValueError: If latents of the problem were observed.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, equation 8.
    """
    count, first, largest = (tf.cast(n, tf.int32) for n in (num_importance_samples, first_index, num_largest))
    log_k = tf.math.log(tf.cast(count, tf.float64))

    def of_example(i: Tensor) -> ImportanceEstimate:
        example = tf.nest.map_structure(lambda part: None if part is None else part[i][tf.newaxis], x)
        problem, chunk = problem_of(example), tf.cast(chunk_size, tf.int32)
        log_weights = _log_weights(problem, count=count, chunk_size=chunk, seed=fold_in(seed, first + i))  # [K]
        log_sum, log_squares = tf.reduce_logsumexp(log_weights), tf.reduce_logsumexp(2.0 * log_weights)
        top = tf.math.top_k(log_weights, largest).values
        return ImportanceEstimate(log_sum - log_k, tf.exp(2.0 * log_sum - log_squares), top)

    scalar, row = tf.TensorSpec([], tf.float64), tf.TensorSpec([tf.get_static_value(largest)], tf.float64)

    @tf.function(autograph=False)  # traced once for all ranges of examples
    def of_examples(indices: Tensor) -> ImportanceEstimate:
        signature = ImportanceEstimate(scalar, scalar, row)
        return map_in_turn(of_example, indices, signature)

    batch_size = tf.shape(tf.nest.flatten(x)[0])[0]
    middle = batch_size // 2

    def of_halves() -> ImportanceEstimate:
        halves = [of_examples(tf.range(middle)), of_examples(tf.range(middle, batch_size))]
        return ImportanceEstimate(*(tf.concat(columns, axis=0) for columns in zip(*halves, strict=True)))

    return tf.cond(middle > 0, of_halves, lambda: of_examples(tf.range(batch_size)))


def _log_weights(problem: Problem, *, count: Tensor, chunk_size: Tensor, seed: Tensor) -> Tensor:
    """Computes the log weights `[K]` of a problem of one example, in float64."""
    problem.require_unobserved()

    def add_block(block: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
        size = tf.minimum(BLOCK_SIZE, count - block * BLOCK_SIZE)  # the last block is shorter
        z, log_posterior = problem.posterior.experimental_sample_and_log_prob([size], seed=fold_in(seed, block))

        def add_chunk(start: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
            end = tf.minimum(start + chunk_size, size)
            part = tf.nest.map_structure(lambda leaf: leaf[start:end], z)  # [C, 1, ...]
            of_x = log_likelihood(problem.generate(part), problem.x)
            terms = Draws(of_x, problem.prior.log_prob(part), log_posterior[start:end])
            chunk = tf.cast(terms.log_weights()[:, 0], tf.float64)
            return end, tf.concat([log_weights, chunk], axis=0)

        _, log_weights = _loop(lambda start, _: start < size, add_chunk, log_weights)
        return block + 1, log_weights

    _, log_weights = _loop(lambda block, _: block * BLOCK_SIZE < count, add_block, tf.zeros([0], tf.float64))
    return log_weights


def _loop(condition: Callable[..., Tensor], body: Callable[..., Any], values: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a loop that starts at zero and appends to a vector; one iteration is in memory at a time."""
    invariants = (tf.TensorShape([]), tf.TensorShape([None]))
    start = (tf.constant(0), values)
    return tf.while_loop(condition, body, start, shape_invariants=invariants, parallel_iterations=1)
