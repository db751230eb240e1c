"""Batches of validation data that stay on the device."""

from typing import Any

import tensorflow as tf

from tfvae.typing import Tensor

_MAX_BYTES = 2**28


class StackedBatches:
    """Batches of a data set that is the same in every pass, read once and stacked as the loop takes them.

    A pass over them starts no iterator, which takes longer than the evaluation of a small model.

    Args:
        dataset: Batches x `[B, *event]`. Only the last one may be smaller.
    """

    examples = None

    def __init__(self, dataset: tf.data.Dataset):
        self._batches = list(dataset)
        self._position = 0
        self._stacks: dict[tuple[int, int], Tensor] = {}

    @property
    def num_batches(self) -> int:
        """Number of batches per pass."""
        return len(self._batches)

    @staticmethod
    def fetch(examples: Any, batch: Tensor) -> Tensor:
        """Returns a batch, which needs no examples."""
        return batch

    def take(self, num_steps: int, limit: int) -> tuple[Tensor, int, Tensor | None]:
        """Returns the next batches, up to the end of a pass. See `DeviceBatches.take`."""
        first, size = self._position, self._batches[0].shape[0]
        last = min(first + min(num_steps, limit), len(self._batches))
        full = self._batches[first:last]
        remainder = full.pop() if full and full[-1].shape[0] != size else None
        self._position = last % len(self._batches)
        return self._stacked(first, full, num_steps), len(full), remainder

    def _stacked(self, first: int, full: list[Tensor], num_steps: int) -> Tensor:
        key = first, num_steps
        if key not in self._stacks:
            batches = full or [tf.zeros_like(self._batches[0])]
            is_whole_pass = (
                len(self._batches) <= num_steps
            )  # else stacks of one size, for which one program is compiled
            missing = 0 if is_whole_pass else num_steps - len(batches)
            self._stacks[key] = tf.pad(tf.stack(batches), [[0, missing], *[[0, 0]] * batches[0].shape.rank])
        return self._stacks[key]


def fits_in_memory(num_examples: int, element_spec: Any) -> bool:
    """Whether examples of a data set of x `[B, *event]` may stay on the device."""
    return num_examples * 4 * (element_spec.shape[1:].num_elements() or _MAX_BYTES) <= _MAX_BYTES
