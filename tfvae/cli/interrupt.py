"""Handling of Ctrl-C during training without losing progress."""

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any, Self

import keras

_MESSAGE = "\nSaving a checkpoint before stopping. Press Ctrl-C again to stop at once.\n"
_SHOW_CURSOR = "\x1b[?25h"


class Interruptible(keras.callbacks.Callback):
    """Records Ctrl-C during training. A context manager, and a callback that knows when a model trains.

    Python raises KeyboardInterrupt at an arbitrary point: in the middle of a step, or in a function called by a library
    that only prints its errors. While a model trains, the first Ctrl-C therefore only sets `requested`, which is read
    at the end of the step. The second Ctrl-C ends the process. At other times the first Ctrl-C raises
    KeyboardInterrupt, and `check` raises it again.
    """

    knows_executions = True

    def __init__(self) -> None:
        super().__init__()
        self.requested = False
        self._training = False
        self._previous_handler: Any = None

    def __enter__(self) -> Self:
        self._previous_handler = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # None stands for a handler that was not installed from Python.
        signal.signal(signal.SIGINT, signal.SIG_DFL if self._previous_handler is None else self._previous_handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        # The system's default handler also works while Python is inside a long call.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if not self._training:
            raise KeyboardInterrupt
        # A progress bar may be on the screen, and hides the cursor.
        os.write(2, (_MESSAGE + (_SHOW_CURSOR if sys.stderr.isatty() else "")).encode())

    def check(self) -> None:
        """Raises KeyboardInterrupt if Ctrl-C was pressed."""
        if self.requested:
            raise KeyboardInterrupt

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.check()
        self._training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._training = False
        self.check()
