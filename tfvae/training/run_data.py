"""Data of a run: its splits after preprocessing, and its training batches."""

import dataclasses
import functools

import tensorflow as tf

from tfvae.data import Split, Splits
from tfvae.data.any_split import AnySplit
from tfvae.data.batches import endless
from tfvae.training.choices import drops_remainder, num_labelled, num_steps
from tfvae.training.config import RunConfig
from tfvae.training.evaluation_split import binarized, dequantizes, evaluation_split, first_in_memory


@dataclasses.dataclass(frozen=True)
class RunData:
    """Data of a run, preprocessed for the model.

    Args:
        config: The resolved configuration.
        splits: The data as loaded.
    """

    config: RunConfig
    splits: Splits

    @property
    def steps_per_epoch(self) -> int:
        """The number of training steps in an epoch."""
        return num_steps(self.config, self.splits.train)

    @property
    def has_labels(self) -> bool:
        """Whether the model learns from labels."""
        return self.config.model.kind == "m2"

    def batches(self, *, epochs_done: int = 0) -> tf.data.Dataset:
        """Creates an endless dataset of shuffled training batches, with new noise in every epoch.

        An endless iterator avoids the start of an iterator in every epoch, which takes much of a short epoch.

        Args:
            epochs_done: The number of epochs to skip, for a run that resumes.
        """
        config, split = self.config, self.splits.train
        batches = binarized(config, split).batches(
            config.training.batch_size,
            shuffle=True,
            seed=config.training.seed,
            binarize="dynamic" if config.data.binarize == "dynamic" else None,
            dequantize=dequantizes(config, split),
            labels=self.has_labels,
            num_labelled=num_labelled(config, self.splits.train),
            drop_remainder=drops_remainder(config, self.splits.train),
        )
        for _ in range(epochs_done):
            iter(batches)  # order and noise of a pass depend on the number of previous iterators
        return endless(batches)

    def train(self, n: int | None = None) -> Split:
        """Returns the first n training examples with a fixed draw of their noise. None is all that fit in memory.

        The noise is drawn in each call, so that it takes no memory while the model trains.
        """
        return evaluation_split(self.config, first_in_memory(self.splits.train, n))

    @functools.cached_property
    def validation(self) -> Split:
        """The examples for the validation curves: the validation split, or else the test split.

        For a split on disk, the first examples. Their ELBO selects the best checkpoint, which is the final model if
        `training.select` is "best".
        """
        return evaluation_split(self.config, first_in_memory(self._validation))

    @property
    def validation_name(self) -> str:
        """The name of the split with the examples for the validation curves."""
        return self._validation.name

    @property
    def _validation(self) -> AnySplit:
        return self.splits.validation or self.splits.test or self.splits.train

    @functools.cached_property
    def stored_evaluation(self) -> Split:
        """The examples of the report as stored: the test split, or else the validation or training split.

        For a split on disk, the first examples.
        """
        return first_in_memory(self.splits.test or self.splits.validation or self.splits.train)

    @functools.cached_property
    def evaluation(self) -> Split:
        """The examples of the report, with a fixed draw of their noise."""
        return evaluation_split(self.config, self.stored_evaluation)

    @property
    def num_levels(self) -> int | None:
        """The number of levels of dequantized data. None for other data."""
        return self.stored_evaluation.num_levels if dequantizes(self.config, self.stored_evaluation) else None
