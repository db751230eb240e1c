"""Baseline in the report of a run."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfvae import evaluation
from tfvae.data.holes import with_nan
from tfvae.evaluation.baseline import above_baseline
from tfvae.evaluation.record import Record
from tfvae.training.likelihoods import DENSITIES, SIZED
from tfvae.training.run_data import RunData


def measure_baseline(data: RunData) -> Record | None:
    """Measures the log-likelihood of the reported examples under independent distributions fitted to training data.

    For a training split on disk, the first examples are used.

    Args:
        data: The data of the run.

    Returns:
        The log-likelihood of each example. None for a likelihood without a baseline of its kind.
    """
    kind = data.config.model.likelihood_kind
    if kind == "table" and data.splits.schema is not None:
        train, test = _values(data)
        return evaluation.independent_columns_log_likelihood(train, test, data.splits.schema)
    if kind == SIZED:
        return evaluation.sized_counts_log_likelihood(*_values(data))
    family = "bernoulli" if kind == "bernoulli" else "normal" if kind in DENSITIES else None
    if family is None:
        return None
    train, test = _values(data)
    return evaluation.independent_log_likelihood(train, test, family)  # type: ignore[arg-type]


def baseline_entries(baseline: Record | None, elbo: Record) -> Mapping[str, Any]:
    """Returns the entries of the report: the baseline, and how far the ELBO is above it."""
    if baseline is None:
        return {"baseline": None}
    return {"baseline": baseline.to_dict(), "above_baseline": above_baseline(elbo, baseline).to_dict()}


def _values(data: RunData) -> tuple[np.ndarray, np.ndarray]:
    """Returns the training examples and the reported ones, with NaN at missing values."""
    train, test = data.train(), data.evaluation
    return with_nan(train.x, train.observed), with_nan(test.x, test.observed)
