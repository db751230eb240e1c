"""Batches of examples that stay where the steps are."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfvae.typing import Tensor


class Rows:
    """The batches of an array, as stacks of its rows' indices: steps gather the rows, on the device.

    Every pass has its own order, of TensorFlow's global seed (`keras.utils.set_random_seed`) as in Keras.

    Args:
        examples: `[N, *event]`.
        batch_size: B; the last batch of a pass may be smaller.
        shuffle: whether the order is drawn anew for each pass.
    """

    def __init__(self, examples: Tensor, batch_size: int, shuffle: bool):
        self.examples = examples
        self._batch_size = batch_size
        self._shuffle = shuffle
        self._order = np.zeros(0, "int32")
        self._pass: Any = None
        self._position = 0

    def passes(self) -> tf.data.Dataset:
        """What Keras may iterate over: nothing but as many elements as a pass has batches."""
        return tf.data.Dataset.range(-(-len(self.examples) // self._batch_size))

    def take(self, iterator: Any, num_steps: int, limit: int) -> tuple[np.ndarray, int, np.ndarray | None]:
        """The next batches of the pass that `iterator`, one of `passes`, stands for.

        Args:
            iterator: tells one pass from the next.
            num_steps: the height of a stack.
            limit: the most batches.

        Returns:
            A stack `[num_steps, B]`, how many of its rows are batches, and the smaller last batch if it is due next.
        """
        if iterator is not self._pass:
            self._pass, self._position = iterator, 0
            self._order = np.arange(len(self.examples), dtype="int32")
            if self._shuffle:
                self._order = tf.random.shuffle(self._order).numpy()
        left = self._order[self._position : self._position + limit * self._batch_size]
        count = min(len(left) // self._batch_size, num_steps)
        stack = np.zeros((num_steps, self._batch_size), "int32")
        stack[:count] = left[: count * self._batch_size].reshape(count, self._batch_size)
        self._position += count * self._batch_size
        odd = left[count * self._batch_size :]
        if not 0 < len(odd) < self._batch_size:
            return stack, count, None
        self._position += len(odd)
        return stack, count, odd
