"""A dataset of batches that carries its arrays."""

from typing import Any

import tensorflow as tf

from tfvae.data.in_memory import InMemoryBatches


class Batches(tf.data.Dataset):
    """Batches of x from examples in memory, as a dataset that also gives access to its arrays.

    It is a `tf.data.Dataset` like any other. Transformations of it, such as `map` or `repeat`, return plain datasets
    without arrays; `endless` keeps them.

    Args:
        dataset: The batches.
        arrays: What they are made of.
    """

    def __init__(self, dataset: tf.data.Dataset, arrays: InMemoryBatches):
        self.arrays = arrays
        self._dataset = dataset
        super().__init__(tf.data.experimental.to_variant(dataset))

    @property
    def element_spec(self) -> Any:
        """The type of a batch."""
        return self._dataset.element_spec

    def _inputs(self) -> list[tf.data.Dataset]:
        return [self._dataset]


def endless(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Repeats a dataset without end; a `Batches` keeps its arrays."""
    repeated = dataset.repeat()
    return Batches(repeated, dataset.arrays) if isinstance(dataset, Batches) else repeated
