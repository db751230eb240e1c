"""Step of a process with one device under a strategy, on its part of a batch whose rows all processes know."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae.typing import Tensor


def has_one_device(strategy: tf.distribute.Strategy) -> bool:
    """Whether a strategy has several processes with one device each, so that examples can stay on the device."""
    is_multi_worker = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return is_multi_worker and len(strategy.extended.worker_devices) == 1


class ReplicaStep:
    """Step on the part of a batch of this process. `StepLoop` calls it with rows of examples on the device.

    Args:
        strategy: Strategy with one device per process.
        step: Function from the part to the logs, which are equal on all replicas.
        fetch: Function from the examples and a batch of rows to an element of a data set.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        step: Callable[[Any], dict[str, Tensor]],
        fetch: Callable[[Any, Any], Any],
    ):
        self._strategy = strategy
        self._step = step
        self._fetch = fetch

    def __call__(self, batch: Any, examples: Any) -> dict[str, Tensor]:
        """Returns the logs of a step."""
        # The noise of an example depends on its place in the whole batch.
        logs = self._strategy.run(
            lambda: self._step(tf.nest.map_structure(part_of_batch, self._fetch(examples, batch)))
        )
        return {name: tf.cast(log, tf.float32) for name, log in logs.items()}


def part_of_batch(values: Tensor) -> Tensor:
    """Returns the examples of this replica, with the boundaries of TensorFlow's distributed data sets.

    All parts have the same size, ceil(B / number of replicas), but the last ones, which can be empty.
    """
    context = tf.distribute.get_replica_context()
    index = tf.get_static_value(context.replica_id_in_sync_group)
    size = -(-tf.shape(values)[0] // context.num_replicas_in_sync)
    return values[index * size : (index + 1) * size]
