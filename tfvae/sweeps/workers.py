"""Processes that train the runs of a sweep."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self

from tfvae._files import take_lock, write_text
from tfvae.sweeps.planned_run import PlannedRun

Outcome = Literal["finished", "failed", "interrupted"]

_MAX_USUAL_JOBS = 4  # each takes about a gigabyte
_THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


class Ended(NamedTuple):
    """A run that a process no longer trains.

    Attributes:
        run: The run.
        outcome: How it ended. None if the process ended.
        exit_code: Exit code of the process, if it ended.
    """

    run: PlannedRun
    outcome: Outcome | None
    exit_code: int | None


class Workers:
    """Processes of `tfvae.cli.worker`, started when there is work. A context manager that waits for their ends.

    A process trains one run at a time. Runs of the same structure share the programs of a process.

    Args:
        folder: Folder of the sweep.
        num_jobs: Maximum number of processes, which share the cores.
        allow_code: Whether runs may name networks of the user's own.
    """

    def __init__(self, folder: Path, num_jobs: int, allow_code: bool = False):
        self._folder = folder
        self._num_jobs = num_jobs
        self._allow_code = allow_code
        self._processes: list[_Process] = []
        self._replies: queue.SimpleQueue[tuple[_Process, str | None]] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for process in self._processes:
                process.signal(signal.SIGINT)  # the run saves a checkpoint
        for process in self._processes:
            process.close()

    @property
    def runs(self) -> list[PlannedRun]:
        """The runs that are trained now."""
        return [process.run for process in self._processes if process.run is not None]

    @property
    def has_room(self) -> bool:
        """Whether a process is free, or may be started."""
        return len(self.runs) < self._num_jobs

    def choose(self, waiting: Sequence[PlannedRun]) -> PlannedRun:
        """Returns the run to start next: one for which a free process has the programs, if there is one.

        Otherwise it is the first run of a structure that no other process trains, or the first one.
        """
        free = [process.structure for process in self._processes if process.run is None]
        busy = [process.structure for process in self._processes if process.run is not None]
        known = (run for run in waiting if run.structure in free)
        new = (run for run in waiting if run.structure not in busy)
        return next(known, None) or next(new, waiting[0])

    def start(self, run: PlannedRun) -> None:
        """Trains a run in a free process, or resumes it if its folder exists."""
        run_folder, settings = run.run_folder(self._folder), run.settings_file(self._folder)
        _wait_until_free(run_folder.path)
        if not settings.exists():
            write_text(settings, run.config.to_toml())
        free = [process for process in self._processes if process.run is None]
        same = [process for process in free if process.structure == run.structure]
        # A process of another structure would have to start itself again.
        chosen = same or (free if len(self._processes) == self._num_jobs else [])
        if not chosen:
            chosen = [_Process(self._replies, self._num_jobs)]
            self._processes.append(chosen[0])
        chosen[0].train(
            run,
            {
                "settings": str(settings),
                "run_dir": str(run_folder.path),
                "log": str(run.log_file(self._folder)),
                "allow_code": self._allow_code,
            },
        )

    def next_ended(self, timeout: float | None = None) -> Ended | None:
        """Waits for a run to end. Returns None if none ends within `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            try:
                process, outcome = self._replies.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None
            run, process.run = process.run, None
            code = None
            if outcome is None:
                self._processes.remove(process)
                code = process.close()
            if run is not None:
                return Ended(run, outcome, code)  # type: ignore[arg-type]

    def signal(self, run: PlannedRun, number: signal.Signals) -> None:
        """Sends a signal to the process that trains a run. SIGINT lets the run save a checkpoint and stop."""
        for process in self._processes:
            if process.run is run:
                process.signal(number)


class _Process:
    """One process."""

    def __init__(self, replies: "queue.SimpleQueue[tuple[_Process, str | None]]", num_jobs: int):
        self.run: PlannedRun | None = None
        self.structure: str | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tfvae.cli.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_threads(num_jobs)},
            text=True,
            start_new_session=True,  # Ctrl-C of a terminal reaches the sweep only, which passes it on once
        )
        threading.Thread(target=self._listen, args=(replies,), daemon=True).start()

    def train(self, run: PlannedRun, order: dict[str, object]) -> None:
        self.run, self.structure = run, run.structure
        with contextlib.suppress(BrokenPipeError):  # the process has ended, which its replies say
            self._process.stdin.write(json.dumps(order) + "\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def close(self) -> int:
        """Waits for the end of the run and of the process. Returns the exit code."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]
        return self._process.wait()

    def _listen(self, replies: "queue.SimpleQueue[tuple[_Process, str | None]]") -> None:
        for line in self._process.stdout:  # type: ignore[union-attr]
            replies.put((self, line.strip()))
        replies.put((self, None))


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


def usual_jobs() -> int:
    """Returns the number of processes if none is given: one for each core, at most 4, and one with a GPU."""
    has_gpu = any(Path("/dev").glob("nvidia[0-9]*"))  # a process takes all memory of a GPU
    return 1 if has_gpu else min(_num_cores(), _MAX_USUAL_JOBS)


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threads(num_jobs: int) -> dict[str, str]:
    """Returns the environment variables with which several processes share the cores."""
    if num_jobs == 1:
        return {}
    count = str(max(1, _num_cores() // num_jobs))
    return {name: os.environ.get(name, count) for name in _THREAD_VARIABLES}
