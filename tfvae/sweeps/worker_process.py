"""Process that trains runs of a sweep one after the other."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tfvae._files import take_lock, write_text
from tfvae.sweeps.plan import PlannedRun

_THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


class WorkerProcess:
    """Process of `tfvae.cli.worker`, which trains one run at a time and shares programs between runs of a structure.

    Args:
        folder: Folder of the sweep.
        outcomes: Queue to which it adds `(worker, outcome)` when a run has ended: "finished", "failed" or
            "interrupted". When the process has ended, the outcome is None.
        num_jobs: Number of processes that share the cores.

    Attributes:
        run: The run that it trains. None if it waits for one.
        structure: Key of the structure of its last run, see `PlannedRun.structure`.
    """

    def __init__(self, folder: Path, outcomes: "queue.SimpleQueue[tuple[WorkerProcess, str | None]]", num_jobs: int):
        self.run: PlannedRun | None = None
        self.structure: Any = None
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tfvae.cli.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_threads(num_jobs)},
            text=True,
            start_new_session=True,  # Ctrl-C of a terminal reaches the sweep only, which passes it on once
        )
        threading.Thread(target=self._listen, args=(outcomes,), daemon=True).start()

    def start(self, run: PlannedRun, *, allow_code: bool = False) -> None:
        """Trains a run, or resumes it if its folder exists."""
        run_folder, settings = run.run_folder(self._folder), run.settings_file(self._folder)
        _wait_until_free(run_folder.path)
        if not settings.exists():
            write_text(settings, run.config.to_toml())
        self.run, self.structure = run, run.structure
        order = {
            "settings": str(settings),
            "run_dir": str(run_folder.path),
            "log": str(run.log_file(self._folder)),
            "allow_code": allow_code,
        }
        with contextlib.suppress(BrokenPipeError):  # the process has ended, which `outcomes` says
            self._process.stdin.write(json.dumps(order) + "\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]

    def interrupt(self) -> None:
        """Stops the run, which saves a checkpoint."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def close(self) -> int:
        """Waits for the end of the run and of the process. Returns the exit code."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]
        return self._process.wait()

    def _listen(self, outcomes: Any) -> None:
        for line in self._process.stdout:  # type: ignore[union-attr]
            outcomes.put((self, line.strip()))
        outcomes.put((self, None))


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
