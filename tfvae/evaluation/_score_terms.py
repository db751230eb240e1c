"""Estimates of the terms of log p(x) by importance sampling, for many examples at a time."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.estimators.draws import Draws
from tfvae.evaluation._batches import batches_of_examples
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite_weights
from tfvae.evaluation._pareto import pareto_k, tail_size
from tfvae.layers._observed import log_prob_by_value
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.typing import Seed, Tensor

# A log weight in the place of those that are -inf or NaN.
_LOWEST = -1e300


@dataclasses.dataclass(frozen=True)
class Terms:
    """Terms of log p(x): `log_marginal` `[N]` and `by_value` = -E[log p(x_i|z) | x] `[N, *event]`."""

    log_marginal: np.ndarray
    by_value: np.ndarray
    observed: np.ndarray
    effective_sample_size: np.ndarray
    pareto_k: np.ndarray

    def of_latents(self) -> np.ndarray:
        """Returns KL(p(z|x) || p(z)) `[N]`, zero if log p(x) is -inf."""
        axes = tuple(range(1, self.by_value.ndim))
        by_values = self.by_value.sum(axis=axes, dtype=np.float64)
        is_known = np.isfinite(self.log_marginal) & np.isfinite(by_values)
        return -np.add(self.log_marginal, by_values, out=np.zeros(len(by_values)), where=is_known)


def terms_of(vae: VAE, data: Any, num_importance_samples: int, batch_size: int, chunk_size: int, seed: Seed) -> Terms:
    """Estimates the terms of log p(x) of all examples. See `score`."""
    k = whole_number(num_importance_samples, "num_importance_samples")
    numbers = k, whole_number(chunk_size, "chunk_size"), tail_size(k) + 1
    function, seed = compiled(vae, _estimate), stateless_seed(seed)
    parts: list[tuple[np.ndarray, ...]] = []
    for i, x in enumerate(batches_of_examples(vae, data, batch_size)):
        batch = x if isinstance(x, Batch) else Batch(x)
        log_marginal, effective, largest, by_value = (
            part.numpy() for part in function(batch, numbers, fold_in(seed, i))
        )
        if not np.isfinite(log_marginal).all():
            require_finite_weights(vae, "log p(x) is not finite.")
        observed = np.ones(by_value.shape, bool)
        if batch.observed is not None and by_value.shape == batch.observed.shape:
            observed = batch.observed.numpy()
        parts.append((log_marginal, by_value, observed, effective, pareto_k(largest)))
    return Terms(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _estimate(vae: VAE, batch: Batch, numbers: tuple[Tensor, ...], seed: Tensor) -> tuple[Tensor, ...]:
    """Returns log p(x) `[B]`, effective sample sizes `[B]`, largest log weights and -E[log p(x_i|z)|x]."""
    k, chunk_size, num_largest = numbers
    problem = vae.problem(batch)
    (seed_z,) = split_seed(seed, 1, "score")
    z, log_posterior = problem.posterior.experimental_sample_and_log_prob([k], seed=seed_z)
    rank = batch.x.shape.rank - 1  # of an event
    zero, lowest, impossible = (tf.constant(value, tf.float64) for value in (0.0, _LOWEST, -np.inf))

    def add_chunk(start: Tensor, log_weights: Tensor, highest: Tensor, total: Tensor, sums: Tensor) -> Any:
        end = tf.minimum(start + chunk_size, k)
        part = tf.nest.map_structure(lambda leaf: leaf[start:end], z)  # [C, B, ...]
        each = log_prob_by_value(problem.generate(part), batch.x)  # [C, B, *event]
        log_likelihood = tf.reduce_sum(each, axis=list(range(-rank, 0)))
        terms = Draws(log_likelihood, problem.prior.log_prob(part), log_posterior[start:end])
        chunk = tf.cast(terms.log_weights(), tf.float64)  # [C, B]
        chunk = tf.where(tf.math.is_finite(chunk), chunk, lowest)
        raised = tf.maximum(highest, tf.reduce_max(chunk, axis=0))
        rescaled, weights = tf.exp(highest - raised), tf.exp(chunk - raised)
        weights_of_each = tf.reshape(weights, tf.concat([tf.shape(weights), [1] * rank], axis=0))
        each = tf.cast(each, tf.float64)
        of_chunk = tf.reduce_sum(tf.where(weights_of_each > 0, weights_of_each * each, zero), axis=0)
        rescaled_each = tf.reshape(rescaled, tf.concat([tf.shape(rescaled), [1] * rank], axis=0))
        sums = tf.where(rescaled_each > 0, rescaled_each * sums, zero)
        total = total * rescaled + tf.reduce_sum(weights, axis=0)
        return end, tf.concat([log_weights, chunk], axis=0), raised, total, sums + of_chunk

    zeros = tf.zeros(tf.shape(batch.x)[:1], tf.float64)
    shape_of_each = log_prob_by_value(problem.generate(tf.nest.map_structure(lambda leaf: leaf[:1], z)), batch.x)
    sums = tf.zeros_like(shape_of_each[0], tf.float64)
    start = (tf.constant(0), zeros[tf.newaxis][:0], zeros + lowest, zeros, sums)
    shapes = tf.nest.map_structure(lambda value: value.shape, start)
    _, log_weights, _, total, sums = tf.while_loop(
        lambda start, *_: start < k,
        add_chunk,
        start,
        shape_invariants=(shapes[0], tf.TensorShape([None, shapes[1][1]]), *shapes[2:]),
        parallel_iterations=1,
    )
    log_weights = tf.transpose(log_weights)  # [B, K]
    log_sum = tf.reduce_logsumexp(log_weights, axis=1)
    is_impossible = tf.reduce_max(log_weights, axis=1) <= lowest
    log_marginal = tf.where(is_impossible, impossible, log_sum - tf.math.log(tf.cast(k, tf.float64)))
    effective = 1.0 / tf.reduce_sum(tf.nn.softmax(log_weights, axis=1) ** 2, axis=1)
    largest = tf.math.top_k(log_weights, tf.minimum(num_largest, k)).values
    by_value = -sums / tf.reshape(total, tf.concat([tf.shape(total), [1] * rank], axis=0))
    return log_marginal, effective, largest, tf.cast(by_value, batch.x.dtype)
