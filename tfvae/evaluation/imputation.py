"""Imputation of missing values."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.estimators.draws import Draws
from tfvae.evaluation._batches import batches_of_examples
from tfvae.evaluation._compiled import compiled_for_shape
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.typing import Seed, Tensor


@dataclasses.dataclass(frozen=True)
class Imputation:
    """Result of `impute`.

    Attributes:
        mean: Data `[N, *event]` with the conditional mean E[x_i|x_obs] in the place of each missing value.
        samples: Multiple imputations `[S, N, *event]`: data with draws of the missing values given the observed ones.
        observed: Boolean array `[N, *event]`, False at imputed values.
        effective_sample_size: (sum w)^2 / sum w^2 of the importance weights of each example `[N]`, from 1 to K.
    """

    mean: np.ndarray
    samples: np.ndarray
    observed: np.ndarray
    effective_sample_size: np.ndarray


def impute(
    vae: VAE,
    data: Any,
    *,
    num_samples: int = 10,
    num_importance_samples: int = 1000,
    batch_size: int = 20,
    seed: Seed = 0,
) -> Imputation:
    """Imputes missing values by self-normalised importance sampling.

    With z_k ~ q(z|x_obs), k = 1..K, and weights w_k proportional to p(x_obs|z_k) p(z_k) / q(z_k|x_obs):

    * the conditional mean is E[x_i|x_obs] = sum_k w_k E[x_i|z_k];
    * a multiple imputation resamples z from the z_k with the probabilities w_k, and draws x_i ~ p(x_i|z).

    Observed values are returned unchanged.

    Args:
        vae: Model, created with `missing="nan"` or given a mask in `data`.
        data: An array `[N, *event]` with NaN at missing values, or a dictionary with the keys "x" and "observed" (and
            "condition" for a conditional model), or a data set of these.
        num_samples: Number of multiple imputations, S.
        num_importance_samples: Number of draws of z per example, K.
        batch_size: Number of examples per batch, for arrays. Memory grows with `batch_size * K`.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        `Imputation`.

    Raises:
        TypeError: If `data` is not an array, a split or a data set.
        ValueError: If a count is below 1, or the data do not fit the model.

    References:
        Mattei & Frellsen, MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets, 2019,
        arXiv 1812.02633, section 2.3.
    """
    counts = {
        "num_samples": whole_number(num_samples, "num_samples"),
        "num_importance_samples": whole_number(num_importance_samples, "num_importance_samples"),
    }
    function, seed = compiled_for_shape(vae, _impute, **counts), stateless_seed(seed)
    parts = []
    for i, x in enumerate(batches_of_examples(vae, data, batch_size)):
        batch = x if isinstance(x, Batch) else Batch(x)
        if batch.observed is None:
            batch = batch._replace(observed=tf.ones_like(batch.x, tf.bool))
        parts.append([part.numpy() for part in (*function(batch, fold_in(seed, i)), batch.observed)])
    mean, samples, effective, observed = zip(*parts, strict=True)
    return Imputation(
        np.concatenate(mean), np.concatenate(samples, axis=1), np.concatenate(observed), np.concatenate(effective)
    )


def _impute(
    vae: VAE, batch: Batch, seed: Tensor, *, num_samples: int, num_importance_samples: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns means `[B, *event]`, samples `[S, B, *event]` and effective sample sizes `[B]`."""
    problem = vae.problem(batch)
    seed_z, seed_k, seed_x = split_seed(seed, 3, "impute")
    z, log_posterior = problem.posterior.experimental_sample_and_log_prob([num_importance_samples], seed=seed_z)
    likelihood = problem.generate(z)  # batch shape [K, B]
    terms = Draws(likelihood.log_prob(batch.x), problem.prior.log_prob(z), log_posterior)
    weights = tf.nn.softmax(tf.cast(terms.log_weights(), tf.float64), axis=0)  # [K, B]
    mean = tf.einsum("kb,kb...->b...", tf.cast(weights, batch.x.dtype), likelihood.mean())
    chosen = tf.random.stateless_categorical(
        tf.math.log(tf.transpose(weights)), num_samples, seed=seed_k, dtype=tf.int32
    )  # [B, S]
    resampled = tf.nest.map_structure(lambda part: _swapped(tf.gather(_swapped(part), chosen, batch_dims=1)), z)
    samples = problem.generate(resampled).sample(seed=seed_x)
    effective = 1.0 / tf.reduce_sum(weights**2, axis=0)
    return tf.where(batch.observed, batch.x, mean), tf.where(batch.observed, batch.x, samples), effective


def _swapped(values: Tensor) -> Tensor:
    """Returns the tensor with its first two axes in the other order."""
    return tf.transpose(values, [1, 0, *range(2, values.shape.rank)])
