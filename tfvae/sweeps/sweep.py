"""A sweep in its folder: what is missing is run, and the table is written."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from tfvae._extras import how_to_install
from tfvae._files import locked, write_bytes
from tfvae.sweeps.check_plan import check_plan
from tfvae.sweeps.plan import Plan, read_plan
from tfvae.sweeps.results import write_results
from tfvae.sweeps.running import run_all
from tfvae.sweeps.workers import usual_jobs
from tfvae.training.config import RunConfig


def run_sweep(
    file: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    num_jobs: int | None = None,
    retry_failed: bool = False,
    allow_code: bool = False,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Path:
    """Runs what a sweep still lacks, and writes its table.

    A sweep that was interrupted goes on: finished runs are kept, a run that was killed resumes from its newest
    checkpoint. A run that failed is a row of the table that says why, and the others go on.

    Args:
        file: TOML file of the sweep; see `read_plan`.
        folder: Folder of the sweep.
        num_jobs: Number of processes, which share the cores. None is one for each core, at most 4, and one on a machine
            with a GPU or for a sweep by Optuna, whose trials then follow from its seed.
        retry_failed: Whether runs that failed before start again.
        allow_code: Whether the file may name networks of the user's own, whose modules the runs then import.
        on_stage: Function that is called with a line of text when something happens.

    Returns:
        The path of the table, `sweep.md`.

    Raises:
        ValueError: If the file is not valid, the folder belongs to another sweep or is in use, or the sweep needs
            Optuna and it is not installed.
        KeyboardInterrupt: If it is interrupted. The runs have saved checkpoints.
    """
    folder = Path(folder)
    plan = plan_in(file, folder)
    check_plan(plan, allow_code)
    _check_settings(plan, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, f"Another process runs the sweep in {folder}. Wait until it has finished, or stop it."):
        write_bytes(folder / "sweep.toml", Path(file).read_bytes())
        if num_jobs is None:
            num_jobs = usual_jobs() if plan.search is None else 1
        if plan.search is None:
            run_all(plan, folder, num_jobs, retry_failed, allow_code, on_stage)
        else:
            _searching().run_trials(plan.search, folder, num_jobs, retry_failed, allow_code, on_stage)
        return write_results(plan_in(file, folder), folder)


def plan_in(file: str | os.PathLike[str], folder: Path) -> Plan:
    """Reads the file of a sweep. A sweep by Optuna has the rows and runs of the trials that are in the folder.

    Raises:
        ValueError: If the file is not valid, the folder contains trials of another sweep, or Optuna is missing.
    """
    plan = read_plan(file)
    return plan if plan.search is None else _searching().with_trials(plan, plan.search, folder)


def _searching() -> ModuleType:
    """Returns the module that needs Optuna."""
    try:
        from tfvae.sweeps import search
    except ModuleNotFoundError as error:
        raise ValueError(how_to_install(error, "A sweep with [optuna]", "sweep")) from error
    return search


def _check_settings(plan: Plan, folder: Path) -> None:
    """Raises ValueError if a run in the folder has other settings than the one that is planned."""
    for run in plan.runs:
        path = run.settings_file(folder)
        if path.exists() and RunConfig.from_toml(path) != run.config:
            raise ValueError(
                f"{folder} contains the run {run.folder} with other settings. Choose another folder with --sweep-dir. "
                "Nothing was changed."
            )
