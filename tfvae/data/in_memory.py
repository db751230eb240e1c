"""Batches of a split for those who keep its examples on a device: the same as its data set's, by index."""

import dataclasses
import weakref
from typing import Literal

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor


@dataclasses.dataclass(frozen=True)
class Finish:
    """Makes a batch from rows of the stored examples, in whatever program it is called.

    Attributes:
        num_levels: of the examples.
        draw: "bernoulli", "dequantize" or None, as in `tfvae.data.batches`.
    """

    num_levels: int | None
    draw: Literal["bernoulli", "dequantize"] | None

    def __call__(self, examples: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """X `[B, *event]` of `examples` `[N, *event]`, for `rows` `[B]` and a `key` `[2]`."""
        from tfvae.data.batches import finish

        return finish(tf.gather(examples, batch["rows"]), self.num_levels, self.draw, lambda: batch["key"])


@dataclasses.dataclass(frozen=True)
class InMemoryBatches:
    """What a data set of `Split.batches` is made of.

    Attributes:
        examples: as stored `[N, *event]`.
        batch_size: B.
        num_batches: of a pass.
        fetch: from examples and the element of a batch to x.
        shuffle: whether each pass has an order of its own.
        keys: a data set of one key that is another at each iteration, the one that the data set itself iterates; None
            where there is nothing random.
    """

    examples: Tensor
    batch_size: int
    num_batches: int
    fetch: Finish
    shuffle: bool
    keys: tf.data.Dataset | None

    def next_pass(self) -> dict[str, np.ndarray]:
        """The next pass as the data set would make it: `rows` in their order `[n]`, a `key` for each batch."""
        rows = np.arange(min(len(self.examples), self.num_batches * self.batch_size), dtype="int32")
        if self.keys is None:
            return {"rows": rows, "key": np.zeros((self.num_batches, 2), "int64")}
        key = next(iter(self.keys))
        if self.shuffle:
            order = tf.random.experimental.stateless_shuffle(tf.range(len(self.examples), dtype=tf.int64), key)
            rows = order.numpy()[: len(rows)].astype("int32")
        return {"rows": rows, "key": _folded(key, tf.constant(self.num_batches)).numpy()}


_known: "weakref.WeakKeyDictionary[tf.data.Dataset, InMemoryBatches]" = weakref.WeakKeyDictionary()


def remember(dataset: tf.data.Dataset, batches: InMemoryBatches) -> None:
    """Lets `in_memory` find what a data set is made of."""
    _known[dataset] = batches


def in_memory(dataset: tf.data.Dataset) -> InMemoryBatches | None:
    """What a data set of `Split.batches` is made of; None for any other, also if made from one, but by `endless`."""
    return _known.get(dataset)


def endless(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """A data set repeated without end, of which `in_memory` knows as much."""
    repeated = dataset.repeat()
    if (batches := in_memory(dataset)) is not None:
        remember(repeated, batches)
    return repeated


@tf.function(autograph=False, reduce_retracing=True)
def _folded(key: Tensor, number: Tensor) -> Tensor:
    return tf.map_fn(
        lambda index: tf.random.experimental.stateless_fold_in(key, index), tf.range(number, dtype=tf.int64)
    )
