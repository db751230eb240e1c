"""The arrays behind batches, for callers that keep the examples on a device and gather batches by index."""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfvae.data.finishing import Finish, Stored
from tfvae.data.orders import Order
from tfvae.typing import Tensor


@dataclasses.dataclass(frozen=True)
class InMemoryBatches:
    """The arrays that a `Batches` is made of, and the order they are taken in.

    Attributes:
        examples: The examples as stored.
        batch_size: B.
        num_batches: The number of batches in a pass.
        fetch: Makes an element from `examples` and one batch of `next_pass`.
        order: The order of each pass. None keeps that of the examples.
        keys: The dataset of keys that the batches themselves iterate, one key at each iteration; None where nothing is
            random.
    """

    examples: Stored
    batch_size: int
    num_batches: int
    fetch: Finish
    order: Order | None
    keys: tf.data.Dataset | None

    @functools.cached_property
    def _keys_in_turn(self) -> Iterator[Tensor]:
        # One iterator for all passes, because an iterator takes longer to start than a small model to train on a batch.
        # Autotuning would let it draw keys ahead, which the dataset then lacks.
        options = tf.data.Options()
        options.autotune.enabled = False
        return iter(self.keys.repeat().with_options(options))  # type: ignore[union-attr]

    def next_pass(self) -> dict[str, np.ndarray]:
        """Returns the next pass as the dataset would make it: `rows` `[n]` in order, and a `key` for each batch."""
        num_rows = len(self.examples.raw) if self.order is None else self.order.num_rows
        rows = np.arange(min(num_rows, self.num_batches * self.batch_size), dtype="int32")
        if self.keys is None:
            return {"rows": rows, "key": np.zeros((self.num_batches, 2), "int64")}
        key = next(self._keys_in_turn)
        if self.order is not None:
            rows = self.order(key).numpy()[: len(rows)].astype("int32")
        return {"rows": rows, "key": _folded(key, tf.constant(self.num_batches)).numpy()}


@tf.function(autograph=False, reduce_retracing=True)
def _folded(key: Tensor, number: Tensor) -> Tensor:
    return tf.map_fn(
        lambda index: tf.random.experimental.stateless_fold_in(key, index), tf.range(number, dtype=tf.int64)
    )
