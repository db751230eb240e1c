"""The evidence lower bound of a data set."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._kl import has_exact_kl
from tfvae._seeds import fold_in, stateless_seed
from tfvae.estimators import SGVB
from tfvae.evaluation._batches import batches_of_x
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation.record import Record
from tfvae.models import VAE
from tfvae.typing import Seed, Tensor


def elbo(vae: VAE, data: Any, *, num_samples: int = 1, batch_size: int = 100, seed: Seed = 0) -> Record:
    """The ELBO E_q[log p(x|z)] - KL(q(z|x) || p(z)) of each example, in nats, whatever `beta` and estimator are.

    Args:
        vae: the model.
        data: an array `[N, *event]`, a `tfvae.data.Split`, or a data set whose batches hold x.
        num_samples: S, draws of z an example; from 2 on, the Monte Carlo error is known.
        batch_size: examples at a time, for arrays and splits.
        seed: an int or an int32 tensor `[2]`.

    Returns:
        A `Record`; its diagnostics hold the means `log_likelihood` and `kl`.

    Raises:
        ValueError: for `num_samples` below 1, no examples, or data unlike the model's.
    """
    if num_samples < 1:
        raise ValueError(f"num_samples is at least 1. Received: {num_samples}.")
    terms, seed = compiled(vae, elbo_terms), stateless_seed(seed)
    batches = batches_of_x(data, batch_size, vae.check_data)
    parts = [terms(x, num_samples, fold_in(seed, i)) for i, x in enumerate(batches)]
    bound, variance, log_likelihood, kl = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Record(
        name="elbo",
        unit="nats",
        per_example=bound,
        monte_carlo_variance=variance,
        diagnostics={
            "num_samples": num_samples,
            "log_likelihood": float(log_likelihood.mean(dtype=np.float64)),
            "kl": float(kl.mean(dtype=np.float64)),
        },
    )


def elbo_terms(vae: VAE, x: Tensor, num_samples: Tensor | int, seed: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Bound, its Monte Carlo variance, log-likelihood and KL, each `[B]`; one draw at a time, in the graph.

    The variance of the mean over draws comes from their spread (Welford's update); NaN for one draw.
    """
    posterior, prior = vae.infer(x), vae.prior.distribution()
    estimator = SGVB(kl="analytic" if has_exact_kl(posterior, prior) else "monte_carlo")
    zeros = tf.zeros(tf.shape(x)[:1], posterior.dtype)

    def step(i: Tensor, mean: Tensor, square: Tensor, log_likelihood: Tensor, divergence: Tensor) -> tuple[Tensor, ...]:
        estimate = estimator(x, posterior, prior, vae.generate, seed=fold_in(seed, i))
        count = tf.cast(i + 1, mean.dtype)
        delta = estimate.bound - mean
        mean = mean + delta / count
        square = square + delta * (estimate.bound - mean)
        log_likelihood = log_likelihood + (estimate.log_likelihood - log_likelihood) / count
        divergence = divergence + (estimate.kl - divergence) / count
        return i + 1, mean, square, log_likelihood, divergence

    count = tf.cast(num_samples, tf.int32)
    _, mean, square, log_likelihood, divergence = tf.while_loop(
        lambda i, *_: i < count, step, (tf.constant(0), zeros, zeros, zeros, zeros)
    )
    n = tf.cast(count, mean.dtype)
    return mean, square / (n * (n - 1)), log_likelihood, divergence
