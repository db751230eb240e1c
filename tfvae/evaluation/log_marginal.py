"""The marginal log-likelihood log p(x), by importance sampling."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._seeds import fold_in, stateless_seed
from tfvae.estimators import log_weights
from tfvae.evaluation._batches import batches_of_x
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.typing import Seed, Tensor

# Importance samples decoded at a time: with 100 examples, enough to fill the machine and little memory.
CHUNK_SIZE = 50


def log_marginal(
    vae: VAE,
    data: Any,
    *,
    num_importance_samples: int = 5000,
    batch_size: int = 100,
    seed: Seed = 0,
) -> Record:
    """Estimates log p(x) as log (1/K) sum_k p(x, z_k) / q(z_k|x), z_k ~ q(z|x), of each example, in nats.

    A lower bound on log p(x) in expectation, with a bias that falls like 1/K; memory does not grow with K.

    Args:
        vae: the model.
        data: an array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches hold x.
        num_importance_samples: K.
        batch_size: examples at a time, for arrays and splits.
        seed: an int or an int32 tensor `[2]`.

    Returns:
        A `Record`; its diagnostics hold K and the effective sample size (sum w)^2 / sum w^2 of the examples, median and
        least. Where the least is near 1, one weight decides and the estimate is too low.

    Raises:
        ValueError: for K below 1, no examples, or data unlike the model's.

    References:
        Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2015, arXiv 1509.00519, equation 8 and
        theorem 1.
    """
    if num_importance_samples < 1:
        raise ValueError(f"num_importance_samples is at least 1. Received: {num_importance_samples}.")
    terms, seed = compiled(vae, log_marginal_terms, min(CHUNK_SIZE, num_importance_samples)), stateless_seed(seed)
    batches = batches_of_x(data, batch_size, vae.check_data)
    parts = [terms(x, num_importance_samples, fold_in(seed, i)) for i, x in enumerate(batches)]
    estimate, effective = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    # Delta method: Var[log mean w] = Var[w] / (K E[w]^2) = 1/ESS - 1/K.
    variance = np.maximum(1.0 / effective - 1.0 / num_importance_samples, 0.0)
    return Record(
        name="log_marginal",
        unit="nats",
        per_example=estimate,
        monte_carlo_variance=np.full_like(variance, np.nan) if num_importance_samples == 1 else variance,
        diagnostics={
            "num_importance_samples": num_importance_samples,
            "effective_sample_size_median": float(np.median(effective)),
            "effective_sample_size_min": float(np.min(effective)),
        },
    )


def log_marginal_terms(
    vae: VAE, x: Tensor, num_importance_samples: Tensor | int, seed: Tensor, chunk_size: int = CHUNK_SIZE
) -> tuple[Tensor, Tensor]:
    """The estimate and its effective sample size, each `[B]`; `chunk_size` draws at a time, in the graph."""
    posterior, prior = vae.infer(x), vae.prior.distribution()
    none_yet = tf.fill(tf.shape(x)[:1], tf.constant(-np.inf, posterior.dtype))
    count = tf.cast(num_importance_samples, tf.int32)

    def step(first: Tensor, log_sum: Tensor, log_sum_of_squares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights = log_weights(
            x, posterior, prior, vae.generate, num_samples=chunk_size, seed=fold_in(seed, first)
        )  # [chunk, B]
        wanted = (first + tf.range(chunk_size) < count)[:, tf.newaxis]
        weights = tf.where(wanted, weights, tf.constant(-np.inf, weights.dtype))
        return first + chunk_size, _log_add(log_sum, weights), _log_add(log_sum_of_squares, 2.0 * weights)

    _, log_sum, log_sum_of_squares = tf.while_loop(
        lambda first, *_: first < count, step, (tf.constant(0), none_yet, none_yet)
    )
    return log_sum - tf.math.log(tf.cast(count, log_sum.dtype)), tf.exp(2.0 * log_sum - log_sum_of_squares)


def _log_add(log_sum: Tensor, log_values: Tensor) -> Tensor:
    """Log(exp(log_sum) + sum exp(log_values)) over the first axis of `log_values`."""
    return tf.reduce_logsumexp(tf.concat([log_sum[tf.newaxis], log_values], axis=0), axis=0)
