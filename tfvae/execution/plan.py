"""Chooses the number of steps per compiled call, without changing results."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfvae.execution.execution import Execution
from tfvae.execution.protocols import KnowsExecutions

_MAX_STEPS = 100
_MAX_BYTES = 2**26
_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


def steps_per_call(
    data: Any, example: Any, batch_size: int | None, steps: int | None, callbacks: Sequence[keras.callbacks.Callback]
) -> int:
    """Returns the number of steps for `steps_per_execution="auto"`: 1 if a callback must be called for every batch.

    A callback with a nonzero attribute `every_steps` is called after about that many steps.

    Args:
        data: The data given to `fit`.
        example: The x of the first batch, or all of x. None if it is unknown.
        batch_size: The batch size of arrays.
        steps: The number of steps per epoch if the user limits it, else None.
        callbacks: The callbacks of the fit.
    """
    if any(needs_every_batch(callback) for callback in callbacks):
        return 1
    size = 0 if example is None else example.shape[0]
    if not isinstance(data, tf.data.Dataset | keras.utils.PyDataset):
        size = min(size, batch_size or 32)
    num_bytes = 4 * size * math.prod(example.shape[1:]) if size else _MAX_BYTES // 16
    most = max(1, min(_MAX_STEPS, _MAX_BYTES // num_bytes))
    for every in (getattr(callback, "every_steps", 0) for callback in callbacks):
        if every:  # calls of equal length that end at `every` or soon after
            most = math.ceil(every / math.ceil(every / most))
    if steps is None:
        return most
    # Keras detects the end of finite data only between calls.
    length = _num_batches(data, size)
    if length is None:
        return min(most, steps)
    common = math.gcd(length, steps)
    return next(number for number in range(min(most, common), 0, -1) if common % number == 0)


def _num_batches(data: Any, batch_size: int) -> int | None:
    """Returns the number of batches of a pass. None if it is unknown or infinite."""
    if isinstance(data, tf.data.Dataset):
        length = int(data.cardinality())
    elif isinstance(data, keras.utils.PyDataset):
        length = data.num_batches or 0
    elif hasattr(data, "shape"):
        length = -(-len(data) // batch_size)
    else:
        return None
    return length if length > 0 else None


def needs_every_batch(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback must be called once for every batch."""
    if isinstance(callback, KnowsExecutions) and callback.knows_executions:
        return False
    if isinstance(callback, keras.callbacks.ProgbarLogger):
        return False
    if isinstance(callback, keras.callbacks.ModelCheckpoint | keras.callbacks.BackupAndRestore):
        own = type(callback).__module__.startswith("keras.")
        if own and callback.save_freq == "epoch":
            return False
    if type(callback) is keras.callbacks.TensorBoard and callback.update_freq == "epoch":
        return bool(getattr(callback, "_should_trace", False))
    return any(
        getattr(getattr(callback, hook), "__func__", None) is not getattr(keras.callbacks.Callback, hook)
        for hook in _HOOKS
    )


class EpochEnd(keras.callbacks.Callback):
    """Callback that ends a call of many steps at the end of an epoch or evaluation of given length."""

    knows_executions = True

    def __init__(self, execution: Execution, steps: int | None, validation_steps: int | None):
        super().__init__()
        self._execution = execution
        self._steps = steps
        self._validation_steps = validation_steps

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._execution.limit = None if self._steps is None else self._steps - batch

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._execution.limit = None if self._validation_steps is None else self._validation_steps - batch
