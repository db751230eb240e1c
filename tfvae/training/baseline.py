"""The baseline of a run's report."""

from typing import Any

from tfvae import evaluation
from tfvae.data import Split, Splits
from tfvae.training.build import evaluation_split, held
from tfvae.training.config import RunConfig


def measure_baseline(config: RunConfig, splits: Splits, split: Split) -> dict[str, Any]:
    """The log-likelihood of `split` under independent distributions fitted to the training data, as a report holds it.

    Args:
        config: of the run.
        splits: its data, as they were loaded; of a training split on disk the first examples count.
        split: the examples to report, as the likelihood models them.
    """
    train = evaluation_split(config, held(splits.train))
    family = config.model.likelihood
    return evaluation.independent_log_likelihood(train.x, split.x, family).to_dict()  # type: ignore[arg-type]
