"""What the explore page shows of a model of a table, besides z: its columns, in their own terms."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae._seeds import stateless_seed
from tfvae.data import Split
from tfvae.data.examples import CONDITION, OBSERVED
from tfvae.data.holes import with_nan
from tfvae.evaluation import log_likelihood_by_column
from tfvae.models import VAE
from tfvae.serving.explore.nearest_rows import NearestRows
from tfvae.serving.explore.programs import Programs
from tfvae.serving.explore.shown_row import shown_row
from tfvae.serving.explore.terms import NUM_SAMPLES
from tfvae.tables import Column, Schema
from tfvae.typing import Tensor

# Draws of p(x|z) for the spread of a decoded row.
_NUM_DRAWS = 256
# Draws of z per example for the usual log-likelihoods of columns.
_NUM_SAMPLES_OF_EXAMPLE = 8
_LOW, _HIGH = 0.1, 0.9
_NUM_STEPS = 200  # of a slider for numbers whose decimals are unknown


class ExploredTable:
    """The columns of a model of a table.

    Args:
        vae: The model.
        schema: The columns.
        programs: Its compiled functions.
        examples: Examples, whose columns tell which log-likelihoods are usual.
        training: Training rows, among which the nearest one to a decoded row is searched.
        steer: Conditions of the examples of a conditional model, or None.
    """

    def __init__(
        self,
        vae: VAE,
        schema: Schema,
        programs: Programs,
        examples: Split,
        training: Split,
        steer: np.ndarray | None,
    ):
        self.schema, self.takes_missing = schema, examples.observed is not None
        self._vae, self._programs = vae, programs
        rows = with_nan(training.x, training.observed)
        self._nearest = NearestRows(rows, schema)
        self._columns = [_described(column, rows[:, place]) for place, column in enumerate(schema.used)]
        self._shown = shown_row(schema)
        self._spread = tf.function(self._spread_of, autograph=False)
        self._condition = None if programs.labels is not None else steer
        x = with_nan(examples.x, examples.observed)
        self._usual = np.sort(self._log_likelihoods(x, self._condition, _NUM_SAMPLES_OF_EXAMPLE), axis=0)
        self._num_usual = np.isfinite(self._usual).sum(axis=0)  # NaN comes last
        self.row(np.zeros([1, programs.latent_size], np.float32), None if steer is None else steer[:1])  # traced now

    def describe(self) -> list[dict[str, Any]]:
        """Describes the columns to the page, in types that JSON has."""
        return self._columns

    def row(self, z: np.ndarray, steer: np.ndarray | None) -> dict[str, Any]:
        """Returns the decoded row of z `[1, D]`, its spread, and the nearest training row.

        `low` and `high` are the quantiles 0.1 and 0.9 of p(x|z) for numbers, and `share` is the probability of the
        decoded category, all from 256 draws.
        """
        given = [z] if steer is None else [z, steer]
        shown, low, high, share = (part.numpy()[0] for part in self._spread(*map(tf.constant, given)))
        near = self._nearest.find(shown)
        return {
            "values": _listed(shown),
            "low": _listed(low),
            "high": _listed(high),
            "share": _listed(share),
            "nearest": _listed(near.values),
            "distance": near.distance,
            "differs": near.differs.tolist(),
        }

    def columns_of(self, x: np.ndarray, steer: np.ndarray | None, seed: int) -> dict[str, Any]:
        """Returns how probable and how usual the columns of a row `[D]` are, None at missing values.

        `log_likelihood` is E log p(x_j|z) over z ~ q(z|x), in nats. `rank` is the share of the examples whose value has
        at most this log-likelihood: a column of rank 0.01 is as unusual as the most unusual 1% of examples.
        """
        condition = None if self._programs.labels is not None else steer
        found = self._log_likelihoods(x[np.newaxis], condition, NUM_SAMPLES, seed)[0]
        below = [np.searchsorted(self._usual[:n, j], found[j], side="right") for j, n in enumerate(self._num_usual)]
        rank = np.where(np.isfinite(found), np.array(below) / np.maximum(self._num_usual, 1), np.nan)
        return {"log_likelihood": _listed(found), "rank": _listed(rank)}

    def _log_likelihoods(
        self, x: np.ndarray, condition: np.ndarray | None, num_samples: int, seed: int = 0
    ) -> np.ndarray:
        observed = ~np.isnan(x)
        given: dict[str, Any] = {"x": np.where(observed, x, np.float32(0)).astype(np.float32)}
        if self.takes_missing:
            given[OBSERVED] = observed
        if condition is not None:
            given[CONDITION] = condition
        data = tf.data.Dataset.from_tensor_slices(given).batch(100) if len(given) > 1 else given["x"]
        found = log_likelihood_by_column(
            self._vae, data, self.schema, num_samples=num_samples, seed=stateless_seed(seed)
        )
        return found.per_example

    def _spread_of(self, z: Tensor, steer: Tensor | None = None) -> tuple[Tensor, ...]:
        likelihood = self._programs.likelihood(z, steer)
        shown = tf.cast(self._shown(likelihood), tf.float32)
        draws = tf.sort(tf.cast(likelihood.sample(_NUM_DRAWS, seed=(0, 0)), tf.float32), axis=0)
        low, high = (draws[int(share * (_NUM_DRAWS - 1))] for share in (_LOW, _HIGH))
        return shown, low, high, tf.reduce_mean(tf.cast(draws == tf.round(shown), tf.float32), axis=0)


def _described(column: Column, values: np.ndarray) -> dict[str, Any]:
    """Describes a column and the range of its values."""
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (column.low or 0.0, column.high or 1.0)
    decimals = 0 if column.kind == "count" else column.decimals
    if decimals is not None:  # float32 numbers are a little off
        low, high = round(low, decimals), round(high, decimals)
    step = (high - low) / _NUM_STEPS if decimals is None else 10.0**-decimals
    return {
        "name": column.name,
        "kind": column.kind,
        "categories": list(column.categories),
        "low": low,
        "high": high,
        "decimals": decimals,
        "step": step or 1.0,
        "origin": column.origin,
    }


def _listed(values: np.ndarray) -> list[float | None]:
    """Returns numbers as JSON has them, with None for NaN."""
    return [float(value) if np.isfinite(value) else None for value in values]
