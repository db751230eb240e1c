"""Baseline in the report of a run."""

from typing import Any

import numpy as np

from tfvae import evaluation
from tfvae.data.holes import with_nan
from tfvae.training.likelihoods import DENSITIES, SIZED
from tfvae.training.run_data import RunData


def measure_baseline(data: RunData) -> dict[str, Any] | None:
    """Measures the log-likelihood of the reported examples under independent distributions fitted to training data.

    For a training split on disk, the first examples are used.

    Args:
        data: The data of the run.

    Returns:
        The entry of the report. None for a likelihood without a baseline of its kind.
    """
    kind = data.config.model.likelihood_kind
    if kind == "table" and data.splits.schema is not None:
        train, test = _values(data)
        return evaluation.independent_columns_log_likelihood(train, test, data.splits.schema).to_dict()
    if kind == SIZED:
        return evaluation.sized_counts_log_likelihood(*_values(data)).to_dict()
    family = "bernoulli" if kind == "bernoulli" else "normal" if kind in DENSITIES else None
    if family is None:
        return None
    train, test = _values(data)
    return evaluation.independent_log_likelihood(train, test, family).to_dict()  # type: ignore[arg-type]


def _values(data: RunData) -> tuple[np.ndarray, np.ndarray]:
    """Returns the training examples and the reported ones, with NaN at missing values."""
    train, test = data.train(), data.evaluation
    return with_nan(train.x, train.observed), with_nan(test.x, test.observed)
