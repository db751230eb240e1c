"""Batches of validation data that stay on the device."""

from typing import Any

import tensorflow as tf

from tfvae.typing import Tensor

_MAX_BYTES = 2**28


class StackedBatches:
    """Batches of a data set that is the same in every pass, read once and stacked as the loop takes them.

    A pass over them starts no iterator, which takes longer than the evaluation of a small model.

    Args:
        dataset: Batches: x `[B, *event]`, or nests of tensors `[B, ...]`. Only the last one may be smaller.
    """

    examples = None

    def __init__(self, dataset: tf.data.Dataset):
        self._batches = list(dataset)
        self._position = 0
        self._stacks: dict[tuple[int, int], Any] = {}

    @property
    def num_batches(self) -> int:
        """Number of batches per pass."""
        return len(self._batches)

    @staticmethod
    def fetch(examples: Any, batch: Any) -> Any:
        """Returns a batch, which needs no examples."""
        return batch

    def take(self, num_steps: int, limit: int) -> tuple[Any, int, Any]:
        """Returns the next batches, up to the end of a pass. See `DeviceBatches.take`."""
        first, size = self._position, _size(self._batches[0])
        last = min(first + min(num_steps, limit), len(self._batches))
        full = self._batches[first:last]
        remainder = full.pop() if full and _size(full[-1]) != size else None
        self._position = last % len(self._batches)
        return self._stacked(first, full, num_steps), len(full), remainder

    def _stacked(self, first: int, full: list[Any], num_steps: int) -> Any:
        key = first, num_steps
        if key not in self._stacks:
            batches = full or [tf.nest.map_structure(tf.zeros_like, self._batches[0])]
            is_whole_pass = (
                len(self._batches) <= num_steps
            )  # else stacks of one size, for which one program is compiled
            missing = 0 if is_whole_pass else num_steps - len(batches)

            def stacked(*leaves: Tensor) -> Tensor:
                return tf.pad(tf.stack(leaves), [[0, missing], *[[0, 0]] * leaves[0].shape.rank])

            self._stacks[key] = tf.nest.map_structure(stacked, *batches)
        return self._stacks[key]


def fits_in_memory(num_examples: int, element_spec: Any) -> bool:
    """Whether examples of a data set, x `[B, *event]` or nests of tensors `[B, ...]`, may stay on the device."""
    values = sum(spec.shape[1:].num_elements() or _MAX_BYTES for spec in tf.nest.flatten(element_spec))
    return num_examples * 4 * values <= _MAX_BYTES


def _size(batch: Any) -> int:
    """Returns the number of examples of a batch."""
    return tf.nest.flatten(batch)[0].shape[0]
