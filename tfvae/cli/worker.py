"""Process that trains the runs of a sweep one after the other: `python -m tfvae.cli.worker`.

Each line of the standard input is an order, a JSON object with the settings file, the run folder and the log of a run.
When the run has ended, the outcome is written as a line to the standard output: "finished", "failed" or "interrupted".
The last line of the log of a failed run is the error. The process ends with the standard input.

Runs of the same structure share their programs (`training.shared_programs`). For a run of another structure, and after
a failure, the process starts itself again, so that each run finds the state of a new process.
"""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from tfvae.cli.errors import message_of
from tfvae.cli.loading import commands

if TYPE_CHECKING:
    from tfvae.training.shared_programs import SharedPrograms

_OUTPUTS = (1, 2)  # standard output and standard error, also those of libraries not written in Python


class Worker:
    """Trains runs on order.

    Args:
        replies: Descriptor of the file that the outcomes are written to.
    """

    def __init__(self, replies: int):
        self._replies = replies
        self._errors = os.dup(2)
        self._programs: SharedPrograms | None = None

    def carry_out(self, order: Mapping[str, Any]) -> None:
        """Trains the run of an order and writes the outcome."""
        with _output_to(Path(order["log"])):
            outcome = self._train(order)
        os.write(self._replies, f"{outcome}\n".encode())
        if outcome == "failed":
            self._start_again()

    def _train(self, order: Mapping[str, Any]) -> str:
        training = commands("training")  # the first import of TensorFlow, whose messages it hides

        from tfvae.training.config import RunConfig
        from tfvae.training.run_folder import RunFolder
        from tfvae.training.shared_programs import OtherStructureError, SharedPrograms

        self._programs = self._programs or SharedPrograms()
        folder = RunFolder(order["run_dir"])
        resume = folder.config.exists()
        try:
            training.train(
                RunConfig.of_run(folder.config) if resume else RunConfig.from_toml(order["settings"]),
                folder.path,
                resume=resume,
                allow_code=order["allow_code"],
                programs=self._programs,
            )
        except OtherStructureError:
            self._start_again(order)
        except InterruptedError as error:
            print(f"error: {error}")
            return "interrupted"
        except Exception as error:
            message = message_of(error)
            if message is None:
                traceback.print_exc()
            print(f"error: {message or repr(error)}")
            return "failed"
        return "finished"

    def _start_again(self, order: Mapping[str, Any] | None = None) -> NoReturn:
        """Replaces the process by a new one, which begins with an order."""
        sys.stdout.flush()
        os.dup2(self._replies, 1)
        os.dup2(self._errors, 2)
        rest = [] if order is None else [json.dumps(order)]
        os.execv(sys.executable, [sys.executable, "-m", "tfvae.cli.worker", *rest])  # noqa: S606


@contextlib.contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Appends what the process prints to a file within a block."""
    saved = [os.dup(output) for output in _OUTPUTS]
    with path.open("ab") as log:
        try:
            for output in _OUTPUTS:
                os.dup2(log.fileno(), output)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for output, before in zip(_OUTPUTS, saved, strict=True):
                os.dup2(before, output)
                os.close(before)


def main() -> None:
    """Carries out the order of the command line, then those of the standard input."""
    worker = Worker(os.dup(1))
    for line in sys.argv[1:]:
        worker.carry_out(json.loads(line))
    for line in sys.stdin:
        worker.carry_out(json.loads(line))


if __name__ == "__main__":
    # The sweep interrupts a worker that waits, or has ended before it.
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
