"""What a transformer asks its model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._mapping import map_in_turn
from tfvae.estimators import importance_estimate
from tfvae.evaluation._batches import batches_of_examples
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
from tfvae.models import VAE
from tfvae.models.batch import Batch, rows_of
from tfvae.models.queries import block_seed
from tfvae.tables import Schema
from tfvae.typing import Tensor

# Rows per call of the model.
_BATCH_SIZE = 500
# Seed of the draws of z for log p(x).
_SEED = 0


def codes(vae: VAE, x: np.ndarray) -> np.ndarray:
    """Returns the means of q(z|x) `[N, latent_size]`, for rows `[N, D]` with NaN at missing values."""
    means = compiled(vae, _means)
    return np.concatenate(
        [means(batch, (), tf.constant([0, 0])).numpy() for batch in batches_of_examples(vae, x, _BATCH_SIZE)]
    )


def _means(vae: VAE, x: Tensor | Batch, numbers: tuple[()], seed: Tensor) -> Tensor:
    """Returns the means row by row, so that that of a row does not depend on the others by rounding."""
    del numbers, seed
    return _row_by_row(lambda row: vae.infer(row).mean(), x, vae.variable_dtype)


def log_marginals(vae: VAE, x: np.ndarray, num_importance_samples: int) -> np.ndarray:
    """Returns log p(x) of each row `[N]`, estimated with the same draws for each row."""
    estimate = compiled(vae, _log_marginals)
    parts: list[np.ndarray] = []
    first = 0
    for batch in batches_of_examples(vae, x, _BATCH_SIZE):
        parts.append(estimate(batch, (num_importance_samples,), tf.constant([0, _SEED])).numpy())
        require_finite(vae, parts[-1], first, x=batch)
        first += len(parts[-1])
    return np.concatenate(parts)


def _log_marginals(vae: VAE, x: Tensor | Batch, numbers: tuple[Tensor], seed: Tensor) -> Tensor:
    prior = vae.prior_of()

    def of_row(row: Tensor | Batch) -> Tensor:
        return importance_estimate(
            row, lambda example: vae.problem(example, prior=prior), num_importance_samples=numbers[0], seed=seed
        ).log_marginal

    return _row_by_row(of_row, x, tf.float64)


def _row_by_row(function: Callable[[Any], Tensor], x: Tensor | Batch, dtype: Any) -> Tensor:
    """Returns what a function from one row, of batch size 1, returns for each row."""
    num_rows = tf.shape(tf.nest.flatten(x)[0])[0]
    return map_in_turn(lambda i: function(rows_of(x, slice(i, i + 1)))[0], tf.range(num_rows), dtype)


def decoded(vae: VAE, z: np.ndarray, schema: Schema) -> np.ndarray:
    """Returns rows `[N, D]`: the means of p(x|z), and the most probable category, for latents `[N, latent_size]`."""
    has_mode = np.array([bool(column.categories) for column in schema.used])
    parts = []
    for start in range(0, len(z), _BATCH_SIZE):
        likelihood = vae.decode(z[start : start + _BATCH_SIZE])
        parts.append(np.where(has_mode, likelihood.mode(), likelihood.mean()))
    return np.concatenate(parts)


def samples(vae: VAE, num_samples: int, seed: int) -> np.ndarray:
    """Draws rows `[num_samples, D]`."""
    sizes = [min(_BATCH_SIZE, num_samples - start) for start in range(0, num_samples, _BATCH_SIZE)]
    return np.concatenate([vae.sample(size, seed=block_seed(seed, i)).numpy() for i, size in enumerate(sizes)])
