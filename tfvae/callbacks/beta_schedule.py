"""Callback that changes beta during training."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfvae._checks import number
from tfvae.callbacks._waiting import WaitingEpoch, compares_epochs
from tfvae.callbacks.schedules import Schedule
from tfvae.execution.optimizer_state import batches_per_update, num_updates


class BetaSchedule(keras.callbacks.Callback):
    """Sets `beta` of a VAE, the weight of its KL, before each training step.

    Progress is the number of steps of the optimizer over the whole training, so that a resumed run or a second `fit`
    continues the schedule. Nothing is traced again. The logs of each epoch get `beta`, the value in its last step, for
    later callbacks and for the history. When `fit` ends, `beta` has the value of the next step.

    With `steps_per_execution` above 1, each step still has its own beta.

    Callbacks that compare epochs wait. An epoch with a step whose beta has not reached its final value is ignored by a
    `keras.callbacks.EarlyStopping`, `ReduceLROnPlateau` or `ModelCheckpoint(save_best_only=True)` in the same
    `VAE.fit`: it counts neither for their patience nor as their best epoch, and no best checkpoint is saved after it.
    `val_elbo` and `elbo` do not depend on beta and are comparable between epochs. `loss` and `val_loss` are not.

    Args:
        schedule: `Constant`, `LinearWarmUp`, `Cyclical`, or any function from the number of steps to beta.

    Raises:
        TypeError: If `schedule` is not a function. From `fit`, if the model has no variable `beta`.
        ValueError: From `fit`, if the schedule does not return a number of at least 0.

    Warns:
        UserWarning: From `fit`, if the run ends before the warm-up. For data of unknown length, at the end of the first
            epoch.

    Example:
        >>> warm_up = tfvae.callbacks.LinearWarmUp(num_epochs=10)
        >>> vae.fit(train, epochs=100, callbacks=[tfvae.callbacks.BetaSchedule(warm_up)])  # doctest: +SKIP
    """

    knows_executions = True

    def __init__(self, schedule: Schedule | Callable[[float], float]):
        super().__init__()
        if isinstance(schedule, type) or not callable(schedule):
            raise TypeError(
                "schedule must be Constant, LinearWarmUp, Cyclical or a function from the number of steps to beta. "
                f"Received: schedule={schedule!r}"
            )
        self.schedule = schedule
        self._original_starts: list[tuple[Any, int]] = []
        self._comparing: list[keras.callbacks.Callback] = []
        self._waiting: list[WaitingEpoch] = []
        self._steps_per_epoch: float | None = None
        self._started = False
        self._epoch = 0
        self._first_step = self._steps_made = 0
        self._beta: float | None = None

    def share_callbacks(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Receives the other callbacks from `VAE.fit`, and an empty list when it ends."""
        self._restore_callbacks()
        self._original_starts = [
            (callback, callback.start_from_epoch) for callback in callbacks if hasattr(callback, "start_from_epoch")
        ]
        self._comparing = [callback for callback in callbacks if compares_epochs(callback)]

    # Hooks, in the order Keras calls them ----------------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not hasattr(getattr(self.model, "beta", None), "assign"):
            raise TypeError(
                "BetaSchedule requires a tfvae.models.VAE, or another model with a variable `beta`. "
                f"Received: model={self.model!r}"
            )
        batches = (self.params or {}).get("steps")
        if batches:  # else the count of an earlier fit is used
            self._steps_per_epoch = batches / batches_per_update(self.model)
        self._started = False
        self._beta = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._end_waiting()
        self._first_step, self._steps_made = num_updates(self.model), 0
        if not self._started:
            self._started = True
            self._warn_of_long_warm_up()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Steps are counted within an epoch, because reading the count of the optimizer would wait for the last step.
        per_step, execution = batches_per_update(self.model), getattr(self.model, "execution", None)
        num_steps, length = 1 if execution is None else execution.num_steps, (self.params or {}).get("steps")
        num_steps = min(num_steps, length - batch) if length else num_steps
        # Keras counts a call of many steps as full, even if data of unknown length ended within it.
        first = batch if length or num_steps == 1 else self._steps_made
        progress = [self._progress(i // per_step) for i in range(first, first + num_steps)]
        self._set_beta(*(progress if length else progress[:1]))
        if execution is not None and execution.num_steps > 1:
            execution.schedule(self.model.beta, np.array([self._beta_at(at) for at in progress]))
            self._beta = None  # the loop changes it

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._steps_made += getattr(getattr(self.model, "execution", None), "num_made", 0)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None and self._started:
            logs["beta"] = float(keras.ops.convert_to_numpy(self.model.beta))
        if self._steps_per_epoch is None:
            self._steps_per_epoch = float(num_updates(self.model) - self._first_step) or None
            if not getattr(self.schedule, "in_epochs", False):
                self._warn_of_long_warm_up()  # the number of steps of the run is known only now

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._started:
            self._first_step = num_updates(self.model)
            self._epoch += 1
            self._set_beta(self._progress(0))
        self._restore_callbacks()

    # ----------------------------------------------------------------------------------------------------------------

    def _progress(self, step: int) -> float:
        """Returns the progress of training at a step of the present epoch, in the unit of the schedule."""
        total = self._first_step + step
        if not getattr(self.schedule, "in_epochs", False):
            return float(total)
        # In a first epoch of unknown length, beta is constant.
        return float(self._epoch) if self._steps_per_epoch is None else total / self._steps_per_epoch

    def _beta_at(self, progress: float) -> float:
        """Returns beta of the schedule, which must be finite and at least 0."""
        beta = self.schedule(progress)
        try:
            return float(number(float(beta), "beta", at_least=0))
        except (TypeError, ValueError):
            unit = "epochs" if getattr(self.schedule, "in_epochs", False) else "steps"
            raise ValueError(
                "A schedule must return a number of at least 0. "
                f"Received: beta={beta!r} from {self.schedule!r} after {progress:g} {unit}"
            ) from None

    def _set_beta(self, *progress: float) -> None:
        """Sets beta for the first progress. Callbacks wait if beta is not final at one of the values of progress."""
        beta = self._beta_at(progress[0])
        if beta != self._beta:
            self.model.beta.assign(beta)
            self._beta = beta
        is_settled = getattr(self.schedule, "is_settled", None)
        if is_settled is not None and not all(is_settled(at) for at in progress):
            for callback, start in self._original_starts:
                callback.start_from_epoch = max(start, self._epoch + 1)
            self._waiting = self._waiting or [WaitingEpoch(callback) for callback in self._comparing]

    def _end_waiting(self) -> None:
        for epoch in self._waiting:
            epoch.end()
        self._waiting = []

    def _restore_callbacks(self) -> None:
        self._end_waiting()
        for callback, start in self._original_starts:
            callback.start_from_epoch = start
        self._original_starts, self._comparing = [], []

    def _warn_of_long_warm_up(self) -> None:
        warm_up, epochs = getattr(self.schedule, "warm_up", 0.0), (self.params or {}).get("epochs")
        in_epochs, per_epoch = getattr(self.schedule, "in_epochs", False), self._steps_per_epoch
        if not epochs or not (in_epochs or per_epoch):
            return
        length = epochs - self._epoch if in_epochs else (epochs - self._epoch) * (per_epoch or 0.0)
        end = self._progress(0) + length
        if end < warm_up and not math.isclose(end, warm_up):
            unit, last = ("epochs" if in_epochs else "steps"), self._beta_at(end)
            warnings.warn(
                f"The warm-up of beta takes {warm_up:g} {unit}, but this run ends after {end:g} {unit} with "
                f"beta={last:g}. The model never trains with the final beta, and EarlyStopping, ReduceLROnPlateau and "
                f"ModelCheckpoint(save_best_only=True) have no effect. Shorten the warm-up of {self.schedule!r}, or "
                "train longer.",
                UserWarning,
                stacklevel=2,
            )
