"""How long epochs take."""

import time
from typing import Any

import keras

from tfvae.training.training_state import TrainingState


class EpochClock(keras.callbacks.Callback):
    """Adds `seconds` to the epoch's logs, for the callbacks after it.

    Args:
        start: where the run goes on; an epoch that was cut short has its earlier seconds too.
    """

    def __init__(self, start: TrainingState):
        super().__init__()
        self._start = start
        self._begun = 0.0

    @property
    def seconds(self) -> float:
        """Since the epoch began."""
        return time.perf_counter() - self._begun

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._begun = time.perf_counter() - (self._start.seconds if epoch == self._start.epochs else 0.0)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["seconds"] = self.seconds
