"""Progress bar of `tfvae train`."""

import sys
import time
from types import TracebackType
from typing import Any, Self

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

_LINES = 10  # approximate number of lines printed in place of the bar if there is no terminal


class TrainingProgress(keras.callbacks.Callback):
    """Shows epoch, examples per second, ELBO, log-likelihood, KL and remaining time. Used as a context manager.

    Args:
        console: Console to draw on. If it is not a terminal, a line is printed every few epochs instead.
        num_examples: Number of examples per epoch.
    """

    knows_executions = True

    def __init__(self, console: Console, num_examples: int | None = None):
        super().__init__()
        self.console = console
        self.num_examples = num_examples
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[rate]} examples/s"),
            TextColumn("ELBO {task.fields[elbo]} log-lik {task.fields[log_likelihood]} KL {task.fields[kl]}"),
            TimeRemainingColumn(compact=True, table_column=Column(min_width=5, no_wrap=True)),
            TextColumn("left"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: Any = None
        self._last_drawn = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Starts the bar."""
        self._train_started = time.perf_counter()
        self._first_epoch: int | None = None
        self._first_epoch_ended: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Records the first epoch, which is not 0 in a resumed run."""
        steps = self.params["steps"] or 1
        self._epoch_started = time.perf_counter()
        if self._first_epoch is None:
            self._first_epoch = epoch
            fields: dict[str, Any] = dict.fromkeys(("rate", "elbo", "log_likelihood", "kl"), "...")
            total = (self.params["epochs"] - epoch) * steps
            self._task = self._progress.add_task("", total=total, epoch=self._epoch(epoch), **fields)
        self._steps_before_epoch = (epoch - self._first_epoch) * steps
        self._current_epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Updates the bar, at most ten times a second."""
        if time.perf_counter() - self._last_drawn > 0.1:
            self._show(batch + 1, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Updates the bar. Without a terminal, prints a line."""
        steps, epochs = self.params["steps"] or 1, self.params["epochs"]
        self._show(steps, logs or {})
        every = max(1, epochs // _LINES)
        if not self.console.is_terminal and ((epoch + 1) % every == 0 or epoch + 1 == epochs):
            values = self._values(logs or {})
            validation = (logs or {}).get("val_elbo")
            self.console.print(
                f"epoch {self._epoch(epoch)}  {self._rate(steps)} examples/s  ELBO {values['elbo']}"
                + (f" (validation {validation:.2f})" if validation is not None else "")
                + f"  log-lik {values['log_likelihood']}  KL {values['kl']}{_accuracy(logs or {})}"
                + f"  left {self._seconds_left(epoch):.0f} s",
                highlight=False,
                soft_wrap=True,
            )
            sys.stdout.flush()
        elif not self.console.is_terminal and epoch == (self._first_epoch or 0) + 1:
            self.console.print(f"about {self._seconds_left(epoch):.0f} s of training", highlight=False)
            sys.stdout.flush()
        if self._first_epoch_ended is None:
            self._first_epoch_ended = time.perf_counter()

    def _seconds_left(self, epoch: int) -> float:
        """Returns the expected duration of the epochs after this one. The first one, which compiles, is left out."""
        now, done = time.perf_counter(), epoch + 1 - (self._first_epoch or 0)
        if self._first_epoch_ended is None:
            seconds = now - self._train_started
        else:
            seconds = (now - self._first_epoch_ended) / (done - 1)
        return seconds * (self.params["epochs"] - epoch - 1)

    def _show(self, steps_done: int, logs: dict[str, Any]) -> None:
        self._last_drawn = time.perf_counter()
        self._progress.update(
            self._task,
            completed=self._steps_before_epoch + steps_done,
            epoch=self._epoch(self._current_epoch),
            rate=self._rate(steps_done),
            **self._values(logs),
        )

    def _epoch(self, epoch: int) -> str:
        return f"{epoch + 1}/{self.params['epochs']}"

    def _rate(self, steps_done: int) -> str:
        steps = self.params["steps"] or 1
        if self.num_examples is None:
            return "?"
        seconds = max(time.perf_counter() - self._epoch_started, 1e-9)
        return f"{self.num_examples * steps_done / steps / seconds:,.0f}"

    @staticmethod
    def _values(logs: dict[str, Any]) -> dict[str, Any]:
        return {name: f"{logs[name]:.2f}" if name in logs else "..." for name in ("elbo", "log_likelihood", "kl")}


def _accuracy(logs: dict[str, Any]) -> str:
    """Returns the accuracy of a model with labels, or "" for others."""
    if "accuracy" not in logs:
        return ""
    found = f"  accuracy {logs['accuracy']:.3f}"
    return found + (f" (validation {logs['val_accuracy']:.3f})" if "val_accuracy" in logs else "")
