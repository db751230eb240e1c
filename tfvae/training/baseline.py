"""The baseline of a run's report."""

from typing import Any

from tfvae import evaluation
from tfvae.training.run_data import RunData


def measure_baseline(data: RunData) -> dict[str, Any]:
    """The log-likelihood of the reported examples under independent distributions fitted to the training data.

    Of a training split on disk the first examples count.

    Args:
        data: The data of the run.

    Returns:
        The numbers as a report has them.
    """
    family = data.config.model.likelihood
    return evaluation.independent_log_likelihood(data.train().x, data.evaluation.x, family).to_dict()  # type: ignore[arg-type]
