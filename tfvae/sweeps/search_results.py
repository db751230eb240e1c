"""What a sweep by Optuna has found: its rows, the best one first, and sentences about them."""

import contextlib
import dataclasses
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from tfvae.sweeps.open_trial import pruned
from tfvae.sweeps.plan import Plan
from tfvae.sweeps.planned_run import PlannedRun
from tfvae.sweeps.search_plan import Outcome, SearchPlan, variant
from tfvae.sweeps.trials import Trials

_MIN_TRIALS = 10  # for the importances of settings
_ORDER = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)


def rows_of(plan: Plan, search: SearchPlan, trials: Trials, folder: Path) -> Plan:
    """Returns a plan with the rows and runs of its trials, the best one first."""
    chosen = [trial for trial in trials.current() if set(search.space) <= set(trial.params)]
    chosen.sort(key=lambda trial: (_ORDER.index(trial.state), -_value(trial), trial.number))
    outcomes: dict[str, Outcome] = {}
    runs: list[PlannedRun] = []
    for trial in chosen:
        settings = search.settings(trial.params)
        outcomes[variant(trial.number, settings)] = _outcome(search, trial, settings)
        with contextlib.suppress(ValueError):  # settings that do not fit together have no runs, and `failure` says so
            runs += search.runs(trial.number, settings)
    remarks = (*_best(search, chosen), *measured_on(runs, folder), *_importances(trials.study, chosen))
    return dataclasses.replace(plan, variants=tuple(outcomes), runs=tuple(runs), outcomes=outcomes, remarks=remarks)


def _value(trial: FrozenTrial) -> float:
    return trial.value if trial.value is not None else -np.inf


def _outcome(search: SearchPlan, trial: FrozenTrial, settings: dict[str, Any]) -> Outcome:
    about = trial.user_attrs
    if trial.state == TrialState.COMPLETE:
        return Outcome(settings, dict(zip(search.seeds, about["validation_elbo"], strict=True)))
    if trial.state == TrialState.PRUNED:
        return Outcome(settings, note=pruned(about["epochs"]))
    if trial.state == TrialState.FAIL:
        return Outcome(settings, note="failed", failure=about["failure"])
    return Outcome(settings, note="unfinished")


def _best(search: SearchPlan, chosen: Sequence[FrozenTrial]) -> Iterator[str]:
    if chosen and chosen[0].state == TrialState.COMPLETE:
        best = chosen[0]
        run = search.runs(best.number, search.settings(best.params))[0]
        yield (
            f"The best is {run.variant}, with a validation ELBO of {best.value:.3f}. All its settings are in "
            f"{run.folder / 'config.toml'}."
        )


def measured_on(runs: Sequence[PlannedRun], folder: Path) -> Iterator[str]:
    """Says on which examples trials were compared, and whether they are those of the table."""
    reports = [run.run_folder(folder).report_json for run in runs]
    found = next((path for path in reports if path.exists()), None)
    report = {} if found is None else json.loads(found.read_text("utf-8"))
    validation = report.get("validation")
    if validation is None:
        return
    yield f"The validation ELBO is that of {validation}, in nats per example."
    if report["split"].startswith(validation):
        yield (
            "The data have no validation examples of their own, so the best trial is chosen on the examples of the "
            "table, and its figures there are too high. Choose it on data with a validation split."
        )


def _importances(study: optuna.Study, chosen: Sequence[FrozenTrial]) -> Iterator[str]:
    num_complete = sum(trial.state == TrialState.COMPLETE for trial in chosen)
    if num_complete >= _MIN_TRIALS and len(chosen[0].params) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = optuna.importance.get_param_importances(study)
        shares = ", ".join(f"{setting} {share:.2f}" for setting, share in found.items())
        yield f"Importance of the settings for a place among the best tenth of the trials (PED-ANOVA): {shares}."
