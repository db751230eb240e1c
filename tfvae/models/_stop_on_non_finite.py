"""Callback that stops training at the first loss that is not finite."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae.execution.optimizer_state import num_updates, optimizer_name, scales_loss

_ADVICE = {
    "log_likelihood": (
        "p(x|z) has no finite log-density for a batch: check the data for NaN, infinite and unscaled values, and keep "
        "the scale of the decoder above a minimum, or fixed."
    ),
    "kl": (
        "q(z|x) is too far from p(z), or draws of z are rounded to an end of the support (0 or 1 after a sigmoid): "
        "increase beta slowly from 0, and keep the scale of the encoder above a minimum."
    ),
    "loss": "Check the data for NaN, infinite and unscaled values, and check the weight and activity regularisers.",
    "weights": "The last update of the epoch was not finite, although the loss before it was. Are the data scaled?",
}
_ADVICE_FOR_ALL = (
    "Lower the learning rate, or clip gradients as in keras.optimizers.Adam(learning_rate, clipnorm=1.0). The weights "
    "are no longer usable: resume from the last checkpoint."
)


class NonFiniteLossError(FloatingPointError):
    """Error that is raised when the loss or a weight becomes NaN or infinite in training.

    Attributes:
        epoch: Epoch, counted from 1 as Keras prints it.
        step: Step of that epoch, counted from 1. If a call made several steps, the last step that is possible.
        total_step: Number of steps of the optimizer so far, over all calls of `fit`. None without an optimizer or with
            loss scaling.
        term: The term that was not finite: "log_likelihood", "kl", "loss" or "weights".
        value: Value of the term, NaN or infinite.
    """

    def __init__(
        self,
        message: str,
        *,
        epoch: int = 0,
        step: int = 0,
        total_step: int | None = None,
        term: str = "loss",
        value: float = math.nan,
    ):
        super().__init__(message)
        self.epoch = epoch
        self.step = step
        self.total_step = total_step
        self.term = term
        self.value = value


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops training with an error when the loss becomes NaN or infinite, and reports the step and the term.

    `keras.callbacks.TerminateOnNaN` checks only the loss. By default it ends `fit` without an error, after the
    callbacks have saved the unusable weights at the end of the epoch. This callback raises an error at the end of the
    batch. After the last batch of an epoch it also checks the weights, which the last update can make non-finite after
    a finite loss. A `ModelCheckpoint` at the end of an epoch therefore saves finite weights. Put this callback before
    callbacks that save within epochs. If the number of batches is unknown, put it before all callbacks that save.

    `VAE.fit` adds this callback, unless its callbacks include one or a `TerminateOnNaN`.

    It works with any `keras.Model` that has `loss` in its logs. Like the progress bar of Keras, it reads the loss from
    the device once per call.

    Raises:
        NonFiniteLossError: From `fit`, if the loss or a weight is not finite.

    Example:
        >>> vae.fit(train, epochs=10, callbacks=[tfvae.callbacks.StopOnNonFinite()])  # doctest: +SKIP
    """

    knows_executions = True

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0
        self._first_batch = 0
        self._last_batch = 0
        self._weights_checked = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._weights_checked = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._first_batch = batch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._last_batch = batch
        # Logs are running means, which stay non-finite. The first such batch is therefore the cause.
        bad = {name: value for name, value in (logs or {}).items() if _is_number(value) and not math.isfinite(value)}
        if "loss" in bad:
            term = next(name for name in ("log_likelihood", "kl", "loss") if name in bad)
            raise self._error(f"The loss is not finite: {term} is {bad[term]}", term, float(bad[term]))
        num_batches = (self.params or {}).get("steps")
        if num_batches and batch + 1 >= num_batches:
            self._check_weights()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # The weights have not been checked if the number of batches is unknown.
        if not self._weights_checked:
            self._check_weights()

    def _check_weights(self) -> None:
        for variable in self.model.weights:
            value = tf.convert_to_tensor(variable.value)
            if value.dtype.is_floating and not bool(tf.reduce_all(tf.math.is_finite(value))):
                numbers = np.asarray(tf.cast(value, tf.float32)).ravel()
                number = float(numbers[~np.isfinite(numbers)][0])
                path = getattr(variable, "path", variable.name)
                raise self._error(f"A weight is not finite: '{path}' contains {number}", "weights", number)
        self._weights_checked = True

    def _error(self, what: str, term: str, value: float) -> NonFiniteLossError:
        num_batches = (self.params or {}).get("steps")
        # The last call of an epoch may make fewer steps.
        step = min(self._last_batch + 1, num_batches) if num_batches else self._last_batch + 1
        at = "at step" if self._first_batch == self._last_batch or term == "weights" else "at or before step"
        # Loss scaling skips steps, including this one, and does not count them.
        is_counted = optimizer_name(self.model) is not None and not scales_loss(self.model)
        total = num_updates(self.model) if is_counted else None
        execution = getattr(self.model, "execution", None)
        if term != "weights" and execution is not None and execution.first_non_finite is not None:
            at, step = "at step", self._first_batch + execution.first_non_finite + 1
            if total is not None:
                total -= execution.num_made - execution.first_non_finite - 1
        of_all = "" if total is None else f" (step {total} of the whole training)"
        return NonFiniteLossError(
            f"{what} in epoch {self._epoch + 1}, {at} {step}{of_all}. Expected finite numbers. "
            f"{_ADVICE[term]} {_ADVICE_FOR_ALL}",
            epoch=self._epoch + 1,
            step=step,
            total_step=total,
            term=term,
            value=value,
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
