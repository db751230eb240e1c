"""The order of the examples in a pass, a function of the key of the pass."""

import dataclasses
from typing import Protocol

import numpy as np
import tensorflow as tf

from tfvae.data.requirements import checked_num_labelled
from tfvae.data.split_like import SplitLike
from tfvae.typing import Tensor


class Order(Protocol):
    """Order of the examples in a pass."""

    @property
    def num_rows(self) -> int:
        """The number of examples in a pass, in which one may occur more than once."""

    def __call__(self, key: Tensor) -> Tensor:
        """Returns the indices of the examples of a pass, int64 `[num_rows]`, for its key `[2]`."""


def order_of(split: SplitLike, batch_size: int, shuffle: bool, labels: bool, num_labelled: int | None) -> Order | None:
    """Returns the order of the passes of `batches` with these arguments. None is that of the split.

    Raises:
        ValueError: If the combination of arguments is invalid.
        DataError: If labels are missing.
    """
    if num_labelled is not None:
        known, unknown = checked_num_labelled(split, num_labelled, batch_size, shuffle, labels)
        return WithLabelled(known, unknown, batch_size, num_labelled)
    return Shuffled(len(split)) if shuffle else None


@dataclasses.dataclass(frozen=True)
class Shuffled:
    """Every example once, in an order that is uniform over all orders.

    Attributes:
        num_rows: The number of examples.
    """

    num_rows: int

    def __call__(self, key: Tensor) -> Tensor:
        return tf.random.experimental.stateless_shuffle(tf.range(self.num_rows, dtype=tf.int64), key)


@dataclasses.dataclass(frozen=True, eq=False)
class WithLabelled:
    """Batches that each have some labelled examples first. A pass has every unlabelled example once.

    Labelled examples are in random order, and again in another one when all of them were used.

    Attributes:
        labelled: The indices of the labelled examples.
        unlabelled: The indices of the others.
        batch_size: The number of examples in a batch.
        num_labelled: The number of labelled ones among them, at least 1 and less than `batch_size`.
    """

    labelled: np.ndarray
    unlabelled: np.ndarray
    batch_size: int
    num_labelled: int

    @property
    def num_batches(self) -> int:
        """The number of batches in a pass, the smaller last one included."""
        return -(-len(self.unlabelled) // (self.batch_size - self.num_labelled))

    @property
    def num_rows(self) -> int:
        return len(self.unlabelled) + self.num_batches * self.num_labelled

    def __call__(self, key: Tensor) -> Tensor:
        size = self.num_batches * (self.batch_size - self.num_labelled)
        others = tf.random.experimental.stateless_shuffle(tf.constant(self.unlabelled, tf.int64), key)
        others = tf.pad(others, [[0, size - len(self.unlabelled)]])
        wanted = self.num_batches * self.num_labelled
        known = [
            tf.random.experimental.stateless_shuffle(
                tf.constant(self.labelled, tf.int64), tf.random.experimental.stateless_fold_in(key, 1 + i)
            )
            for i in range(-(-wanted // len(self.labelled)))
        ]
        batches = tf.concat(
            [
                tf.reshape(tf.concat(known, axis=0)[:wanted], [self.num_batches, self.num_labelled]),
                tf.reshape(others, [self.num_batches, self.batch_size - self.num_labelled]),
            ],
            axis=1,
        )
        return tf.reshape(batches, [-1])[: self.num_rows]
