"""Ctrl-C that is never lost."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self

import keras


class Interruptible(keras.callbacks.Callback):
    """Remembers Ctrl-C; a context manager, and a callback that raises it anew at the end of an epoch.

    Python raises KeyboardInterrupt wherever it happens to be. Where that is a function that a library calls back and
    whose errors it only prints, the run would go on as if nobody had asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked = False
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raises KeyboardInterrupt if it was asked for."""
        if self._asked:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.check()
