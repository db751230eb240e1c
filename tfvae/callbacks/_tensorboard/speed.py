"""Speed of training and validation."""

import time
from typing import Any

import keras

from tfvae.execution.optimizer_state import num_updates
from tfvae.models import VAE


class Speed:
    """Examples per second of an epoch, measured separately for training and validation."""

    def __init__(self) -> None:
        self.of_training: dict[str, float] = {}
        self.of_validation: dict[str, float] = {}
        self._started: float | None = None
        self._validation_started: float | None = None
        self._steps_before = 0

    def training_begins(self, model: keras.Model) -> None:
        """Starts the clock at the beginning of an epoch."""
        self.of_training, self.of_validation = {}, {}
        self._validation_started = None
        self._steps_before = num_updates(model)
        self._started = time.perf_counter()

    def training_ends(self, model: keras.Model) -> None:
        """Computes the speed of training, while the metrics are those of training. A second call has no effect."""
        started, self._started = self._started, None
        if started is None:
            return
        # Reading either value waits until the device has finished.
        examples, steps = _examples_seen(model), num_updates(model) - self._steps_before
        seconds = time.perf_counter() - started
        if examples:
            self.of_training = {"images_per_second": examples / seconds}
        elif steps > 0:
            self.of_training = {"steps_per_second": steps / seconds}
        self._validation_started = time.perf_counter()

    def validation_ends(self, model: keras.Model) -> None:
        """Computes the speed of validation, while the metrics are those of validation."""
        started, self._validation_started = self._validation_started, None
        examples = _examples_seen(model)
        if started is not None and examples:
            self.of_validation = {"images_per_second": examples / (time.perf_counter() - started)}


def _examples_seen(model: keras.Model) -> float:
    """Returns the number of examples that the running means cover, 0 if unknown.

    The steps of Keras and of `VAE` weight the running loss by examples. In a user's own step, a metric may count
    anything.
    """
    if type(model).train_step in (keras.Model.train_step, VAE.train_step):
        for metric in model.metrics:
            if metric.name == "loss" and isinstance(metric, keras.metrics.Mean):
                return _as_float(metric.count)
    return 0.0


def _as_float(value: Any) -> float:
    return float(keras.ops.convert_to_numpy(value))
