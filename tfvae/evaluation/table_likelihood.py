"""The log-likelihood of each column of a table."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._checks import whole_number
from tfvae._seeds import fold_in, stateless_seed
from tfvae.estimators.elbo_terms import elbo_terms
from tfvae.estimators.moments import moments_over_draws
from tfvae.evaluation._batches import batches_of_examples
from tfvae.evaluation._compiled import compiled
from tfvae.evaluation._finite import require_finite
from tfvae.models import VAE
from tfvae.models.batch import Batch
from tfvae.tables import Column, Schema
from tfvae.typing import Seed, Tensor


@dataclasses.dataclass(frozen=True)
class ColumnLogLikelihoods:
    """Result of `log_likelihood_by_column`, for D columns.

    Attributes:
        columns: The columns.
        per_example: E_q(z|x) log p(x_j|z) of each value `[N, D]`, in nats, NaN at missing values.
        independent: log p(x_j) under independent columns `[N, D]`, or None.
    """

    columns: tuple[Column, ...]
    per_example: np.ndarray
    independent: np.ndarray | None = None

    @property
    def num_observed(self) -> np.ndarray:
        """The number of rows in which each column is observed, `[D]`."""
        return np.asarray(np.isfinite(self.per_example).sum(axis=0))

    @property
    def mean(self) -> np.ndarray:
        """The mean of each column over the rows that have it, `[D]`; NaN if none has."""
        return _mean(self.per_example)

    def to_dict(self) -> dict[str, Any]:
        """Returns means and their standard errors over rows for `report.json`, by column; NaN becomes None."""
        parts = {"log_likelihood": self.per_example}
        if self.independent is not None:
            parts |= {"independent": self.independent, "gain": self.per_example - self.independent}
        found = {name: (_mean(part), _standard_error(part)) for name, part in parts.items()}
        return {
            column.name: {
                "num_observed": int(self.num_observed[place]),
                **{name: _finite(mean[place]) for name, (mean, _) in found.items()},
                **{f"{name}_standard_error": _finite(error[place]) for name, (_, error) in found.items()},
            }
            for place, column in enumerate(self.columns)
        }


def log_likelihood_by_column(
    vae: VAE,
    data: Any,
    schema: Schema,
    *,
    independent: np.ndarray | None = None,
    num_samples: int = 2,
    batch_size: int = 100,
    seed: Seed = 0,
) -> ColumnLogLikelihoods:
    """Estimates E_q(z|x)[log p(x_j|z)] of each column j, in nats.

    These are the terms of the log-likelihood in the ELBO. Of each row, sum_j E_q[log p(x_j|z)] - KL(q(z|x) || p(z)) is
    the ELBO, with the same draws as those of `evaluation.elbo` for the same arguments. Missing values have no term.

    The KL is a cost of all columns together, so a column alone can exceed that of independent columns by any amount:
    z may have its value. The gain over independent columns tells which columns are encoded in z. The sum of all gains
    minus the KL is the gain of the ELBO.

    Args:
        vae: A model of a table, with `tfvae.layers.TableLikelihood`.
        data: Rows `[N, D]`, a `tfvae.data.Split`, or a data set whose batches contain x.
        schema: The columns.
        independent: log p(x_j) of these rows under independent columns, `[N, D]`, from
            `independent_columns_log_likelihood`, to compare with.
        num_samples: Number of draws of z per row.
        batch_size: Number of rows per batch, for arrays and splits.
        seed: An int or an int32 tensor `[2]`.

    Returns:
        `ColumnLogLikelihoods`.

    Raises:
        ValueError: If a number is below 1, there are no rows, they do not fit the model, p(x|z) is not that of a table,
            or a value is not finite.
    """
    num_samples = whole_number(num_samples, "num_samples")
    function, seed = compiled(vae, _by_column), stateless_seed(seed)
    parts: list[np.ndarray] = []
    for i, x in enumerate(batches_of_examples(vae, data, batch_size)):
        each = function(x, num_samples, fold_in(seed, i)).numpy().astype(np.float64)
        require_finite(vae, each.sum(axis=1), sum(map(len, parts)), "The log-likelihood", x)
        observed = x.observed if isinstance(x, Batch) else None
        parts.append(each if observed is None else np.where(observed.numpy(), each, np.nan))
    found = np.concatenate(parts)
    if independent is not None and np.shape(independent) != found.shape:
        raise ValueError(
            f"`independent` must have a value for each value of the rows, of shape {found.shape}. Received: shape "
            f"{np.shape(independent)}"
        )
    if independent is not None:
        independent = np.where(np.isnan(found), np.nan, independent)
    return ColumnLogLikelihoods(schema.used, found, independent)


def _by_column(vae: VAE, x: Tensor | Batch, num_samples: Tensor, seed: Tensor) -> Tensor:
    """Returns E_q log p(x_j|z) `[B, D]`, zero at missing values."""
    batch = x if isinstance(x, Batch) else Batch(x)

    def generate(z: Any) -> Any:
        return _ByColumn(vae, z, batch)

    problem = vae.problem(batch)._replace(generate=generate)
    draws = moments_over_draws(lambda seed: elbo_terms(problem, seed=seed).log_likelihood, num_samples, seed)
    return draws.mean


class _ByColumn:
    """The likelihood of one draw of z `[1, B, ...]` with a log-probability for each column."""

    def __init__(self, vae: VAE, z: Any, batch: Batch):
        self._likelihood: Any = vae.generate(tf.nest.map_structure(lambda part: part[0], z), condition=batch.condition)
        if not hasattr(self._likelihood, "log_prob_by_column"):
            raise ValueError(
                "The log-likelihood of columns needs a model whose likelihood is a tfvae.layers.TableLikelihood. "
                f"Received: likelihood={self._likelihood!r}"
            )
        self._observed = batch.observed

    def log_prob(self, x: Tensor) -> Tensor:
        each = self._likelihood.log_prob_by_column(x)[tf.newaxis]
        return each if self._observed is None else tf.where(self._observed, each, tf.zeros_like(each))


def _mean(values: np.ndarray) -> np.ndarray:
    counts = np.isfinite(values).sum(axis=0)
    return np.asarray(np.where(counts, np.nansum(values, axis=0) / np.maximum(counts, 1), np.nan))


def _standard_error(values: np.ndarray) -> np.ndarray:
    counts = np.isfinite(values).sum(axis=0)
    squares = np.nansum(np.square(values - _mean(values)), axis=0)
    return np.asarray(
        np.where(counts > 1, np.sqrt(squares / np.maximum(counts - 1, 1) / np.maximum(counts, 1)), np.nan)
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
