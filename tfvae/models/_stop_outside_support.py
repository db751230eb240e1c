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

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(f"a training batch, at or before step {batch + 1} of epoch {self._epoch + 1},")

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._check(f"a batch to evaluate on, at or before number {batch + 1},")

    def _check(self, where: str) -> None:
        if self.model._bound_metrics.pop_outside():
            raise ValueError(outside_support(self.model._likelihood_layer, f"{where} has values outside"))
