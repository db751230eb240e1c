"""Runs a sweep in one or more processes, and writes the table at the end."""

import os
import queue
from collections.abc import Callable, Sequence
from pathlib import Path

from tfvae._errors import quoted
from tfvae._files import take_lock, write_bytes, write_text
from tfvae.sweeps.plan import Plan, PlannedRun, read_plan
from tfvae.sweeps.results import write_results
from tfvae.sweeps.worker_process import WorkerProcess
from tfvae.training.config import RunConfig


def run_sweep(
    file: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    num_jobs: int = 1,
    retry_failed: bool = False,
    on_stage: Callable[[str], None] = lambda stage: None,
) -> Path:
    """Runs what a sweep still lacks, and writes its table.

    A sweep that was interrupted goes on: finished runs are kept, a run that was killed resumes from its newest
    checkpoint. A run that failed is a row of the table that says why, and the others go on.

    Args:
        file: TOML file of the sweep; see `read_plan`.
        folder: Folder of the sweep.
        num_jobs: Number of processes, which share the cores. In each, runs that differ in seed, learning rate and beta
            share their programs.
        retry_failed: Whether runs that failed before start again.
        on_stage: Function that is called with a line of text when something happens.

    Returns:
        The path of the table, `sweep.md`.

    Raises:
        ValueError: If the file is not valid, or the folder belongs to another sweep or is in use.
        KeyboardInterrupt: If it is interrupted. The runs have saved checkpoints.
    """
    plan, folder = read_plan(file), Path(folder)
    _check_settings(plan, folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = take_lock(folder, f"Another process runs the sweep in {folder}. Wait until it has finished, or stop it.")
    try:
        write_bytes(folder / "sweep.toml", Path(file).read_bytes())
        _run_all(plan, folder, num_jobs, retry_failed, on_stage)
        return write_results(plan, folder)
    finally:
        if lock is not None:
            os.close(lock)


def _check_settings(plan: Plan, folder: Path) -> None:
    """Raises ValueError if a run in the folder has other settings than the one that is planned."""
    for run in plan.runs:
        path = run.settings_file(folder)
        if path.exists() and RunConfig.from_toml(path) != run.config:
            raise ValueError(
                f"{folder} contains the run {run.folder} with other settings. Choose another folder with --sweep-dir. "
                "Nothing was changed."
            )


def _run_all(plan: Plan, folder: Path, num_jobs: int, retry_failed: bool, on_stage: Callable[[str], None]) -> None:
    if retry_failed:
        for run in plan.runs:
            run.failure_file(folder).unlink(missing_ok=True)
    waiting = [run for run in plan.runs if not _has_ended(folder, run)]
    total = len(plan.runs)
    if len(waiting) < total:
        on_stage(f"{total - len(waiting)} of {total} runs are there already")
    outcomes: queue.SimpleQueue[tuple[WorkerProcess, str | None]] = queue.SimpleQueue()
    workers = [WorkerProcess(folder, outcomes, num_jobs) for _ in range(min(num_jobs, len(waiting)))]

    def give_work(worker: WorkerProcess) -> None:
        run = _next_run(waiting, worker, workers)
        if run is None:
            worker.close()
        else:
            on_stage(f"[{total - len(waiting)}/{total}] {run.variant}, seed {run.seed}")
            worker.start(run)

    try:
        for worker in workers:
            give_work(worker)
        while any(worker.run for worker in workers):
            worker, outcome = outcomes.get()
            ended, worker.run = worker.run, None
            if ended is not None:
                _finish(folder, ended, worker, outcome, on_stage)
                give_work(worker)
    except BaseException:
        for worker in workers:
            worker.interrupt()
        raise
    finally:
        for worker in workers:
            worker.close()


def _has_ended(folder: Path, run: PlannedRun) -> bool:
    return run.run_folder(folder).report_json.exists() or run.failure_file(folder).exists()


def _next_run(waiting: list[PlannedRun], worker: WorkerProcess, workers: Sequence[WorkerProcess]) -> PlannedRun | None:
    """Removes the next run of a worker from those that wait, one of the structure for which it has the programs.

    Without one, it is a run of a structure that no other worker has.
    """
    others = [other.structure for other in workers if other is not worker]
    found = [run for run in waiting if run.structure == worker.structure]
    found = found or [run for run in waiting if run.structure not in others] or waiting
    if not found:
        return None
    run = found[0]
    waiting.remove(run)
    return run


def _finish(
    folder: Path, run: PlannedRun, worker: WorkerProcess, outcome: str | None, on_stage: Callable[[str], None]
) -> None:
    """Records the end of a run. `outcome` is None if the process of the worker ended."""
    if outcome == "finished":
        return
    if outcome != "failed":
        code = "" if outcome else f" Received: exit code {worker.close()}"
        raise InterruptedError(
            f"The process of {run.variant}, seed {run.seed} was stopped. Start the sweep again, and it goes on.{code}"
        )
    reason = _reason(folder, run)
    write_text(run.failure_file(folder), reason + "\n")
    on_stage(f"failed: {run.variant}, seed {run.seed}: {reason}")


def _reason(folder: Path, run: PlannedRun) -> str:
    """Returns the error at the end of the log of a run."""
    path = run.log_file(folder)
    lines = [line.strip() for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("error:", "Error:"))]
    if errors:
        return errors[-1].partition(":")[2].strip()
    return lines[-1] if lines else f"the process ended without a message; see {quoted(str(path))}"
