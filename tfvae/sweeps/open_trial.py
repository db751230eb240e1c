"""A trial of Optuna that has not ended: it reports epochs, and ends when its runs do or when it is pruned."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import optuna
from optuna.trial import TrialState

from tfvae.sweeps.planned_run import PlannedRun
from tfvae.sweeps.running import has_ended
from tfvae.training.config import RunConfig
from tfvae.training.run_folder import RunFolder
from tfvae.training.training_state import TrainingState


class OpenTrial:
    """Trial whose runs are started and watched.

    Only the run of the first seed decides whether the trial is pruned. Every trial has that seed at every epoch, so
    that like is compared with like, and a pruned trial costs a part of one run instead of a part of each.

    Args:
        trial: The trial in Optuna.
        runs: Its runs, one for each seed.
        folder: Folder of the sweep.
        failure: Why it cannot have runs, or "".
    """

    def __init__(self, trial: optuna.trial.Trial, runs: Sequence[PlannedRun], folder: Path, failure: str = ""):
        self.number = trial.number
        self.runs = runs
        self.waiting = [run for run in runs if not has_ended(folder, run)]
        self._trial = trial
        self._folder = folder
        self._failure = failure
        self._num_epochs: int | None = None
        known = trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values
        self._next_epoch = max(known, default=-1) + 1
        self._is_judged = not known  # the last epoch of a trial that was interrupted may not be

    def update(self) -> str | None:
        """Reports new epochs. Returns what happened if the trial has ended."""
        if self._failure:
            return self.fail(self._failure)
        pruned_after = self._pruned_after()
        if pruned_after is not None:
            self._trial.set_user_attr("epochs", pruned_after)
            self._tell(TrialState.PRUNED)
            return pruned(pruned_after)
        for run in self.runs:
            failure = run.failure_file(self._folder)
            if failure.exists():
                return self.fail(f"seed {run.seed}: {failure.read_text('utf-8').strip()}")
        if not all(has_ended(self._folder, run) for run in self.runs):
            return None
        values = [final_validation_elbo(run.run_folder(self._folder)) for run in self.runs]
        # Optuna takes an infinite value for a result, and plus infinity for the best one.
        for run, value in zip(self.runs, values, strict=True):
            if not math.isfinite(value):
                return self.fail(f"seed {run.seed}: the validation ELBO is {value}")
        self._trial.set_user_attr("validation_elbo", values)
        self._tell(TrialState.COMPLETE, float(np.mean(values)))
        return f"validation ELBO {np.mean(values):.6g}"

    def fail(self, why: str) -> str:
        """Ends the trial as failed. Returns what happened."""
        self._trial.set_user_attr("failure", why)
        self._tell(TrialState.FAIL)
        return f"failed: {why}"

    def _tell(self, state: TrialState, value: float | None = None) -> None:
        self._trial.study.tell(self._trial, value, state=state)

    def _pruned_after(self) -> int | None:
        """Returns the number of epochs after which the trial is pruned, or None.

        The decision depends on the epochs alone, and not on when they are seen. No trial is pruned at its last epoch.
        """
        if not self._is_judged:
            self._is_judged = True
            if self._next_epoch < self._epochs_of_run() and self._trial.should_prune():
                return self._next_epoch
        for epoch, elbo in validation_elbos(self.runs[0].run_folder(self._folder)):
            if epoch < self._next_epoch:
                continue
            self._next_epoch = epoch + 1
            if math.isfinite(elbo):
                self._trial.report(elbo, epoch)
                if self._next_epoch < self._epochs_of_run() and self._trial.should_prune():
                    return self._next_epoch
        return None

    def _epochs_of_run(self) -> int:
        if self._num_epochs is None:
            self._num_epochs = RunConfig.of_run(self.runs[0].run_folder(self._folder).config).training.epochs
        return self._num_epochs


def pruned(num_epochs: int) -> str:
    """Says that a trial was pruned."""
    return f"pruned after {num_epochs} epoch{'s' if num_epochs > 1 else ''}"


def validation_elbos(folder: RunFolder) -> Iterator[tuple[int, float]]:
    """Yields the epochs of a run, which may still train, with their validation ELBO."""
    history = folder.history()
    for epoch, elbo in zip(history.get("epoch", ()), history.get("val_elbo", ()), strict=True):
        yield int(epoch), elbo


def final_validation_elbo(folder: RunFolder) -> float:
    """Returns the validation ELBO of the model that a run keeps."""
    if RunConfig.of_run(folder.config).training.select == "best":
        best = folder.best_checkpoint()
        elbo = None if best is None else TrainingState.read(best).validation_elbo
        if elbo is not None:
            return elbo
    return next((elbo for _, elbo in reversed(list(validation_elbos(folder)))), math.nan)
