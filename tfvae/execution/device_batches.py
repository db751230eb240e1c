"""Batches of examples that stay on the device."""

from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor


class Examples(Protocol):
    """Examples that fit in memory, and the order they are taken in."""

    @property
    def examples(self) -> Tensor:
        """As stored `[N, *event]`."""

    @property
    def batch_size(self) -> int:
        """B; the last batch of a pass may be smaller."""

    @property
    def num_batches(self) -> int:
        """Of a pass."""

    @property
    def fetch(self) -> Any:
        """From `examples` and a batch, a dictionary, to x `[B, *event]`; compared to tell programs apart."""

    def next_pass(self) -> dict[str, np.ndarray]:
        """`rows`, the indices of the examples in their order; other entries have a value for each batch."""


class ArrayExamples:
    """An array; every pass has its own order, of TensorFlow's global seed (`keras.utils.set_random_seed`) as in Keras.

    Args:
        examples: `[N, *event]`.
        batch_size: B; the last batch of a pass may be smaller.
        shuffle: whether the order is drawn anew for each pass.
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
    """Walks through the passes over examples, batch by batch: what a step gets are indices, and it fetches the rows.

    Args:
        examples: what to walk through.
    """

    def __init__(self, examples: Examples):
        self.examples = examples.examples
        self.num_batches = examples.num_batches
        self.fetch = examples.fetch
        self._examples = examples
        self._rest: dict[str, np.ndarray] = {"rows": np.zeros(0, "int32")}

    @property
    def is_checked(self) -> bool:
        """Whether all values were looked at before the first step, as those of an array are."""
        return isinstance(self._examples, ArrayExamples)

    @staticmethod
    def stand_in() -> tf.data.Dataset:
        """What Keras may iterate over meanwhile: an endless data set of nothing."""
        return tf.data.Dataset.range(1).repeat()

    def take(self, num_steps: int, limit: int) -> tuple[dict[str, np.ndarray], int, dict[str, np.ndarray] | None]:
        """The next batches, up to the end of a pass.

        Args:
            num_steps: the height of a stack.
            limit: the most batches.

        Returns:
            A stack `[num_steps, B]`, how many of its rows are batches, and the smaller last batch if it is due next.
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
        odd, self._rest = self._cut(1, left)
        return stack, count, {name: value if name == "rows" else value[0] for name, value in odd.items()}

    def _cut(self, num_batches: int, num_rows: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        ends = {name: num_rows if name == "rows" else num_batches for name in self._rest}
        taken = {name: value[: ends[name]] for name, value in self._rest.items()}
        return taken, {name: value[ends[name] :] for name, value in self._rest.items()}


def _gather(examples: Tensor, batch: dict[str, Tensor]) -> Tensor:
    return tf.gather(examples, batch["rows"])
