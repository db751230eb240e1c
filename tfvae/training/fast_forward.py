"""Callback that resumes training within an epoch."""

from typing import Any

import keras

from tfvae.training.training_state import TrainingState


class FastForward(keras.callbacks.Callback):
    """Skips the batches of the first epoch up to a step, without training on them.

    For Keras, the other callbacks and the running means, the epoch is like any other, with fast first steps. Put it
    before callbacks that count the steps of the optimizer. `fit` starts with the epoch `start.epochs`.

    Args:
        start: State from which the run resumes.
    """

    knows_executions = True

    def __init__(self, start: TrainingState):
        super().__init__()
        self._start = start
        self._batch = 0
        self._total_steps = 0
        self._train_function: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self._start.steps:
            self._train_function = self.model.train_function
            self.model.train_function = self._skip

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._train_function is None:
            return
        self.model.build_metrics()
        for metric, values in zip(self.model.metrics, self._start.running_means, strict=True):
            for variable, value in zip(metric.variables, values, strict=True):
                variable.assign(value)
        # The count is that of the start of the epoch.
        self._total_steps = self.model.num_updates
        self.model.num_updates = self._total_steps - self._start.steps

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._batch = batch

    def _skip(self, iterator: Any) -> dict[str, Any]:
        """Replaces the train function of the model and skips the batches of one call."""
        model, execution = self.model, self.model.execution
        num_steps = model.steps_per_execution
        num_skipped = min(num_steps, self._start.steps - self._batch)
        self._take(iterator, num_skipped)
        if self._batch + num_skipped == self._start.steps:
            model.train_function, self._train_function = self._train_function, None
            model.num_updates = self._total_steps
            if num_skipped < num_steps:
                limit = num_steps if execution.limit is None else execution.limit
                execution.limit = min(num_steps, limit) - num_skipped
                # Callbacks count from the first step of this call.
                execution.skip(num_skipped)
                logs = model.train_function(iterator)
                execution.num_made += num_skipped
                if execution.first_non_finite is not None:
                    execution.first_non_finite += num_skipped
                return logs
        execution.num_made, execution.first_non_finite, execution.scheduled = num_skipped, None, []
        return {metric.name: metric.result() for metric in model.metrics}

    def _take(self, iterator: Any, num_batches: int) -> None:
        batches = self.model.execution.batches
        while num_batches:
            if batches is None:
                next(iterator)
                num_batches -= 1
            else:
                _, count, remainder = batches.take(num_batches, num_batches)
                num_batches -= count + (remainder is not None)
