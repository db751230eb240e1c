"""Runs a sweep: one process for each run, several at a time, and the table at the end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tfvae._errors import quoted
from tfvae._files import take_lock, write_bytes, write_text
from tfvae.sweeps.plan import Plan, PlannedRun, read_plan
from tfvae.sweeps.results import write_results
from tfvae.training.config import RunConfig

_POLL_SECONDS = 0.2
_MIN_SIGNAL_CODE = 128  # a shell adds the number of the signal
_THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


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
        num_jobs: Number of runs at the same time, which share the cores.
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
    running: list[tuple[PlannedRun, subprocess.Popen[bytes]]] = []
    if len(waiting) < total:
        on_stage(f"{total - len(waiting)} of {total} runs are there already")
    done = total - len(waiting)
    try:
        while waiting or running:
            while waiting and len(running) < num_jobs:
                run = waiting.pop(0)
                on_stage(f"[{done + len(running) + 1}/{total}] {run.variant}, seed {run.seed}")
                running.append((run, _start(folder, run, num_jobs)))
            time.sleep(_POLL_SECONDS)
            for run, process in list(running):
                if process.poll() is not None:
                    running.remove((run, process))
                    done += 1
                    _finish(folder, run, process.returncode, on_stage)
    except BaseException:
        for _, process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)  # the run saves a checkpoint
        for _, process in running:
            process.wait()
        raise


def _has_ended(folder: Path, run: PlannedRun) -> bool:
    return run.run_folder(folder).report_json.exists() or run.failure_file(folder).exists()


def _start(folder: Path, run: PlannedRun, num_jobs: int) -> subprocess.Popen[bytes]:
    run_folder, settings = run.run_folder(folder), run.settings_file(folder)
    _wait_until_free(run_folder.path)
    if not settings.exists():
        write_text(settings, run.config.to_toml())
    options = ["--config", str(settings), "--run-dir", str(run_folder.path)]
    if run_folder.config.exists():
        options = ["--resume", str(run_folder.path)]
    with run.log_file(folder).open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tfvae.cli", "train", *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **_threads(num_jobs)},
        )


def _wait_until_free(path: Path) -> None:
    """Waits for a run whose sweep was killed but which still trains."""
    while path.exists():
        try:
            lock = take_lock(path, "in use")
        except ValueError:
            time.sleep(1.0)
            continue
        if lock is not None:
            os.close(lock)
        return


def _threads(num_jobs: int) -> dict[str, str]:
    """Returns the environment variables with which several processes share the cores."""
    if num_jobs == 1:
        return {}
    count = str(max(1, len(os.sched_getaffinity(0)) // num_jobs if hasattr(os, "sched_getaffinity") else 1))
    return {name: os.environ.get(name, count) for name in _THREAD_VARIABLES}


def _finish(folder: Path, run: PlannedRun, code: int, on_stage: Callable[[str], None]) -> None:
    if code == 0:
        return
    reason = _reason(folder, run)
    if code < 0 or code >= _MIN_SIGNAL_CODE or reason.startswith("interrupted"):
        raise InterruptedError(
            f"The process of {run.variant}, seed {run.seed} was stopped. Start the sweep again, and it goes on. "
            f"Received: exit code {code}"
        )
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
