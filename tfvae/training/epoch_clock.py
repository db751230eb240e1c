"""Duration of epochs."""

import time
from typing import Any

import keras

from tfvae.training.training_state import TrainingState


class EpochClock(keras.callbacks.Callback):
    """Callback that adds `seconds` to the logs of each epoch, for the callbacks after it.

    Args:
        start: State from which training starts. It includes the seconds of an interrupted epoch.
    """

    def __init__(self, start: TrainingState):
        super().__init__()
        self._start = start
        self._started_at = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the start of the epoch."""
        return time.perf_counter() - self._started_at

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._started_at = time.perf_counter() - (self._start.seconds if epoch == self._start.epochs else 0.0)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["seconds"] = self.seconds
