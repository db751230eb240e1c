"""Runs a sweep by Optuna: trials are begun, watched, and ended, several runs at a time."""

import dataclasses
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tfvae._files import write_text
from tfvae.sweeps import running
from tfvae.sweeps.open_trial import OpenTrial
from tfvae.sweeps.plan import Plan
from tfvae.sweeps.planned_run import PlannedRun
from tfvae.sweeps.search_plan import SearchPlan
from tfvae.sweeps.search_results import measured_on, rows_of
from tfvae.sweeps.trials import Trials, check_parts
from tfvae.sweeps.workers import Workers

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 30.0


@dataclasses.dataclass
class _TrainedRun:
    """Run that a process trains."""

    trial: OpenTrial
    run: PlannedRun
    asked_at: float | None = None

    def stop(self, workers: Workers) -> None:
        """Asks the process to save a checkpoint and stop, and ends it if it does not. May be called repeatedly."""
        if self.asked_at is None:
            self.asked_at = time.monotonic()
            workers.signal(self.run, signal.SIGINT)
        elif time.monotonic() > self.asked_at + PATIENCE_SECONDS:  # an import may have swallowed the KeyboardInterrupt
            workers.signal(self.run, signal.SIGTERM)


class _Search:
    """The trials that have begun and their runs."""

    def __init__(self, trials: Trials, folder: Path, workers: Workers, on_stage: Callable[[str], None]):
        self._trained: list[_TrainedRun] = []
        self._trials = trials
        self._folder = folder
        self._workers = workers
        self._on_stage = on_stage
        self._open = list(trials.interrupted())
        self._missing = trials.num_missing()
        self._begun = len(trials.current()) - trials.num_waiting()
        self._total = self._begun + self._missing
        self._has_said = False

    def has_ended(self) -> bool:
        return not (self._trained or self._open or self._missing)

    def start_runs(self) -> None:
        """Starts as many runs as there is room for. The seeds of a trial come before the next trial."""
        while self._workers.has_room:
            trial = next((trial for trial in self._open if trial.waiting), None)
            if trial is not None:
                run = trial.waiting.pop(0)
                if running.has_ended(self._folder, run):
                    continue  # its process outlived an earlier process of the sweep
                self._on_stage(f"[{self._begun}/{self._total}] {run.variant}, seed {run.seed}")
                self._workers.start(run)
                self._trained.append(_TrainedRun(trial, run))
            elif self._missing:
                self._missing -= 1
                self._begun += 1
                self._open.append(self._trials.begin())
            else:
                return

    def watch(self) -> None:
        """Handles a run that has ended, or waits a moment, and ends trials."""
        ended = self._workers.next_ended(POLL_SECONDS)
        if ended is not None:
            each = next(each for each in self._trained if each.run is ended.run)
            self._trained.remove(each)
            if each.trial in self._open:
                running.finish(self._folder, ended, lambda failure: None)
                if not running.has_ended(self._folder, each.run):
                    write_text(each.run.failure_file(self._folder), "its process ended without a report\n")
        for trial in list(self._open):
            news = trial.update()
            if news is not None:
                self._open.remove(trial)
                self._on_stage(f"trial {trial.number}: {news}")
                self._say_on_what(trial)
        for each in self._trained:
            if each.trial not in self._open:
                each.stop(self._workers)

    def _say_on_what(self, trial: OpenTrial) -> None:
        """Says once on which examples trials are compared."""
        if not self._has_said:
            for sentence in measured_on(trial.runs, self._folder):
                self._on_stage(sentence)
                self._has_said = True


def run_trials(
    plan: SearchPlan,
    folder: Path,
    num_jobs: int,
    retry_failed: bool,
    allow_code: bool,
    on_stage: Callable[[str], None],
) -> None:
    """Runs what a sweep by Optuna still lacks; see `run_sweep`.

    Trials that an interrupted sweep has begun go on with the settings that they have.
    """
    trials = Trials(plan, folder)
    if retry_failed:
        trials.retry_failed()
    with Workers(folder, num_jobs, allow_code) as workers:
        search = _Search(trials, folder, workers, on_stage)
        while not search.has_ended():
            search.start_runs()
            search.watch()


def with_trials(plan: Plan, search: SearchPlan, folder: Path) -> Plan:
    """Returns a plan with the rows and runs of the trials in a folder.

    Raises:
        ValueError: If the sampler or the pruner cannot be made, or the folder contains trials of another sweep.
    """
    if not Trials.exist(folder):
        check_parts(search)
        return plan
    return rows_of(plan, search, Trials(search, folder), folder)
