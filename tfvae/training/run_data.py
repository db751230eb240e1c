"""The data of a run: its splits as the likelihood models them, and the batches that it trains on."""

import dataclasses
import functools
import math
from typing import TypeVar

import tensorflow as tf

from tfvae.data import ShardedSplit, Split, Splits
from tfvae.data.batches import endless
from tfvae.data.split_like import SplitLike
from tfvae.training.config import RunConfig

# The most examples, and bytes of them, that are read into memory of a split on disk.
_MOST_IN_MEMORY = 10_000
_MOST_IN_MEMORY_BYTES = 2**28

SplitT = TypeVar("SplitT", bound=SplitLike)


@dataclasses.dataclass(frozen=True)
class RunData:
    """The data of a run, as the model takes them.

    Args:
        config: The resolved configuration.
        splits: The data as they were loaded.
    """

    config: RunConfig
    splits: Splits

    @property
    def steps_per_epoch(self) -> int:
        """The number of training steps in an epoch."""
        return math.ceil(len(self.splits.train) / self.config.training.batch_size)

    def batches(self, *, epochs_done: int = 0) -> tf.data.Dataset:
        """Makes an endless dataset of shuffled training batches, with fresh noise in every epoch.

        One endless iterator spares the time to start an iterator, which is much of a short epoch.

        Args:
            epochs_done: The number of epochs to skip, for a run that resumes.
        """
        config, split = self.config, self.splits.train
        batches = _binarized(config, split).batches(
            config.training.batch_size,
            shuffle=True,
            seed=config.training.seed,
            binarize="dynamic" if config.data.binarize == "dynamic" else None,
            dequantize=dequantizes(config, split),
        )
        for _ in range(epochs_done):
            iter(batches)  # every iterator is one pass: its order and noise follow from how many there were before
        return endless(batches)

    def train(self, n: int | None = None) -> Split:
        """Returns the first n training examples with one fixed draw of their noise; None is all that are in memory.

        They are drawn at each call, so that they take no memory while the model trains.
        """
        return evaluation_split(self.config, first_in_memory(self.splits.train, n))

    @functools.cached_property
    def validation(self) -> Split:
        """The examples that the validation curves show: the validation split, or the test split where there is none.

        Of a split on disk, the first examples. By their ELBO the best checkpoint is chosen, which is the model that is
        kept and reported where `training.select` is "best".
        """
        splits = self.splits
        return evaluation_split(self.config, first_in_memory(splits.validation or splits.test or splits.train))

    @functools.cached_property
    def stored_evaluation(self) -> Split:
        """The examples that the report measures, as stored: the test split, or the nearest to it there is.

        Of a split on disk, the first examples.
        """
        return first_in_memory(self.splits.test or self.splits.validation or self.splits.train)

    @functools.cached_property
    def evaluation(self) -> Split:
        """The examples that the report measures, with one fixed draw of their noise."""
        return evaluation_split(self.config, self.stored_evaluation)

    @property
    def num_levels(self) -> int | None:
        """The number of levels of dequantized data, else None."""
        return self.stored_evaluation.num_levels if dequantizes(self.config, self.stored_evaluation) else None


def evaluation_split(config: RunConfig, split: SplitT) -> SplitT:
    """Returns the split as the likelihood models it, with one fixed draw of the noise, whatever the run's seed.

    Binary for a Bernoulli likelihood, dequantized for a normal one, so that the log-probabilities are those of data.
    """
    if dequantizes(config, split):
        return split.dequantized(seed=0)
    return split.binarized(seed=0) if config.data.binarize == "dynamic" else _binarized(config, split)


def dequantizes(config: RunConfig, split: SplitLike) -> bool:
    """Whether a density is fitted to data with levels, which needs noise of the width of a level."""
    return config.model.likelihood == "normal" and split.num_levels is not None


def first_in_memory(split: Split | ShardedSplit, n: int | None = None) -> Split:
    """Returns the first n examples in memory, None for all; of a split on disk at most 10,000, fewer of large ones."""
    if isinstance(split, Split):
        return split if n is None else split.take(n)
    most = min(_MOST_IN_MEMORY, max(1, _MOST_IN_MEMORY_BYTES // (4 * split.header.num_values)))
    return split.take(most if n is None else min(n, most))


def _binarized(config: RunConfig, split: SplitT) -> SplitT:
    if config.data.binarize == "threshold":
        return split.thresholded()
    return split.binarized(seed=0) if config.data.binarize == "static" else split
