"""Callback that stops at data outside the support of the likelihood."""

from typing import Any

import keras

from tfvae.models._checks import outside_support_message


class StopOutsideSupport(keras.callbacks.Callback):
    """Stops `fit` or `evaluate` when a batch has values outside the support, which the log-density does not show.

    The steps check every batch on the device. This callback reads their common flag once per call.

    Raises:
        ValueError: From `fit` and `evaluate`, if a batch has such values.
    """

    knows_executions = True

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0
        self._first = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._first = batch

    on_test_batch_begin = on_train_batch_begin

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.model.running_means.pop_outside():
            self._raise(f"a training batch, {self._describe_step(batch)} of epoch {self._epoch + 1},")

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.model.running_means.pop_outside():
            self._raise(f"an evaluation batch, {self._describe_step(batch)},")

    def _describe_step(self, batch: int) -> str:
        # Keras counts every call as full, but the last one of a pass makes fewer steps.
        last = self._first + self.model.execution.num_made if self.model.execution.num_made else batch + 1
        return f"at step {last}" if last == self._first + 1 else f"at or before step {last}"

    def _raise(self, where: str) -> None:
        raise ValueError(outside_support_message(self.model._likelihood_layer, f"{where} has values outside"))
