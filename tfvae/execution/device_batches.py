"""Batches of examples that stay on the device."""

from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor


class Examples(Protocol):
    """Examples that fit in memory, and their order."""

    @property
    def examples(self) -> Any:
        """Examples as stored: x `[N, *event]`, or a nest of tensors `[N, ...]`."""

    @property
    def batch_size(self) -> int:
        """Number of examples per batch B. The last batch of a pass may be smaller."""

    @property
    def num_batches(self) -> int:
        """Number of batches per pass."""

    @property
    def fetch(self) -> Any:
        """Function from `examples` and a batch, a dictionary, to x `[B, *event]`. Compiled programs depend on it."""

    def next_pass(self) -> dict[str, np.ndarray]:
        """Returns `rows`, the indices of the examples in order. Other entries have one value per batch."""


class ArrayExamples:
    """Array of examples. As in Keras, the order depends on TensorFlow's global seed (`keras.utils.set_random_seed`).

    Args:
        examples: Array `[N, *event]`.
        batch_size: Number of examples per batch B. The last batch of a pass may be smaller.
        shuffle: Whether to draw a new order for each pass.
    """

    def __init__(self, examples: Tensor, batch_size: int, shuffle: bool):
        self.examples = examples
        self.batch_size = batch_size
        self.num_batches = -(-len(examples) // batch_size)
        self.fetch = _gather
        self._shuffle = shuffle

    def next_pass(self) -> dict[str, np.ndarray]:
        order = np.arange(len(self.examples), dtype="int32")
        return {"rows": tf.random.shuffle(order).numpy() if self._shuffle else order}


class DeviceBatches:
    """Iterates over examples batch by batch. A step receives indices and gathers the examples on the device.

    Args:
        examples: Examples to iterate over.
    """

    def __init__(self, examples: Examples):
        self.examples = examples.examples
        self.num_batches = examples.num_batches
        self.fetch = examples.fetch
        self._examples = examples
        self._rest: dict[str, np.ndarray] = {"rows": np.zeros(0, "int32")}

    @property
    def is_checked(self) -> bool:
        """Whether all values were checked before the first step, which is the case for an array."""
        return isinstance(self._examples, ArrayExamples)

    @staticmethod
    def placeholder() -> tf.data.Dataset:
        """Returns an endless data set without content, over which Keras iterates instead of batches on the device."""
        options = tf.data.Options()
        options.autotune.enabled = False  # its thread can take seconds to end
        return tf.data.Dataset.range(1).batch(1).repeat().with_options(options)

    def take(self, num_steps: int, limit: int) -> tuple[dict[str, np.ndarray], int, dict[str, np.ndarray] | None]:
        """Returns the next batches, up to the end of a pass.

        Args:
            num_steps: Number of rows of a stack.
            limit: Maximum number of batches.

        Returns:
            A stack `[num_steps, B]`, the number of its rows that are batches, and the smaller last batch if it is next.
        """
        if not len(self._rest["rows"]):
            self._rest = self._examples.next_pass()
        size = self._examples.batch_size
        count = min(len(self._rest["rows"]) // size, num_steps, limit)
        taken, self._rest = self._cut(count, count * size)
        taken["rows"] = taken["rows"].reshape(count, size)
        stack = {name: np.pad(value, [(0, num_steps - count), (0, 0)]) for name, value in taken.items()}
        left = len(self._rest["rows"])
        if count == limit or not 0 < left < size:
            return stack, count, None
        remainder, self._rest = self._cut(1, left)
        return stack, count, {name: value if name == "rows" else value[0] for name, value in remainder.items()}

    def _cut(self, num_batches: int, num_rows: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        ends = {name: num_rows if name == "rows" else num_batches for name in self._rest}
        taken = {name: value[: ends[name]] for name, value in self._rest.items()}
        return taken, {name: value[ends[name] :] for name, value in self._rest.items()}


def _gather(examples: Tensor, batch: dict[str, Tensor]) -> Tensor:
    return tf.gather(examples, batch["rows"])
