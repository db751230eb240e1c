"""Stopping at data that the likelihood does not take."""

from typing import Any

import keras

from tfvae.models._checks import outside_support


class StopOutsideSupport(keras.callbacks.Callback):
    """Ends `fit` or `evaluate` when a batch had values outside the likelihood's support, which its density hides.

    The steps look at every batch on the device; this looks at their one flag, once a call.

    Raises:
        ValueError: from `fit` and `evaluate`.
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
            self._refuse(f"a training batch, {self._at(batch)} of epoch {self._epoch + 1},")

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self.model.running_means.pop_outside():
            self._refuse(f"a batch to evaluate on, {self._at(batch)},")

    def _at(self, batch: int) -> str:
        # Keras numbers a call by the most steps that it can make; the last one of a pass makes fewer.
        last = self._first + self.model.execution.num_made if self.model.execution.num_made else batch + 1
        return f"at step {last}" if last == self._first + 1 else f"at or before step {last}"

    def _refuse(self, where: str) -> None:
        raise ValueError(outside_support(self.model._likelihood_layer, f"{where} has values outside"))
