"""A beta that moves during training."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfvae._checks import number
from tfvae.callbacks._waiting import WaitingEpoch, compares_epochs
from tfvae.callbacks.schedules import Schedule


class BetaSchedule(keras.callbacks.Callback):
    """Sets a VAE's `beta`, the weight of its KL, before each training step.

    Progress is counted by the optimizer's steps since the start of all training, so that a run that resumes, or a
    second `fit`, goes on where the first one ended. Nothing is traced again. Each epoch's logs get `beta`, that of the
    epoch's last step, for this callback's followers in the list and for the history. When `fit` ends, `beta` is what
    the next step would have.

    With `steps_per_execution` above 1, each step still has its own beta.

    Callbacks that compare epochs wait: an epoch in which some step had a beta that was still on its way does not count
    for a `keras.callbacks.EarlyStopping`, `ReduceLROnPlateau` or `ModelCheckpoint(save_best_only=True)` in the same
    `VAE.fit`, neither for their patience nor as their best, and no best checkpoint is saved after it. `val_elbo` and
    `elbo` do not depend on beta and can be compared from epoch to epoch; `loss` and `val_loss` cannot.

    Args:
        schedule: `Constant`, `LinearWarmUp`, `Cyclical`, or any function from the number of steps to beta.

    Raises:
        TypeError: for a schedule that is no function; from `fit`, for a model without a variable `beta`.
        ValueError: from `fit`, when the schedule makes what is no number, at least 0.

    Warns:
        UserWarning: from `fit`, when the run ends before the warm-up does; of data of unknown length at the end of the
            first epoch.

    Example:
        >>> warm_up = tfvae.callbacks.LinearWarmUp(num_epochs=10)
        >>> vae.fit(train, epochs=100, callbacks=[tfvae.callbacks.BetaSchedule(warm_up)])  # doctest: +SKIP
    """

    knows_executions = True

    def __init__(self, schedule: Schedule | Callable[[float], float]):
        super().__init__()
        if isinstance(schedule, type) or not callable(schedule):
            raise TypeError(
                "schedule is Constant, LinearWarmUp, Cyclical or a function from the number of steps to beta. "
                f"Received: {schedule!r}."
            )
        self.schedule = schedule
        self._with_a_start: list[tuple[Any, int]] = []
        self._comparing: list[keras.callbacks.Callback] = []
        self._waiting: list[WaitingEpoch] = []
        self._steps_per_epoch: float | None = None
        self._started = False
        self._epoch = 0
        self._first_step = self._made = 0
        self._beta: float | None = None

    def share_callbacks(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Receives the other callbacks of the same fit; `VAE.fit` calls it, with an empty list when it ends."""
        self._let_go()
        self._with_a_start = [
            (callback, callback.start_from_epoch) for callback in callbacks if hasattr(callback, "start_from_epoch")
        ]
        self._comparing = [callback for callback in callbacks if compares_epochs(callback)]

    # Hooks, in the order Keras calls them ----------------------------------------------------------------------------

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not hasattr(getattr(self.model, "beta", None), "assign"):
            raise TypeError(
                "BetaSchedule moves the variable `beta` of a tfvae.models.VAE (or of a model of yours with such a "
                f"variable). Received a model without one: {self.model!r}."
            )
        batches = (self.params or {}).get("steps")
        if batches:  # else what an earlier fit has counted
            self._steps_per_epoch = batches / self._batches_per_step()
        self._started = False
        self._beta = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch
        self._end_waiting()
        self._first_step, self._made = self._optimizer_steps(), 0
        if not self._started:
            self._started = True
            self._warn_of_a_long_warm_up()

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Asking the optimizer would make each step wait for the one before: within an epoch, steps are counted.
        per_step, execution = self._batches_per_step(), getattr(self.model, "execution", None)
        num_steps, length = 1 if execution is None else execution.num_steps, (self.params or {}).get("steps")
        num_steps = min(num_steps, length - batch) if length else num_steps
        # Keras counts a call of many steps whole, also where data of unknown length ended within it.
        first = batch if length or num_steps == 1 else self._made
        progress = [self._progress(i // per_step) for i in range(first, first + num_steps)]
        self._set_beta(*(progress if length else progress[:1]))
        if execution is not None and execution.num_steps > 1:
            execution.schedule(self.model.beta, np.array([self._at(at) for at in progress]))
            self._beta = None  # the loop will have moved it

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._made += getattr(getattr(self.model, "execution", None), "num_made", 0)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None and self._started:
            logs["beta"] = float(keras.ops.convert_to_numpy(self.model.beta))
        if self._steps_per_epoch is None:
            self._steps_per_epoch = float(self._optimizer_steps() - self._first_step) or None
            if not getattr(self.schedule, "in_epochs", False):
                self._warn_of_a_long_warm_up()  # in steps, which only now can be compared with the run's

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._started:
            self._first_step = self._optimizer_steps()
            self._epoch += 1
            self._set_beta(self._progress(0))
        self._let_go()

    # ----------------------------------------------------------------------------------------------------------------

    def _progress(self, step: int) -> float:
        """Where training stands at a step of the present epoch, in the schedule's unit."""
        total = self._first_step + step
        if not getattr(self.schedule, "in_epochs", False):
            return float(total)
        # In a first epoch of unknown length, beta stays as it is at the epoch's start.
        return float(self._epoch) if self._steps_per_epoch is None else total / self._steps_per_epoch

    def _at(self, progress: float) -> float:
        """The schedule's beta, checked: what is no weight of a KL must not reach the loss."""
        beta = self.schedule(progress)
        try:
            return float(number(float(beta), "beta", at_least=0))
        except (TypeError, ValueError):
            unit = "epochs" if getattr(self.schedule, "in_epochs", False) else "steps"
            raise ValueError(
                f"A schedule makes beta, a number, at least 0, of the number of {unit}. {self.schedule!r} made "
                f"{beta!r} of {progress:g}."
            ) from None

    def _set_beta(self, *progress: float) -> None:
        """Beta at the first of these; callbacks wait if any of them is before the end of a rise."""
        beta = self._at(progress[0])
        if beta != self._beta:
            self.model.beta.assign(beta)
            self._beta = beta
        is_settled = getattr(self.schedule, "is_settled", None)
        if is_settled is not None and not all(is_settled(at) for at in progress):
            for callback, start in self._with_a_start:
                callback.start_from_epoch = max(start, self._epoch + 1)
            self._waiting = self._waiting or [WaitingEpoch(callback) for callback in self._comparing]

    def _end_waiting(self) -> None:
        for epoch in self._waiting:
            epoch.end()
        self._waiting = []

    def _let_go(self) -> None:
        self._end_waiting()
        for callback, start in self._with_a_start:
            callback.start_from_epoch = start
        self._with_a_start, self._comparing = [], []

    def _optimizer_steps(self) -> int:
        updates = getattr(self.model, "num_updates", None)  # another Keras model has its optimizer's count
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations)) if updates is None else updates

    def _batches_per_step(self) -> int:
        return getattr(self.model.optimizer, "gradient_accumulation_steps", None) or 1

    def _warn_of_a_long_warm_up(self) -> None:
        warm_up, epochs = getattr(self.schedule, "warm_up", 0.0), (self.params or {}).get("epochs")
        in_epochs, per_epoch = getattr(self.schedule, "in_epochs", False), self._steps_per_epoch
        if not epochs or not (in_epochs or per_epoch):
            return
        length = epochs - self._epoch if in_epochs else (epochs - self._epoch) * (per_epoch or 0.0)
        end = self._progress(0) + length
        if end < warm_up and not math.isclose(end, warm_up):
            unit, last = ("epochs" if in_epochs else "steps"), self._at(end)
            warnings.warn(
                f"The warm-up of beta takes {warm_up:g} {unit}, but this run ends after {end:g}, with beta at "
                f"{last:g}: the model never trains with the beta it is meant to have, and EarlyStopping, "
                "ReduceLROnPlateau and ModelCheckpoint(save_best_only=True) cannot act. Shorten the warm-up of "
                f"{self.schedule!r}, or train for longer.",
                UserWarning,
                stacklevel=2,
            )
