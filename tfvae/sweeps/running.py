"""Runs the runs of a sweep in one or more processes."""

from collections.abc import Callable
from pathlib import Path

from tfvae._errors import quoted
from tfvae._files import write_text
from tfvae.sweeps.plan import Plan
from tfvae.sweeps.planned_run import PlannedRun
from tfvae.sweeps.workers import Ended, Workers


def run_all(
    plan: Plan, folder: Path, num_jobs: int, retry_failed: bool, allow_code: bool, on_stage: Callable[[str], None]
) -> None:
    """Runs what a sweep still lacks; see `run_sweep`."""
    if retry_failed:
        for run in plan.runs:
            run.failure_file(folder).unlink(missing_ok=True)
    waiting = [run for run in plan.runs if not has_ended(folder, run)]
    total = len(plan.runs)
    if len(waiting) < total:
        on_stage(f"{total - len(waiting)} of {total} runs are there already")
    with Workers(folder, num_jobs, allow_code) as workers:
        while waiting or workers.runs:
            while waiting and workers.has_room:
                run = workers.choose(waiting)
                waiting.remove(run)
                on_stage(f"[{total - len(waiting)}/{total}] {run.variant}, seed {run.seed}")
                workers.start(run)
            ended = workers.next_ended()
            if ended is not None:
                finish(folder, ended, on_stage)


def has_ended(folder: Path, run: PlannedRun) -> bool:
    """Whether a run has finished or failed."""
    return run.run_folder(folder).report_json.exists() or run.failure_file(folder).exists()


def finish(folder: Path, ended: Ended, on_stage: Callable[[str], None]) -> None:
    """Writes down why a run failed.

    Raises:
        InterruptedError: If it was stopped from outside.
    """
    run = ended.run
    if ended.outcome == "finished":
        return
    if ended.outcome != "failed":
        code = "" if ended.exit_code is None else f" Received: exit code {ended.exit_code}"
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
