"""Stopping at the first loss that is no number."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_ADVICE = {
    "log_likelihood": (
        "p(x|z) gives a batch no finite log-density: check the data for NaN, infinite and unscaled values, and keep "
        "the decoder's scale above a floor or fixed."
    ),
    "kl": (
        "q(z|x) and p(z) have come too far apart, or draws of z round to an end of the support (0 or 1 behind a "
        "sigmoid): warm beta up from 0, and keep the encoder's scale above a floor."
    ),
    "loss": "Check the data for NaN, infinite and unscaled values, and the weight and activity regularisers.",
    "weights": "The last update of the epoch was not finite, though the loss before it was. Are the data scaled?",
}
_ADVICE_FOR_ALL = (
    "Lower the learning rate, or clip gradients as in keras.optimizers.Adam(learning_rate, clipnorm=1.0). The weights "
    "are of no use any more: go on from the last checkpoint."
)


class NonFiniteLossError(FloatingPointError):
    """The loss, or a weight, became NaN or infinite in training.

    Attributes:
        epoch: the epoch, counted from 1 as Keras prints it.
        step: the batch of that epoch, counted from 1; the last one it can have been where several ran at once.
        total_step: the optimizer's steps up to then, in all fits; None without an optimizer, or with loss scaling.
        term: what was not finite: "log_likelihood", "kl", "loss", or "weights".
        value: its value, NaN or infinite.
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
    """Ends training with an exception as soon as the loss is NaN or infinite, and says where and in which term.

    `keras.callbacks.TerminateOnNaN` looks at the loss alone, and by default ends the run as if it had succeeded, after
    the callbacks of the epoch's end have saved the useless weights. This one raises at the end of the batch; after an
    epoch's last batch it looks at the weights too, since the last update can spoil them without any loss showing it.
    So what a `ModelCheckpoint` saves at the end of an epoch is finite. Put it before callbacks that save within epochs,
    and, where the data's number of batches is not known beforehand, before all that save.

    `VAE.fit` adds one by itself, unless there is one, or a `TerminateOnNaN`, among its callbacks.

    Works on any `keras.Model` with a `loss` among its logs. Reading the loss costs one look at the device per
    execution, as Keras' progress bar does.

    Raises:
        NonFiniteLossError: from `fit`.

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
        # Logs are running means: once a term is not finite, it stays so, and the first time is the batch that did it.
        bad = {name: value for name, value in (logs or {}).items() if _is_number(value) and not math.isfinite(value)}
        if "loss" in bad:
            term = next(name for name in ("log_likelihood", "kl", "loss") if name in bad)
            raise self._error(f"The loss is not finite: {term} is {bad[term]}", term, float(bad[term]))
        num_batches = (self.params or {}).get("steps")
        if num_batches and batch + 1 >= num_batches:
            self._check_weights()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # Left for here only where the number of batches is not known beforehand.
        if not self._weights_checked:
            self._check_weights()

    def _check_weights(self) -> None:
        for variable in self.model.weights:
            value = tf.convert_to_tensor(variable.value)
            if value.dtype.is_floating and not bool(tf.reduce_all(tf.math.is_finite(value))):
                numbers = np.asarray(tf.cast(value, tf.float32)).ravel()
                number = float(numbers[~np.isfinite(numbers)][0])
                path = getattr(variable, "path", variable.name)
                raise self._error(f"A weight is not finite: '{path}' holds {number}", "weights", number)
        self._weights_checked = True

    def _error(self, what: str, term: str, value: float) -> NonFiniteLossError:
        num_batches = (self.params or {}).get("steps")
        # With several steps in an execution, the last one may hold fewer.
        step = min(self._last_batch + 1, num_batches) if num_batches else self._last_batch + 1
        at = "at step" if self._first_batch == self._last_batch or term == "weights" else "at or before step"
        optimizer = getattr(self.model, "optimizer", None)
        # Loss scaling leaves out steps, this one among them, and does not count them.
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer = None
        total = None if optimizer is None else int(keras.ops.convert_to_numpy(optimizer.iterations))
        execution = getattr(self.model, "execution", None)
        if term != "weights" and execution is not None and execution.first_non_finite is not None:
            at, step = "at step", self._first_batch + execution.first_non_finite + 1
            if total is not None:
                total -= execution.num_made - execution.first_non_finite - 1
        of_all = "" if total is None else f" (step {total} of the whole training)"
        return NonFiniteLossError(
            f"{what} in epoch {self._epoch + 1}, {at} {step}{of_all}, where finite numbers are expected. "
            f"{_ADVICE[term]} {_ADVICE_FOR_ALL}",
            epoch=self._epoch + 1,
            step=step,
            total_step=total,
            term=term,
            value=value,
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
