"""Ctrl-C that loses nothing."""

import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any, Self

import keras

_SAYS = "\nCtrl-C: saving a checkpoint, then ending; Ctrl-C again ends at once.\n"
_SHOW_CURSOR = "\x1b[?25h"


class Interruptible(keras.callbacks.Callback):
    """Remembers Ctrl-C; a context manager, and a callback that knows when there is something to save.

    Python raises KeyboardInterrupt wherever it happens to be: in the middle of a step, or in a function that a library
    calls back and whose errors it only prints. While a model trains, the first Ctrl-C is therefore only remembered, in
    `asked`, for the end of the step; the second ends the process. At other times the first is a KeyboardInterrupt, and
    `check` raises it anew.
    """

    knows_executions = True

    def __init__(self) -> None:
        super().__init__()
        self.asked = False
        self._trains = False
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # None is a handler that was not Python's.
        signal.signal(signal.SIGINT, signal.SIG_DFL if self._before is None else self._before)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        # Also where Python is in a long call and would not look: the system's own way to end a process.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if not self._trains:
            raise KeyboardInterrupt
        # A progress bar may be drawn at this moment, and hides the cursor.
        os.write(2, (_SAYS + (_SHOW_CURSOR if sys.stderr.isatty() else "")).encode())

    def check(self) -> None:
        """Raises KeyboardInterrupt if it was asked for."""
        if self.asked:
            raise KeyboardInterrupt

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.check()
        self._trains = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._trains = False
        self.check()
