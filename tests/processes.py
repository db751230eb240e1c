"""Command lines of `tfvae` in processes of their own that start at once, forked from one that has TensorFlow."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

_SERVER = """
import json, os, sys, time
import tfvae.cli.commands.training
from tfvae.cli.app import main
print("ready", flush=True)
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        os.setpgrp()
        sys.stdin.close()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        print("pid", os.getpid(), flush=True)
        sys.stdout.reconfigure(write_through=True)
        sys.argv = ["tfvae", *json.loads(line)]
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        sys.stdout.flush(); sys.stderr.flush()
        os._exit(code)
    print("\\nexit", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class ForkServer:
    """A context manager; `start` runs a command line, and its lines are those of `lines` until it has ended.

    Attributes:
        pid: of the command that runs.
        exit_code: of the last one, negative for a signal.
    """

    def __init__(self, cwd):
        self._cwd = cwd
        self.pid = None
        self.exit_code = None

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self._cwd,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "COLUMNS": "200"},
        )
        for line in self._process.stdout:
            if line == "ready\n":
                return self
        raise RuntimeError("The server did not start.")

    def __exit__(self, *_):
        self._process.stdin.close()
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait(300)
        self._process.stdout.close()

    def start(self, *arguments):
        self._process.stdin.write(json.dumps([str(argument) for argument in arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        self.pid = int(line.split()[1])

    def kill_at(self, moment, sent):
        """Sends a signal to the command when `time.monotonic()` is `moment`; the timer can be cancelled."""
        pid = self.pid

        def kill():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)

        timer = threading.Timer(max(0.0, moment - time.monotonic()), kill)
        timer.start()
        return timer

    def lines(self):
        """What it prints, standard error too, until it ends."""
        for line in self._process.stdout:
            name, _, value = line.partition(" ")
            if name == "exit":
                self.exit_code, self.pid = int(value), None
                return
            yield line.rstrip("\n")

    def run(self, *arguments):
        self.start(*arguments)
        return "\n".join(self.lines())
