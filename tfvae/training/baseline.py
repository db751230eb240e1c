"""Baseline in the report of a run."""

from typing import Any

from tfvae import evaluation
from tfvae.training.run_data import RunData


def measure_baseline(data: RunData) -> dict[str, Any]:
    """Measures the log-likelihood of the reported examples under independent distributions fitted to training data.

    For a training split on disk, the first examples are used.

    Args:
        data: The data of the run.

    Returns:
        The entry of the report.
    """
    family = data.config.model.likelihood
    return evaluation.independent_log_likelihood(data.train().x, data.evaluation.x, family).to_dict()  # type: ignore[arg-type]
