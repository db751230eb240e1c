"""Imputation of missing values."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, split_seed, stateless_seed
from tfvae.estimators.draws import Draws
from tfvae.estimators.monte_carlo import CHUNK_SIZE
from tfvae.evaluation._batches import batches_of_examples
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
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
        num_importance_samples: K.
    """

    mean: np.ndarray
    samples: np.ndarray
    observed: np.ndarray
    effective_sample_size: np.ndarray
    num_importance_samples: int

    def to_dict(self) -> dict[str, Any]:
        """Returns counts and diagnostics as JSON, without the values."""
        return {
            "num_examples": len(self.mean),
            "num_values": self.observed.size,
            "num_missing": int(self.observed.size - self.observed.sum()),
            "num_samples": len(self.samples),
            "num_importance_samples": self.num_importance_samples,
            "effective_sample_size_median": float(np.median(self.effective_sample_size)),
            "effective_sample_size_min": float(np.min(self.effective_sample_size)),
        }

    def __repr__(self) -> str:
        about = self.to_dict()
        return f"Imputation({about['num_missing']} of {about['num_values']} values of {about['num_examples']} examples)"


def impute(
    vae: VAE,
    data: Any,
    *,
    num_samples: int = 10,
    num_importance_samples: int = 1000,
    batch_size: int = 20,
    chunk_size: int = CHUNK_SIZE,
    seed: Seed = 0,
) -> Imputation:
    """Imputes missing values by self-normalised importance sampling.

    With z_k ~ q(z|x_obs), k = 1..K, and weights w_k proportional to p(x_obs|z_k) p(z_k) / q(z_k|x_obs):

    * the conditional mean is E[x_i|x_obs] = sum_k w_k E[x_i|z_k];
    * a multiple imputation resamples z from the z_k with the probabilities w_k, and draws x_i ~ p(x_i|z).

    Observed values are returned unchanged. The number of a category, in the rows of a table, has no mean: use the most
    frequent one of several imputations.

    Args:
        vae: Model, created with `missing="nan"` or given a mask in `data`.
        data: An array `[N, *event]` with NaN at missing values, or a dictionary with the keys "x" and "observed" (and
            "condition" for a conditional model), or a data set of these.
        num_samples: Number of multiple imputations, S. 0 computes the mean alone.
        num_importance_samples: Number of draws of z per example, K.
        batch_size: Number of examples per batch, for arrays and splits.
        chunk_size: Number of draws of one example that are decoded at a time. Affects the results only by rounding.
            `batch_size * chunk_size` examples are in memory at a time.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        `Imputation`.

    Raises:
        TypeError: If `data` is not an array, a split or a data set.
        ValueError: If a count is too small, the data do not fit the model, or weights are not finite.

    Numerics:
        Weights are computed as logarithms and summed in float64.

    References:
        Mattei & Frellsen, MIWAE: Deep Generative Modelling and Imputation of Incomplete Data Sets, 2019,
        arXiv 1812.02633, section 2.3.
    """
    k = whole_number(num_importance_samples, "num_importance_samples")
    numbers = whole_number(num_samples, "num_samples", at_least=0), k, whole_number(chunk_size, "chunk_size")
    function, seed = compiled(vae, _impute), stateless_seed(seed)
    parts: list[list[np.ndarray]] = []
    first = 0
    for i, x in enumerate(batches_of_examples(vae, data, batch_size)):
        batch = x if isinstance(x, Batch) else Batch(x)
        seen = tf.ones_like(batch.x, tf.bool) if batch.observed is None else batch.observed
        batch = batch._replace(observed=seen)
        mean, samples, effective = (part.numpy() for part in function(batch, numbers, fold_in(seed, i)))
        require_finite(vae, effective, first, "The effective sample size of the importance weights", batch)
        parts.append([mean, samples, seen.numpy(), effective])
        first += len(mean)
    mean, samples, observed, effective = zip(*parts, strict=True)
    return Imputation(
        np.concatenate(mean), np.concatenate(samples, axis=1), np.concatenate(observed), np.concatenate(effective), k
    )


def _impute(vae: VAE, batch: Batch, numbers: tuple[Tensor, ...], seed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns means `[B, *event]`, samples `[S, B, *event]` and effective sample sizes `[B]`."""
    num_samples, k, chunk_size = numbers
    problem = vae.problem(batch)
    seed_z, seed_k, seed_x = split_seed(seed, 3, "impute")
    z, log_posterior = problem.posterior.experimental_sample_and_log_prob([k], seed=seed_z)
    axes = [1] * (batch.x.shape.rank - 1)  # of an event

    def add_chunk(
        start: Tensor, log_weights: Tensor, highest: Tensor, total: Tensor, mean: Tensor
    ) -> tuple[Tensor, ...]:
        end = tf.minimum(start + chunk_size, k)
        part = tf.nest.map_structure(lambda leaf: leaf[start:end], z)  # [C, B, ...]
        likelihood = problem.generate(part)
        terms = Draws(likelihood.log_prob(batch.x), problem.prior.log_prob(part), log_posterior[start:end])
        chunk = tf.cast(terms.log_weights(), tf.float64)  # [C, B]
        raised = tf.maximum(highest, tf.reduce_max(chunk, axis=0))
        rescaled, weights = tf.exp(highest - raised), tf.exp(chunk - raised)
        of_chunk = tf.einsum("kb,kb...->b...", tf.cast(weights, batch.x.dtype), likelihood.mean())
        mean = mean * tf.reshape(rescaled, [-1, *axes]) + tf.cast(of_chunk, tf.float64)
        total = total * rescaled + tf.reduce_sum(weights, axis=0)
        return end, tf.concat([log_weights, chunk], axis=0), raised, total, mean

    zeros = tf.zeros_like(batch.x, tf.float64)
    each = tf.reduce_sum(zeros, axis=list(range(1, zeros.shape.rank)))  # [B]
    start = (tf.constant(0), each[tf.newaxis][:0], each - np.inf, each, zeros)
    shapes = tf.nest.map_structure(lambda value: value.shape, start)
    _, log_weights, _, total, mean = tf.while_loop(
        lambda start, *_: start < k,
        add_chunk,
        start,
        shape_invariants=(shapes[0], tf.TensorShape([None, shapes[1][1]]), *shapes[2:]),
        parallel_iterations=1,
    )
    mean = tf.cast(mean / tf.reshape(total, [-1, *axes]), batch.x.dtype)
    chosen = tf.random.stateless_categorical(tf.transpose(log_weights), num_samples, seed=seed_k, dtype=tf.int32)
    resampled = tf.nest.map_structure(lambda part: _swapped(tf.gather(_swapped(part), chosen, batch_dims=1)), z)
    samples = tf.cast(problem.generate(resampled).sample(seed=seed_x), batch.x.dtype)
    effective = 1.0 / tf.reduce_sum(tf.nn.softmax(log_weights, axis=0) ** 2, axis=0)
    return tf.where(batch.observed, batch.x, mean), tf.where(batch.observed, batch.x, samples), effective


def _swapped(values: Tensor) -> Tensor:
    """Returns the tensor with its first two axes in the other order."""
    return tf.transpose(values, [1, 0, *range(2, values.shape.rank)])
