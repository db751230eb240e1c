"""Progress bar for calls of many steps."""

from typing import Any

import keras


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Keras' progress bar, which advances by the number of steps made, whereas Keras counts every call as full.

    For data of unknown length, each pass shows the length of the previous pass.
    """

    def __init__(self) -> None:
        super().__init__()
        self._first = 0
        self._steps: int | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        self._steps = params["steps"]

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._first = batch

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._first = batch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_train_batch_end(self._last(batch), logs)

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_test_batch_end(self._last(batch), logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._set_target(self._steps or self.seen)
        super().on_epoch_end(epoch, logs)

    def _last(self, batch: int) -> int:
        """Returns the index of the last batch of a call. Keras passes `batch`."""
        num_made = self.model.execution.num_made
        last = self._first + num_made - 1 if num_made else batch
        if self._steps:
            return min(last, self._steps - 1)
        if self.target is not None and last >= self.target:
            self._set_target(None)  # this pass is longer than the previous one
        return last

    def _set_target(self, steps: int | None) -> None:
        self.target = steps
        if self.progbar is not None:
            self.progbar.target = steps


def expect_end(iterator: Any) -> None:
    """Lets an epoch iterator of Keras reach the end of data of unknown length in each pass without a warning.

    Otherwise Keras would warn that the data ran out, and would use the length of the first pass, in full calls, for all
    passes. A pass without any batch still causes a warning.
    """
    warn = iterator._interrupted_warning

    def end() -> None:
        iterator._num_batches = None
        if iterator._steps_seen <= iterator.steps_per_execution:
            warn()

    iterator._interrupted_warning = end
