"""Training and evaluation functions under a distribution strategy."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfvae.execution.execution import Schedule
from tfvae.execution.step_loop import all_finite
from tfvae.typing import Tensor


class ReplicatedSteps:
    """Train or test function for Keras under a strategy, which makes several steps per call on all replicas.

    The functions of Keras fail with several workers (keras issue 20585).

    Args:
        model: Model created under the strategy. `model.execution` has the number of steps of a call, and is updated.
        step: Function from a replica's part of a batch to the logs, the means in `model.metrics`, which are equal on
            all replicas.

    Numerics:
        The logs are those of the last step, or of the first step with a loss that is not finite.
    """

    def __init__(self, model: Any, step: Callable[[Any], dict[str, Tensor]]):
        self._model = model
        self._strategy = model.distribute_strategy
        self._step = step
        self._execution = model.execution
        self._runs: dict[tuple[int, ...], Callable[..., Any]] = {}  # by the variables that they assign
        self._run_one = tf.function(self._one, autograph=False, reduce_retracing=True)

    def __call__(self, iterator: Any) -> dict[str, Tensor]:
        """Returns the logs. Raises StopIteration when there are no more batches."""
        self._model.build_metrics()  # replicas cannot create variables
        execution = self._execution
        schedule = execution.take_schedule()
        if not isinstance(iterator, tf.distribute.DistributedIterator):  # all replicas get the same batch
            execution.num_made, execution.first_non_finite = 1, None
            return self._run_one(next(iterator))
        limit = min(execution.num_steps, execution.limit or execution.num_steps)
        values = schedule.stacked(0, execution.num_steps)
        made, bad, logs = self._program(schedule)(iterator, tf.constant(limit), values)
        execution.num_made = int(made)
        execution.first_non_finite = int(bad) if int(bad) < int(made) else None
        if not execution.num_made:
            raise StopIteration
        return logs

    def _program(self, schedule: Schedule) -> Callable[..., Any]:
        if schedule.key not in self._runs:

            def run(iterator: Any, limit: Tensor, values: list[Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
                return self._steps(iterator, limit, schedule, values)

            self._runs[schedule.key] = tf.function(run, autograph=False, reduce_retracing=True)
        return self._runs[schedule.key]

    def _steps(
        self, iterator: Any, limit: Tensor, schedule: Schedule, values: list[Tensor]
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Returns the number of steps made, the first step that was not finite (`limit` if none), and the logs."""

        def body(made: Tensor, batch: Any, bad: Tensor, logs: dict[str, Tensor]) -> Any:
            schedule.assign(values, made)
            new = self._one(batch.get_value())
            was_finite = bad == limit
            logs = {name: tf.where(was_finite, new[name], logs[name]) for name in logs}
            bad = tf.where(tf.logical_and(was_finite, ~all_finite(new)), made, bad)
            following = tf.cond(made + 1 < limit, iterator.get_next_as_optional, lambda: batch)
            return made + 1, following, bad, logs

        logs = {metric.name: tf.constant(0.0) for metric in self._model.metrics}
        start = (tf.constant(0), iterator.get_next_as_optional(), limit, logs)
        made, _, bad, logs = tf.while_loop(
            lambda made, batch, *_: tf.logical_and(made < limit, batch.has_value()), body, start, parallel_iterations=1
        )
        return made, bad, logs

    def _one(self, batch: Any) -> dict[str, Tensor]:
        logs = self._strategy.run(self._step, args=(batch,))
        return {name: tf.cast(self._strategy.experimental_local_results(logs[name])[0], "float32") for name in logs}
